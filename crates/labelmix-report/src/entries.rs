//! The answer's lists, entry by entry.

use labelmix_econ::{Allocation, Observation, Prices};
use labelmix_stats::{mean, sample_standard_deviation};
use labelmix_store::RunRecord;
use labelmix_study::{GridPoint, NotAffordable};
use serde::Serialize;

/// One finished run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunEntry {
    /// The run's name in the store.
    pub run: String,
    pub method: String,
    pub task: String,
    pub model: String,
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
    pub method: String,
    /// The budget, in dollars.
    pub budget_usd: f64,
    /// The share meant for weak labels, from 0 to 1, of what is left of the budget after the labels that the method buys
    /// whatever the split (the shots of a prompt).
    pub weak_fraction: f64,
    /// Weak labels bought.
    pub n_weak: usize,
    /// Gold labels bought.
    pub n_gold: usize,
    /// What the labels cost by the runs' ledgers, in dollars: the budget or less.
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
            cost_usd: run.cost_usd.unwrap_or_else(|| prices.bill_usd(run.allocation)),
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
        let runs: Vec<&RunRecord> = runs.iter().filter(of_this_point).copied().collect();
        let accuracies: Vec<f64> = runs.iter().map(|run| run.metrics.accuracy).collect();
        // Every seed buys as many labels, so the ledgers agree.
        let cost_usd = runs.first().and_then(|run| run.cost_usd);
        Some(Self {
            method: point.method.clone(),
            budget_usd: point.budget_usd,
            weak_fraction: point.weak_fraction,
            n_weak: point.allocation.n_weak,
            n_gold: point.allocation.n_gold,
            cost_usd: cost_usd.unwrap_or_else(|| prices.bill_usd(point.allocation)),
            accuracy_mean: mean(&accuracies)?,
            accuracy_sd: sample_standard_deviation(&accuracies),
            seeds: accuracies.len(),
            best: false,
        })
    }

    /// Whether a run is of this split.
    pub(crate) fn buys(&self, method: &str, n_weak: usize, n_gold: usize) -> bool {
        (self.method.as_str(), self.n_weak, self.n_gold) == (method, n_weak, n_gold)
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
            method: missed.point.method.clone(),
            budget_usd: missed.point.budget_usd,
            weak_fraction: missed.point.weak_fraction,
            n_weak: missed.point.allocation.n_weak,
            n_gold: missed.point.allocation.n_gold,
            reason: missed.reason.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use labelmix_econ::{LabelKind, Ledger, Purpose};
    use proptest::prelude::*;

    use super::*;
    use crate::worked_example::run;

    proptest! {
        #[test]
        fn costs_are_the_ledgers_to_the_last_bit(
            n_weak in 0usize..3000,
            n_gold in 0usize..300,
            weak_usd in 0.001f64..2.0,
            gold_usd in 0.01f64..20.0,
        ) {
            let prices = Prices::new(weak_usd, gold_usd).unwrap();
            let mut ledger = Ledger::new(prices);
            for (kind, count) in [(LabelKind::Weak, n_weak), (LabelKind::Gold, n_gold)] {
                (0..count).for_each(|label| ledger.enter(label.to_string(), kind, Purpose::Train));
            }
            let unpriced = run("seq-sft", n_weak, n_gold, 0);
            let priced = RunRecord { cost_usd: Some(ledger.cost_usd()), ..unpriced.clone() };
            let point = GridPoint { method: "seq-sft".to_owned(), budget_usd: 1.0, weak_fraction: 0.5, allocation: unpriced.allocation };
            prop_assert_eq!(RunEntry::new(&unpriced, &prices).cost_usd, ledger.cost_usd());
            prop_assert_eq!(RunEntry::new(&priced, &prices).cost_usd, ledger.cost_usd());
            prop_assert_eq!(SplitEntry::new(&point, &prices, &[&priced]).unwrap().cost_usd, ledger.cost_usd());
        }
    }
}
