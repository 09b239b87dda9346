//! What each method makes of each budget: Table 1 (Mallen & Belrose 2024), for any prices, from the same runs.

use labelmix_stats::sample_standard_deviation;
use serde::Serialize;

use crate::allocation::check_budget;
use crate::error::{AnalysisError, Result};
use crate::measurement::Cell;
use crate::regime::within;
use crate::{Allocation, Measurements, Tariff};

/// A row for each method, a column for each budget.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BudgetTable {
    /// The budgets in dollars.
    pub budgets_usd: Vec<f64>,
    /// The methods by name.
    pub rows: Vec<BudgetRow>,
}

/// One method's row.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BudgetRow {
    pub method: String,
    /// What it makes of each budget; none where the budget pays for none of its runs on some task.
    pub entries: Vec<Option<BudgetEntry>>,
}

/// The best of a method within a budget.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BudgetEntry {
    /// The mean over tasks of the best accuracy of any allocation within the budget, itself a mean over seeds.
    pub accuracy: f64,
    /// The mean over tasks of the deviation between those allocations' seeds; none where one has a single seed.
    pub deviation: Option<f64>,
    /// The mean over tasks of the share of weak labels among the labels bought.
    pub weak_share: f64,
    /// The allocation chosen on each task, in the order of [`Measurements::tasks`].
    pub chosen: Vec<Allocation>,
}

/// Table 1. On each task the best allocation within the budget is chosen by itself; of equally accurate ones the
/// cheapest, then the one with the fewest weak labels. Runs without labels count: they cost nothing.
///
/// The best of many noisy accuracies is optimistic, here as in print; [`regime`](crate::regime()) and
/// [`UncertainFrontier`](crate::UncertainFrontier) say by how much.
///
/// # Errors
/// [`AnalysisError`] for a budget that is negative or not finite, and for one that pays for no run of any method.
pub fn budget_table(measurements: &Measurements, tariff: &Tariff, budgets_usd: &[f64]) -> Result<BudgetTable> {
    let choices = Choices::new(measurements, tariff);
    for &budget_usd in budgets_usd {
        check_budget(budget_usd)?;
        let cheapest_usd = choices.cheapest_usd();
        if !within(cheapest_usd, budget_usd) {
            return Err(AnalysisError::NothingAffordable { budget_usd, cheapest_usd });
        }
    }
    let row = |(method, name): (usize, &String)| BudgetRow {
        method: name.clone(),
        entries: budgets_usd.iter().map(|&budget_usd| choices.entry(method, budget_usd)).collect(),
    };
    let rows = measurements.methods().iter().enumerate().map(row).collect();
    Ok(BudgetTable { budgets_usd: budgets_usd.to_vec(), rows })
}

/// The best accuracy that each method reaches at every cost at which it changes: the steps of its curve, rising.
pub fn accuracy_at_budget(measurements: &Measurements, tariff: &Tariff) -> Vec<AccuracyCurve> {
    let choices = Choices::new(measurements, tariff);
    let curve = |(method, name): (usize, &String)| {
        let mut costs: Vec<f64> = choices.of_method(method).map(|(_, cost_usd)| *cost_usd).collect();
        costs.sort_unstable_by(f64::total_cmp);
        costs.dedup();
        let mut steps: Vec<CurveStep> = Vec::new();
        for budget_usd in costs {
            let entry = choices.entry(method, budget_usd);
            let better = |entry: &BudgetEntry| steps.last().is_none_or(|last| last.entry.accuracy < entry.accuracy);
            if let Some(entry) = entry.filter(better) {
                steps.push(CurveStep { budget_usd, entry });
            }
        }
        AccuracyCurve { method: name.clone(), steps }
    };
    measurements.methods().iter().enumerate().map(curve).collect()
}

/// A method's accuracy at every budget.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AccuracyCurve {
    pub method: String,
    /// Its steps, by rising budget.
    pub steps: Vec<CurveStep>,
}

/// A budget from which on a method is more accurate.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CurveStep {
    /// The budget, in dollars.
    pub budget_usd: f64,
    /// The method's best from there on.
    pub entry: BudgetEntry,
}

/// All cells with their costs.
struct Choices<'a> {
    cells: Vec<(&'a Cell, f64)>,
    tasks: usize,
}

impl<'a> Choices<'a> {
    fn new(measurements: &'a Measurements, tariff: &Tariff) -> Self {
        let cells = measurements.cells().iter().map(|cell| (cell, tariff.cost_usd(cell.allocation))).collect();
        Self { cells, tasks: measurements.tasks().len() }
    }

    fn of_method(&self, method: usize) -> impl Iterator<Item = &(&'a Cell, f64)> {
        self.cells.iter().filter(move |(cell, _)| cell.method == method)
    }

    fn cheapest_usd(&self) -> f64 {
        self.cells.iter().map(|(_, cost_usd)| *cost_usd).fold(f64::INFINITY, f64::min)
    }

    fn entry(&self, method: usize, budget_usd: f64) -> Option<BudgetEntry> {
        let best = |task| {
            let affordable =
                self.of_method(method).filter(|(cell, cost)| cell.task == task && within(*cost, budget_usd));
            let (cell, _) = affordable.max_by(|(a, cost_of_a), (b, cost_of_b)| {
                let by_accuracy = a.mean_accuracy().total_cmp(&b.mean_accuracy());
                by_accuracy.then(cost_of_b.total_cmp(cost_of_a)).then(b.allocation.cmp(&a.allocation))
            })?;
            Some(*cell)
        };
        let cells = (0..self.tasks).map(best).collect::<Option<Vec<&Cell>>>()?;
        let mean = |value: fn(&Cell) -> f64| cells.iter().map(|cell| value(cell)).sum::<f64>() / cells.len() as f64;
        let deviations: Option<Vec<f64>> =
            cells.iter().map(|cell| sample_standard_deviation(&cell.accuracies())).collect();
        Some(BudgetEntry {
            accuracy: mean(Cell::mean_accuracy),
            deviation: deviations.map(|values| values.iter().sum::<f64>() / values.len() as f64),
            weak_share: mean(|cell| weak_share(cell.allocation)),
            chosen: cells.iter().map(|cell| cell.allocation).collect(),
        })
    }
}

/// The share of weak labels among all labels; zero where there are none.
fn weak_share(allocation: Allocation) -> f64 {
    let labels = allocation.n_weak + allocation.n_gold;
    if labels == 0 { 0.0 } else { allocation.n_weak as f64 / labels as f64 }
}
