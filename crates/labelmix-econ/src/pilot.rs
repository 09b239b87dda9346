//! What to measure before the money is spent, where the plan is unsure: the value of information.

use labelmix_stats::stream;
use rand_distr::{Distribution, StandardNormal};
use serde::Serialize;

use crate::error::Result;
use crate::planner::{GOOD_ENOUGH, PlanQuestion};
use crate::regime::VERDICT_PROBABILITY;
use crate::splits::Splits;
use crate::{Allocation, Surface, Tariff};

/// Labels to buy and measure first.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Pilot {
    /// The method to measure them with.
    pub method: String,
    /// The labels to buy. They stay useful: a split that is chosen afterwards may contain them.
    pub buy: Allocation,
    /// What they cost, in dollars. It is part of the budget.
    pub cost_usd: f64,
    /// By how much the accuracy bought with the budget is expected to rise.
    pub expected_gain: f64,
    /// The confidence that the plan is expected to have afterwards.
    pub confidence: f64,
    /// Whether that passes 0.9.
    pub settles: bool,
}

/// Pilots that are tried: shares of the budget, and shares of those for weak labels.
const COSTS: [f64; 4] = [0.05, 0.1, 0.2, 0.3];
const FRACTIONS: [f64; 3] = [0.0, 0.5, 1.0];

/// The cheapest pilot that settles the plan, or else the one that gains most; none where the budget buys none.
pub(crate) fn best_pilot(
    splits: &Splits,
    surfaces: &[&Surface],
    tariff: &Tariff,
    question: &PlanQuestion,
) -> Result<Option<Pilot>> {
    let mut pilots: Vec<Pilot> = Vec::new();
    for cost in COSTS {
        for fraction in FRACTIONS {
            let total = tariff.allocation_beyond(question.have, cost * question.budget_usd, fraction)?;
            if total == question.have {
                continue;
            }
            pilots.extend(surfaces.iter().map(|surface| judged(splits, surface, tariff, question.have, total)));
        }
    }
    let settling = pilots.iter().filter(|pilot| pilot.settles).min_by(|a, b| a.cost_usd.total_cmp(&b.cost_usd));
    let gaining = || pilots.iter().max_by(|a, b| a.expected_gain.total_cmp(&b.expected_gain));
    Ok(settling.or_else(gaining).cloned())
}

/// What measuring one allocation would tell about all splits, by linear regression of each split's draws on the draws
/// at the allocation: a preposterior analysis (Raiffa and Schlaifer 1961).
fn judged(splits: &Splits, surface: &Surface, tariff: &Tariff, have: Allocation, total: Allocation) -> Pilot {
    let draws = splits.draws();
    let at = surface.accuracy_draws(total.n_weak as f64, total.n_gold as f64);
    let mut random = stream(surface.settings().seed, "pilot");
    let deviation = surface.run_variance().sqrt();
    let noise = |value: &f64| {
        let standard: f64 = StandardNormal.sample(&mut random);
        value + deviation * standard
    };
    let measured: Vec<f64> = at[..draws].iter().map(noise).collect();
    let mean = measured.iter().sum::<f64>() / draws as f64;
    let spread: f64 = measured.iter().map(|value| (value - mean).powi(2)).sum();
    let slopes: Vec<f64> = splits
        .all
        .iter()
        .map(|split| {
            let products = split.draws.iter().zip(&measured).map(|(draw, value)| (draw - split.mean) * (value - mean));
            products.sum::<f64>() / spread.max(f64::MIN_POSITIVE)
        })
        .collect();

    let best_in_draws = splits.best_in_draws();
    let (mut gained, mut good) = (0.0, 0usize);
    for draw in 0..draws {
        let expected = |split: usize| splits.all[split].mean + slopes[split] * (measured[draw] - mean);
        let better = |best: usize, next: usize| if expected(next) > expected(best) { next } else { best };
        let chosen = (1..splits.all.len()).fold(0, better);
        gained += expected(chosen) - expected(splits.most_expected);
        let regret = splits.all[best_in_draws[draw]].draws[draw] - splits.all[chosen].draws[draw];
        good += usize::from(regret <= GOOD_ENOUGH);
    }
    let confidence = good as f64 / draws as f64;
    Pilot {
        method: surface.method().to_owned(),
        buy: Allocation { n_weak: total.n_weak - have.n_weak, n_gold: total.n_gold - have.n_gold },
        cost_usd: tariff.cost_usd(total) - tariff.cost_usd(have),
        expected_gain: gained / draws as f64,
        confidence,
        settles: confidence >= VERDICT_PROBABILITY,
    }
}
