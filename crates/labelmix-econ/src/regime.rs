//! Whether a budget is best spent on weak labels, on gold labels or on both, and how sure that is.
//!
//! Each regime sends representatives, chosen without favour for the regime that has most of them ([`Standing`]).

use serde::{Deserialize, Serialize};

use crate::contenders::{Contender, WhatDecides, what_decides};
use crate::error::{AnalysisError, Result};
use crate::standing::Standing;
use crate::{Allocation, Measurements, Resamples, Tariff, Warning};

/// The probability from which on a verdict is given.
pub const VERDICT_PROBABILITY: f64 = 0.9;

/// How money is best spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Regime {
    /// On weak labels alone.
    AllWeak,
    Mixed,
    /// On gold labels alone.
    AllGold,
}

impl Regime {
    /// All of them, from weak to gold.
    pub const ALL: [Self; 3] = [Self::AllWeak, Self::Mixed, Self::AllGold];

    /// The regime of an allocation; none where nothing is bought.
    pub fn of(allocation: Allocation) -> Option<Self> {
        match (allocation.n_weak, allocation.n_gold) {
            (0, 0) => None,
            (_, 0) => Some(Self::AllWeak),
            (0, _) => Some(Self::AllGold),
            _ => Some(Self::Mixed),
        }
    }

    /// As it is written in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::AllWeak => "all-weak",
            Self::Mixed => "mixed",
            Self::AllGold => "all-gold",
        }
    }
}

/// The probabilities that each regime is best. They sum to one.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct RegimeProbabilities {
    pub all_weak: f64,
    pub mixed: f64,
    pub all_gold: f64,
}

impl RegimeProbabilities {
    /// The probability of one regime.
    pub fn of(&self, regime: Regime) -> f64 {
        match regime {
            Regime::AllWeak => self.all_weak,
            Regime::Mixed => self.mixed,
            Regime::AllGold => self.all_gold,
        }
    }

    pub(crate) fn from_array([all_weak, mixed, all_gold]: [f64; 3]) -> Self {
        Self { all_weak, mixed, all_gold }
    }

    /// The most probable regime; of equals the one nearer to weak.
    pub fn leading(&self) -> Regime {
        let first = Regime::ALL[0];
        Regime::ALL.into_iter().fold(first, |best, regime| if self.of(regime) > self.of(best) { regime } else { best })
    }

    /// The regime whose probability passes 0.9.
    pub fn decided(&self) -> Option<Regime> {
        Some(self.leading()).filter(|&regime| self.of(regime) >= VERDICT_PROBABILITY)
    }
}

/// What one budget is best spent on.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RegimeAnswer {
    /// The budget, in dollars.
    pub budget_usd: f64,
    /// How probable each regime is.
    pub probabilities: RegimeProbabilities,
    /// The verdict; none where it is undecided.
    pub verdict: Option<Regime>,
    /// The best measured allocation of each regime within the budget, from weak to gold, with its interval.
    pub contenders: Vec<Contender>,
    /// Where it is undecided: between which two, and what more would tell them apart.
    pub undecided: Option<WhatDecides>,
    /// What the measurements lack.
    pub warnings: Vec<Warning>,
}

/// The regime of a budget at these prices, over all methods of the measurements (see [`Measurements::of_method`]).
///
/// # Errors
/// [`AnalysisError`] for a budget that is negative or not finite, and where no run with labels costs so little.
///
/// # Panics
/// If the resamples are those of other measurements.
pub fn regime(
    measurements: &Measurements,
    resamples: &Resamples,
    tariff: &Tariff,
    budget_usd: f64,
) -> Result<RegimeAnswer> {
    let candidates = Candidates::new(measurements, tariff, budget_usd)?;
    let standings = candidates.standings(resamples);
    let probabilities = probabilities(&standings, resamples);
    let verdict = probabilities.decided();
    let representatives = candidates.representatives(resamples.observed());
    let contender = |point: usize| {
        let measured = &measurements.points()[point];
        Contender {
            point,
            regime: Regime::of(measured.allocation).expect("candidates have labels"),
            method: measurements.methods()[measured.method].clone(),
            allocation: measured.allocation,
            cost_usd: tariff.cost_usd(measured.allocation),
            accuracy: measured.accuracy,
            interval: resamples.interval(point),
        }
    };
    let contenders: Vec<Contender> = representatives.iter().flatten().map(|&point| contender(point)).collect();
    let undecided = if verdict.is_some() {
        None
    } else {
        what_decides(measurements, resamples, &contenders, &standings, &probabilities)
    };
    let mut warnings = resamples.warnings().to_vec();
    warnings.extend(candidates.warnings(tariff, measurements, budget_usd));
    Ok(RegimeAnswer { budget_usd, probabilities, verdict, contenders, undecided, warnings })
}

