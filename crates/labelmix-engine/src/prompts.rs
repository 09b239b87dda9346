//! Prompts of a sweep: the texts as queries, and the shots of every seed, tokenized once.

use std::collections::HashMap;

use labelmix_data::{Example, ExampleId, PromptTemplate, weak_class};
use labelmix_methods::{ShotOrder, ShotsPlan};
use labelmix_models::{ChatTurns, Error as ModelError, Tokenizer};
use labelmix_store::{KeptShot, PromptFile};
use labelmix_study::TooLong;
use labelmix_train::{Prompt, PromptEncoder, Shots};
use rayon::prelude::*;

use crate::drawn::label;
use crate::error::Result;

/// What prompted stages read.
pub(crate) struct Prompts {
    train_queries: Vec<Vec<u32>>,
    test_queries: Vec<Vec<u32>>,
    targets: [u32; 2],
    shots: HashMap<(u64, ShotsPlan), Shots>,
}

/// The shots of a kept prompt, ready to stand before texts.
///
/// # Errors
/// If a text cannot be tokenized.
pub(crate) fn kept_shots(prompt: &PromptFile, encoder: &PromptEncoder<'_>) -> std::result::Result<Shots, ModelError> {
    let shots = prompt.shots.iter().map(|shot| (&*shot.text, shot.class == 1));
    Shots::new(encoder, shots, prompt.order, prompt.seed)
}

/// A prompt that goes through the chat template of the model's tokenizer.
///
/// # Errors
/// If it has none, or the template does not work.
pub fn in_chat(prompt: PromptTemplate, tokenizer: &Tokenizer) -> Result<PromptTemplate> {
    let ChatTurns { start, answer, next } = tokenizer.chat_turns()?;
    Ok(prompt.in_conversation(start, &answer, next))
}

/// A shot of a plan.
///
/// # Panics
/// If the example does not have the plan's label.
pub fn kept_shot(example: &Example, plan: ShotsPlan) -> KeptShot {
    KeptShot { text: example.text.clone(), class: u8::from(weak_class(label(example, plan.labels))) }
}

/// Prompts of one kind that are longer than the model's context, and lose shots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShortenedPrompts {
    pub shots: ShotsPlan,
    /// How many test texts lose some, with the seed of which the most do.
    pub test: usize,
    /// The most shots that one loses.
    pub most_lost: usize,
}

/// Some texts with a prompt before each.
pub(crate) struct PromptedTexts {
    pub(crate) prompts: Vec<Prompt>,
    /// How many lost shots.
    pub(crate) shortened: usize,
    /// The most shots that one lost.
    pub(crate) most_lost: usize,
}

impl Prompts {
    /// Tokenizes all texts as queries, and the shots, given as seed, plan, and places among the training examples.
    ///
    /// # Errors
    /// If the template does not work with the tokenizer, or a text with what stands before its target does not fit into
    /// the model's context and is not to be cut.
    pub(crate) fn new<'a>(
        template: &PromptTemplate,
        tokenizer: &Tokenizer,
        too_long: TooLong,
        [train, test]: [&[Example]; 2],
        shots: impl IntoIterator<Item = (u64, ShotsPlan, &'a [usize])>,
    ) -> Result<Self> {
        let encoder = PromptEncoder::new(template.clone(), tokenizer)?;
        let queries = |examples: &[Example]| -> std::result::Result<Vec<Vec<u32>>, ModelError> {
            // All are encoded before the first error is looked for, so that it is the same one every time.
            let encoded: Vec<_> = examples.par_iter().map(|example| query(&encoder, &example.text, too_long)).collect();
            encoded.into_iter().collect()
        };
        let (train_queries, test_queries) = (queries(train)?, queries(test)?);
        let mut by_plan = HashMap::new();
        for (seed, plan, indices) in shots {
            let kept: Vec<KeptShot> = indices.iter().map(|index| kept_shot(&train[*index], plan)).collect();
            let examples = kept.iter().map(|shot| (&*shot.text, shot.class == 1));
            by_plan.insert((seed, plan), Shots::new(&encoder, examples, plan.order, seed)?);
        }
        Ok(Self { train_queries, test_queries, targets: encoder.targets(), shots: by_plan })
    }

    /// The targets' first tokens.
    pub(crate) fn targets(&self) -> [u32; 2] {
        self.targets
    }

    /// The length of the longest prompt, in tokens.
    pub(crate) fn longest(&self) -> usize {
        let query = self.train_queries.iter().chain(&self.test_queries).map(Vec::len).max().unwrap_or(0);
        self.shots.values().map(|shots| shots.longest_prompt(query)).max().unwrap_or(query)
    }

    /// Which prompts of test texts are longer than the model's context, by kind and number of shots.
    pub(crate) fn shortened(&self, test: &[Example]) -> Vec<ShortenedPrompts> {
        let mut found: Vec<ShortenedPrompts> = Vec::new();
        for &(seed, shots) in self.shots.keys() {
            let PromptedTexts { shortened: test, most_lost, .. } = self.before_test(seed, shots, test);
            match found.iter_mut().find(|kind| kind.shots == shots) {
                Some(kind) => (kind.test, kind.most_lost) = (kind.test.max(test), kind.most_lost.max(most_lost)),
                None if test > 0 => found.push(ShortenedPrompts { shots, test, most_lost }),
                None => {}
            }
        }
        found.sort_by_key(|kind| (kind.shots.count, kind.shots.labels, kind.shots.order == ShotOrder::OneForAll));
        found
    }

    /// The shots of a plan, of which there may be none.
    pub(crate) fn shots(&self, seed: u64, plan: ShotsPlan) -> &Shots {
        self.shots.get(&(seed, plan)).expect("every stage's shots are tokenized")
    }

    /// The prompts of training examples at these places.
    pub(crate) fn before_train(&self, seed: u64, plan: ShotsPlan, train: &[Example], at: &[usize]) -> PromptedTexts {
        self.before(seed, plan, at.iter().map(|index| (&train[*index], &*self.train_queries[*index])))
    }

    /// The prompts of the test examples.
    pub(crate) fn before_test(&self, seed: u64, plan: ShotsPlan, test: &[Example]) -> PromptedTexts {
        self.before(seed, plan, test.iter().zip(self.test_queries.iter().map(Vec::as_slice)))
    }

    fn before<'a>(
        &self,
        seed: u64,
        plan: ShotsPlan,
        queries: impl Iterator<Item = (&'a Example, &'a [u32])>,
    ) -> PromptedTexts {
        let shots = self.shots(seed, plan);
        PromptedTexts::of(
            queries.map(|(example, query)| shots.before(ExampleId::exact(&example.text), query)).collect(),
        )
    }
}

impl PromptedTexts {
    pub(crate) fn of(prompts: Vec<Prompt>) -> Self {
        let shortened = prompts.iter().filter(|prompt| prompt.lost > 0).count();
        let most_lost = prompts.iter().map(|prompt| prompt.lost).max().unwrap_or(0);
        Self { prompts, shortened, most_lost }
    }
}

/// A text as a query; if it does not fit into the model's context, cut or refused.
///
/// # Errors
/// If it is refused.
fn query(encoder: &PromptEncoder<'_>, text: &str, too_long: TooLong) -> std::result::Result<Vec<u32>, ModelError> {
    if too_long == TooLong::Cut {
        return encoder.cut_query(text);
    }
    let tokens = encoder.query(text)?;
    if tokens.len() > encoder.room() {
        let text = text.chars().take(60).collect();
        return Err(ModelError::TooLong { text, tokens: tokens.len(), limit: encoder.room() });
    }
    Ok(tokens)
}
