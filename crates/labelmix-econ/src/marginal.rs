//! What the next dollar buys, what a label is worth in labels of the other kind, and the cheapest way to an accuracy.

use labelmix_stats::Interval;
use serde::Serialize;

use crate::error::{AnalysisError, Result};
use crate::splits::Splits;
use crate::surface::Labels;
use crate::{Allocation, Estimate, Extrapolation, Surface, Tariff};

/// What more labels are worth after the labels one has.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MarginalValues {
    /// The labels one has.
    pub at: Allocation,
    /// Accuracy gained by the next dollar spent on weak labels.
    pub weak_per_usd: Estimate,
    /// Accuracy gained by the next dollar spent on gold labels.
    pub gold_per_usd: Estimate,
    /// The share of draws in which the dollar spent on gold gains more.
    pub gold_gains_more: f64,
    /// How many weak labels gain as much as one gold label.
    pub weak_per_gold: Quantity,
    /// How far this lies beyond what was measured.
    pub extrapolation: Extrapolation,
}

/// A number that need not exist: the median over draws and the ends of its interval, none where no number is enough.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Quantity {
    /// Half of the draws need no more.
    pub median: Option<f64>,
    /// The interval's lower end.
    pub low: Option<f64>,
    /// The interval's upper end.
    pub high: Option<f64>,
}

impl Quantity {
    /// Of one value per draw, infinite where none is enough.
    fn of_draws(mut values: Vec<f64>, level: f64) -> Self {
        values.sort_unstable_by(f64::total_cmp);
        let last = values.len() - 1;
        let quantile =
            |share: f64| Some(values[(share * last as f64).round() as usize]).filter(|value| value.is_finite());
        let tail = (1.0 - level) / 2.0;
        Self { median: quantile(0.5), low: quantile(tail), high: quantile(1.0 - tail) }
    }
}

/// The value of the next dollar and of the next label. Set-up costs are taken as paid.
pub fn marginal_values(surface: &Surface, tariff: &Tariff, at: Allocation) -> MarginalValues {
    let (weak, gold, level) = (at.n_weak as f64, at.n_gold as f64, surface.settings().level);
    let here = surface.accuracy_draws(weak, gold);
    let gains = |more_weak: f64, more_gold: f64| -> Vec<f64> {
        let there = surface.accuracy_draws(weak + more_weak, gold + more_gold);
        there.iter().zip(&here).map(|(there, here)| there - here).collect()
    };
    let by_weak = gains(1.0 / tariff.weak.next_label_usd(at.n_weak), 0.0);
    let by_gold = gains(0.0, 1.0 / tariff.gold.next_label_usd(at.n_gold));
    let more = by_weak.iter().zip(&by_gold).filter(|(weak, gold)| gold > weak).count();

    // A label's worth is a slope over about as many labels as make a difference at this size.
    let (step_weak, step_gold) = (1f64.max(0.02 * weak), 1f64.max(0.02 * gold));
    let slopes = gains(step_weak, 0.0).into_iter().zip(gains(0.0, step_gold));
    let rate = |(weak, gold): (f64, f64)| {
        let (weak, gold) = (weak / step_weak, gold / step_gold);
        if gold <= 0.0 {
            0.0
        } else if weak <= 0.0 {
            f64::INFINITY
        } else {
            gold / weak
        }
    };
    MarginalValues {
        at,
        gold_gains_more: more as f64 / here.len() as f64,
        weak_per_gold: Quantity::of_draws(slopes.map(rate).collect(), level),
        weak_per_usd: Estimate::of_draws(by_weak, level),
        gold_per_usd: Estimate::of_draws(by_gold, level),
        extrapolation: surface.extrapolation(weak, gold),
    }
}

/// A point of a curve of equal accuracy.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct IsoquantPoint {
    pub n_weak: usize,
    /// The gold labels that reach the accuracy with them.
    pub n_gold: Quantity,
    /// How far the median lies beyond what was measured; the weak labels alone where there is none.
    pub extrapolation: Extrapolation,
}

/// How many times the largest measured number of labels is searched for a target.
const SEARCHED: f64 = 64.0;

/// Numbers of gold labels that are tried for a point of an isoquant.
const STEPS: usize = 80;

/// From one budget to the next in the search for the cheapest mix.
const BUDGET_STEP: f64 = 1.12;

/// The share of draws in which a safe mix reaches its target.
const SAFE: f64 = 0.9;

/// The numbers of gold labels that reach an accuracy with each of these numbers of weak labels.
///
/// # Errors
/// [`AnalysisError::Target`] for a target that is not between 0.5 and 1.
pub fn isoquant(surface: &Surface, target: f64, weak_counts: &[usize]) -> Result<Vec<IsoquantPoint>> {
    check_target(target)?;
    let most = SEARCHED * (surface.largest().n_gold.max(surface.largest().n_weak / 10).max(1)) as f64;
    let golds: Vec<f64> = (0..=STEPS).map(|step| (most.ln_1p() * step as f64 / STEPS as f64).exp_m1()).collect();
    let point = |&n_weak: &usize| {
        let columns: Vec<Vec<f64>> = golds.iter().map(|&gold| surface.accuracy_draws(n_weak as f64, gold)).collect();
        let needed = |draw: usize| {
            let Some(reached) = columns.iter().position(|column| column[draw] >= target) else { return f64::INFINITY };
            let Some(before) = reached.checked_sub(1) else { return 0.0 };
            let (low, high) = (columns[before][draw], columns[reached][draw]);
            let share = (target - low) / (high - low);
            (golds[before].ln_1p() + share * (golds[reached].ln_1p() - golds[before].ln_1p())).exp_m1()
        };
        let n_gold = Quantity::of_draws((0..surface.draws()).map(needed).collect(), surface.settings().level);
        let extrapolation = surface.extrapolation(n_weak as f64, n_gold.median.unwrap_or(0.0));
        IsoquantPoint { n_weak, n_gold, extrapolation }
    };
    Ok(weak_counts.iter().map(point).collect())
}