/// The points within a budget, by regime.
pub(crate) struct Candidates {
    of_regime: [Vec<usize>; 3],
}

impl Candidates {
    /// # Errors
    /// As [`regime`].
    pub(crate) fn new(measurements: &Measurements, tariff: &Tariff, budget_usd: f64) -> Result<Self> {
        crate::allocation::check_budget(budget_usd)?;
        let mut of_regime = [const { Vec::new() }; 3];
        let mut cheapest_usd = f64::INFINITY;
        for (index, point) in measurements.points().iter().enumerate() {
            if let Some(regime) = Regime::of(point.allocation) {
                let cost_usd = tariff.cost_usd(point.allocation);
                cheapest_usd = cheapest_usd.min(cost_usd);
                if within(cost_usd, budget_usd) {
                    of_regime[regime as usize].push(index);
                }
            }
        }
        if of_regime.iter().all(Vec::is_empty) {
            return Err(AnalysisError::NothingAffordable { budget_usd, cheapest_usd });
        }
        Ok(Self { of_regime })
    }

    /// The most accurate candidate of each regime; of equals the first.
    fn representatives(&self, accuracies: &[f64]) -> [Option<usize>; 3] {
        let better = |best: usize, next: usize| if accuracies[next] > accuracies[best] { next } else { best };
        self.of_regime.each_ref().map(|candidates| candidates.iter().copied().reduce(better))
    }

    /// What each regime achieves; none where it has no candidates.
    pub(crate) fn standings(&self, resamples: &Resamples) -> [Option<Standing>; 3] {
        self.of_regime.each_ref().map(|candidates| Standing::new(candidates, resamples))
    }

    /// Regimes that are not measured, or not near the budget.
    fn warnings(&self, tariff: &Tariff, measurements: &Measurements, budget_usd: f64) -> Vec<Warning> {
        const SPENT_ENOUGH: f64 = 0.5;
        let dearest = |candidates: &Vec<usize>| {
            let costs = candidates.iter().map(|&index| tariff.cost_usd(measurements.points()[index].allocation));
            costs.fold(0.0, f64::max)
        };
        let spent = self.of_regime.each_ref().map(dearest);
        let most = spent.iter().copied().fold(0.0, f64::max);
        let mut warnings = Vec::new();
        for ((candidates, regime), spent) in self.of_regime.iter().zip(Regime::ALL).zip(spent) {
            if candidates.is_empty() {
                warnings.push(Warning::NotMeasured { regime: regime.name() });
            } else if spent < SPENT_ENOUGH * most {
                warnings.push(Warning::BudgetNotSpent { regime: regime.name(), share: spent / budget_usd });
            }
        }
        warnings
    }
}

/// How often each regime's representatives are best. What is exactly equal shares the win.
fn probabilities(standings: &[Option<Standing>; 3], resamples: &Resamples) -> RegimeProbabilities {
    let count = resamples.resamples();
    let mut wins = [0.0; 3];
    for number in 0..count {
        let achieved = standings.each_ref().map(|standing| Some(standing.as_ref()?.in_resample(resamples, number)));
        let best = achieved.iter().flatten().copied().fold(f64::NEG_INFINITY, f64::max);
        let winners = achieved.map(|achieved| achieved.is_some_and(|achieved| achieved >= best - 1e-12));
        let share = 1.0 / winners.iter().filter(|wins| **wins).count() as f64;
        wins.iter_mut().zip(winners).filter(|(_, won)| *won).for_each(|(wins, _)| *wins += share);
    }
    RegimeProbabilities::from_array(wins.map(|wins| wins / count as f64))
}

/// Whether a cost is within a budget, with the tolerance of [`allocation_for`](crate::allocation_for).
pub(crate) fn within(cost_usd: f64, budget_usd: f64) -> bool {
    cost_usd <= budget_usd * (1.0 + 1e-9)
}
