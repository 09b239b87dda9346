//! Where the best way to spend money changes: over budgets, and over the price of weak labels. The same runs serve
//! every price.

use serde::Serialize;

use crate::error::{AnalysisError, Result};
use crate::regime::{Regime, RegimeAnswer, RegimeProbabilities, regime};
use crate::splits::Splits;
use crate::{Allocation, Extrapolation, Measurements, Resamples, Surface, Tariff};

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

/// The regimes of one budget where a weak label costs these shares of the (first) gold label, in the order given.
/// Shares at which the budget pays for no run are left out.
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

impl RegimeAt {
    /// The place and the probabilities there, for [`regime_boundaries`].
    pub fn place(&self) -> (f64, RegimeProbabilities) {
        (self.at, self.answer.probabilities)
    }
}

/// The regime that a surface expects at one place of an axis: measured nowhere near there, perhaps.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct SurfaceRegimeAt {
    /// The budget in dollars, or the price of a weak label in gold labels.
    pub at: f64,
    /// How probable each regime is.
    pub probabilities: RegimeProbabilities,
    /// The share of the budget for weak labels that is expected to be best.
    pub weak_fraction: f64,
    /// How far the labels that it buys lie beyond what was measured.
    pub extrapolation: Extrapolation,
}

impl SurfaceRegimeAt {
    fn new(surface: &Surface, tariff: &Tariff, budget_usd: f64, at: f64) -> Result<Self> {
        let splits = Splits::new(&[surface], tariff, Allocation::default(), budget_usd)?;
        let best = splits.best();
        let extrapolation = surface.extrapolation(best.total.n_weak as f64, best.total.n_gold as f64);
        Ok(Self { at, probabilities: splits.probabilities(), weak_fraction: best.weak_fraction, extrapolation })
    }

    /// The place and the probabilities there, for [`regime_boundaries`].
    pub fn place(&self) -> (f64, RegimeProbabilities) {
        (self.at, self.probabilities)
    }
}

/// The regimes that a surface expects of several budgets.
///
/// # Errors
/// [`AnalysisError`] for a budget that is negative or not finite.
pub fn surface_regimes_over_budgets(
    surface: &Surface,
    tariff: &Tariff,
    budgets_usd: &[f64],
) -> Result<Vec<SurfaceRegimeAt>> {
    budgets_usd.iter().map(|&budget_usd| SurfaceRegimeAt::new(surface, tariff, budget_usd, budget_usd)).collect()
}

/// The regimes that a surface expects of one budget where a weak label costs these shares of the (first) gold label.
///
/// # Errors
/// [`AnalysisError`] for a budget that is negative or not finite and a share that is zero, negative or not finite.
pub fn surface_regimes_over_price_ratios(
    surface: &Surface,
    tariff: &Tariff,
    budget_usd: f64,
    weak_per_gold: &[f64],
) -> Result<Vec<SurfaceRegimeAt>> {
    let at = |&ratio: &f64| SurfaceRegimeAt::new(surface, &tariff.with_price_ratio(ratio)?, budget_usd, ratio);
    weak_per_gold.iter().map(at).collect()
}

/// Where the most probable regime changes from one place to the next ([`RegimeAt::place`], [`SurfaceRegimeAt::place`]).
pub fn regime_boundaries(along: impl IntoIterator<Item = (f64, RegimeProbabilities)>) -> Vec<RegimeBoundary> {
    let places: Vec<(f64, RegimeProbabilities)> = along.into_iter().collect();
    let boundary = |pair: &[(f64, RegimeProbabilities)]| {
        let ((after, before_it), (before, behind_it)) = (pair[0], pair[1]);
        let (from, to) = (before_it.leading(), behind_it.leading());
        let decided = before_it.decided().is_some() && behind_it.decided().is_some();
        (from != to).then_some(RegimeBoundary { from, to, after, before, decided })
    };
    places.windows(2).filter_map(boundary).collect()
}
