//! The steps of a stage: how many, when it is evaluated, and which labels each looks at.

use labelmix_nn::WarmupCosine;
use labelmix_stats::stream;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use labelmix_methods::Recipe;

/// The steps of a stage, as the recipe and the number of labels imply them (Mallen & Belrose 2024).
pub(crate) struct Timetable {
    pub(crate) schedule: WarmupCosine,
    pub(crate) evaluate_every: usize,
}

impl Timetable {
    pub(crate) fn new(recipe: &Recipe, n_train: usize) -> Self {
        let (batch_size, epochs) = recipe.batch_and_epochs(n_train);
        let steps_per_epoch = n_train.div_ceil(batch_size);
        Self {
            schedule: WarmupCosine {
                peak: recipe.learning_rate,
                warmup_steps: recipe.warmup_steps.min(steps_per_epoch).max(2),
                total_steps: epochs * steps_per_epoch,
            },
            evaluate_every: recipe.evaluate_every.min(steps_per_epoch),
        }
    }
}

/// The order in which a stage looks at its training labels, pass after pass. Every pass shuffles the order of the pass
/// before, from one stream; so the order at any step is found again by shuffling as often as there were passes.
pub(crate) struct BatchOrder {
    order: Vec<usize>,
    batch_size: usize,
    shuffle: ChaCha8Rng,
    /// How many passes have begun.
    passes: usize,
}

impl BatchOrder {
    /// The order in which [`train_stage`](crate::train_stage) looks at `n_train` training labels, at least one.
    pub(crate) fn new(n_train: usize, recipe: &Recipe, seed: u64) -> Self {
        let (batch_size, _) = recipe.batch_and_epochs(n_train);
        Self { order: (0..n_train).collect(), batch_size, shuffle: stream(seed, "order of batches"), passes: 0 }
    }

    /// The batch of a step, counted from 0, as indices into the labels.
    ///
    /// # Panics
    /// If a later step was asked for before: every pass shuffles what the one before left.
    pub(crate) fn of_step(&mut self, step: usize) -> &[usize] {
        let pass = step / self.steps_per_pass();
        assert!(self.passes <= pass + 1, "step {step} lies in an earlier pass");
        while self.passes <= pass {
            self.order.shuffle(&mut self.shuffle);
            self.passes += 1;
        }
        let place = step % self.steps_per_pass();
        self.order.chunks(self.batch_size).nth(place).expect("a pass has so many batches")
    }

    fn steps_per_pass(&self) -> usize {
        self.order.len().div_ceil(self.batch_size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_timetable_follows_the_number_of_labels() {
        let recipe = Recipe::default();
        let timetable = |n_train| {
            let Timetable { schedule, evaluate_every, .. } = Timetable::new(&recipe, n_train);
            (schedule.total_steps, schedule.warmup_steps, evaluate_every)
        };
        // 30,000 / 13 = 2,307 epochs of one step; warm-up never below 2.
        assert_eq!(timetable(13), (2307, 2, 1));
        // 30,000 / 820 = 36 epochs of 26 steps.
        assert_eq!(timetable(820), (36 * 26, 26, 26));
        // 30,000 / 8,192 = 3 epochs of 256 steps.
        assert_eq!(timetable(8192), (3 * 256, 40, 50));
        // More labels than examples to look at: one epoch.
        assert_eq!(timetable(40_000), (1250, 40, 50));
    }

    #[test]
    fn every_pass_looks_at_every_label_once_in_another_order() {
        let mut order = BatchOrder::new(70, &Recipe::default(), 3);
        let batches: Vec<Vec<usize>> = (0..6).map(|step| order.of_step(step).to_vec()).collect();
        assert_eq!(batches.iter().map(Vec::len).collect::<Vec<_>>(), [32, 32, 6, 32, 32, 6]);
        let passes = batches.chunks(3).map(<[Vec<usize>]>::concat).collect::<Vec<_>>();
        assert_ne!(passes[0], passes[1]);
        for mut labels in passes {
            labels.sort_unstable();
            assert_eq!(labels, (0..70).collect::<Vec<_>>());
        }
        // Going on in the middle leads to the same place.
        assert_eq!(BatchOrder::new(70, &Recipe::default(), 3).of_step(4), batches[4]);
    }
}
