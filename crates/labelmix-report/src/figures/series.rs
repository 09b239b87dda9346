//! What the figures of measured splits draw, as numbers.

use labelmix_econ::{Prices, UncertainFrontier};
use labelmix_stats::Interval;

use crate::{Analysis, Answer, SplitEntry};

/// The accuracy of one budget by weak fraction.
#[derive(Debug)]
pub(super) struct Curve {
    /// The budget's place among those of the figure.
    pub(super) budget: usize,
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
    pub(super) fn spread(&self) -> (f64, f64) {
        spread(self.accuracy, self.deviation)
    }
}

/// One standard deviation to either side of an accuracy, within what an accuracy can be.
pub(super) fn spread(accuracy: f64, deviation: Option<f64>) -> (f64, f64) {
    let deviation = deviation.unwrap_or(0.0);
    ((accuracy - deviation).max(0.0), (accuracy + deviation).min(1.0))
}

/// A curve per budget of a method, by rising budget. `all` are the figure's budgets.
pub(super) fn curves(answer: &Answer, method: &str, all: &[f64]) -> Vec<Curve> {
    let point = |split: &SplitEntry| CurvePoint {
        weak_fraction: split.weak_fraction,
        accuracy: split.accuracy_mean,
        deviation: split.accuracy_sd,
        best: split.best,
    };
    let splits: Vec<&SplitEntry> = answer.splits_of(method).collect();
    let of_budget = splits.chunk_by(|a, b| a.budget_usd.total_cmp(&b.budget_usd).is_eq());
    of_budget
        .map(|splits| Curve {
            budget: all.iter().position(|budget| *budget == splits[0].budget_usd).unwrap_or(0),
            points: splits.iter().map(|split| point(split)).collect(),
        })
        .collect()
}

/// What a method made of an allocation, at some prices.
#[derive(Debug)]
pub(super) struct PricedAllocation {
    /// The method's place in [`Answer::methods`].
    pub(super) method: usize,
    pub(super) cost_usd: f64,
    pub(super) accuracy: f64,
    pub(super) interval: Interval,
    /// The share of the cost that went into weak labels.
    pub(super) weak_share: f64,
    pub(super) on_frontier: bool,
}

/// Every method and allocation at some prices, with the frontier and its band.
#[derive(Debug)]
pub(super) struct Priced {
    pub(super) prices: Prices,
    /// Those on the frontier last and by rising cost, so that they are drawn over the others.
    pub(super) purchases: Vec<PricedAllocation>,
    /// Cost, and the interval of the best accuracy from there on.
    pub(super) band: Vec<(f64, Interval)>,
}

impl Priced {
    pub(super) fn new(answer: &Answer, analysis: &Analysis, prices: Prices) -> Self {
        let frontier = UncertainFrontier::new(&analysis.measurements, &analysis.resamples, &prices.into());
        let purchase = |point: &labelmix_econ::FrontierPoint| PricedAllocation {
            method: answer.place_of(&point.method),
            cost_usd: point.cost_usd,
            accuracy: point.accuracy,
            interval: point.interval,
            weak_share: if point.cost_usd > 0.0 {
                point.allocation.n_weak as f64 * prices.weak_usd() / point.cost_usd
            } else {
                0.0
            },
            on_frontier: point.on_frontier,
        };
        let mut purchases: Vec<PricedAllocation> = frontier.points.iter().map(purchase).collect();
        purchases.sort_by_key(|purchase| purchase.on_frontier);
        let band = frontier.band.iter().map(|step| (step.cost_usd, step.interval)).collect();
        Self { prices, purchases, band }
    }

    /// The corners of the best accuracy that a cost can buy: level from each point of the frontier to the next one's
    /// cost, then up; from the last one level to `dearest_usd`.
    pub(super) fn frontier_steps(&self, dearest_usd: f64) -> Vec<(f64, f64)> {
        let frontier = self.purchases.iter().filter(|purchase| purchase.on_frontier);
        steps(frontier.map(|purchase| (purchase.cost_usd, purchase.accuracy)), dearest_usd)
    }

    /// The corners of the band, around it.
    pub(super) fn band_outline(&self, dearest_usd: f64) -> Vec<(f64, f64)> {
        let side = |end: fn(&Interval) -> f64| {
            steps(self.band.iter().map(|(cost, interval)| (*cost, end(interval).clamp(0.0, 1.0))), dearest_usd)
        };
        let (upper, lower) = (side(|interval| interval.high), side(|interval| interval.low));
        upper.into_iter().chain(lower.into_iter().rev()).collect()
    }
}

fn steps(points: impl Iterator<Item = (f64, f64)> + Clone, dearest_usd: f64) -> Vec<(f64, f64)> {
    let next_costs = points.clone().skip(1).map(|(cost, _)| cost).chain([dearest_usd]);
    points.zip(next_costs).flat_map(|((cost, height), until)| [(cost, height), (until, height)]).collect()
}

