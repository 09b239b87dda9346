//! Accuracy with the classes as frequent as they are in the test file, where balancing made them equally frequent.

use std::collections::BTreeMap;

use labelmix_econ::{Allocation, MeasuredRun, Outcome, Prices};
use labelmix_stats::{mean, sample_standard_deviation};
use serde::Serialize;

use crate::notation::{count, dollars, mean_and_deviation};
use crate::text_table::{Style, align_right, table_with_header};

/// What each purchase is worth where class 1 is as frequent as in the test file: the accuracies on the two classes of the
/// balanced test set, weighted by the file's shares.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OwnShares {
    /// The share of class 1 in the test file, from 0 to 1.
    pub share_of_class_1: f64,
    /// The purchases, by method and cost.
    pub purchases: Vec<OwnSharesEntry>,
}

/// A purchase at the test file's own shares.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OwnSharesEntry {
    pub method: String,
    /// Weak labels bought.
    pub n_weak: usize,
    /// Gold labels bought.
    pub n_gold: usize,
    /// What the labels cost, in dollars.
    pub cost_usd: f64,
    /// The mean accuracy over seeds on the test set as it is, from 0 to 1.
    pub balanced_mean: f64,
    /// The mean accuracy over seeds at the file's own shares, from 0 to 1.
    pub accuracy_mean: f64,
    /// Its sample standard deviation; `None` of a single seed.
    pub accuracy_sd: Option<f64>,
}

impl OwnShares {
    /// Of runs that know which test items they got right; `test` has the items' gold labels, in their order.
    pub fn new(share_of_class_1: f64, test: &[bool], runs: &[MeasuredRun], prices: &Prices) -> Self {
        let weights = [1.0 - share_of_class_1, share_of_class_1];
        let mut by_purchase: BTreeMap<(&str, Allocation), Vec<(f64, f64)>> = BTreeMap::new();
        for run in runs {
            let Outcome::Items(items) = &run.outcome else { continue };
            let on_class = |class: bool| {
                let of_class = || test.iter().enumerate().filter(move |(_, gold)| **gold == class);
                of_class().filter(|(item, _)| items.is_correct(*item)).count() as f64 / of_class().count().max(1) as f64
            };
            let accuracy = weights[0] * on_class(false) + weights[1] * on_class(true);
            by_purchase.entry((&run.method, run.allocation)).or_default().push((run.outcome.accuracy(), accuracy));
        }
        let entry = |((method, allocation), accuracies): ((&str, Allocation), Vec<(f64, f64)>)| {
            let (balanced, own): (Vec<f64>, Vec<f64>) = accuracies.into_iter().unzip();
            OwnSharesEntry {
                method: method.to_owned(),
                n_weak: allocation.n_weak,
                n_gold: allocation.n_gold,
                cost_usd: prices.bill_usd(allocation),
                balanced_mean: mean(&balanced).unwrap_or(f64::NAN),
                accuracy_mean: mean(&own).unwrap_or(f64::NAN),
                accuracy_sd: sample_standard_deviation(&own),
            }
        };
        let mut purchases: Vec<OwnSharesEntry> = by_purchase.into_iter().map(entry).collect();
        purchases.sort_by(|a, b| a.method.cmp(&b.method).then(a.cost_usd.total_cmp(&b.cost_usd)));
        Self { share_of_class_1, purchases }
    }

    /// Whether the shares are so far from even that people want to see both accuracies: nearer, they differ by tenths of a point.
    pub(crate) fn matters(&self) -> bool {
        const NEARLY_EVEN: f64 = 0.03;
        (self.share_of_class_1 - 0.5).abs() > NEARLY_EVEN
    }

    /// As a table for the terminal.
    pub(crate) fn table(&self, style: Style) -> String {
        let header = ["method", "cost", "weak", "gold", "balanced", "own shares"].map(str::to_owned);
        let mut table = table_with_header(style, header);
        for entry in &self.purchases {
            table.add_row([
                entry.method.clone(),
                dollars(entry.cost_usd),
                count(entry.n_weak),
                count(entry.n_gold),
                mean_and_deviation(entry.balanced_mean, None),
                mean_and_deviation(entry.accuracy_mean, entry.accuracy_sd),
            ]);
        }
        align_right(&mut table, &[1, 2, 3, 4, 5]);
        format!(
            "Accuracy at the test file's own shares ({:.1}% of class 1), beside that on the balanced test set\n{}",
            100.0 * self.share_of_class_1,
            table.trim_fmt()
        )
    }
}

#[cfg(test)]
mod tests {
    use labelmix_econ::CorrectItems;

    use super::*;

    #[test]
    fn classes_are_weighted_as_the_file_has_them() {
        let run = |seed, correct: &[bool]| MeasuredRun {
            task: "t".to_owned(),
            method: "seq-sft".to_owned(),
            allocation: Allocation { n_weak: 10, n_gold: 4 },
            seed,
            outcome: Outcome::Items(CorrectItems::new(correct)),
            gpu_hours: None,
        };
        let runs = [run(0, &[true, true, true, false]), run(1, &[true, false, false, false])];
        let prices = Prices::new(0.1, 1.0).unwrap();
        let own = OwnShares::new(0.2, &[false, false, true, true], &runs, &prices);
        let [entry] = &own.purchases[..] else { panic!("{own:?}") };
        let expected = [0.8 + 0.2 * 0.5, 0.8 * 0.5];
        assert!((entry.accuracy_mean - f64::midpoint(expected[0], expected[1])).abs() < 1e-12);
        assert_eq!((entry.balanced_mean, entry.cost_usd), (0.5, 5.0));
        insta::assert_snapshot!(own.table(Style::PLAIN), @"
        Accuracy at the test file's own shares (20.0% of class 1), beside that on the balanced test set
         method    cost   weak   gold   balanced    own shares
        ───────────────────────────────────────────────────────
         seq-sft     $5     10      4       .500   .650 ± .354
        ");
    }
}
