//! Training a language model on the corpus, from nothing.

use std::path::Path;

use labelmix_models::{TextLimit, TokenBatch, Tokenizer, TrainableLanguageModel};
use labelmix_nn::{AdamW, AdamWSettings, Device, Gradients, Muon, MuonSettings, Precision, clip_gradient_norm};

use crate::checkpoint::{Shape, write_description};
use crate::corpus::{Mixture, Row, corpus_rows};
use crate::error::Result;
use crate::kept_state::KeptState;
use crate::world::World;

/// How a model is pretrained.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Pretraining {
    /// The model's shape.
    pub shape: Shape,
    /// What it reads in a step.
    pub mixture: Mixture,
    /// Steps of the whole schedule.
    pub scheduled_steps: usize,
    /// Steps that are made; fewer than scheduled leave facts unlearned.
    pub steps: usize,
    /// Muon's learning rate, for the matrices inside the blocks.
    pub muon_rate: f64,
    /// AdamW's learning rate, for everything else.
    pub adamw_rate: f64,
    /// Steps over which the learning rates rise.
    pub warmup_steps: usize,
    /// The last share of the schedule, over which they fall to zero.
    pub decay: f64,
    /// Decides the beginning and what is read.
    pub seed: u64,
}

impl Pretraining {
    /// The share of the learning rates that applies to a step, counted from zero.
    fn rate(&self, step: usize) -> f64 {
        let rising = (step + 1) as f64 / self.warmup_steps as f64;
        let falling = (1.0 - step as f64 / self.scheduled_steps as f64) / self.decay;
        rising.min(falling).min(1.0)
    }
}

/// Where pretraining is.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct PretrainingProgress {
    pub step: usize,
    /// Steps in all.
    pub steps: usize,
    /// The weighted mean of the step's losses, in nats.
    pub loss: f64,
    /// Tokens read so far.
    pub tokens: usize,
}

pub(crate) const ADAMW: AdamWSettings = AdamWSettings { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weight_decay: 0.0 };
const LARGEST_GRADIENT_NORM: f64 = 1.0;
/// Tokens that are processed at once.
const MICRO_BATCH_TOKENS: usize = 2048;

/// Steps between two states that are kept to go on from.
const KEEP_EVERY: usize = 25;

/// Trains a model on the world's corpus and writes its folder: config.json, tokenizer.json, model.safetensors in f16. The
/// same arguments give the same bytes. If it is interrupted, the same call goes on where it was.
///
/// # Errors
/// If the folder cannot be written.
pub fn pretrain(
    world: &World,
    pretraining: &Pretraining,
    folder: &Path,
    mut observe: impl FnMut(PretrainingProgress),
) -> Result<()> {
    write_description(folder, world, &pretraining.shape)?;
    let tokenizer = Tokenizer::load(folder)?;
    let kept = KeptState::of(world, pretraining, folder);
    let mut training = Training {
        model: TrainableLanguageModel::initial(folder, pretraining.seed, &Device::Host)?,
        muon: Muon::new(MuonSettings::default()),
        adamw: AdamW::new(ADAMW),
        step: 0,
        tokens: 0,
    };
    kept.restore(&mut training)?;
    while training.step < pretraining.steps {
        let Pretraining { mixture, seed, scheduled_steps, .. } = pretraining;
        let rows = corpus_rows(world, mixture, *seed, training.step, *scheduled_steps);
        let rows: Vec<TokenRow> = rows.iter().map(|row| tokenize(row, &tokenizer)).collect::<Result<_>>()?;
        let Training { model, muon, adamw, step, tokens } = &mut training;
        let (loss, mut gradients) = loss_and_gradients(model, &rows)?;
        let rate = pretraining.rate(*step);
        clip_gradient_norm(&mut gradients, model.others(), LARGEST_GRADIENT_NORM)?;
        let (matrices, others) = model.parameters_mut();
        muon.step(matrices, &gradients, rate * pretraining.muon_rate)?;
        adamw.step(others, &gradients, rate * pretraining.adamw_rate)?;
        *tokens += rows.iter().map(|row| row.token_ids.len()).sum::<usize>();
        *step += 1;
        observe(PretrainingProgress { step: *step, steps: pretraining.steps, loss, tokens: *tokens });
        if training.step.is_multiple_of(KEEP_EVERY) {
            kept.keep(&training)?;
        }
    }
    training.model.save_weights(folder, Precision::F16)?;
    kept.remove()
}

/// Everything that pretraining changes.
pub(crate) struct Training {
    pub(crate) model: TrainableLanguageModel,
    pub(crate) muon: Muon,
    pub(crate) adamw: AdamW,
    pub(crate) step: usize,
    pub(crate) tokens: usize,
}

/// A model of a shape that knows nothing, in a folder like [`pretrain`]'s.
///
/// # Errors
/// If the folder cannot be written.
pub fn write_untrained(world: &World, shape: &Shape, seed: u64, folder: &Path) -> Result<()> {
    write_description(folder, world, shape)?;
    Ok(TrainableLanguageModel::initial(folder, seed, &Device::Host)?.save_weights(folder, Precision::F16)?)
}

/// A row as the model reads it.
struct TokenRow {
    token_ids: Vec<u32>,
    weights: Vec<f32>,
}

fn tokenize(row: &Row, tokenizer: &Tokenizer) -> Result<TokenRow> {
    let mut tokens = TokenRow { token_ids: Vec::new(), weights: Vec::new() };
    for (text, weight) in &row.pieces {
        let ids = tokenizer.encode(text, TextLimit::Refuse)?;
        tokens.weights.resize(tokens.weights.len() + ids.len(), *weight);
        tokens.token_ids.extend(ids);
    }
    Ok(tokens)
}

fn loss_and_gradients(model: &TrainableLanguageModel, rows: &[TokenRow]) -> Result<(f64, Gradients)> {
    let total_weight: f32 = rows.iter().flat_map(|row| &row.weights[1..]).sum();
    let mut gradients = Gradients::default();
    let mut total = 0.0;
    let mut rest = rows;
    while !rest.is_empty() {
        let mut length = 0;
        let fitting = rest.iter().take_while(|row| {
            length += row.token_ids.len();
            length <= MICRO_BATCH_TOKENS
        });
        let (now, later) = rest.split_at(fitting.count().max(1));
        rest = later;
        let batch = TokenBatch::new(now.iter().map(|row| row.token_ids.as_slice()));
        let weights: Vec<f32> = now.iter().flat_map(|row| &row.weights).copied().collect();
        let loss = model.next_token_loss(&batch, Some(&weights), total_weight)?;
        total += f64::from(loss.to_vec()?[0]);
        gradients.accumulate(loss.backward()?)?;
    }
    Ok((total, gradients))
}
