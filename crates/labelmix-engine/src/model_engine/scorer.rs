//! Scoring texts with what a stage or a labeler trained.

use std::path::Path;

use labelmix_methods::{FollowUp, Scores};
use labelmix_models::Adapter;
use labelmix_store::Store;
use labelmix_study::TooLong;
use labelmix_train::{FollowUpTexts, Interrupt, Prompt, PromptEncoder, Shots};

use super::ModelEngine;
use crate::answer::AnswerJudge;
use crate::engine::Scorer;
use crate::error::Result;
use crate::prompts::kept_shots;
use crate::tokens::encode_all;

/// A kept classifier, or the language model behind a kept prompt.
pub(super) enum KeptScorer<'a> {
    /// The classifier reads texts alone.
    Alone(&'a ModelEngine, Adapter),
    /// The classifier reads texts behind a prompt.
    Prompted(KeptPrompt<'a>, Adapter),
    Asked(KeptPrompt<'a>),
    Judged(&'a ModelEngine, AnswerJudge),
}

/// What stands before texts, or in their place.
pub(super) struct KeptPrompt<'a> {
    engine: &'a ModelEngine,
    encoder: PromptEncoder<'a>,
    shots: Shots,
    /// What is asked on from the model's own answer.
    follow_up: Option<FollowUp>,
}

impl<'a> KeptScorer<'a> {
    pub(super) fn new(engine: &'a ModelEngine, folder: &Path) -> Result<Self> {
        let adapter = || engine.backend.kept_adapter(folder);
        if let Some(judge) = AnswerJudge::kept(folder)? {
            engine.backend.check_language_model()?;
            return Ok(Self::Judged(engine, judge));
        }
        let Some(file) = Store::read_prompt(folder)? else { return Ok(Self::Alone(engine, adapter()?)) };
        let encoder = PromptEncoder::new(file.template.clone(), &engine.tokenizer)?;
        let shots = kept_shots(&file, &encoder)?;
        if file.asks_language_model || file.follow_up.is_some() {
            engine.backend.check_language_model()?;
        }
        let prompt = KeptPrompt { engine, encoder, shots, follow_up: file.follow_up };
        Ok(if file.asks_language_model { Self::Asked(prompt) } else { Self::Prompted(prompt, adapter()?) })
    }
}

impl KeptPrompt<'_> {
    fn before(&self, texts: &[&str], interrupt: &Interrupt) -> Result<Vec<Prompt>> {
        let Self { engine, encoder, shots, follow_up } = self;
        if let Some(follow_up) = follow_up {
            let (model, tokenizer, reading) = (&*engine.backend, &engine.tokenizer, engine.reading(interrupt));
            return Ok(FollowUpTexts { model, tokenizer, follow_up, reading }.prompts(encoder, shots, texts)?);
        }
        texts.iter().map(|text| Ok(shots.before_text(encoder, text)?)).collect()
    }
}

/// Texts that are read by themselves, as tokens.
pub(super) fn alone(engine: &ModelEngine, texts: &[&str]) -> Result<Vec<Vec<u32>>> {
    // One that is to be left out cannot be here: it would be cut in silence.
    let too_long = if engine.too_long == TooLong::Cut { TooLong::Cut } else { TooLong::Error };
    Ok(encode_all(texts, &engine.tokenizer, too_long)?.into_iter().flatten().collect())
}

impl Scorer for KeptScorer<'_> {
    fn score(&self, texts: &[&str], interrupt: &Interrupt) -> Result<Scores> {
        let classify = |engine: &ModelEngine, adapter: &Adapter, tokens: &[Vec<u32>]| {
            let tokens: Vec<&[u32]> = tokens.iter().map(Vec::as_slice).collect();
            engine.backend.log_odds(adapter, &tokens, engine.reading(interrupt))
        };
        let log_odds = match self {
            Self::Alone(engine, adapter) => classify(engine, adapter, &alone(engine, texts)?)?,
            Self::Prompted(prompt, adapter) => {
                let tokens: Vec<Vec<u32>> = prompt.before(texts, interrupt)?.iter().map(Prompt::token_ids).collect();
                classify(prompt.engine, adapter, &tokens)?
            }
            Self::Asked(prompt) => {
                let (prompts, reading) = (prompt.before(texts, interrupt)?, prompt.engine.reading(interrupt));
                prompt.engine.backend.next_token_scores(&prompts, prompt.encoder.targets(), reading)?
            }
            Self::Judged(engine, judge) => {
                let reading = engine.reading(interrupt);
                judge.score(&*engine.backend, &engine.tokenizer, engine.too_long, texts, reading)?
            }
        };
        Ok(Scores::of_log_odds(log_odds))
    }
}
