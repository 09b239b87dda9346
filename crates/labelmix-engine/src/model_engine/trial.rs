//! How fast the model is, on the study's own texts.

use std::time::{Duration, Instant};

use labelmix_methods::{Recipe, StageExample, StageOptions};
use labelmix_train::{
    Continuation, Error as TrainError, Interrupt, Reading, StageRequest, continue_stage, lora_settings,
};

use super::ModelEngine;
use crate::engine::Calibration;
use crate::error::{Error, Result};

/// The time after which a trial of training is broken off, once it has made two steps.
const TRIAL: Duration = Duration::from_secs(3);
/// Texts that are read in a trial.
const TRIAL_READINGS: usize = 64;

/// Trains for a few steps and reads some texts.
pub(super) fn calibrate(engine: &ModelEngine) -> Result<Calibration> {
    let (model, texts) = (&*engine.backend, &engine.texts);
    let read = texts.train.iter().take(engine.recipe.batch_size.saturating_mul(8));
    let examples: Vec<StageExample<'_>> =
        read.enumerate().map(|(place, token_ids)| StageExample::new(token_ids, (place % 2) as f32)).collect();
    let count = examples.len();
    let recipe =
        Recipe { total_examples: count, patience: usize::MAX, evaluate_every: usize::MAX, ..engine.recipe.clone() };
    let interrupt = Interrupt::default();
    let (began, mut steps) = (Instant::now(), Vec::new());
    let request = StageRequest {
        shots: None,
        model,
        start: model.initial_adapter(lora_settings(&recipe), 0)?,
        examples: &[examples],
        recipe: &recipe,
        options: StageOptions::default(),
        optimizer: None,
        seed: 0,
    };
    let trained = continue_stage(request, Continuation::none(&interrupt), |_| {
        steps.push(began.elapsed());
        if steps.len() > 1 && began.elapsed() > TRIAL {
            interrupt.request();
        }
    });
    // It may have been broken off; and a loss that is no number after a few steps is the sweep's to report.
    if let Err(TrainError::Model(error)) = trained {
        return Err(error.into());
    }
    // The first step fetches everything into memory.
    let seconds = match steps[..] {
        [] => began.elapsed().as_secs_f64(),
        [only] => only.as_secs_f64(),
        [first, .., last] => last.saturating_sub(first).as_secs_f64() / (steps.len() - 1) as f64,
    };
    let (batch, _) = recipe.of_stage(count).batch_and_epochs(count);
    let train_seconds = seconds / batch.min(count).max(1) as f64;
    let read: Vec<&[u32]> = texts.test.iter().take(TRIAL_READINGS).map(Vec::as_slice).collect();
    let began = Instant::now();
    let adapter = model.initial_adapter(lora_settings(&recipe), 0)?;
    let reading = Reading { batch_tokens: recipe.micro_batch_tokens, interrupt: &Interrupt::default() };
    model.log_odds(&adapter, &read, reading).map_err(Error::Trial)?;
    Ok(Calibration { train_seconds, read_seconds: began.elapsed().as_secs_f64() / read.len().max(1) as f64 })
}
