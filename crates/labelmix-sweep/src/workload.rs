//! How much work a stage is expected to be.

use labelmix_methods::{Beside, Choice, PseudoLabels, Recipe, StageWork};

use crate::graph::StageNode;

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
        let plan = &stage.plan;
        let beside = match &plan.beside {
            None => 0,
            Some(Beside::Labels(beside)) => beside.count,
            Some(Beside::PseudoLabels(PseudoLabels { texts, .. })) => texts.unwrap_or(A_POOL),
        };
        let [trained, validated] = match plan.work {
            StageWork::Train { .. } => recipe.expected_examples(plan.count + beside),
            StageWork::Ask => [0, 0],
            StageWork::Average => return Self { trained: 0, read: 1, texts: 1 },
        };
        let candidates = match plan.choice {
            // Without a number all of the pool is read, whose size is not known here; it matters little beside training.
            Choice::LeastCertain { candidates, .. } => candidates.unwrap_or(plan.count),
            Choice::Front | Choice::SurestLabels { .. } => 0,
        };
        // The shots before texts that a language model is asked about are read once for all.
        let shots = plan.shots.map_or(0, |shots| if plan.work == StageWork::Ask { 0 } else { shots.count });
        // The classifiers that it reads label what stands beside its own labels.
        let labelled = beside * stage.reads.len();
        Self { trained, read: validated + candidates + labelled + n_test, texts: 1 + shots }
    }

    /// The work in texts that are read.
    pub(crate) fn readings(self) -> f64 {
        (self.texts * (READINGS_PER_TRAINED * self.trained + self.read)) as f64
    }
}
