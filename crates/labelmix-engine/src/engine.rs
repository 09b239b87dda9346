//! The trait. A stage is a pure function of its [`StageJob`], so whatever does it can be anything.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use labelmix_data::{Example, ExampleId, PromptTemplate};
use labelmix_methods::{Recipe, Scores, StageHistory, StagePlan, TargetStop};
use labelmix_store::Shortened;
use labelmix_train::{Continuation, Interrupt, StageProgress};
use serde::Serialize;

use crate::drawn::Drawn;
use crate::error::Result;
use crate::probe::HiddenStates;
use crate::worker::WorkerOptions;

/// How a model is run on this machine. None of it is part of a study.
#[derive(Clone, Debug, Default)]
pub struct EngineOptions {
    /// Runs at a time; by default one per core for small models, as far as memory goes.
    pub jobs: Option<usize>,
    /// The memory to stay within, in bytes; unlimited if there is none.
    pub memory: Option<u64>,
    /// Who runs the model, if not this process. It has the device in its own words.
    pub worker: Option<WorkerOptions>,
}

/// In what an engine's results differ from those of another. All of it enters the keys of what it makes.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Who trains, with a version: nothing for the engine of this process.
    pub engine: Option<String>,
    /// A hash of the checkpoint.
    pub model: [u8; 32],
    /// How the weights are rounded, if they are.
    pub rounding: Option<String>,
    /// A hash of the tokenizer.
    pub tokenizer: [u8; 32],
    /// How texts become vectors: a pooling's name.
    pub pooling: &'static str,
    /// The limit for texts and prompts, in tokens, where it is below the model's own.
    pub max_length: Option<usize>,
}

/// A hash as it is written in records.
pub fn in_digits(hash: &[u8; 32]) -> String {
    hash.iter().fold(String::new(), |mut digits, byte| {
        // Writing to a string cannot fail.
        let _ = write!(digits, "{byte:02x}");
        digits
    })
}

/// What all stages of a sweep have in common.
#[derive(Debug, Default)]
pub struct StageData {
    /// The examples whose labels are for sale.
    pub train: Vec<Example>,
    /// The examples that every stage scores in the end.
    pub test: Vec<Example>,
    /// How stages train.
    pub recipe: Recipe,
    /// How examples become a prompt.
    pub prompt: PromptTemplate,
    /// What stands before the answer in texts that end with one.
    pub before_answer: Option<String>,
}

/// Everything that determines a stage's scores, beside what all stages have in common.
pub struct StageJob<'a> {
    /// What they have in common.
    pub data: &'a StageData,
    /// What is to be done.
    pub plan: &'a StagePlan,
    /// The seed of the pools, the training and the prompts.
    pub seed: u64,
    /// What the draws of the plan take, in their order.
    pub drawn: Vec<Drawn>,
    /// The folder of what the stage that it starts from trained.
    pub parent: Option<PathBuf>,
    /// The folders of the classifiers that it reads.
    pub reads: Vec<PathBuf>,
}

/// Scores that are all numbers: nothing else can be kept, or read again.
///
/// # Errors
/// If one is none.
pub fn finite_scores(log_odds: Vec<f32>) -> Result<Scores> {
    match log_odds.iter().filter(|score| !score.is_finite()).count() {
        0 => Ok(Scores::of_log_odds(log_odds)),
        count => Err(labelmix_train::Error::ScoresAreNoNumbers { count, texts: log_odds.len() }.into()),
    }
}

/// What an engine says of a stage that it did.
pub struct StageScores {
    /// How training went, if something was trained.
    pub history: Option<StageHistory>,
    /// The examples that it trained on, in their order, if predictions decided which.
    pub chosen: Vec<ExampleId>,
    /// The scores of every test example.
    pub scores: Scores,
    /// What became of prompts that were too long.
    pub shortened: Shortened,
    /// The names of the files that it wrote.
    pub written: Vec<String>,
}

