//! Following up: what a language model itself answers to a text, and the text that asks on from there.
//!
//! What a model knows need not be where a label asks for it. Asked "Which tool does Maro work with, and is it red?" it may
//! say which tool; whether that is red it says when it reads "The rake is". A follow-up puts the second question after the
//! first answer, for every text alike.

use labelmix_data::ExampleId;
use labelmix_methods::FollowUp;
use labelmix_models::{Error as ModelError, Tokenizer};

use crate::backend::{Backend, Reading};
use crate::error::Result;
use crate::prompt::{Prompt, PromptEncoder, Shots};

/// The likeliest next tokens after each text, `count` of them, one after the other.
///
/// # Errors
/// If the model cannot be run, a text with its answer is beyond the model's context, or it is interrupted.
pub fn answers(model: &dyn Backend, texts: &[Vec<u32>], count: usize, reading: Reading<'_>) -> Result<Vec<Vec<u32>>> {
    let mut answered: Vec<Vec<u32>> = texts.to_vec();
    // To nothing nothing is answered.
    let asked: Vec<usize> = (0..texts.len()).filter(|text| !texts[*text].is_empty()).collect();
    for _ in 0..count {
        let slices: Vec<&[u32]> = asked.iter().map(|text| &*answered[*text]).collect();
        let next = model.likeliest_next(&slices, reading)?;
        for (text, token) in asked.iter().zip(next) {
            answered[*text].push(token);
        }
    }
    Ok(answered.iter().zip(texts).map(|(answered, text)| answered[text.len()..].to_vec()).collect())
}

/// Puts follow-ups in the place of texts.
pub struct FollowUpTexts<'a> {
    /// The model that answers.
    pub model: &'a dyn Backend,
    pub tokenizer: &'a Tokenizer,
    /// What is asked on.
    pub follow_up: &'a FollowUp,
    /// How the model reads.
    pub reading: Reading<'a>,
}

impl FollowUpTexts<'_> {
    /// The texts that take the place of `texts`.
    ///
    /// # Errors
    /// If a text cannot be tokenized or is beyond the model's context, or the model cannot be run.
    pub fn of(&self, texts: &[&str]) -> Result<Vec<String>> {
        let FollowUp { template, answer_tokens } = self.follow_up;
        let (first, _) = self.tokenizer.special_tokens()?;
        let tokens = |text: &&str| Ok([&*first, &*self.tokenizer.encode_inner(text)?].concat());
        let tokens = texts.iter().map(tokens).collect::<Result<Vec<Vec<u32>>>>()?;
        let answers = answers(self.model, &tokens, *answer_tokens, self.reading)?;
        let follow_up = |(text, answer): (&&str, Vec<u32>)| {
            let answer = self.tokenizer.decode(&answer)?;
            // What follows a line's end is not part of the answer.
            let answer = answer.trim().lines().next().unwrap_or_default();
            Ok(template.replace("{answer}", answer).replace("{text}", text))
        };
        texts.iter().zip(answers).map(follow_up).collect()
    }

    /// The prompts of texts: what takes their place, behind shots (of which there may be none). Where it is longer than the
    /// model's context it is cut.
    ///
    /// # Errors
    /// As [`of`](Self::of).
    pub fn prompts(&self, encoder: &PromptEncoder<'_>, shots: &Shots, texts: &[&str]) -> Result<Vec<Prompt>> {
        let prompt = |(text, follow_up): (&&str, String)| {
            Ok(shots.before(ExampleId::exact(text), &encoder.cut_query(&follow_up)?))
        };
        let prompts: std::result::Result<_, ModelError> = texts.iter().zip(self.of(texts)?).map(prompt).collect();
        Ok(prompts?)
    }
}
