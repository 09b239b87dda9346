//! Prompts: labelled examples, then the text in question (Mallen & Belrose 2024).
//!
//! Every text is tokenized by itself, with what follows it. So shots can change places without being tokenized anew, and
//! all that stands before a query is a prefix whose keys and values can be shared.

use labelmix_data::{ExampleId, PromptTemplate};
use labelmix_models::{Error as ModelError, Tokenizer};
use labelmix_stats::stream;
use miette::Diagnostic;
use rand::seq::SliceRandom;

use labelmix_methods::{ShotOrder, order_for_all};

/// A template that does not work with the model's tokenizer.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum PromptError {
    #[error("the targets {:?} and {:?} both begin with the token {token:?} after {before:?}", targets[0], targets[1])]
    #[diagnostic(help(
        "the next token must tell the classes apart: set `targets` in the study's [prompt] to two words that the model's \
         tokenizer begins differently, such as targets = [\"bad\", \"good\"]"
    ))]
    SameToken {
        targets: [String; 2],
        token: String,
        /// What stands before the target.
        before: String,
    },
    #[error(
        "the tokenizer merges the target {target:?} with {before:?} before it: what the model is asked would never be followed by the target"
    )]
    #[diagnostic(help(
        "set `targets` or `before_target` in the study's [prompt] so that a new token begins where the target does"
    ))]
    Merged {
        target: String,
        /// What stands before it.
        before: String,
    },
    #[error("{text:?} has no answer behind {before_answer:?}")]
    #[diagnostic(help(
        "set `before_answer` in the study's [prompt] to what introduces the answer in every text; what follows its last \
         occurrence is the answer"
    ))]
    NoAnswer {
        /// The beginning of the text.
        text: String,
        before_answer: String,
    },
    /// A text cannot be tokenized.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Model(#[from] ModelError),
}

/// A template at work with a tokenizer.
pub struct PromptEncoder<'a> {
    template: PromptTemplate,
    tokenizer: &'a Tokenizer,
    targets: [u32; 2],
    first: Vec<u32>,
    last: Vec<u32>,
}

/// A text to try a template with.
const PROBE: &str = "Is it so?";

impl<'a> PromptEncoder<'a> {
    /// Checks that the targets are told apart by the first token after what stands before them.
    ///
    /// # Errors
    /// If they are not.
    pub fn new(template: PromptTemplate, tokenizer: &'a Tokenizer) -> Result<Self, PromptError> {
        let before = template.before_target.clone();
        let (mut first, last) = tokenizer.special_tokens()?;
        let start = tokenizer.encode_inner(&template.start)?;
        // A chat template may write the special token itself.
        first.extend(start.strip_prefix(&*first).unwrap_or(&start).to_vec());
        let mut encoder = Self { template, tokenizer, targets: [0; 2], first, last };
        for class in [0, 1] {
            let target = encoder.template.targets[class].clone();
            encoder.targets[class] = match encoder.target(&target)?.first() {
                Some(token) => *token,
                None => return Err(PromptError::Merged { target, before }),
            };
        }
        let Self { template, targets, .. } = &encoder;
        if targets[0] == targets[1] {
            let token = tokenizer.token(targets[0]).unwrap_or_default();
            return Err(PromptError::SameToken { targets: template.targets.clone(), token, before });
        }
        Ok(encoder)
    }

    /// The tokens of a target behind what stands before it; none if the tokenizer merges them.
    ///
    /// # Errors
    /// If the tokenizer fails.
    pub fn target(&self, target: &str) -> Result<Vec<u32>, ModelError> {
        let query = self.tokenizer.encode_inner(&self.template.query(PROBE))?;
        let whole = self.tokenizer.encode_inner(&format!("{}{target}", self.template.query(PROBE)))?;
        Ok(whole.strip_prefix(&*query).unwrap_or_default().to_vec())
    }

    /// The first tokens of the targets of class 0 and class 1.
    pub fn targets(&self) -> [u32; 2] {
        self.targets
    }

    /// The tokens of a labelled example, with what stands between it and the next.
    ///
    /// # Errors
    /// If the text cannot be tokenized.
    pub fn shot(&self, text: &str, class: bool) -> Result<Vec<u32>, ModelError> {
        self.tokenizer.encode_inner(&self.template.shot(text, class))
    }

    /// The tokens of a text in question.
    ///
    /// # Errors
    /// If the text cannot be tokenized.
    pub fn query(&self, text: &str) -> Result<Vec<u32>, ModelError> {
        self.tokenizer.encode_inner(&self.template.query(text))
    }

    /// As [`query`](Self::query), of a text that is cut to fit the model's context.
    ///
    /// # Errors
    /// If the text cannot be tokenized.
    pub fn cut_query(&self, text: &str) -> Result<Vec<u32>, ModelError> {
        let mut tokens = self.query(text)?;
        let room = self.room();
        if tokens.len() > room {
            // What is taken out is the end of the text: what stands before the target stays.
            let ending = self.ending()?;
            tokens.drain(room.saturating_sub(ending)..tokens.len() - ending);
        }
        Ok(tokens)
    }

