//! What a regime achieves, without favour for the regime that has most allocations.
//!
//! There are often ten mixed allocations within a budget for one that is all weak and one that is all gold, and the
//! best of ten noisy accuracies is above the best of one without being better. So who represents a regime is not
//! decided by the noise that it is judged by. The measured accuracies y, of covariance Σ, are split in two,
//! y + e and y − e, where e is a draw of the noise: the two halves have independent noise (covariance Σ − Σ = 0; "data fission",
//! Rasines and Young 2023). Representatives are chosen on one half and judged on the other, both ways round, and a
//! regime achieves what they achieve on average over many draws of e. Where the choice is clear both halves choose
//! alike, e cancels, and what remains is the paired bootstrap; where all are equal, no regime gains by the number of
//! its allocations.

use crate::Resamples;

/// What a regime's representatives achieve.
pub(crate) struct Standing {
    /// The candidates and how often each of them was chosen, as shares.
    representatives: Vec<(usize, f64)>,
    /// The mean of what the representatives achieved where they were judged.
    pub(crate) accuracy: f64,
}

impl Standing {
    /// Chooses and judges with each resample's noise in turn, as it is and reversed. `None` without candidates.
    pub(crate) fn new(candidates: &[usize], resamples: &Resamples) -> Option<Self> {
        let prior = Prior::new(candidates, resamples)?;
        let observed = resamples.observed();
        let mut chosen = vec![0.0; candidates.len()];
        let (mut accuracy, share) = (0.0, 0.5 / resamples.resamples() as f64);
        for number in 0..resamples.resamples() {
            let drawn = resamples.accuracies(number);
            for sign in [1.0, -1.0] {
                let noise = |place: usize| sign * (drawn[candidates[place]] - observed[candidates[place]]);
                let expected = |place: usize| prior.expected(place, observed[candidates[place]] + noise(place));
                let better = |best: usize, next: usize| if expected(next) > expected(best) { next } else { best };
                let place = (1..candidates.len()).fold(0, better);
                accuracy += share * (observed[candidates[place]] - noise(place));
                chosen[place] += share;
            }
        }
        let representatives = candidates.iter().copied().zip(chosen).filter(|(_, share)| *share > 0.0);
        Some(Self { representatives: representatives.collect(), accuracy })
    }

    /// What they achieve in one resample.
    pub(crate) fn in_resample(&self, resamples: &Resamples, number: usize) -> f64 {
        let (drawn, observed) = (resamples.accuracies(number), resamples.observed());
        let noise = self.representatives.iter().map(|&(index, share)| share * (drawn[index] - observed[index]));
        self.accuracy + noise.sum::<f64>()
    }
}

/// What is known of a regime's accuracies before one of them is looked at: normal about a common mean (empirical
/// Bayes). A choice by expected accuracy passes over allocations that look good because they are noisy.
struct Prior {
    mean: f64,
    /// How far each accuracy is to be believed, from 0 to 1.
    shares: Vec<f64>,
}

/// Accuracies of a regime that show no more spread than noise are taken to differ by this much.
const LEAST_DEVIATION: f64 = 0.005;

impl Prior {
    /// `None` without candidates.
    fn new(candidates: &[usize], resamples: &Resamples) -> Option<Self> {
        let observed = resamples.observed();
        let noise = |&index: &usize| {
            let resampled = (0..resamples.resamples()).map(|number| resamples.accuracies(number)[index]);
            resampled.map(|drawn| (drawn - observed[index]).powi(2)).sum::<f64>() / resamples.resamples() as f64
        };
        let noise: Vec<f64> = candidates.iter().map(noise).collect();
        let least = LEAST_DEVIATION * LEAST_DEVIATION;
        let mean_of = |value: &dyn Fn(usize) -> f64, weight: &dyn Fn(usize) -> f64| {
            let weights: f64 = (0..candidates.len()).map(weight).sum();
            (0..candidates.len()).map(|place| weight(place) * value(place)).sum::<f64>() / weights
        };
        let mean = mean_of(&|place| observed[candidates[place]], &|place| 1.0 / (noise[place] + least));
        let spread = mean_of(&|place| (observed[candidates[place]] - mean).powi(2) - noise[place], &|_| 1.0).max(least);
        // A half has twice the noise.
        let shares = noise.iter().map(|noise| spread / (spread + 2.0 * noise)).collect();
        (!candidates.is_empty()).then_some(Self { mean, shares })
    }

    /// The expected accuracy of a candidate that shows this accuracy on a half.
    fn expected(&self, place: usize, accuracy: f64) -> f64 {
        self.mean + self.shares[place] * (accuracy - self.mean)
    }
}
