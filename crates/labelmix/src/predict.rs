//! `labelmix predict`: a finished run's classifier on new texts.

use std::path::Path;

use indicatif::ProgressBar;
use labelmix_data::{ExampleId, read_texts};
use labelmix_elicit::{
    FollowUp, FollowUpTexts, Prompt, PromptEncoder, Shots, ask, log_odds, mean_log_odds, soft_label,
};
use labelmix_models::{Adapter, Classifier, LanguageModel, Model, TextLimit, Tokenizer};
use labelmix_sweep::{RunFile, Store};
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

/// What a run makes of texts.
struct Reader<'a> {
    scorer: Scorer,
    prompt: Option<ReadPrompt<'a>>,
}

/// What stands before texts, or in their place.
struct ReadPrompt<'a> {
    encoder: PromptEncoder<'a>,
    shots: Shots,
    /// The model that answers first, and what is asked on.
    follow_up: Option<(LanguageModel, &'a Tokenizer, FollowUp)>,
}

impl ReadPrompt<'_> {
    fn before(&self, texts: &[String], batch_tokens: usize) -> Result<Vec<Prompt>, Failure> {
        let Self { encoder, shots, follow_up } = self;
        if let Some((model, tokenizer, follow_up)) = follow_up {
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            let follow_up = FollowUpTexts { model, tokenizer, follow_up, batch_tokens };
            return Ok(follow_up.prompts(encoder, shots, &texts)?);
        }
        let prompt = |text: &String| Ok(shots.before(ExampleId::of(text), &encoder.cut_query(text)?));
        Ok(texts.iter().map(prompt).collect::<Result<_, labelmix_models::Error>>()?)
    }
}

enum Scorer {
    Classifier(Box<Classifier>, Adapter),
    LanguageModel(LanguageModel),
}

impl<'a> Reader<'a> {
    fn new(run: &RunFile, stage_folder: &Path, model: &Model, tokenizer: &'a Tokenizer) -> Result<Self, Failure> {
        let file = Store::read_prompt(stage_folder)?;
        let scorer = if file.as_ref().is_some_and(|file| file.asks_language_model) {
            Scorer::LanguageModel(LanguageModel::new(model)?)
        } else {
            let classifier = run.classifier(model)?;
            let adapter = run.adapter(&classifier, stage_folder)?;
            Scorer::Classifier(Box::new(classifier), adapter)
        };
        let prompt = match file {
            None => None,
            Some(file) => {
                let encoder = PromptEncoder::new(file.template.clone(), tokenizer)?;
                let shots = file.shots(&encoder)?;
                let follow_up = file.follow_up.map(|follow_up| Ok((LanguageModel::new(model)?, tokenizer, follow_up)));
                let follow_up = follow_up.transpose().map_err(|error: labelmix_models::Error| error)?;
                Some(ReadPrompt { encoder, shots, follow_up })
            }
        };
        Ok(Self { scorer, prompt })
    }

    /// The log-odds of texts, whose own tokens are these.
    fn scores(&self, texts: &[String], tokens: &[Vec<u32>], batch_tokens: usize) -> Result<Vec<f32>, Failure> {
        let Some(prompt) = &self.prompt else {
            let tokens: Vec<&[u32]> = tokens.iter().map(Vec::as_slice).collect();
            return self.classify(&tokens, batch_tokens);
        };
        let prompts = prompt.before(texts, batch_tokens)?;
        if let Scorer::LanguageModel(model) = &self.scorer {
            return Ok(ask(model, &prompts, prompt.encoder.targets(), batch_tokens)?);
        }
        let tokens: Vec<Vec<u32>> = prompts.iter().map(Prompt::token_ids).collect();
        self.classify(&tokens.iter().map(Vec::as_slice).collect::<Vec<_>>(), batch_tokens)
    }

    fn classify(&self, tokens: &[&[u32]], batch_tokens: usize) -> Result<Vec<f32>, Failure> {
        match &self.scorer {
            Scorer::Classifier(model, adapter) => Ok(log_odds(model, adapter, tokens, batch_tokens)?),
            Scorer::LanguageModel(_) => unreachable!("a language model is asked behind a prompt"),
        }
    }
}

pub(crate) fn run(arguments: &PredictArguments) -> Result<Status, Failure> {
    let (run, stage_folder) = Store::read_run(&arguments.run)?;
    let texts = read_texts(&arguments.input, &arguments.text)?;
    let model = Model::load(&run.model_path, &run.load_options(&device(&arguments.device)?))?;
    let tokenizer = run.tokenizer()?;
    let limit = if arguments.cut { TextLimit::Cut } else { TextLimit::Refuse };
    let tokens = tokenize(&texts, &tokenizer, limit, &arguments.input)?;
    let readers = Store::classifiers(&stage_folder)?
        .iter()
        .map(|folder| Reader::new(&run, folder, &model, &tokenizer))
        .collect::<Result<Vec<Reader<'_>>, Failure>>()?;
    let bar: ProgressBar = counting_bar(texts.len() as u64, "texts");
    let mut predictions = Vec::with_capacity(texts.len());
    for (texts, tokens) in texts.chunks(TEXTS_AT_A_TIME).zip(tokens.chunks(TEXTS_AT_A_TIME)) {
        let scores = readers.iter().map(|reader| reader.scores(texts, tokens, run.recipe.micro_batch_tokens));
        let scores = mean_log_odds(&scores.collect::<Result<Vec<Vec<f32>>, Failure>>()?);
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
