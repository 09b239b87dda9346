//! Who runs a model. Training decides what is computed, on which texts and in which order; a backend computes it.

use std::path::Path;

use labelmix_methods::{Recipe, Trains};
use labelmix_models::{Adapter, LoraSettings, Pooling};
use labelmix_nn::Array;

use crate::error::Result;
use crate::interrupt::Interrupt;
use crate::optimizer_state::OptimizerState;
use crate::prompt::Prompt;

/// A pretrained model. Its weights never change; what is trained of it are adapters.
pub trait Backend: Send + Sync {
    /// A hash of the configuration and the weights.
    ///
    /// # Errors
    /// If they cannot be read.
    fn content_hash(&self) -> Result<[u8; 32]>;

    /// Passes if the checkpoint's files are still those that were opened.
    ///
    /// # Errors
    /// If one has changed.
    fn check_unchanged(&self) -> Result<()>;

    /// Passes if the model can be asked for tokens.
    ///
    /// # Errors
    /// If it is an encoder, or the checkpoint lacks its own head.
    fn check_language_model(&self) -> Result<()>;

    /// How a text's hidden states become the one vector that the head reads.
    fn pooling(&self) -> Pooling;

    /// A freshly initialised adapter and head: a function of the model's shape and the seed.
    ///
    /// # Errors
    /// If the model's device cannot hold it.
    fn initial_adapter(&self, settings: LoraSettings, seed: u64) -> Result<Adapter>;

    /// The adapter that was kept in a folder.
    ///
    /// # Errors
    /// If it is missing or damaged, or of another model.
    fn kept_adapter(&self, folder: &Path) -> Result<Adapter>;

    /// A training that has not made a step.
    ///
    /// # Errors
    /// If the adapter or the optimizer's state is none of this model.
    fn learner<'a>(&'a self, learning: Learning<'_>) -> Result<Box<dyn Learner + 'a>>;

    /// The log-odds of class 1, `logit(1) − logit(0)`, of every text.
    ///
    /// # Errors
    /// If the model cannot be run, or it is interrupted.
    fn log_odds(&self, adapter: &Adapter, texts: &[&[u32]], reading: Reading<'_>) -> Result<Vec<f32>>;

    /// What the pretrained model's pooling gives for every text, `[hidden]` each: after each of the last so many blocks (the
    /// upper half without a number) scaled to unit length, and the mean of that.
    ///
    /// # Errors
    /// As [`log_odds`](Self::log_odds).
    fn hidden_states(&self, layers: Option<usize>, texts: &[&[u32]], reading: Reading<'_>) -> Result<Vec<Vec<f32>>>;

    /// The score of each prompt: the next token's logit of the target of class 1 minus that of class 0.
    ///
    /// # Errors
    /// As [`log_odds`](Self::log_odds), or if the model cannot be asked for tokens.
    fn next_token_scores(&self, prompts: &[Prompt], targets: [u32; 2], reading: Reading<'_>) -> Result<Vec<f32>>;

    /// The likeliest next token after each text.
    ///
    /// # Errors
    /// As [`next_token_scores`](Self::next_token_scores).
    fn likeliest_next(&self, texts: &[&[u32]], reading: Reading<'_>) -> Result<Vec<u32>>;

    /// The log-likelihood of each text's tokens from a place on, given those before them; the places are at least 1.
    ///
    /// # Errors
    /// As [`next_token_scores`](Self::next_token_scores).
    fn log_likelihoods(&self, texts: &[(&[u32], usize)], reading: Reading<'_>) -> Result<Vec<f64>>;

    /// The rows of the model's own head for some tokens, `[tokens, hidden]`.
    ///
    /// # Errors
    /// If the model cannot be asked for tokens.
    fn head_rows(&self, tokens: &[u32]) -> Result<Array>;
}

/// How texts are read: so many tokens at a time, until somebody interrupts it.
#[derive(Clone, Copy)]
pub struct Reading<'a> {
    pub batch_tokens: usize,
    pub interrupt: &'a Interrupt,
}

/// Where a training starts, and what its steps change.
pub struct Learning<'a> {
    pub adapter: Adapter,
    pub trains: Trains,
    /// The optimizer's settings, and how many tokens are processed at a time.
    pub recipe: &'a Recipe,
    /// What the optimizer starts with; without it, with nothing.
    pub optimizer: Option<&'a OptimizerState>,
}

/// What one step learns from: texts with soft labels and weights.
#[derive(Clone, Copy)]
pub struct Batch<'a> {
    pub texts: &'a [&'a [u32]],
    pub targets: &'a [f32],
    pub weights: &'a [f32],
}

/// An adapter in training, with its optimizer.
pub trait Learner {
    /// One step of AdamW with clipped gradients on the mean over the batch of `weight · cross-entropy`, and that mean before
    /// the step. A step that is interrupted, or whose loss is no number, changes nothing.
    ///
    /// # Errors
    /// If the model cannot be run, or it is interrupted.
    fn step(&mut self, batch: Batch<'_>, learning_rate: f64, interrupt: &Interrupt) -> Result<f32>;

    /// The log-odds of class 1 of every text with the adapter as it is.
    ///
    /// # Errors
    /// If the model cannot be run, or it is interrupted.
    fn log_odds(&self, texts: &[&[u32]], interrupt: &Interrupt) -> Result<Vec<f32>>;

    /// Where the head begins among the values of a [`snapshot`](Self::snapshot).
    fn head_at(&self) -> usize;

    /// A copy of the adapter's values, to return to later.
    ///
    /// # Errors
    /// If whoever holds them cannot hand them over.
    fn snapshot(&self) -> Result<Vec<Array>>;

    /// Returns to the values of a snapshot.
    ///
    /// # Errors
    /// If they cannot be taken.
    fn restore(&mut self, snapshot: &[Array]) -> Result<()>;

    /// The optimizer's state.
    ///
    /// # Errors
    /// As [`snapshot`](Self::snapshot).
    fn optimizer(&self) -> Result<OptimizerState>;

    /// Returns to a state of the optimizer.
    ///
    /// # Errors
    /// As [`restore`](Self::restore).
    fn set_optimizer(&mut self, state: &OptimizerState) -> Result<()>;

    /// What was trained, and the optimizer's last state.
    ///
    /// # Errors
    /// As [`snapshot`](Self::snapshot).
    fn finish(self: Box<Self>) -> Result<(Adapter, OptimizerState)>;
}
