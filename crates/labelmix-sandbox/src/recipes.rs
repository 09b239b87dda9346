//! How the shipped models were made.

use crate::checkpoint::Shape;
use crate::corpus::Mixture;
use crate::pretraining::Pretraining;

/// One of the sandbox's two language models.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SandboxModel {
    /// The one whose knowledge labels are to bring out: it has learned every fact of the corpus.
    Strong,
    /// The weak labeler's: smaller, and stopped when it knew the facts of some relations only.
    Weak,
}

impl SandboxModel {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Strong, Self::Weak];

    /// The name of the model's folder, and in commands.
    pub fn name(self) -> &'static str {
        match self {
            Self::Strong => "strong",
            Self::Weak => "weak",
        }
    }

    /// How it is pretrained.
    pub fn pretraining(self) -> Pretraining {
        let strong = Pretraining {
            shape: Shape { layers: 4, hidden: 128, heads: 4, intermediate: 256 },
            mixture: Mixture { statements: 320, answered: 96, colours: 12, prompts: 0, shots: 9, prompts_from: 0.3 },
            scheduled_steps: 1000,
            steps: 1000,
            muon_rate: 0.02,
            adamw_rate: 3e-3,
            warmup_steps: 50,
            decay: 0.6,
            seed: 0,
        };
        match self {
            Self::Strong => strong,
            Self::Weak => {
                Pretraining { shape: Shape { layers: 2, hidden: 48, heads: 2, intermediate: 96 }, steps: 340, ..strong }
            }
        }
    }
}
