//! Trials of surfaces, plans and verdicts in worlds whose truth is known.

use labelmix_stats::{Bootstrap, Interval};
use serde::Serialize;

use crate::error::Result;
use crate::{
    Allocation, Plan, PlanQuestion, Prices, Regime, Resamples, Surface, SurfaceSettings, Tariff, UncertainFrontier,
    World, plan, regime,
};

/// A pilot of a tenth of the budget, and a plan for the rest.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PlanTrial {
    /// How accurate the plan's labels truly are, behind the best way to spend the rest of the budget.
    pub regret: f64,
    /// The same for all of the rest on gold labels.
    pub regret_all_gold: f64,
    /// The same for all of the rest on weak labels.
    pub regret_all_weak: f64,
    /// The same for half of the rest on each.
    pub regret_half: f64,
    /// The same for the shares of the pilot's most accurate allocation.
    pub regret_best_of_pilot: f64,
    /// The plan's accuracy and its truth.
    pub planned: TruthCheck,
    /// Allocations between those of the pilot.
    pub inside: Vec<TruthCheck>,
    /// Splits of the whole budget, far beyond the pilot.
    pub beyond: Vec<TruthCheck>,
    /// The plan's confidence of coming within a point of the best.
    pub confidence: f64,
    /// Whether a further pilot was proposed.
    pub pilot_proposed: bool,
}

/// An interval and the truth.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct TruthCheck {
    /// Whether the interval holds the truth.
    pub inside: bool,
    /// The interval's width.
    pub width: f64,
    /// The mean over draws minus the truth.
    pub error: f64,
}

/// A pilot's allocations: all combinations of these shares of its labels.
const PILOT_GOLD: [f64; 4] = [0.0, 0.1, 0.3, 1.0];
const PILOT_WEAK: [f64; 5] = [0.0, 0.03, 0.1, 0.3, 1.0];

/// Shares of the budget that the truth is asked about.
const ASKED: [f64; 9] = [0.0, 0.05, 0.2, 0.4, 0.5, 0.6, 0.8, 0.95, 1.0];

impl PlanTrial {
    /// Spends a tenth of a budget on a pilot, half of it for each kind of labels, measures 19 nested allocations with
    /// three seeds, and plans the rest.
    ///
    /// # Errors
    /// [`AnalysisError`](crate::AnalysisError) for prices and a budget that make no sense together.
    pub fn run(world: &World, prices: Prices, budget_usd: f64, settings: &SurfaceSettings) -> Result<Self> {
        const SEEDS: u64 = 3;
        let tariff = Tariff::from(prices);
        let pilot = tariff.allocation_for(0.1 * budget_usd, 0.5)?;
        let part = |weak: f64, gold: f64| Allocation {
            n_weak: (weak * pilot.n_weak as f64).round() as usize,
            n_gold: (gold * pilot.n_gold as f64).round() as usize,
        };
        let combinations = PILOT_GOLD.iter().flat_map(|&gold| PILOT_WEAK.iter().map(move |&weak| part(weak, gold)));
        let mut allocations: Vec<Allocation> =
            combinations.filter(|labels| labels.n_weak + labels.n_gold > 0).collect();
        allocations.sort_unstable();
        allocations.dedup();
        let measured = world.measure(&allocations, SEEDS)?;
        let surface = Surface::fit(&measured, "simulated", settings)?;

        let left_usd = budget_usd - tariff.cost_usd(pilot);
        let question = PlanQuestion { budget_usd: left_usd, have: pilot, target: None };
        let Plan { buy, confidence, pilot: proposed, .. } = plan(&[&surface], &tariff, &question)?;
        let truth = |labels: Allocation| world.accuracy(labels.n_weak as f64, labels.n_gold as f64);
        let after =
            |fraction: f64| Ok::<_, crate::AnalysisError>(truth(tariff.allocation_beyond(pilot, left_usd, fraction)?));
        let planned = Allocation { n_weak: pilot.n_weak + buy.n_weak, n_gold: pilot.n_gold + buy.n_gold };
        let mut best = truth(planned);
        for percent in 0..=100 {
            best = best.max(after(f64::from(percent) / 100.0)?);
        }
        let best_measured = measured.points().iter().max_by(|a, b| a.accuracy.total_cmp(&b.accuracy));
        let best_of_pilot = best_measured
            .map_or(0.5, |point| tariff.weak.cost_usd(point.allocation.n_weak) / tariff.cost_usd(point.allocation));
        let check = |labels: Allocation| {
            let (estimate, truth) = (surface.accuracy(labels), truth(labels));
            TruthCheck {
                inside: estimate.interval.low <= truth && truth <= estimate.interval.high,
                width: estimate.interval.high - estimate.interval.low,
                error: estimate.mean - truth,
            }
        };
        let between = [0.05, 0.2, 0.6].into_iter().flat_map(|gold| [0.05, 0.2, 0.6].map(|weak| part(weak, gold)));
        let beyond: Result<Vec<TruthCheck>> =
            ASKED.iter().map(|&fraction| Ok(check(tariff.allocation_for(budget_usd, fraction)?))).collect();
        Ok(Self {
            regret: best - truth(planned),
            regret_all_gold: best - after(0.0)?,
            regret_all_weak: best - after(1.0)?,
            regret_half: best - after(0.5)?,
            regret_best_of_pilot: best - after(best_of_pilot)?,
            planned: check(planned),
            inside: between.map(check).collect(),
            beyond: beyond?,
            confidence,
            pilot_proposed: proposed.is_some(),
        })
    }
}

