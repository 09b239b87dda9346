//! A text with its labels, named by its own content.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::field::FieldValue;

/// The name of an example: the first 64 bits of the BLAKE3 hash of its text, written as 16 hexadecimal digits.
/// It is the same in every file, on every machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExampleId(u64);

impl ExampleId {
    /// The id of a text.
    #[must_use]
    pub fn of(text: &str) -> Self {
        Self(first_word(blake3::hash(text.as_bytes())))
    }

    /// The id as a number.
    #[must_use]
    pub fn number(self) -> u64 {
        self.0
    }
}

impl fmt::Display for ExampleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl FromStr for ExampleId {
    type Err = std::num::ParseIntError;

    fn from_str(digits: &str) -> Result<Self, Self::Err> {
        u64::from_str_radix(digits, 16).map(Self)
    }
}

impl Serialize for ExampleId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ExampleId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let digits = String::deserialize(deserializer)?;
        digits.parse().map_err(serde::de::Error::custom)
    }
}

/// The first 64 bits of a hash, as its hexadecimal digits show them.
pub(crate) fn first_word(hash: blake3::Hash) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = *hash.as_bytes();
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

/// A text, and the labels of it that there are.
#[derive(Debug, Clone, PartialEq)]
pub struct Example {
    /// The text's own hash.
    pub id: ExampleId,
    /// What is to be classified.
    pub text: String,
    /// The expert's label: whether the example is of class 1.
    pub gold: Option<bool>,
    /// The cheap label: the probability that the example is of class 1; 0 or 1 if the label is hard.
    pub weak: Option<f32>,
    /// What a cheap labeler sees in the text's place, if that is not the text (a review's title alone).
    pub proxy: Option<Box<str>>,
    /// What each annotator says, `None` where one says nothing, in the order of the columns that they come from;
    /// empty if the weak label is not made of several. `weak` is what they were merged into.
    pub votes: Box<[Option<f32>]>,
    /// What the row holds in the fields that were asked for when it was read, in the order in which they were.
    pub fields: Box<[FieldValue]>,
}

impl Example {
    /// An example with the id of its text.
    #[must_use]
    pub fn new(text: String, gold: Option<bool>, weak: Option<f32>) -> Self {
        Self { id: ExampleId::of(&text), text, gold, weak, proxy: None, votes: Box::default(), fields: Box::default() }
    }

    /// Whether there is any label.
    #[must_use]
    pub fn is_labeled(&self) -> bool {
        self.gold.is_some() || self.weak.is_some()
    }

    /// The class by the best label there is: gold, or else the side of one half on which the weak label lies
    /// (one half itself is class 1).
    #[must_use]
    pub fn class(&self) -> bool {
        self.gold.unwrap_or_else(|| self.weak.is_some_and(weak_class))
    }
}

/// The class that a weak label speaks for: 1 from one half on.
#[must_use]
pub fn weak_class(probability: f32) -> bool {
    probability >= 0.5
}

/// A hash of examples, in their order, that stands for their texts and labels in the keys of caches. The bytes
/// hashed are part of the store's format: ids, lengths, texts, and labels with a tag for absence. Proxy texts,
/// votes and fields are no part of it: a stage learns from the text and the label that was made of the votes.
#[must_use]
pub fn content_hash<'a>(examples: impl IntoIterator<Item = &'a Example>) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new_derive_key("labelmix-data 1 content of examples");
    for example in examples {
        hasher.update(&example.id.0.to_le_bytes());
        hasher.update(&(example.text.len() as u64).to_le_bytes());
        hasher.update(example.text.as_bytes());
        hasher.update(&[example.gold.map_or(2, u8::from)]);
        hasher.update(&[u8::from(example.weak.is_some())]);
        hasher.update(&example.weak.unwrap_or(0.0).to_bits().to_le_bytes());
    }
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_the_beginning_of_the_texts_hash() {
        // printf abc | b3sum
        let id = ExampleId::of("abc");
        assert_eq!(id.to_string(), "6437b3ac38465133");
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(serde_json::to_string(&id).unwrap(), "\"6437b3ac38465133\"");
        assert_eq!(serde_json::from_str::<ExampleId>("\"6437b3ac38465133\"").unwrap(), id);
    }

    #[test]
    fn the_class_is_golds_or_else_the_weak_labels() {
        let class = |gold, weak| Example::new(String::new(), gold, weak).class();
        assert!(!class(Some(false), Some(0.9)));
        assert!(class(None, Some(0.5)));
        assert!(!class(None, Some(0.49)));
    }

    #[test]
    fn the_content_hash_sees_every_difference() {
        let base = || Example::new("a text".to_owned(), Some(true), Some(0.5));
        let mut variants = vec![vec![], vec![base()], vec![base(), base()]];
        variants.push(vec![Example { gold: None, ..base() }]);
        variants.push(vec![Example { gold: Some(false), ..base() }]);
        variants.push(vec![Example { weak: None, ..base() }]);
        variants.push(vec![Example { weak: Some(0.25), ..base() }]);
        variants.push(vec![Example::new("another text".to_owned(), Some(true), Some(0.5))]);
        let hashes: std::collections::HashSet<_> = variants.iter().map(content_hash).collect();
        assert_eq!(hashes.len(), variants.len());
    }
}
