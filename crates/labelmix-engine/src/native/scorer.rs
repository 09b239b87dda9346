//! Scoring texts with what a stage or a labeler trained.

use std::path::Path;

use labelmix_methods::{FollowUp, Scores};
use labelmix_models::{Adapter, LanguageModel};
use labelmix_store::Store;
use labelmix_study::TooLong;
use labelmix_train::{
    FollowUpTexts, Interrupt, Prompt, PromptEncoder, Shots, log_odds_unless, score_next_token_unless,
};

use super::NativeEngine;
use crate::answer::AnswerJudge;
use crate::engine::Scorer;
use crate::error::Result;
use crate::prompts::kept_shots;
use crate::tokens::encode_all;

/// A kept classifier, or the language model behind a kept prompt.
pub(super) enum NativeScorer<'a> {
    /// The classifier reads texts alone.
    Alone(&'a NativeEngine, Adapter),
    /// The classifier reads texts behind a prompt.
    Prompted(KeptPrompt<'a>, Adapter),
    Asked(KeptPrompt<'a>, LanguageModel),
    Judged(&'a NativeEngine, AnswerJudge, LanguageModel),
}

/// What stands before texts, or in their place.
pub(super) struct KeptPrompt<'a> {
    engine: &'a NativeEngine,
    encoder: PromptEncoder<'a>,
    shots: Shots,
    /// The model that answers first, and what is asked on.
    follow_up: Option<(LanguageModel, FollowUp)>,
}

impl<'a> NativeScorer<'a> {
    pub(super) fn new(engine: &'a NativeEngine, folder: &Path) -> Result<Self> {
        let adapter = || engine.model.kept_adapter(folder);
        let language_model = || LanguageModel::new(engine.model.model());
        if let Some(judge) = AnswerJudge::kept(folder)? {
            return Ok(Self::Judged(engine, judge, language_model()?));
        }
        let Some(file) = Store::read_prompt(folder)? else { return Ok(Self::Alone(engine, adapter()?)) };
        let encoder = PromptEncoder::new(file.template.clone(), &engine.tokenizer)?;
        let shots = kept_shots(&file, &encoder)?;
        let follow_up = match file.follow_up {
            Some(follow_up) => Some((language_model()?, follow_up)),
            None => None,
        };
        let prompt = KeptPrompt { engine, encoder, shots, follow_up };
        if file.asks_language_model {
            return Ok(Self::Asked(prompt, language_model()?));
        }
        Ok(Self::Prompted(prompt, adapter()?))
    }
}

impl KeptPrompt<'_> {
    fn before(&self, texts: &[&str]) -> Result<Vec<Prompt>> {
        let Self { engine, encoder, shots, follow_up } = self;
        if let Some((model, follow_up)) = follow_up {
            let (tokenizer, batch_tokens) = (&engine.tokenizer, engine.recipe.micro_batch_tokens);
            return Ok(FollowUpTexts { model, tokenizer, follow_up, batch_tokens }.prompts(encoder, shots, texts)?);
        }
        texts.iter().map(|text| Ok(shots.before_text(encoder, text)?)).collect()
    }
}

/// Texts that are read by themselves, as tokens.
pub(super) fn alone(engine: &NativeEngine, texts: &[&str]) -> Result<Vec<Vec<u32>>> {
    // One that is to be left out cannot be here: it would be cut in silence.
    let too_long = if engine.too_long == TooLong::Cut { TooLong::Cut } else { TooLong::Error };
    Ok(encode_all(texts, &engine.tokenizer, too_long)?.into_iter().flatten().collect())
}

impl Scorer for NativeScorer<'_> {
    fn score(&self, texts: &[&str], interrupt: &Interrupt) -> Result<Scores> {
        let classify = |engine: &NativeEngine, adapter: &Adapter, tokens: &[Vec<u32>]| {
            let tokens: Vec<&[u32]> = tokens.iter().map(Vec::as_slice).collect();
            log_odds_unless(interrupt, &engine.model, adapter, &tokens, engine.recipe.micro_batch_tokens)
        };
        let log_odds = match self {
            Self::Alone(engine, adapter) => classify(engine, adapter, &alone(engine, texts)?)?,
            Self::Prompted(prompt, adapter) => {
                let tokens: Vec<Vec<u32>> = prompt.before(texts)?.iter().map(Prompt::token_ids).collect();
                classify(prompt.engine, adapter, &tokens)?
            }
            Self::Asked(prompt, model) => {
                let (prompts, batch_tokens) = (prompt.before(texts)?, prompt.engine.recipe.micro_batch_tokens);
                score_next_token_unless(interrupt, model, &prompts, prompt.encoder.targets(), batch_tokens)?
            }
            Self::Judged(engine, judge, model) => {
                let (tokenizer, batch_tokens) = (&engine.tokenizer, engine.recipe.micro_batch_tokens);
                judge.score(model, tokenizer, engine.too_long, texts, batch_tokens, interrupt)?
            }
        };
        Ok(Scores::of_log_odds(log_odds))
    }
}
