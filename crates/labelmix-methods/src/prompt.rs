//! Prompts as text: labelled examples, then the text in question (Mallen & Belrose 2024).

use labelmix_stats::stream;
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

/// How examples become a prompt: a study's `[prompt]` table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PromptTemplate {
    /// What stands for class 0 and for class 1.
    pub targets: [String; 2],
    /// What stands between a text and its target.
    pub before_target: String,
    /// What stands between two examples.
    pub between: String,
}

impl Default for PromptTemplate {
    fn default() -> Self {
        Self { targets: ["0".into(), "1".into()], before_target: "\n".into(), between: "\n\n".into() }
    }
}

/// Puts shots, in the order of the pool, into the one order that serves all texts of a run.
pub fn order_for_all<T>(shots: &mut [T], seed: u64) {
    shots.shuffle(&mut stream(seed, "order of shots"));
}