/// A full sweep of one budget, and the verdict on its regime.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct RegimeTrial {
    /// The regime that is truly best among the measured allocations.
    pub truth: Regime,
    /// By how much its best allocation is truly better than the best one of any other regime.
    pub margin: f64,
    pub verdict: Option<Regime>,
    /// The verdict by the share of resamples in which any of its allocations is best: what the correction corrects.
    pub naive_verdict: Option<Regime>,
    /// The share of allocations whose true accuracy is in its interval.
    pub points_covered: f64,
    /// The share of steps of the frontier's band that hold the accuracy of the truly best allocation of their cost or
    /// less.
    pub band_covered: f64,
}

impl RegimeTrial {
    /// Measures nine splits of a budget, and of a quarter of it, with four seeds.
    ///
    /// # Errors
    /// [`AnalysisError`](crate::AnalysisError) for prices and a budget that make no sense together.
    pub fn run(world: &World, prices: Prices, budget_usd: f64, bootstrap: &Bootstrap) -> Result<Self> {
        const SEEDS: u64 = 4;
        let tariff = Tariff::from(prices);
        let mut allocations = Vec::new();
        for budget_usd in [budget_usd / 4.0, budget_usd] {
            for fraction in ASKED {
                allocations.push(tariff.allocation_for(budget_usd, fraction)?);
            }
        }
        allocations.sort_unstable();
        allocations.dedup();
        let measured = world.measure(&allocations, SEEDS)?;
        let resamples = Resamples::new(&measured, bootstrap)?;
        let answer = regime(&measured, &resamples, &tariff, budget_usd)?;

        let truth = |labels: &Allocation| world.accuracy(labels.n_weak as f64, labels.n_gold as f64);
        let best_truth = |passes: &dyn Fn(&Allocation) -> bool| {
            allocations.iter().filter(|labels| passes(labels)).map(truth).fold(0.0, f64::max)
        };
        let true_best = Regime::ALL.map(|regime| best_truth(&|labels| Regime::of(*labels) == Some(regime)));
        let mut order = Regime::ALL;
        order.sort_by(|a, b| true_best[*b as usize].total_cmp(&true_best[*a as usize]));
        let mut wins = [0usize; 3];
        for number in 0..resamples.resamples() {
            let drawn = resamples.accuracies(number);
            let best = (1..drawn.len()).fold(0, |best, next| if drawn[next] > drawn[best] { next } else { best });
            if let Some(regime) = Regime::of(measured.points()[best].allocation) {
                wins[regime as usize] += 1;
            }
        }
        let frontier = UncertainFrontier::new(&measured, &resamples, &tariff);
        let covers =
            |interval: Interval, truth: f64| f64::from(u8::from(interval.low <= truth && truth <= interval.high));
        let points = frontier.points.iter().map(|point| covers(point.interval, truth(&point.allocation)));
        let band = frontier
            .band
            .iter()
            .map(|step| covers(step.interval, best_truth(&|labels| tariff.cost_usd(*labels) <= step.cost_usd)));
        let enough = (crate::VERDICT_PROBABILITY * resamples.resamples() as f64) as usize;
        Ok(Self {
            truth: order[0],
            margin: true_best[order[0] as usize] - true_best[order[1] as usize],
            verdict: answer.verdict,
            naive_verdict: Regime::ALL.into_iter().find(|&regime| wins[regime as usize] >= enough),
            points_covered: points.sum::<f64>() / frontier.points.len() as f64,
            band_covered: band.sum::<f64>() / frontier.band.len() as f64,
        })
    }
}
