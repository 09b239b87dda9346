//! Where the best way to spend money changes: over budgets, and over the price of weak labels. The same runs serve every
//! price.

use serde::Serialize;

use crate::error::{AnalysisError, Result};
use crate::regime::{Regime, RegimeAnswer, regime};
use crate::{Measurements, Resamples, Tariff};

/// The regime at one place of an axis of budgets or of price ratios.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RegimeAt {
    /// The budget in dollars, or the price of a weak label in gold labels.
    pub at: f64,
    /// The regime there.
    pub answer: RegimeAnswer,
}

/// A change of the most probable regime between two neighbouring places.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct RegimeBoundary {
    /// The regime before.
    pub from: Regime,
    /// The regime behind.
    pub to: Regime,
    /// The last place before it.
    pub after: f64,
    /// The first place behind it.
    pub before: f64,
    /// Whether both sides are decided. A boundary that is not may lie elsewhere, or nowhere.
    pub decided: bool,
}

/// The regimes of several budgets at one tariff, in the order given. Budgets that pay for no run are left out.
///
/// # Errors
/// [`AnalysisError`] for a budget that is negative or not finite, and where no budget pays for a run.
pub fn regimes_over_budgets(
    measurements: &Measurements,
    resamples: &Resamples,
    tariff: &Tariff,
    budgets_usd: &[f64],
) -> Result<Vec<RegimeAt>> {
    along(budgets_usd, |budget_usd| regime(measurements, resamples, tariff, budget_usd))
}

/// The regimes of one budget where a weak label costs these shares of the (first) gold label, in the order given. Shares
/// at which the budget pays for no run are left out.
///
/// # Errors
/// [`AnalysisError`] for a share that is zero, negative or not finite, and where the budget never pays for a run.
pub fn regimes_over_price_ratios(
    measurements: &Measurements,
    resamples: &Resamples,
    tariff: &Tariff,
    budget_usd: f64,
    weak_per_gold: &[f64],
) -> Result<Vec<RegimeAt>> {
    along(weak_per_gold, |ratio| regime(measurements, resamples, &tariff.with_price_ratio(ratio)?, budget_usd))
}

fn along(places: &[f64], answer: impl Fn(f64) -> Result<RegimeAnswer>) -> Result<Vec<RegimeAt>> {
    let mut answers = Vec::new();
    let mut refused = None;
    for &at in places {
        match answer(at) {
            Ok(answer) => answers.push(RegimeAt { at, answer }),
            Err(error @ AnalysisError::NothingAffordable { .. }) => refused = Some(error),
            Err(error) => return Err(error),
        }
    }
    match refused {
        Some(error) if answers.is_empty() => Err(error),
        _ => Ok(answers),
    }
}

/// Where the most probable regime changes from one place to the next.
#[must_use]
pub fn regime_boundaries(along: &[RegimeAt]) -> Vec<RegimeBoundary> {
    let leading = |place: &RegimeAt| place.answer.probabilities.leading();
    let changes = along.windows(2).filter(|pair| leading(&pair[0]) != leading(&pair[1]));
    changes
        .map(|pair| RegimeBoundary {
            from: leading(&pair[0]),
            to: leading(&pair[1]),
            after: pair[0].at,
            before: pair[1].at,
            decided: pair.iter().all(|place| place.answer.verdict.is_some()),
        })
        .collect()
}
