//! Judging the answer that a text ends with by its likelihood (Brown et al. 2020; Holtzman et al. 2021).

use labelmix_methods::AnswerScore;
use labelmix_models::{Error as ModelError, TextLimit, Tokenizer};

use crate::backend::{Backend, Reading};
use crate::error;
use crate::prompt::PromptError;

/// A text that ends with an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// All of it.
    behind_text: Judged,
    /// The answer behind nothing but what introduces it.
    alone: Judged,
}

/// Tokens, and where those begin whose likelihood is asked for: not at the first.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Judged {
    token_ids: Vec<u32>,
    from: usize,
}

/// Finds the answers of texts.
pub struct AnswerEncoder<'a> {
    before_answer: &'a str,
    tokenizer: &'a Tokenizer,
    limit: TextLimit,
    first: Vec<u32>,
}

impl<'a> AnswerEncoder<'a> {
    /// For texts whose answer stands behind the last `before_answer`. Of a text that is too long, the beginning is cut, or it is
    /// refused.
    ///
    /// # Errors
    /// If the tokenizer fails.
    pub fn new(before_answer: &'a str, tokenizer: &'a Tokenizer, limit: TextLimit) -> Result<Self, ModelError> {
        Ok(Self { before_answer, tokenizer, limit, first: tokenizer.special_tokens()?.0 })
    }

    /// A text with its answer.
    ///
    /// # Errors
    /// If it has none, cannot be tokenized, or is too long.
    pub fn answer(&self, text: &str) -> Result<Answer, PromptError> {
        let (before, answer) = self.split(text)?;
        let alone = self.judged(self.before_answer.trim_start(), answer)?;
        Ok(Answer { behind_text: self.judged(before, answer)?, alone })
    }

    /// What stands before a text's answer, and the answer.
    ///
    /// # Errors
    /// If it has none.
    pub fn split<'t>(&self, text: &'t str) -> Result<(&'t str, &'t str), PromptError> {
        let place = text.rfind(self.before_answer).map(|place| place + self.before_answer.len());
        let parts = place.map(|place| text.split_at(place)).filter(|(_, answer)| !answer.trim().is_empty());
        parts.ok_or_else(|| PromptError::NoAnswer {
            text: text.chars().take(60).collect(),
            before_answer: self.before_answer.to_owned(),
        })
    }

    fn judged(&self, before: &str, answer: &str) -> Result<Judged, ModelError> {
        let text = [before, answer].concat();
        let [mut before, mut tokens] = [self.tokenizer.encode_inner(before)?, self.tokenizer.encode_inner(&text)?]
            .map(|own| [&*self.first, &own].concat());
        let limit = self.tokenizer.context();
        if let Some(excess) = tokens.len().checked_sub(limit).filter(|excess| *excess > 0) {
            if self.limit == TextLimit::Refuse {
                let text = text.chars().take(60).collect();
                return Err(ModelError::TooLong { text, tokens: tokens.len(), limit });
            }
            for tokens in [&mut before, &mut tokens] {
                tokens.drain(self.first.len()..(self.first.len() + excess).min(tokens.len()));
            }
        }
        // Where the tokenizer merges the answer's beginning with what stands before it, the answer begins with that token.
        let shared = before.iter().zip(&tokens).take_while(|(a, b)| a == b).count();
        Ok(Judged { from: shared.clamp(1, tokens.len() - 1), token_ids: tokens })
    }
}

/// The score of each answer.
///
/// # Errors
/// If the model cannot be run, or it is interrupted.
pub fn score_answers(
    model: &dyn Backend,
    answers: &[Answer],
    score: AnswerScore,
    reading: Reading<'_>,
) -> error::Result<Vec<f32>> {
    let of = |judged: fn(&Answer) -> &Judged| {
        let texts = answers.iter().map(judged).map(|judged| (&*judged.token_ids, judged.from));
        model.log_likelihoods(&texts.collect::<Vec<_>>(), reading)
    };
    let behind_text = of(|answer| &answer.behind_text)?;
    Ok(match score {
        AnswerScore::Likelihood => {
            let tokens =
                answers.iter().map(|Answer { behind_text, .. }| behind_text.token_ids.len() - behind_text.from);
            behind_text.into_iter().zip(tokens).map(|(sum, tokens)| (sum / tokens as f64) as f32).collect()
        }
        AnswerScore::LikelihoodGain => {
            let alone = of(|answer| &answer.alone)?;
            behind_text.into_iter().zip(alone).map(|(behind_text, alone)| (behind_text - alone) as f32).collect()
        }
    })
}
