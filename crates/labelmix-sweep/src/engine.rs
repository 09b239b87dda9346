//! What does stages: plain data in; a folder in PEFT's layout, and scores, out.
//!
//! A stage is a pure function of its [`StageJob`], so whatever does it can be anything. The executor asks an engine how many stages
//! it does at once, and knows neither model nor device.

use std::path::{Path, PathBuf};

use labelmix_data::{Example, ExampleId};
use labelmix_methods::{PromptTemplate, Recipe, StageHistory, StagePlan};
use labelmix_store::Shortened;
use labelmix_train::{Continuation, StageProgress};
use serde::Serialize;

use crate::error::Result;
use crate::purchase::Drawn;
use crate::stage_error::StageError;

/// What all stages of a sweep have in common.
#[derive(Debug, Default)]
pub(crate) struct StageData {
    /// The examples whose labels are for sale.
    pub(crate) train: Vec<Example>,
    /// The examples that every stage scores in the end.
    pub(crate) test: Vec<Example>,
    pub(crate) recipe: Recipe,
    pub(crate) prompt: PromptTemplate,
}

/// Everything that determines a stage's scores, beside what all stages have in common.
pub(crate) struct StageJob<'a> {
    pub(crate) data: &'a StageData,
    pub(crate) plan: &'a StagePlan,
    /// The seed of the pools, the training and the prompts.
    pub(crate) seed: u64,
    /// What the draws of the plan take, in their order.
    pub(crate) drawn: Vec<Drawn>,
    /// The folder of what the stage that it starts from trained.
    pub(crate) parent: Option<PathBuf>,
    /// The folders of the classifiers that it reads.
    pub(crate) reads: Vec<PathBuf>,
}

/// What an engine says of a stage that it did.
pub(crate) struct StageScores {
    /// How training went, if something was trained.
    pub(crate) history: Option<StageHistory>,
    /// The examples that it trained on, in their order, if predictions decided which.
    pub(crate) chosen: Vec<ExampleId>,
    /// The log-odds of class 1 of every test example.
    pub(crate) log_odds: Vec<f32>,
    /// What became of prompts that were too long.
    pub(crate) shortened: Shortened,
}

/// How fast one job is, in seconds for a text of the study.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Calibration {
    /// To train on one.
    pub train_seconds: f64,
    /// To read one.
    pub read_seconds: f64,
}

/// Who does stages.
pub(crate) trait Engine: Send + Sync {
    /// How many stages it does at once.
    fn slots(&self) -> usize;

    /// The memory that so many take at their peak, in bytes.
    fn memory_bytes(&self) -> u64;

    /// Trains, or asks the language model, and scores the test set. What was trained is written to the folder `out`, in PEFT's
    /// layout, which is made if there is something to write.
    ///
    /// # Errors
    /// If training fails or is interrupted, or the folder cannot be written.
    fn do_stage(
        &self,
        job: &StageJob<'_>,
        out: &Path,
        continuation: Continuation<'_>,
        observe: &mut dyn FnMut(StageProgress),
    ) -> std::result::Result<StageScores, StageError>;

    /// The log-odds of class 1 of texts, by a classifier that a stage trained; `None` for a text that cannot be read.
    ///
    /// # Errors
    /// If the classifier is damaged, or the model cannot be run.
    fn score(&self, texts: &[&str], classifier: &Path) -> std::result::Result<Vec<Option<f32>>, StageError>;

    /// Tries how fast one stage is.
    ///
    /// # Errors
    /// If the model cannot be run.
    fn calibrate(&self) -> Result<Calibration>;
}
