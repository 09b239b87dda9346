//! A prompt as it is kept beside a stage.

use labelmix_data::PromptTemplate;
use labelmix_methods::{FollowUp, ShotOrder};
use serde::{Deserialize, Serialize};

/// A prompt as it is kept beside a stage: everything that it takes to put it before new texts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PromptFile {
    /// How examples become a prompt.
    pub template: PromptTemplate,
    /// In which order they stand.
    pub order: ShotOrder,
    /// Decides the shuffles.
    pub seed: u64,
    /// What is asked on from the model's own answer, in place of a text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub follow_up: Option<FollowUp>,
    /// Whether the language model is asked for the next token; else a trained classifier reads the prompt.
    pub asks_language_model: bool,
    /// The examples, in the order of the pool.
    pub shots: Vec<KeptShot>,
    /// What became of prompts that were longer than the model's context.
    pub shortened: Shortened,
}

/// An example of a prompt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptShot {
    pub text: String,
    /// Its class, by the label that was bought.
    pub class: u8,
}

/// Prompts that would have been longer than the model's context, and lost shots.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shortened {
    /// Of the texts that were trained on.
    pub train: usize,
    /// Of the test texts.
    pub test: usize,
    /// The most shots that one of them lost.
    pub most_lost: usize,
}

impl PromptFile {
    /// The same, without what became of texts that were read.
    pub fn what_is_read(self) -> Self {
        Self { shortened: Shortened::default(), ..self }
    }
}
