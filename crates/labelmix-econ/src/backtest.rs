//! What a pilot would have been worth: recorded runs replayed as if only a few of them had been made.

use serde::{Deserialize, Serialize};

use crate::error::{AnalysisError, Result};
use crate::held_out::{PredictionScore, predictions};
use crate::regime::within;
use crate::splits::least_regret;
use crate::surface::SurfaceCells;
use crate::{Allocation, MINIMUM_ALLOCATIONS, Measurements, Surface, SurfaceSettings, Tariff};

/// A share of a budget, tried as a pilot on recorded runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Backtest {
    pub method: String,
    /// The budget, in dollars.
    pub budget_usd: f64,
    /// The labels that the pilot bought: half of its money for each kind. It saw all recorded allocations within these.
    pub pilot: Allocation,
    pub pilot_allocations: usize,
    /// The recorded allocation within the budget that a plan from the pilot's surface chooses.
    pub chosen: Allocation,
    /// The recorded allocation within the budget that measured best. It is the best of many noisy numbers, so regrets
    /// against it are too large rather than too small.
    pub best: Allocation,
    /// How far the choice stays behind the best.
    pub regret: f64,
    /// The same for rules that need no surface.
    pub rules: Vec<RuleRegret>,
    /// How well the pilot's surface predicts the recorded allocations that it did not see.
    pub score: PredictionScore,
}

/// A rule of thumb.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// All money on gold labels.
    AllGold,
    /// All money on weak labels.
    AllWeak,
    /// Half of the money on each.
    HalfAndHalf,
    /// The shares that measured best in the pilot.
    BestOfPilot,
}

/// How far a rule stays behind the best.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct RuleRegret {
    pub rule: Rule,
    /// The recorded allocation that comes closest to it.
    pub allocation: Allocation,
    pub regret: f64,
}

/// Replays recorded runs of a method as if only a pilot had been measured, and looks at what its surface makes of the
/// rest.
///
/// # Errors
/// [`AnalysisError`] for a share that is not between 0 and 1, where the pilot saw too few allocations to fit a surface,
/// and where no recorded allocation lies within the budget beyond the pilot.
pub fn backtest(
    measurements: &Measurements,
    method: &str,
    tariff: &Tariff,
    budget_usd: f64,
    pilot_share: f64,
    settings: &SurfaceSettings,
) -> Result<Backtest> {
    if !(pilot_share > 0.0 && pilot_share < 1.0) {
        return Err(AnalysisError::PilotShare { share: pilot_share });
    }
    let measured = measurements.of_method(method)?;
    let pilot = tariff.allocation_for(pilot_share * budget_usd, 0.5)?;
    let in_pilot = |labels: Allocation| labels.n_weak <= pilot.n_weak && labels.n_gold <= pilot.n_gold;
    let seen = measured.with_allocations(in_pilot).map_err(|_| AnalysisError::TooFewAllocations {
        method: method.to_owned(),
        allocations: 0,
        needed: MINIMUM_ALLOCATIONS,
    })?;
    let surface = Surface::fit(&seen, method, settings)?;

    let observations = measured.observations(tariff);
    let cheapest_usd = observations.iter().map(|observed| observed.cost_usd).fold(f64::INFINITY, f64::min);
    let affordable: Vec<_> = observations.iter().filter(|seen| within(seen.cost_usd, budget_usd)).collect();
    let unseen = measured.with_allocations(|labels| !in_pilot(labels) && within(tariff.cost_usd(labels), budget_usd));
    let unseen = unseen.map_err(|_| AnalysisError::NothingAffordable { budget_usd, cheapest_usd })?;
    let score = PredictionScore::new(&predictions(&surface, &SurfaceCells::new(&unseen, method)?));

    let highest = |value: &dyn Fn(Allocation, f64) -> f64| {
        let valued = affordable.iter().map(|observed| (value(observed.allocation, observed.accuracy), **observed));
        let best = valued.reduce(|best, next| if next.0 > best.0 { next } else { best });
        best.expect("the unseen allocations are within the budget").1
    };
    let best = highest(&|_, accuracy| accuracy);
    let expected: Vec<Vec<f64>> = affordable
        .iter()
        .map(|seen| surface.accuracy_draws(seen.allocation.n_weak as f64, seen.allocation.n_gold as f64))
        .collect();
    let chosen = *affordable[least_regret(&expected.iter().map(Vec::as_slice).collect::<Vec<_>>())];
    let fraction =
        |labels: Allocation| tariff.weak.cost_usd(labels.n_weak) / tariff.cost_usd(labels).max(f64::MIN_POSITIVE);
    // Among allocations that spend most of the money, the one whose shares are nearest.
    let dearest = highest(&|labels, _| tariff.cost_usd(labels)).cost_usd;
    let nearest = |wanted: f64| {
        highest(&|labels, _| {
            let spends = tariff.cost_usd(labels) >= 0.8 * dearest;
            if spends { -(fraction(labels) - wanted).abs() } else { f64::NEG_INFINITY }
        })
    };
    let best_of_pilot = seen.points().iter().max_by(|a, b| a.accuracy.total_cmp(&b.accuracy));
    let pilot_fraction = best_of_pilot.map_or(0.5, |point| fraction(point.allocation));
    let rules =
        [(Rule::AllGold, 0.0), (Rule::AllWeak, 1.0), (Rule::HalfAndHalf, 0.5), (Rule::BestOfPilot, pilot_fraction)];
    let rule = |(rule, wanted): (Rule, f64)| {
        let followed = nearest(wanted);
        RuleRegret { rule, allocation: followed.allocation, regret: best.accuracy - followed.accuracy }
    };
    Ok(Backtest {
        method: method.to_owned(),
        budget_usd,
        pilot,
        pilot_allocations: seen.points().len(),
        chosen: chosen.allocation,
        best: best.allocation,
        regret: best.accuracy - chosen.accuracy,
        rules: rules.into_iter().map(rule).collect(),
        score: score.expect("there are unseen allocations"),
    })
}
