//! Methods against each other at equal cost (Mallen & Belrose 2024, table 1).

use labelmix_econ::best_split;
use serde::Serialize;

use crate::SplitEntry;
use crate::answer::distinct_purchases;
use crate::notation::rising;

/// The best that a method makes of a budget: of all purchases whose cost is within it, whatever they were planned for.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WithinBudget {
    pub method: String,
    /// The budget, in dollars.
    pub budget_usd: f64,
    /// What the best purchase costs, in dollars.
    pub cost_usd: f64,
    /// Its mean test accuracy over seeds, from 0 to 1.
    pub accuracy_mean: f64,
    /// The sample standard deviation of the accuracy over seeds; `None` of a single seed.
    pub accuracy_sd: Option<f64>,
    /// Weak labels bought.
    pub n_weak: usize,
    /// Gold labels bought.
    pub n_gold: usize,
}

/// An entry for every method and budget of the grid that buys it something, by method and rising budget.
pub(crate) fn within_budgets(methods: &[&str], splits: &[SplitEntry]) -> Vec<WithinBudget> {
    let budgets = rising(splits.iter().map(|split| split.budget_usd).collect());
    let purchases = distinct_purchases(splits);
    let best = |method: &str, budget_usd: f64| {
        // The same tolerance with which a budget is split.
        let within = |split: &&SplitEntry| split.method == method && split.cost_usd <= budget_usd * (1.0 + 1e-9);
        let purchases: Vec<&SplitEntry> = purchases.iter().copied().filter(within).collect();
        let observations: Vec<_> = purchases.iter().map(|split| split.observation()).collect();
        let split = purchases[best_split(&observations)?];
        Some(WithinBudget {
            method: method.to_owned(),
            budget_usd,
            cost_usd: split.cost_usd,
            accuracy_mean: split.accuracy_mean,
            accuracy_sd: split.accuracy_sd,
            n_weak: split.n_weak,
            n_gold: split.n_gold,
        })
    };
    methods.iter().flat_map(|method| budgets.iter().filter_map(|budget| best(method, *budget))).collect()
}

#[cfg(test)]
mod tests {
    use crate::worked_example::answer;

    #[test]
    fn a_budget_buys_whatever_costs_no_more() {
        let line = |best: &super::WithinBudget| {
            format!(
                "{} ${}: {:.4} for ${}, {} + {}",
                best.method, best.budget_usd, best.accuracy_mean, best.cost_usd, best.n_weak, best.n_gold
            )
        };
        let lines: Vec<String> = answer().methods_within_budgets.iter().map(line).collect();
        insta::assert_snapshot!(lines.join("\n"), @"
        seq-sft $4.5: 0.6485 for $4.5, 45 + 0
        seq-sft $64: 0.7144 for $64, 160 + 48
        few-shot $4.5: 0.6385 for $4.5, 45 + 0
        few-shot $64: 0.7044 for $64, 160 + 48
        ");
    }

    #[test]
    fn a_cheap_purchase_of_a_small_budget_counts_for_a_large_one() {
        let mut splits = answer().budgets;
        for split in splits.iter_mut().filter(|split| split.budget_usd > 5.0) {
            split.accuracy_mean = 0.5;
        }
        let best = super::within_budgets(&["seq-sft"], &splits);
        assert_eq!((best[1].budget_usd, best[1].cost_usd, best[1].n_weak), (64.0, 4.5, 45));
    }
}
