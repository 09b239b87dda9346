//! What there is to say of labels that a language model gave.

use std::collections::BTreeMap;
use std::iter::Sum;
use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

/// What there is to say of labels that were bought.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Tally {
    /// Texts with a label.
    pub labels: usize,
    /// Texts without one, by reason; with votes a text counts where no vote can be read.
    pub abstentions: BTreeMap<Abstention, usize>,
    /// Answers of which the service told the probability of one word alone: the other has at most the smallest that it told,
    /// and is given that.
    pub bounded: usize,
    /// Answers without a probability, which count as sure.
    pub sure: usize,
    /// Of the answers about these texts.
    pub tokens: Tokens,
    /// Dollars for the answers about these texts.
    pub usd: f64,
    /// Dollars that requests without an answer can have cost, of all purchases of the question.
    pub perhaps_usd: f64,
}

/// Tokens of requests and answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tokens {
    /// Of requests, those that the service had kept from earlier ones among them.
    pub input: u64,
    /// Of requests, kept from earlier ones.
    #[serde(default)]
    pub cached: u64,
    /// Of answers, with what the model thought.
    pub output: u64,
}

impl Sum for Tokens {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |mut sum, tokens| {
            sum += tokens;
            sum
        })
    }
}

impl AddAssign for Tokens {
    fn add_assign(&mut self, other: Self) {
        self.input += other.input;
        self.cached += other.cached;
        self.output += other.output;
    }
}

/// Why an answer gives no label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Abstention {
    /// It is neither of the words.
    Unreadable,
    /// There is nothing in it.
    Empty,
    /// The model refuses.
    Refused,
    /// The service's filter stepped in.
    Filtered,
    /// The text is too long for the model.
    TooLong,
    /// The service refuses the request, and answers others.
    Rejected,
}
