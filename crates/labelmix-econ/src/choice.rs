//! What one achieves who chooses the best of several allocations by measuring them.
//!
//! The best of many noisy accuracies is above the best of few without being better, if it is judged by the noise that
//! it was chosen by. So in every resample the best allocation is chosen, and judged on the seeds and test items that the resample
//! left out. Where one allocation is best in all resamples, it achieves what was measured; where many are equal, having
//! many is no advantage.

use crate::Resamples;

/// The choice among some allocations.
pub(crate) struct MeasuredChoice {
    /// The candidates and how often each of them was chosen, as shares.
    pub(crate) chosen: Vec<(usize, f64)>,
    /// What the chosen ones achieve where they had no part in being chosen.
    pub(crate) achieved: f64,
}

impl MeasuredChoice {
    /// Chooses in each resample. `None` without candidates.
    ///
    /// # Panics
    /// If the resamples were not measured by what they leave out.
    pub(crate) fn new(candidates: &[usize], resamples: &Resamples) -> Option<Self> {
        let first = *candidates.first()?;
        let count = resamples.resamples();
        let left_out =
            |number| resamples.left_out(number).expect("resamples that were measured by what they leave out");
        let observed = resamples.observed();
        let choices: Vec<usize> = (0..count)
            .map(|number| {
                let drawn = resamples.accuracies(number);
                // Of equals the one that measured best, so that nothing depends on the order.
                let better = |best: usize, next: usize| {
                    let (best_value, next_value) = ((drawn[best], observed[best]), (drawn[next], observed[next]));
                    if next_value > best_value { next } else { best }
                };
                candidates.iter().copied().fold(first, better)
            })
            .collect();
        let share_of =
            |candidate: usize| choices.iter().filter(|choice| **choice == candidate).count() as f64 / count as f64;
        let chosen: Vec<(usize, f64)> = candidates
            .iter()
            .map(|&candidate| (candidate, share_of(candidate)))
            .filter(|(_, share)| *share > 0.0)
            .collect();
        let mean_of = |value: &dyn Fn(usize) -> f64| {
            chosen.iter().map(|&(candidate, share)| share * value(candidate)).sum::<f64>()
        };
        // How much better the choice does than the same allocations drawn without looking: what is left of being chosen. The
        // difference from the whole data is taken within a resample, where its noise cancels.
        let gain: f64 = choices
            .iter()
            .enumerate()
            .map(|(number, &choice)| {
                let kept = left_out(number);
                let noise = |candidate: usize| kept[candidate] - observed[candidate];
                noise(choice) - mean_of(&noise)
            })
            .sum();
        Some(Self { achieved: mean_of(&|candidate| observed[candidate]) + gain / count as f64, chosen })
    }

    /// What they achieve in one resample.
    pub(crate) fn in_resample(&self, resamples: &Resamples, number: usize) -> f64 {
        let (drawn, observed) = (resamples.accuracies(number), resamples.observed());
        let noise = self.chosen.iter().map(|&(index, share)| share * (drawn[index] - observed[index]));
        self.achieved + noise.sum::<f64>()
    }
}