/// Everything that determines a labeler.
pub struct LabelerJob<'a> {
    /// The texts and gold labels that it learns from; at least one.
    pub train: Vec<(&'a str, bool)>,
    /// Those that decide which checkpoint is kept; at least one.
    pub validation: Vec<(&'a str, bool)>,
    /// How it trains.
    pub recipe: &'a Recipe,
    /// The validation accuracy to stop at; without it the best checkpoint is kept.
    pub target_accuracy: Option<f64>,
    /// Decides the initial weights and the order of the batches.
    pub seed: u64,
}

/// How a labeler was trained.
pub struct LabelerTraining {
    /// How training went.
    pub history: StageHistory,
    /// Where it stopped, if it aimed at an accuracy.
    pub target_stop: Option<TargetStop>,
    /// The names of the files that it wrote.
    pub written: Vec<String>,
}

/// How fast one job is, in seconds for a text of the study.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Calibration {
    /// To train on one.
    pub train_seconds: f64,
    /// To read one.
    pub read_seconds: f64,
}

/// Who does stages. What it trains it writes to a folder that is made for it, in PEFT's layout.
pub trait Engine: Send + Sync {
    /// What enters the keys of what it makes.
    ///
    /// # Errors
    /// If the checkpoint cannot be read.
    fn identity(&self) -> Result<Identity>;

    /// The versions and the device of whoever runs the model, in words; nothing for this process. Not part of any key.
    fn runner(&self) -> Option<String> {
        None
    }

    /// The model's parameters.
    fn parameters(&self) -> usize;

    /// How many stages it does at once.
    fn slots(&self) -> usize;

    /// The memory that so many take at their peak, in bytes.
    fn memory_bytes(&self) -> u64;

    /// Trains, or asks the language model, and scores the test set; for other plans it is not asked. The folder `out` is made
    /// if there is something to write.
    ///
    /// # Errors
    /// If training fails or is interrupted, or the folder cannot be written.
    fn do_stage(
        &self,
        job: &StageJob<'_>,
        out: &Path,
        continuation: Continuation<'_>,
        observe: &mut dyn FnMut(StageProgress),
    ) -> Result<StageScores>;

    /// Trains a labeler.
    ///
    /// # Errors
    /// If training fails or is interrupted, no checkpoint comes near the target, or the folder cannot be written.
    fn train_labeler(
        &self,
        job: &LabelerJob<'_>,
        out: &Path,
        continuation: Continuation<'_>,
        observe: &mut dyn FnMut(StageProgress),
    ) -> Result<LabelerTraining>;

    /// Which texts it can read, by the study's rule for those that are too long.
    ///
    /// # Errors
    /// If the rule is to refuse them, for the first.
    fn readable(&self, texts: &[&str]) -> Result<Vec<bool>>;

    /// What the pretrained model's pooling gives for texts, `[hidden]` each: after each of the last so many blocks (the upper
    /// half without a number) scaled to unit length, and the mean of that.
    ///
    /// # Errors
    /// If a text cannot be read, the model cannot be run, or it is interrupted.
    fn hidden_states(&self, layers: Option<usize>, texts: &[&str], interrupt: &Interrupt) -> Result<Vec<HiddenStates>>;

    /// What a stage or a labeler trained, ready to score texts. Who asks has checked that its files are what was written.
    ///
    /// # Errors
    /// If it is damaged, or of another model.
    fn scorer(&self, folder: &Path) -> Result<Box<dyn Scorer + '_>>;

    /// Tries how fast one stage is.
    ///
    /// # Errors
    /// If the model cannot be run.
    fn calibrate(&self) -> Result<Calibration>;
}

/// A classifier, or a language model behind a prompt.
pub trait Scorer {
    /// The scores of texts.
    ///
    /// # Errors
    /// If a text cannot be read, the model cannot be run, or it is interrupted.
    fn score(&self, texts: &[&str], interrupt: &Interrupt) -> Result<Scores>;
}
