//! Training a labeler.

use std::path::Path;

use labelmix_methods::StageExample;
use labelmix_store::StoreError;
use labelmix_train::{Continuation, LabelerRequest, StageProgress, TrainedLabeler, continue_labeler, lora_settings};

use super::ModelEngine;
use crate::checkpoint::save_adapter;
use crate::engine::{LabelerJob, LabelerTraining};
use crate::error::Result;
use crate::tokens::encode_all;

pub(super) fn train(
    engine: &ModelEngine,
    job: &LabelerJob<'_>,
    out: &Path,
    continuation: Continuation<'_>,
    observe: &mut dyn FnMut(StageProgress),
) -> Result<LabelerTraining> {
    let LabelerJob { train, validation, recipe, target_accuracy, seed } = job;
    let (train, validation) = (Gold::new(engine, train)?, Gold::new(engine, validation)?);
    let request = LabelerRequest {
        model: &*engine.backend,
        start: engine.backend.initial_adapter(lora_settings(recipe), *seed)?,
        train: &train.examples(),
        validation: &validation.examples(),
        recipe,
        target_accuracy: *target_accuracy,
        seed: *seed,
    };
    let TrainedLabeler { adapter, history, target_stop } = continue_labeler(request, continuation, observe)?;
    std::fs::create_dir_all(out).map_err(StoreError::io(out))?;
    let written = save_adapter(&adapter, out, &engine.base_model)?;
    engine.backend.check_unchanged()?;
    Ok(LabelerTraining { history, target_stop, written })
}

/// Texts as token ids, with their gold labels.
struct Gold(Vec<(Vec<u32>, bool)>);

impl Gold {
    fn new(engine: &ModelEngine, examples: &[(&str, bool)]) -> Result<Self> {
        let texts: Vec<&str> = examples.iter().map(|(text, _)| *text).collect();
        let tokens = encode_all(&texts, &engine.tokenizer, engine.too_long)?.into_iter();
        Ok(Self(tokens.zip(examples).filter_map(|(tokens, (_, gold))| Some((tokens?, *gold))).collect()))
    }

    fn examples(&self) -> Vec<StageExample<'_>> {
        self.0.iter().map(|(tokens, gold)| StageExample::new(tokens, f32::from(*gold))).collect()
    }
}
