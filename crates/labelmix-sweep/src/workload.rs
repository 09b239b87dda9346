//! How much work a stage is expected to be.

use labelmix_methods::{CONTENT_FREE, Calibration, Choice, Recipe, Role, ShotOrder, StagePlan, TrainPlan};

use crate::graph::StageNode;
use crate::purchase::REFERENCE_TEXTS;

/// A stage's expected work, in examples.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Workload {
    /// Examples that it trains on, repetitions counted.
    pub(crate) trained: usize,
    /// Examples that it only reads, repetitions counted.
    pub(crate) read: usize,
    /// Texts in what stands for one example: the text itself and the shots before it.
    pub(crate) texts: usize,
}

/// Training on an example is as much work as reading so many: forward, and about as much twice backward.
const READINGS_PER_TRAINED: usize = 3;

/// The texts of a pool whose size is not known here.
const A_POOL: usize = 1600;

impl Workload {
    pub(crate) fn of(stage: &StageNode, recipe: &Recipe, n_test: usize) -> Self {
        let training = match &stage.plan {
            StagePlan::Train(training) => training,
            // Its texts are read once for all stages.
            StagePlan::Probe(_) => return Self { trained: 0, read: 1, texts: 1 },
            // The shots before texts that a language model is asked about are read once for all.
            StagePlan::Ask(_) | StagePlan::Judge(_) => return Self { trained: 0, read: n_test, texts: 1 },
            StagePlan::Average { of, calibration, .. } => {
                let of_each = match calibration {
                    Calibration::None => 0,
                    Calibration::Contextual => CONTENT_FREE.len(),
                    Calibration::Prior => REFERENCE_TEXTS,
                };
                let read = (of_each * of.len()).max(1);
                return Self { trained: 0, read, texts: 1 };
            }
        };
        let TrainPlan { draws, prompt, .. } = training;
        let (mut own, mut jointly, mut candidates) = (0, 0, 0);
        for draw in draws {
            match draw.role {
                Role::Train => own += draw.count,
                Role::Jointly(_) if draw.count == usize::MAX => jointly += A_POOL,
                Role::Jointly(_) => jointly += draw.count,
                Role::Shot => {}
            }
            // Without a number all of the pool is read, whose size is not known here; it matters little beside training.
            match draw.choice {
                Choice::LeastCertain { candidates: number, .. } => candidates += number.unwrap_or(draw.count),
                Choice::Disputed { of } => candidates += of,
                Choice::Front | Choice::SurestLabels { .. } | Choice::Coverage => {}
            }
        }
        let [trained, validated] = training.recipe(recipe).expected_examples(own + jointly);
        // The classifiers that it reads label what it trains on jointly.
        let labelled = jointly * stage.reads.len();
        // Those of a step are read once for all of its texts.
        let shots = prompt.as_ref().map_or(0, |prompt| match prompt.shots.order {
            ShotOrder::FreshForEach => prompt.shots.count,
            ShotOrder::FreshForEachStep | ShotOrder::OneForAll => {
                prompt.shots.count.div_ceil(training.recipe(recipe).usual_batch())
            }
        });
        Self { trained, read: validated + candidates + labelled + n_test, texts: 1 + shots }
    }

    /// The work in texts that are read.
    pub(crate) fn readings(self) -> f64 {
        (self.texts * (READINGS_PER_TRAINED * self.trained + self.read)) as f64
    }
}