/// The study's prices, and the published price ratios (Mallen & Belrose 2024) where they are others.
pub(super) fn price_panels(prices: &Prices) -> Vec<Prices> {
    const PUBLISHED: [f64; 3] = [0.5, 0.1, 0.01];
    let gold_usd = prices.gold_usd();
    let mut ratios: Vec<f64> = PUBLISHED.to_vec();
    let own = prices.weak_usd() / gold_usd;
    if ratios.iter().all(|ratio| (ratio / own - 1.0).abs() > 1e-6) {
        ratios.push(own);
        ratios.sort_by(|a, b| b.total_cmp(a));
    }
    ratios.iter().filter_map(|ratio| Prices::new(ratio * gold_usd, gold_usd).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::worked_example::{analysis, answer, answer_without_runs};

    #[test]
    fn a_curve_per_budget() {
        let budgets = answer().budgets_usd();
        let curves = curves(&answer(), "seq-sft", &budgets);
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
            format!("${}  {}", budgets[curve.budget], points.join(" | "))
        };
        insta::assert_snapshot!(curves.iter().map(line).collect::<Vec<_>>().join("\n"), @"
        $4.5  0: 0.5188 0.5288 0.5388 | 0.25: 0.5886 0.5986 0.6086 | 1: 0.6385 0.6485 0.6585 best
        $64  0: 0.6548 0.6648 0.6748 | 0.25: 0.7044 0.7144 0.7244 best | 1: 0.6939 0.7039 0.7139
        ");
    }

    #[test]
    fn every_purchase_once_with_its_weak_share_and_interval() {
        let line = |purchase: &PricedAllocation| {
            let frontier = if purchase.on_frontier { " frontier" } else { "" };
            let PricedAllocation { method, cost_usd, accuracy, interval: Interval { low, high }, weak_share, .. } =
                purchase;
            format!("{method} ${cost_usd:.2} {accuracy:.3} ({low:.3} to {high:.3}) weak {weak_share:.3}{frontier}")
        };
        let priced = Priced::new(&answer(), &analysis(), answer().prices);
        insta::assert_snapshot!(priced.purchases.iter().map(line).collect::<Vec<_>>().join("\n"), @r#"
        1 $4.00 0.519 (0.480 to 0.553) weak 0.000
        1 $4.50 0.589 (0.555 to 0.622) weak 0.333
        1 $4.50 0.638 (0.604 to 0.672) weak 1.000
        0 $4.50 0.599 (0.567 to 0.630) weak 0.333
        1 $64.00 0.655 (0.622 to 0.688) weak 0.000
        1 $64.00 0.704 (0.669 to 0.737) weak 0.250
        1 $64.00 0.694 (0.660 to 0.726) weak 1.000
        0 $64.00 0.665 (0.634 to 0.694) weak 0.000
        0 $64.00 0.704 (0.673 to 0.733) weak 1.000
        0 $4.00 0.529 (0.496 to 0.562) weak 0.000 frontier
        0 $4.50 0.648 (0.618 to 0.678) weak 1.000 frontier
        0 $64.00 0.714 (0.684 to 0.743) weak 0.250 frontier
        "#);
    }

    #[test]
    fn the_frontier_rises_in_steps() {
        let points = [(4.0, 0.5), (16.0, 0.7)];
        assert_eq!(steps(points.into_iter(), 100.0), [(4.0, 0.5), (16.0, 0.5), (16.0, 0.7), (100.0, 0.7)]);
        assert_eq!(steps([].into_iter(), 100.0), []);
        let priced = Priced::new(&answer(), &analysis(), answer().prices);
        let outline = priced.band_outline(100.0);
        assert_eq!(outline.len(), 4 * priced.band.len(), "two corners a step, above and below");
        assert_eq!((outline[0].0, outline.last().unwrap().0), (4.0, 4.0));
    }

    #[test]
    fn a_panel_for_each_price() {
        let ratios = |weak_usd| {
            let panels = price_panels(&Prices::new(weak_usd, 2.0).unwrap());
            panels.iter().map(|prices| prices.weak_usd() / prices.gold_usd()).collect::<Vec<f64>>()
        };
        assert_eq!(ratios(0.2), [0.5, 0.1, 0.01]);
        assert_eq!(ratios(0.06), [0.5, 0.1, 0.03, 0.01]);
    }

    #[test]
    fn a_deviation_does_not_leave_what_an_accuracy_can_be() {
        let point = CurvePoint { weak_fraction: 0.0, accuracy: 0.99, deviation: Some(0.02), best: false };
        assert_eq!(point.spread(), (0.97, 1.0));
    }

    #[test]
    fn nothing_measured_draws_nothing() {
        assert!(curves(&answer_without_runs(), "seq-sft", &[]).is_empty());
    }
}
