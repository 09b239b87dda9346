//! `[grid]`: which labels are bought, and with which seeds.

use serde::{Deserialize, Serialize};

use super::Problem;

/// `[grid]`: every budget is split in every way, or every number of weak labels goes with every number of gold ones, or
/// both; with every seed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "Keys")]
pub struct GridTable {
    /// Budgets in dollars.
    pub budgets: Vec<f64>,
    /// Shares of a budget that are spent on weak labels; none unless they are given, if there are counts.
    pub weak_fractions: Vec<f64>,
    /// Numbers of weak labels, each of which goes with each number of gold labels. Such a point belongs to the smallest
    /// budget that pays for it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub weak_counts: Vec<usize>,
    /// Numbers of gold labels.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub gold_counts: Vec<usize>,
    /// Seeds: each has its own pools, initial weights and batches.
    pub seeds: Vec<u64>,
}

/// The table as it is written. What the fractions default to depends on whether there are counts.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    budgets: Option<Vec<f64>>,
    weak_fractions: Option<Vec<f64>>,
    #[serde(default)]
    weak_counts: Vec<usize>,
    #[serde(default)]
    gold_counts: Vec<usize>,
    seeds: Option<Vec<u64>>,
}

impl From<Keys> for GridTable {
    fn from(Keys { budgets, weak_fractions, weak_counts, gold_counts, seeds }: Keys) -> Self {
        let has_counts = !(weak_counts.is_empty() && gold_counts.is_empty());
        let usual_fractions = || if has_counts { vec![] } else { vec![0.0, 0.05, 0.2, 0.4, 0.6, 0.8, 0.95, 1.0] };
        Self {
            budgets: budgets.unwrap_or_else(|| vec![16.0, 64.0, 256.0, 512.0, 1024.0, 4096.0, 8192.0]),
            weak_fractions: weak_fractions.unwrap_or_else(usual_fractions),
            weak_counts,
            gold_counts,
            seeds: seeds.unwrap_or_else(|| vec![0, 1, 2]),
        }
    }
}

impl Default for GridTable {
    fn default() -> Self {
        Keys::default().into()
    }
}

impl GridTable {
    pub(super) fn check(&self) -> Result<(), Problem> {
        let problem = |reason: String, help: &str| Err(Problem { reason, help: help.to_owned() });
        if self.weak_counts.is_empty() != self.gold_counts.is_empty() {
            let [given, missing] = if self.gold_counts.is_empty() {
                ["weak_counts", "gold_counts"]
            } else {
                ["gold_counts", "weak_counts"]
            };
            let reason = format!("{given} without {missing} in [grid]");
            return problem(reason, "give both: each number of weak labels goes with each of gold labels; 0 is one");
        }
        let nothing_to_buy = self.weak_fractions.is_empty() && self.weak_counts.is_empty();
        if self.budgets.is_empty() || nothing_to_buy || self.seeds.is_empty() {
            return problem(
                "an empty list in [grid]".into(),
                "give at least one budget, one weak fraction (or numbers of labels) and one seed",
            );
        }
        if let Some(budget) = self.budgets.iter().find(|budget| !(budget.is_finite() && **budget > 0.0)) {
            let help =
                "budgets are positive amounts in dollars; what costs nothing, as zero-shot, is measured at $0 anyway";
            return problem(format!("the budget {budget} in [grid]"), help);
        }
        if let Some(fraction) = self.weak_fractions.iter().find(|fraction| !(0.0..=1.0).contains(*fraction)) {
            return problem(format!("the weak fraction {fraction} in [grid]"), "weak fractions lie between 0 and 1");
        }
        if !self.weak_counts.is_empty() && self.weak_counts.iter().chain(&self.gold_counts).all(|count| *count == 0) {
            return problem(
                "weak_counts and gold_counts in [grid] are all 0".into(),
                "give a number of labels that is above 0",
            );
        }
        Ok(())
    }
}
