//! One budget split in every sensible way, and how accurate each surface's draws expect each split to be.

use crate::error::Result;
use crate::pareto::MINIMUM_GAIN;
use crate::regime::{Regime, RegimeProbabilities};
use crate::{Allocation, Surface, Tariff};

/// The shares of a budget spent on weak labels that are tried: every twentieth, and closer towards both ends, where a
/// few labels of the other kind may matter.
const FRACTIONS: [f64; 25] = [
    0.0, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85,
    0.9, 0.95, 0.975, 0.99, 1.0,
];

/// A way to spend the budget.
#[derive(Debug, Clone)]
pub(crate) struct Split {
    /// Which surface, in the order given.
    pub(crate) surface: usize,
    pub(crate) weak_fraction: f64,
    /// The labels owned afterwards.
    pub(crate) total: Allocation,
    pub(crate) regime: Regime,
    /// The accuracy in every draw.
    pub(crate) draws: Vec<f64>,
    pub(crate) mean: f64,
}

/// All ways to spend a budget on top of labels that are owned.
#[derive(Debug, Clone)]
pub(crate) struct Splits {
    pub(crate) all: Vec<Split>,
    /// The one of the least expected squared regret; of equals the first, which has fewest weak labels.
    pub(crate) best: usize,
    /// The one of the highest expected accuracy.
    pub(crate) most_expected: usize,
}

/// Which of several choices has the least expected squared regret, from the accuracy of each in every draw; of equals the
/// first.
///
/// The highest expected accuracy would be best if the draws were right. They come from formulas that are wrong somewhere, and
/// where nothing has been seen to rise, an end of the budget often leads by little and may lose much. Squares weigh what
/// may be lost at worst.
pub(crate) fn least_regret(choices: &[&[f64]]) -> usize {
    let draws = choices.first().map_or(0, |choice| choice.len());
    let highest = |draw: usize| choices.iter().map(|choice| choice[draw]).fold(f64::NEG_INFINITY, f64::max);
    let highest: Vec<f64> = (0..draws).map(highest).collect();
    let loss = |choice: &&[f64]| highest.iter().zip(*choice).map(|(best, draw)| (best - draw).powi(2)).sum::<f64>();
    let losses: Vec<f64> = choices.iter().map(loss).collect();
    (1..losses.len()).fold(0, |best, next| if losses[next] < losses[best] { next } else { best })
}

impl Splits {
    /// # Errors
    /// As [`Tariff::allocation_beyond`].
    pub(crate) fn new(surfaces: &[&Surface], tariff: &Tariff, have: Allocation, budget_usd: f64) -> Result<Self> {
        // Surfaces may keep different numbers of draws; what is compared draw by draw needs equally many.
        let draws = surfaces.iter().map(|surface| surface.draws()).min().unwrap_or(0);
        let mut splits: Vec<Split> = Vec::new();
        for (number, surface) in surfaces.iter().enumerate() {
            for weak_fraction in FRACTIONS {
                let total = tariff.allocation_beyond(have, budget_usd, weak_fraction)?;
                if splits.last().is_some_and(|last| last.surface == number && last.total == total) {
                    continue;
                }
                let mut accuracies = surface.accuracy_draws(total.n_weak as f64, total.n_gold as f64);
                accuracies.truncate(draws);
                let mean = accuracies.iter().sum::<f64>() / draws as f64;
                let bought = Allocation { n_weak: total.n_weak - have.n_weak, n_gold: total.n_gold - have.n_gold };
                let end = if weak_fraction < 0.5 { Regime::AllGold } else { Regime::AllWeak };
                let regime = Regime::of(bought).unwrap_or(end);
                splits.push(Split { surface: number, weak_fraction, total, regime, draws: accuracies, mean });
            }
        }
        let most_expected =
            (1..splits.len()).fold(0, |best, next| if splits[next].mean > splits[best].mean { next } else { best });
        // Rounded shares may buy less of everything than others do: that is nobody's choice, whatever a draw says.
        let is_dominated = |split: &Split| {
            splits.iter().any(|other| other.surface == split.surface && buys_more(other.total, split.total))
        };
        let choices: Vec<usize> = (0..splits.len()).filter(|&place| !is_dominated(&splits[place])).collect();
        let draws: Vec<&[f64]> = choices.iter().map(|&place| splits[place].draws.as_slice()).collect();
        let best = choices.get(least_regret(&draws)).copied().unwrap_or(0);
        Ok(Self { all: splits, best, most_expected })
    }

