//! What to buy next: "I have $2,000, weak labels at 8 cents; I have labelled 300 + 60 so far."

use labelmix_stats::Interval;
use serde::Serialize;

use crate::error::{AnalysisError, Result};
use crate::marginal::{CheapestMix, best_fractions, cheapest_mix, check_target};
use crate::pilot::{Pilot, best_pilot};
use crate::regime::{Regime, RegimeProbabilities, VERDICT_PROBABILITY};
use crate::splits::{Split, Splits};
use crate::{Allocation, Estimate, Extrapolation, Surface, Tariff, Warning};

/// A split that is this close to the best one in accuracy is as good as it.
pub(crate) const GOOD_ENOUGH: f64 = 0.01;

/// How to spend a budget, and how sure that is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Plan {
    /// What is left to spend, in dollars.
    pub budget_usd: f64,
    /// The labels one has.
    pub have: Allocation,
    /// The method of the split that is chosen.
    pub method: String,
    /// The labels to buy for it.
    pub buy: Allocation,
    /// What they cost, in dollars.
    pub cost_usd: f64,
    /// The share of the budget that goes to weak labels.
    pub weak_fraction: f64,
    /// The interval of the best share over draws.
    pub best_fractions: Interval,
    /// The shares between which all splits of this method are expected to come within `GOOD_ENOUGH` of the best.
    pub good_fractions: Interval,
    /// The accuracy expected.
    pub accuracy: Estimate,
    /// How probable it is that the budget is best spent on weak labels, on gold labels, or on both.
    pub probabilities: RegimeProbabilities,
    /// The regime whose probability passes 0.9; none where it is undecided.
    pub verdict: Option<Regime>,
    /// How much more accurate the plan is than the whole budget spent on weak labels.
    pub gain_over_all_weak: Estimate,
    /// How much more accurate the plan is than the whole budget spent on gold labels.
    pub gain_over_all_gold: Estimate,
    /// The probability that the plan comes within `GOOD_ENOUGH` of the best split.
    pub confidence: f64,
    /// How far the plan is expected to stay behind the best split.
    pub expected_regret: f64,
    /// Where the confidence is below 0.9: what to measure first, and what that costs.
    pub pilot: Option<Pilot>,
    /// Where a target was given: whether the plan reaches it, and what would.
    pub target: Option<TargetPlan>,
    /// How far the plan lies beyond what was measured.
    pub extrapolation: Extrapolation,
    /// What the answer lacks.
    pub warnings: Vec<Warning>,
}

/// A target and the plan.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TargetPlan {
    /// The probability that the plan reaches the target.
    pub probability: f64,
    /// The cheapest mix that does, with the plan's method.
    pub cheapest: CheapestMix,
}

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct PlanQuestion {
    /// What is left to spend, in dollars.
    pub budget_usd: f64,
    /// The labels one has, which are paid.
    pub have: Allocation,
    /// The accuracy that is aimed at, if any.
    pub target: Option<f64>,
}

/// Plans the spending of a budget from the surfaces of one or several methods.
///
/// The plan is the split of the least expected squared regret over all draws: what the measurements leave open about the
/// surface is weighed in, not only quoted beside it, and what may lose much is avoided.
///
/// # Errors
/// [`AnalysisError`] without surfaces, for a budget that is negative or not finite and a target that is no accuracy.
pub fn plan(surfaces: &[&Surface], tariff: &Tariff, question: &PlanQuestion) -> Result<Plan> {
    let PlanQuestion { budget_usd, have, target } = *question;
    let Some(first) = surfaces.first() else { return Err(AnalysisError::NoRuns) };
    target.map_or(Ok(()), check_target)?;
    let level = first.settings().level;
    let splits = Splits::new(surfaces, tariff, have, budget_usd)?;
    let best = splits.best();
    let surface = surfaces[best.surface];

    let regrets = splits.regrets(splits.best);
    let confidence = share(&regrets, |regret| regret <= GOOD_ENOUGH);
    let pilot = if confidence < VERDICT_PROBABILITY { best_pilot(&splits, surfaces, tariff, question)? } else { None };
    let target = target.map(|target| {
        let probability = share(&best.draws, |accuracy| accuracy >= target);
        Ok::<_, AnalysisError>(TargetPlan { probability, cheapest: cheapest_mix(surface, tariff, have, target)? })
    });
    let good = splits.all.iter().filter(|split| split.surface == best.surface && split.mean >= best.mean - GOOD_ENOUGH);
    let good: Vec<f64> = good.map(|split| split.weak_fraction).collect();
    let probabilities = splits.probabilities();
    let extrapolation = surface.extrapolation(best.total.n_weak as f64, best.total.n_gold as f64);
    let far = Warning::Extrapolated { times: extrapolation.times() };
    Ok(Plan {
        budget_usd,
        have,
        method: surface.method().to_owned(),
        buy: Allocation { n_weak: best.total.n_weak - have.n_weak, n_gold: best.total.n_gold - have.n_gold },
        cost_usd: tariff.cost_usd(best.total) - tariff.cost_usd(have),
        weak_fraction: best.weak_fraction,
        best_fractions: best_fractions(&splits, level),
        good_fractions: Interval { low: good[0], high: good[good.len() - 1] },
        accuracy: Estimate::of_draws(best.draws.clone(), level),
        probabilities,
        verdict: probabilities.decided(),
        gain_over_all_weak: gain(best, splits.best_of(Regime::AllWeak), level),
        gain_over_all_gold: gain(best, splits.best_of(Regime::AllGold), level),
        confidence,
        expected_regret: regrets.iter().sum::<f64>() / regrets.len() as f64,
        pilot,
        target: target.transpose()?,
        extrapolation,
        warnings: if extrapolation.is_far() { vec![far] } else { Vec::new() },
    })
}

/// How much better one split is than another; nothing where the budget is too small for the other.
fn gain(best: &Split, other: Option<&Split>, level: f64) -> Estimate {
    let other = other.unwrap_or(best);
    let gains = best.draws.iter().zip(&other.draws).map(|(best, other)| best - other);
    Estimate::of_draws(gains.collect(), level)
}

fn share(values: &[f64], holds: impl Fn(f64) -> bool) -> f64 {
    values.iter().filter(|&&value| holds(value)).count() as f64 / values.len() as f64
}