    /// The tokens of what stands before a target.
    ///
    /// # Errors
    /// If the tokenizer fails.
    pub fn ending(&self) -> Result<usize, ModelError> {
        let without = self.tokenizer.encode_inner(&format!("{}{PROBE}", self.template.before_text))?;
        Ok(self.query(PROBE)?.len().saturating_sub(without.len()))
    }

    /// The special tokens before and behind a prompt.
    pub fn special_tokens(&self) -> [&[u32]; 2] {
        [&self.first, &self.last]
    }

    /// The most tokens that shots and query may have together.
    pub fn room(&self) -> usize {
        self.tokenizer.context().saturating_sub(self.first.len() + self.last.len())
    }
}

/// The examples of a prompt, ready to stand before texts.
pub struct Shots {
    /// Ids and tokens, in the order of the pool or in the one order for all.
    examples: Vec<(ExampleId, Vec<u32>)>,
    order: ShotOrder,
    seed: u64,
    room: usize,
    first: Vec<u32>,
    last: Vec<u32>,
}

/// A prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompt {
    /// All that stands before the query: special tokens and shots.
    pub before: Vec<u32>,
    /// The query, and special tokens.
    pub query: Vec<u32>,
    /// Shots that were left out because the prompt would be longer than the model's context.
    pub lost: usize,
}

impl Prompt {
    /// All of it.
    pub fn token_ids(&self) -> Vec<u32> {
        [&*self.before, &*self.query].concat()
    }
}

impl Shots {
    /// Shots from texts and classes.
    ///
    /// # Errors
    /// If a text cannot be tokenized.
    pub fn new<'t>(
        encoder: &PromptEncoder<'_>,
        examples: impl IntoIterator<Item = (&'t str, bool)>,
        order: ShotOrder,
        seed: u64,
    ) -> Result<Self, ModelError> {
        let shot = |(text, class): (&str, bool)| Ok((ExampleId::exact(text), encoder.shot(text, class)?));
        let mut examples = examples.into_iter().map(shot).collect::<Result<Vec<_>, ModelError>>()?;
        if order != ShotOrder::FreshForEach {
            order_for_all(&mut examples, seed);
        }
        let (first, last) = (encoder.first.clone(), encoder.last.clone());
        Ok(Self { examples, order, seed, room: encoder.room(), first, last })
    }

    /// The prompt for a query of this id, which is not among its own shots. A shuffle that is its own depends on the seed
    /// and the id alone, so a text has the same prompt whenever it is read. Shots that do not fit are left out from the
    /// end.
    pub fn before(&self, id: ExampleId, query: &[u32]) -> Prompt {
        let mut order: Vec<&[u32]> =
            self.examples.iter().filter(|(shot, _)| *shot != id).map(|(_, tokens)| &**tokens).collect();
        if self.order == ShotOrder::FreshForEach {
            order.shuffle(&mut stream(self.seed, &format!("order of shots before {id}")));
        }
        let (before, lost) = self.filled(&order, self.room.saturating_sub(query.len()));
        Prompt { before, query: [query, &*self.last].concat(), lost }
    }

    /// The prompt for a text, which is cut where it does not fit into the model's context.
    ///
    /// # Errors
    /// If the text cannot be tokenized.
    pub fn before_text(&self, encoder: &PromptEncoder<'_>, text: &str) -> Result<Prompt, ModelError> {
        Ok(self.before(ExampleId::exact(text), &encoder.cut_query(text)?))
    }

    /// What stands before all texts of a training step, in an order that seed and step decide. The texts are queries, as they
    /// stand in prompts: none is among its own shots. Shots that do not fit before the longest are left out from the end.
    pub fn before_step(&self, step: usize, texts: &[&[u32]]) -> Vec<u32> {
        // A shot begins with its text as a query.
        let is_asked = |shot: &[u32]| texts.iter().any(|text| shot.starts_with(&text[..text.len() - self.last.len()]));
        let mut order: Vec<&[u32]> = self.examples.iter().map(|(_, tokens)| &**tokens).collect();
        order.shuffle(&mut stream(self.seed, &format!("order of shots in step {step}")));
        order.retain(|shot| !is_asked(shot));
        let longest = texts.iter().map(|text| text.len()).max().unwrap_or(0);
        self.filled(&order, (self.room + self.last.len()).saturating_sub(longest)).0
    }

    /// The shots of this order that there is room for behind the special tokens, and how many are lost.
    fn filled(&self, order: &[&[u32]], mut room: usize) -> (Vec<u32>, usize) {
        let mut before = self.first.clone();
        let mut kept = 0;
        for tokens in order {
            let Some(left) = room.checked_sub(tokens.len()) else { break };
            room = left;
            before.extend(*tokens);
            kept += 1;
        }
        (before, order.len() - kept)
    }

    /// The most tokens that a prompt can have before a query of so many.
    pub fn longest_prompt(&self, query: usize) -> usize {
        let shots: usize = self.examples.iter().map(|(_, tokens)| tokens.len()).sum();
        self.first.len() + self.last.len() + (shots + query).min(self.room.max(query))
    }
}