    pub(crate) fn best(&self) -> &Split {
        &self.all[self.best]
    }

    pub(crate) fn draws(&self) -> usize {
        self.best().draws.len()
    }

    /// The best split of a regime by expected accuracy.
    pub(crate) fn best_of(&self, regime: Regime) -> Option<&Split> {
        let of_regime = self.all.iter().filter(|split| split.regime == regime);
        of_regime.reduce(|best, next| if next.mean > best.mean { next } else { best })
    }

    pub(crate) fn best_in_draws(&self) -> Vec<usize> {
        let best = |draw: usize| {
            let better = |best: usize, next: usize| {
                if self.all[next].draws[draw] > self.all[best].draws[draw] { next } else { best }
            };
            (1..self.all.len()).fold(0, better)
        };
        (0..self.draws()).map(best).collect()
    }

    /// How far the split chosen stays behind the best one, in each draw.
    pub(crate) fn regrets(&self, chosen: usize) -> Vec<f64> {
        let regret = |(draw, best): (usize, usize)| self.all[best].draws[draw] - self.all[chosen].draws[draw];
        self.best_in_draws().into_iter().enumerate().map(regret).collect()
    }

    /// How often each regime is best. Between two ends lie many mixes, one of which is nearly an end: a mix must beat
    /// both ends by more than the frontier's minimum gain to count.
    pub(crate) fn probabilities(&self) -> RegimeProbabilities {
        let mut wins = [0.0; 3];
        for draw in 0..self.draws() {
            let best_of = |regime: Regime| {
                let of_regime = self.all.iter().filter(|split| split.regime == regime);
                of_regime.map(|split| split.draws[draw]).fold(f64::NEG_INFINITY, f64::max)
            };
            let [weak, mixed, gold] = Regime::ALL.map(best_of);
            let end = if weak > gold { Regime::AllWeak } else { Regime::AllGold };
            let best = if mixed > weak.max(gold) + MINIMUM_GAIN { Regime::Mixed } else { end };
            wins[best as usize] += 1.0 / self.draws() as f64;
        }
        RegimeProbabilities::from_array(wins)
    }
}

/// Whether these are at least as many labels of either kind as those, and more of one.
fn buys_more(these: Allocation, those: Allocation) -> bool {
    these != those && these.n_weak >= those.n_weak && these.n_gold >= those.n_gold
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_that_buys_more_of_everything_is_not_left() {
        let labels = |n_weak, n_gold| Allocation { n_weak, n_gold };
        assert!(buys_more(labels(0, 8), labels(0, 7)) && buys_more(labels(3, 8), labels(2, 7)));
        assert!(!buys_more(labels(0, 8), labels(0, 8)) && !buys_more(labels(0, 8), labels(1, 7)));
    }

    #[test]
    fn what_may_lose_much_is_not_chosen_for_a_little_more_on_average() {
        let (end, middle) = ([0.90, 0.90, 0.90, 0.60], [0.84, 0.84, 0.84, 0.75]);
        assert!(end.iter().sum::<f64>() > middle.iter().sum::<f64>());
        assert_eq!(least_regret(&[&end, &middle]), 1);
        assert_eq!(least_regret(&[&end[..3], &middle[..3]]), 0);
        assert_eq!(least_regret(&[&middle, &middle]), 0);
    }
}