pub(crate) fn check_target(target: f64) -> Result<()> {
    if target > 0.5 && target < 1.0 { Ok(()) } else { Err(AnalysisError::Target { target }) }
}

/// The cheapest way to an accuracy.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CheapestMix {
    /// The accuracy asked for.
    pub target: f64,
    /// What it costs, in dollars, on top of the labels one has.
    pub cost_usd: Quantity,
    /// The cheapest labels, those one has included, that are expected to reach it; none where none within reach are.
    pub expected: Option<Allocation>,
    /// The cheapest labels that reach it in 90% of the draws.
    pub safe: Option<Allocation>,
    /// How far the expected labels lie beyond what was measured.
    pub extrapolation: Option<Extrapolation>,
}

/// The cheapest mix for an accuracy, bought on top of the labels one has. Budgets up to a large multiple of what was
/// measured are searched, in steps of 12%.
///
/// # Errors
/// [`AnalysisError::Target`] for a target that is not between 0.5 and 1.
pub fn cheapest_mix(surface: &Surface, tariff: &Tariff, have: Allocation, target: f64) -> Result<CheapestMix> {
    check_target(target)?;
    let measured_usd = tariff.cost_usd(surface.largest());
    let first_usd = tariff.weak.next_label_usd(0).min(tariff.gold.next_label_usd(0)).max(1e-4 * measured_usd);
    let last_usd = SEARCHED * measured_usd;
    let (mut expected, mut safe) = (None, None);
    let mut costs = vec![f64::INFINITY; surface.draws()];
    let mut budget_usd = 0.0;
    while budget_usd <= last_usd {
        let splits = Splits::new(&[surface], tariff, have, budget_usd)?;
        for (cost, (draw, best)) in costs.iter_mut().zip(splits.best_in_draws().into_iter().enumerate()) {
            if cost.is_infinite() && splits.all[best].draws[draw] >= target {
                *cost = budget_usd;
            }
        }
        let most_expected = &splits.all[splits.most_expected];
        if expected.is_none() && most_expected.mean >= target {
            expected = Some(most_expected.total);
        }
        let reached = |draws: &[f64]| draws.iter().filter(|&&draw| draw >= target).count() as f64 / draws.len() as f64;
        if safe.is_none() {
            safe = splits.all.iter().find(|split| reached(&split.draws) >= SAFE).map(|split| split.total);
        }
        if safe.is_some() && expected.is_some() && costs.iter().all(|cost| cost.is_finite()) {
            break;
        }
        budget_usd = (budget_usd * BUDGET_STEP).max(first_usd);
    }
    let extrapolation = expected.map(|labels: Allocation| {
        let Labels { weak, gold } = labels.into();
        surface.extrapolation(weak, gold)
    });
    let cost_usd = Quantity::of_draws(costs, surface.settings().level);
    Ok(CheapestMix { target, cost_usd, expected, safe, extrapolation })
}

/// The best split of one budget on the way to larger ones.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ExpansionStep {
    /// The budget, in dollars.
    pub budget_usd: f64,
    /// The labels of the highest expected accuracy.
    pub allocation: Allocation,
    /// The share of the budget that goes to weak labels.
    pub weak_fraction: f64,
    /// The interval of the best share over draws.
    pub interval: Interval,
    /// The accuracy expected.
    pub accuracy: Estimate,
    /// How far the labels lie beyond what was measured.
    pub extrapolation: Extrapolation,
}

/// How the best split changes as budgets grow.
///
/// # Errors
/// [`AnalysisError`] for a budget that is negative or not finite.
pub fn expansion_path(surface: &Surface, tariff: &Tariff, budgets_usd: &[f64]) -> Result<Vec<ExpansionStep>> {
    let level = surface.settings().level;
    let step = |&budget_usd: &f64| {
        let splits = Splits::new(&[surface], tariff, Allocation::default(), budget_usd)?;
        let best = splits.best();
        let Labels { weak, gold } = best.total.into();
        Ok(ExpansionStep {
            budget_usd,
            allocation: best.total,
            weak_fraction: best.weak_fraction,
            interval: best_fractions(&splits, level),
            accuracy: Estimate::of_draws(best.draws.clone(), level),
            extrapolation: surface.extrapolation(weak, gold),
        })
    };
    budgets_usd.iter().map(step).collect()
}

/// The interval of the best share of weak spending over draws.
pub(crate) fn best_fractions(splits: &Splits, level: f64) -> Interval {
    let fractions = splits.best_in_draws().into_iter().map(|best| splits.all[best].weak_fraction).collect();
    Estimate::of_draws(fractions, level).interval
}
