//! The answer's lists, entry by entry.

use labelmix_econ::{Allocation, Observation, Prices};
use labelmix_stats::{mean, sample_standard_deviation};
use labelmix_sweep::{GridPoint, NotAffordable, RunRecord};
use serde::Serialize;

/// One finished run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunEntry {
    /// The run's name in the store.
    pub run: String,
    /// The method.
    pub method: String,
    /// The task.
    pub task: String,
    /// The model.
    pub model: String,
    /// The seed.
    pub seed: u64,
    /// Weak labels bought.
    pub n_weak: usize,
    /// Gold labels bought.
    pub n_gold: usize,
    /// What the labels cost, in dollars.
    pub cost_usd: f64,
    /// The test accuracy, from 0 to 1.
    pub accuracy: f64,
    /// The lower end of the accuracy's 95% Wilson interval.
    pub accuracy_low: f64,
    /// The upper end of the accuracy's 95% Wilson interval.
    pub accuracy_high: f64,
    /// Area under the ROC curve; `None` for a test set of one class.
    pub auroc: Option<f64>,
}

/// One split of one budget, averaged over seeds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SplitEntry {
    /// The method.
    pub method: String,
    /// The budget, in dollars.
    pub budget_usd: f64,
    /// The share of the budget meant for weak labels, from 0 to 1.
    pub weak_fraction: f64,
    /// Weak labels bought.
    pub n_weak: usize,
    /// Gold labels bought.
    pub n_gold: usize,
    /// What the labels cost, in dollars: the budget or a little less.
    pub cost_usd: f64,
    /// The mean test accuracy over seeds, from 0 to 1.
    pub accuracy_mean: f64,
    /// The sample standard deviation of the accuracy over seeds; `None` of a single seed.
    pub accuracy_sd: Option<f64>,
    /// The number of seeds that have finished.
    pub seeds: usize,
    /// Whether no other measured split of this budget is better ([`labelmix_econ::best_split`]).
    pub best: bool,
}

/// One split of one budget that cannot be bought.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NotAffordableEntry {
    /// The method.
    pub method: String,
    /// The budget, in dollars.
    pub budget_usd: f64,
    /// The share of the budget meant for weak labels, from 0 to 1.
    pub weak_fraction: f64,
    /// Weak labels asked for.
    pub n_weak: usize,
    /// Gold labels asked for.
    pub n_gold: usize,
    /// Why it cannot be bought.
    pub reason: String,
}

/// One point of the Pareto frontier.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FrontierEntry {
    /// What the labels cost, in dollars.
    pub cost_usd: f64,
    /// The mean test accuracy over seeds, from 0 to 1.
    pub accuracy: f64,
    /// The method.
    pub method: String,
    /// Weak labels bought.
    pub n_weak: usize,
    /// Gold labels bought.
    pub n_gold: usize,
}

impl RunEntry {
    pub(crate) fn new(run: &RunRecord, prices: &Prices) -> Self {
        Self {
            run: run.run.clone(),
            method: run.method.clone(),
            task: run.task.clone(),
            model: run.model.clone(),
            seed: run.seed,
            n_weak: run.allocation.n_weak,
            n_gold: run.allocation.n_gold,
            cost_usd: cost_usd(prices, run.allocation),
            accuracy: run.metrics.accuracy,
            accuracy_low: run.metrics.accuracy_low,
            accuracy_high: run.metrics.accuracy_high,
            auroc: run.metrics.auroc,
        }
    }
}

impl SplitEntry {
    /// The split, if a run of it has finished. `runs` are in the order of their seeds, so that the same runs give
    /// the same mean to the last bit.
    pub(crate) fn new(point: &GridPoint, prices: &Prices, runs: &[&RunRecord]) -> Option<Self> {
        let of_this_point = |run: &&&RunRecord| run.method == point.method && run.allocation == point.allocation;
        let accuracies: Vec<f64> = runs.iter().filter(of_this_point).map(|run| run.metrics.accuracy).collect();
        Some(Self {
            method: point.method.to_owned(),
            budget_usd: point.budget_usd,
            weak_fraction: point.weak_fraction,
            n_weak: point.allocation.n_weak,
            n_gold: point.allocation.n_gold,
            cost_usd: cost_usd(prices, point.allocation),
            accuracy_mean: mean(&accuracies)?,
            accuracy_sd: sample_standard_deviation(&accuracies),
            seeds: accuracies.len(),
            best: false,
        })
    }

    /// What [`labelmix_econ::best_split`] and the frontier judge.
    pub(crate) fn observation(&self) -> Observation {
        let allocation = Allocation { n_weak: self.n_weak, n_gold: self.n_gold };
        Observation { allocation, cost_usd: self.cost_usd, accuracy: self.accuracy_mean }
    }
}

impl NotAffordableEntry {
    pub(crate) fn new(missed: &NotAffordable) -> Self {
        Self {
            method: missed.point.method.to_owned(),
            budget_usd: missed.point.budget_usd,
            weak_fraction: missed.point.weak_fraction,
            n_weak: missed.point.allocation.n_weak,
            n_gold: missed.point.allocation.n_gold,
            reason: missed.reason.clone(),
        }
    }
}

/// What an allocation costs, to a millionth of a dollar: 3 labels at $0.10 are $0.30 and not $0.30000000000000004.
fn cost_usd(prices: &Prices, allocation: Allocation) -> f64 {
    (prices.cost_usd(allocation) * 1e6).round() / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::worked_example::prices;

    #[test]
    fn costs_are_free_of_floating_error() {
        let allocation = Allocation { n_weak: 3, n_gold: 0 };
        assert_eq!(prices().cost_usd(allocation).to_string(), "0.30000000000000004");
        assert_eq!(cost_usd(&prices(), allocation).to_string(), "0.3");
    }
}
