//! A text with its labels, named by its own content.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use unicode_normalization::UnicodeNormalization;

use labelmix_econ::LabelKind;

use crate::field::FieldValue;

/// The name of an example: the first 64 bits of the BLAKE3 hash of its text, written as 16 hexadecimal digits.
/// It is the same in every file, on every machine. Of files of texts the normal form of the text is hashed, so
/// that texts which differ in white space alone are one; of a task's rendered texts every byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExampleId(u64);

impl ExampleId {
    /// The id of a text in a file of texts: that of its normal form.
    pub fn of(text: &str) -> Self {
        Self::exact(&normal_form(text))
    }

    /// The id of a text to the byte, as the texts of tasks have it.
    pub fn exact(text: &str) -> Self {
        Self(first_word(blake3::hash(text.as_bytes())))
    }

    /// The id as a number.
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

/// A text in Unicode's normal form C, with one blank in place of every run of white space, and none at its ends. In Python,
/// `" ".join(unicodedata.normalize("NFC", text).split())`.
pub(crate) fn normal_form(text: &str) -> Cow<'_, str> {
    let mut follows_blank = true;
    let is_plain = text.bytes().all(|byte| {
        let fits = byte.is_ascii_graphic() || (byte == b' ' && !follows_blank);
        follows_blank = byte == b' ';
        fits
    });
    if is_plain && !text.ends_with(' ') {
        return Cow::Borrowed(text);
    }
    let composed: String = text.nfc().collect();
    // The four information separators are white space to Python, and not to Unicode.
    let is_blank = |c: char| c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c);
    let words: Vec<&str> = composed.split(is_blank).filter(|word| !word.is_empty()).collect();
    Cow::Owned(words.join(" "))
}

/// The round of buying with which a label came into the data: 0 for what was there from the start. Labels of a later round are
/// sold after all earlier ones, so that buying more changes nothing of what was measured.
pub type Round = u16;

/// Which labels of an example are for sale, and since which round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ForSale {
    /// The gold label.
    pub gold: Option<Round>,
    /// The weak label.
    pub weak: Option<Round>,
}

/// The columns in which `ingest` notes the rounds of gold and of weak labels that were bought later.
pub(crate) const ROUNDS: [&str; 2] = ["labelmix_gold_round", "labelmix_weak_round"];

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
    /// The rounds with which the gold and the weak label came into the data.
    pub rounds: [Round; 2],
    /// Which of the labels are for sale: all that there are, unless the classes were balanced.
    pub for_sale: ForSale,
    /// What a cheap labeler sees in the text's place, if that is not the text (a review's title alone).
    pub proxy: Option<Box<str>>,
    /// What each annotator says, `None` where one says nothing, in the order of the columns that they come from;
    /// empty if the weak label is not made of several. `weak` is what they were merged into.
    pub votes: Box<[Option<f32>]>,
    /// What the row holds in the fields that were asked for when it was read, in the order in which they were.
    pub fields: Box<[FieldValue]>,
}

impl Example {
    /// An example with the id of its text's normal form, whose labels are for sale.
    pub fn new(text: String, gold: Option<bool>, weak: Option<f32>) -> Self {
        let mut example = Self {
            id: ExampleId::of(&text),
            text,
            gold,
            weak,
            rounds: [0; 2],
            for_sale: ForSale::default(),
            proxy: None,
            votes: Box::default(),
            fields: Box::default(),
        };
        example.offer_all();
        example
    }

    /// Puts all labels that there are up for sale, each since its round.
    pub(crate) fn offer_all(&mut self) {
        let [gold, weak] = self.rounds;
        self.for_sale = ForSale { gold: self.gold.map(|_| gold), weak: self.weak.map(|_| weak) };
    }

    /// Whether there is any label.
    pub fn is_labeled(&self) -> bool {
        self.gold.is_some() || self.weak.is_some()
    }

    /// The class by the best label there is: gold, or else the side of one half on which the weak label lies
    /// (one half itself is class 1).
    pub fn class(&self) -> bool {
        self.gold.unwrap_or_else(|| self.weak.is_some_and(weak_class))
    }
}

/// The class that a weak label speaks for: 1 from one half on.
pub fn weak_class(probability: f32) -> bool {
    probability >= 0.5
}

/// A hash of examples, in their order, that stands for their texts and labels in the keys of caches. The bytes
/// hashed are part of the store's format: ids, lengths, texts, and labels with a tag for absence. Proxy texts,
/// votes and fields are no part of it: a stage learns from the text and the label that was made of the votes.
pub fn content_hash<'a>(examples: impl IntoIterator<Item = &'a Example>) -> blake3::Hash {
    hash_of(examples, |example| (example.gold, example.weak))
}

/// The same for labels of a kind that were bought: labels of the other kind count as far as they were known by then, so that
/// whatever is bought later leaves the hash as it is.
pub fn bought_hash<'a>(examples: impl IntoIterator<Item = &'a Example>, kind: LabelKind) -> blake3::Hash {
    hash_of(examples, |example| {
        let [gold_round, weak_round] = example.rounds;
        match kind {
            LabelKind::Gold => (example.gold, example.weak.filter(|_| weak_round <= gold_round)),
            LabelKind::Weak => (example.gold.filter(|_| gold_round <= weak_round), example.weak),
        }
    })
}

fn hash_of<'a>(
    examples: impl IntoIterator<Item = &'a Example>,
    labels: impl Fn(&Example) -> (Option<bool>, Option<f32>),
) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new_derive_key("labelmix-data 1 content of examples");
    for example in examples {
        let (gold, weak) = labels(example);
        hasher.update(&example.id.0.to_le_bytes());
        hasher.update(&(example.text.len() as u64).to_le_bytes());
        hasher.update(example.text.as_bytes());
        hasher.update(&[gold.map_or(2, u8::from)]);
        hasher.update(&[u8::from(weak.is_some())]);
        hasher.update(&weak.unwrap_or(0.0).to_bits().to_le_bytes());
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
    fn what_is_bought_later_leaves_the_hash_of_what_was_bought_as_it_is() {
        let hash = |gold, weak, rounds, kind| {
            let example = Example { rounds, ..Example::new("a text".to_owned(), gold, weak) };
            bought_hash([&example], kind)
        };
        let (weak, gold) = (LabelKind::Weak, LabelKind::Gold);
        assert_eq!(hash(None, Some(0.5), [0, 0], weak), hash(Some(true), Some(0.5), [1, 0], weak));
        assert_ne!(hash(None, Some(0.5), [0, 0], weak), hash(Some(true), Some(0.5), [0, 0], weak));
        assert_eq!(hash(Some(true), None, [1, 0], gold), hash(Some(true), Some(0.5), [1, 2], gold));
        let both = Example::new("a text".to_owned(), Some(true), Some(0.5));
        assert_eq!(bought_hash([&both], weak), content_hash([&both]), "as it always was");
    }

    #[test]
    fn texts_that_differ_in_white_space_or_composition_are_one() {
        let forms = ["caf\u{e9} au lait", " cafe\u{301}\u{a0}au\n\tlait ", "caf\u{e9}\u{2003}au\u{1c}lait\u{3000}"];
        for form in forms {
            assert_eq!(normal_form(form), "caf\u{e9} au lait");
            assert_eq!(ExampleId::of(form), ExampleId::exact("caf\u{e9} au lait"));
        }
        assert_ne!(ExampleId::exact("a  b"), ExampleId::of("a  b"));
        assert!(matches!(normal_form("a plain text."), Cow::Borrowed(_)));
        assert_eq!(normal_form(" \n "), "");
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
