//! What the figures draw, as numbers.

use labelmix_econ::Prices;

use crate::answer::distinct_purchases;
use crate::{Answer, FrontierEntry, SplitEntry};

/// The accuracy of one budget by weak fraction.
#[derive(Debug)]
pub(super) struct Curve {
    pub(super) budget_usd: f64,
    /// By rising weak fraction.
    pub(super) points: Vec<CurvePoint>,
}

#[derive(Debug)]
pub(super) struct CurvePoint {
    pub(super) weak_fraction: f64,
    pub(super) accuracy: f64,
    pub(super) deviation: Option<f64>,
    pub(super) best: bool,
}

impl CurvePoint {
    /// One standard deviation to either side, within what an accuracy can be.
    pub(super) fn spread(&self) -> (f64, f64) {
        let deviation = self.deviation.unwrap_or(0.0);
        ((self.accuracy - deviation).max(0.0), (self.accuracy + deviation).min(1.0))
    }
}

/// A curve per budget of a method, by rising budget.
pub(super) fn curves(answer: &Answer, method: &str) -> Vec<Curve> {
    let point = |split: &SplitEntry| CurvePoint {
        weak_fraction: split.weak_fraction,
        accuracy: split.accuracy_mean,
        deviation: split.accuracy_sd,
        best: split.best,
    };
    let splits: Vec<&SplitEntry> = answer.splits_of(method).collect();
    let budgets = splits.chunk_by(|a, b| a.budget_usd.total_cmp(&b.budget_usd).is_eq());
    budgets
        .map(|splits| Curve {
            budget_usd: splits[0].budget_usd,
            points: splits.iter().map(|split| point(split)).collect(),
        })
        .collect()
}

/// A purchase: what a method made of an allocation.
#[derive(Debug)]
pub(super) struct Purchase {
    /// The method's place in [`Answer::methods`].
    pub(super) method: usize,
    pub(super) cost_usd: f64,
    pub(super) accuracy: f64,
    /// The share of the cost that went into weak labels.
    pub(super) weak_share: f64,
    pub(super) on_frontier: bool,
}

/// Every method and allocation once, those on the frontier last, so that they are drawn over the others.
pub(super) fn purchases(answer: &Answer) -> Vec<Purchase> {
    let methods = answer.methods();
    let purchase = |split: &SplitEntry| {
        let same = |point: &FrontierEntry| {
            (&point.method, point.n_weak, point.n_gold) == (&split.method, split.n_weak, split.n_gold)
        };
        Some(Purchase {
            method: methods.iter().position(|method| *method == split.method)?,
            cost_usd: split.cost_usd,
            accuracy: split.accuracy_mean,
            weak_share: weak_share(split, &answer.prices),
            on_frontier: answer.frontier.iter().any(same),
        })
    };
    let mut purchases: Vec<_> = distinct_purchases(&answer.budgets).into_iter().filter_map(purchase).collect();
    purchases.sort_by_key(|purchase| purchase.on_frontier);
    purchases
}

fn weak_share(split: &SplitEntry, prices: &Prices) -> f64 {
    let weak_usd = split.n_weak as f64 * prices.weak_usd();
    weak_usd / (weak_usd + split.n_gold as f64 * prices.gold_usd())
}

/// The corners of the best accuracy that a cost can buy: level from each point of the frontier to the next one's
/// cost, then up; from the last one level to `dearest_usd`.
pub(super) fn frontier_steps(frontier: &[FrontierEntry], dearest_usd: f64) -> Vec<(f64, f64)> {
    let next_costs = frontier.iter().skip(1).map(|point| point.cost_usd).chain([dearest_usd]);
    let level = |(point, until): (&FrontierEntry, f64)| [(point.cost_usd, point.accuracy), (until, point.accuracy)];
    frontier.iter().zip(next_costs).flat_map(level).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::worked_example::{answer, answer_without_runs};

    #[test]
    fn a_curve_per_budget() {
        let curves = curves(&answer(), "seq-sft");
        let line = |curve: &Curve| {
            let points: Vec<String> = curve
                .points
                .iter()
                .map(|point| {
                    let (low, high) = point.spread();
                    let best = if point.best { " best" } else { "" };
                    format!("{}: {low:.4} {:.4} {high:.4}{best}", point.weak_fraction, point.accuracy)
                })
                .collect();
            format!("${}  {}", curve.budget_usd, points.join(" | "))
        };
        insta::assert_snapshot!(curves.iter().map(line).collect::<Vec<_>>().join("\n"), @"
        $4.5  0: 0.5188 0.5288 0.5388 | 0.25: 0.5886 0.5986 0.6086 | 1: 0.6385 0.6485 0.6585 best
        $64  0: 0.6548 0.6648 0.6748 | 0.25: 0.7044 0.7144 0.7244 best | 1: 0.6939 0.7039 0.7139
        ");
    }

    #[test]
    fn every_purchase_once_with_its_weak_share() {
        let line = |purchase: &Purchase| {
            let frontier = if purchase.on_frontier { " frontier" } else { "" };
            let Purchase { method, cost_usd, accuracy, weak_share, .. } = purchase;
            format!("{method} ${cost_usd} {accuracy:.4} weak {weak_share:.3}{frontier}")
        };
        insta::assert_snapshot!(purchases(&answer()).iter().map(line).collect::<Vec<_>>().join("\n"), @"
        0 $4.5 0.5986 weak 0.333
        0 $64 0.6648 weak 0.000
        0 $64 0.7039 weak 1.000
        1 $4 0.5188 weak 0.000
        1 $4.5 0.5886 weak 0.333
        1 $4.5 0.6385 weak 1.000
        1 $64 0.6548 weak 0.000
        1 $64 0.7044 weak 0.250
        1 $64 0.6939 weak 1.000
        0 $4 0.5288 weak 0.000 frontier
        0 $4.5 0.6485 weak 1.000 frontier
        0 $64 0.7144 weak 0.250 frontier
        ");
    }

    #[test]
    fn the_frontier_rises_in_steps() {
        let point =
            |cost_usd, accuracy| FrontierEntry { cost_usd, accuracy, method: String::new(), n_weak: 0, n_gold: 0 };
        let steps = frontier_steps(&[point(4.0, 0.5), point(16.0, 0.7)], 100.0);
        assert_eq!(steps, [(4.0, 0.5), (16.0, 0.5), (16.0, 0.7), (100.0, 0.7)]);
        assert_eq!(frontier_steps(&[], 100.0), []);
    }

    #[test]
    fn a_deviation_does_not_leave_what_an_accuracy_can_be() {
        let point = CurvePoint { weak_fraction: 0.0, accuracy: 0.99, deviation: Some(0.02), best: false };
        assert_eq!(point.spread(), (0.97, 1.0));
    }

    #[test]
    fn nothing_measured_draws_nothing() {
        assert!(curves(&answer_without_runs(), "seq-sft").is_empty());
        assert!(purchases(&answer_without_runs()).is_empty());
    }
}
