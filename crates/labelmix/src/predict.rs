//! `labelmix predict`: a finished run's classifier on new texts.

use indicatif::ProgressBar;
use labelmix_data::read_texts;
use labelmix_elicit::{log_odds, soft_label};
use labelmix_models::{Classifier, LoadOptions, Model, Pooling, TextLimit, Tokenizer};
use labelmix_sweep::Store;
use serde::Serialize;

use crate::arguments::PredictArguments;
use crate::diagnosis::{Failure, Status};
use crate::model::device;
use crate::progress::counting_bar;
use crate::rows::write_rows;
use crate::texts::tokenize;

/// Texts between two movements of the progress bar.
const TEXTS_AT_A_TIME: usize = 256;

/// A row of the output.
#[derive(Serialize)]
struct Prediction<'a> {
    text: &'a str,
    label: u8,
    /// Of label 1.
    probability: f32,
    log_odds: f32,
}

pub(crate) fn run(arguments: &PredictArguments) -> Result<Status, Failure> {
    let (run, stage_folder) = Store::read_run(&arguments.run)?;
    let texts = read_texts(&arguments.input, &arguments.text)?;
    let pooling = Pooling::ALL.into_iter().find(|pooling| pooling.name() == run.pooling);
    let options = LoadOptions {
        device: device(&arguments.device)?,
        precision: run.weights.precision(),
        matmul_precision: run.matmul_precision.into(),
        activation_checkpointing: false,
    };
    let model = Classifier::new(&Model::load(&run.model_path, &options)?, pooling)?;
    let tokenizer = Tokenizer::load(&run.model_path)?;
    let mut adapter = model.initial_adapter(run.recipe.lora(), 0)?;
    adapter.load(&stage_folder)?;
    let limit = if arguments.cut { TextLimit::Cut } else { TextLimit::Refuse };
    let tokens = tokenize(&texts, &tokenizer, limit, &arguments.input)?;
    let bar: ProgressBar = counting_bar(texts.len() as u64, "texts");
    let mut predictions = Vec::with_capacity(texts.len());
    for (texts, tokens) in texts.chunks(TEXTS_AT_A_TIME).zip(tokens.chunks(TEXTS_AT_A_TIME)) {
        let tokens: Vec<&[u32]> = tokens.iter().map(Vec::as_slice).collect();
        let scores = log_odds(&model, &adapter, &tokens, run.recipe.micro_batch_tokens)?;
        predictions.extend(texts.iter().zip(scores).map(|(text, log_odds)| Prediction {
            text,
            label: u8::from(log_odds > 0.0),
            probability: soft_label(log_odds),
            log_odds,
        }));
        bar.inc(texts.len() as u64);
    }
    bar.finish_and_clear();
    write_rows(&arguments.output, &predictions)?;
    anstream::eprintln!("{} predictions written to {}", predictions.len(), arguments.output.display());
    Ok(Status::Done)
}
