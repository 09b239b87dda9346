//! Judging answers that texts end with: what a stage does, keeps, and does again for other texts.

use std::path::Path;

use labelmix_methods::AnswerScore;
use labelmix_models::Tokenizer;
use labelmix_store::{ANSWER_FILE, read_json, write_json};
use labelmix_study::TooLong;
use labelmix_train::{Answer, AnswerEncoder, Backend, PromptError, Reading, score_answers};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::tokens::text_limit;

/// How the answers of texts are judged. Nothing is trained: it is all that a stage keeps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct AnswerJudge {
    /// What stands before the answer in every text.
    pub(crate) before_answer: String,
    pub(crate) score: AnswerScore,
}

impl AnswerJudge {
    /// Keeps it in a stage's folder.
    pub(crate) fn write(&self, folder: &Path) -> Result<()> {
        Ok(write_json(&folder.join(ANSWER_FILE), self)?)
    }

    /// What is kept in a stage's folder; `None` if the stage is something else.
    pub(crate) fn kept(folder: &Path) -> Result<Option<Self>> {
        Ok(read_json(&folder.join(ANSWER_FILE))?)
    }

    /// The scores of texts; the beginning of those that are too long is cut where that is the rule.
    pub(crate) fn score(
        &self,
        model: &dyn Backend,
        tokenizer: &Tokenizer,
        too_long: TooLong,
        texts: &[&str],
        reading: Reading<'_>,
    ) -> Result<Vec<f32>> {
        let encoder = AnswerEncoder::new(&self.before_answer, tokenizer, text_limit(too_long))?;
        let answers: Vec<std::result::Result<Answer, PromptError>> =
            texts.par_iter().map(|text| encoder.answer(text)).collect();
        let answers = answers.into_iter().collect::<std::result::Result<Vec<Answer>, _>>()?;
        Ok(score_answers(model, &answers, self.score, reading)?)
    }
}
