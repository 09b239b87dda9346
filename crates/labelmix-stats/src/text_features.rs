//! A text as a bag of words, hashed to a fixed number of columns.

use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The words and pairs of neighbouring words of a text, in lower case, as entries of a row of 2^`bits` columns: each is
/// hashed to a column, occurrences are counted, and the row is scaled to length 1. A word is a run of letters and
/// digits. A text without words has no entries.
///
/// The hash is BLAKE3, so columns mean the same on every machine and in every version. Words that share a column cannot
/// be told apart; more bits make that rarer.
///
/// # Panics
/// If `bits` is above 32.
pub fn hashed_words(text: &str, bits: u32) -> Vec<(u32, f64)> {
    assert!(bits <= 32, "at most 2^32 columns");
    let words = words(text);
    let single = words.iter().cloned();
    let pairs = words.windows(2).map(|pair| format!("{} {}", pair[0], pair[1]));

    let mut counts: BTreeMap<u32, f64> = BTreeMap::new();
    for words in single.chain(pairs) {
        *counts.entry(column(&words, bits)).or_default() += 1.0;
    }
    let length = counts.values().map(|count| count * count).sum::<f64>().sqrt();
    counts.into_iter().map(|(column, count)| (column, count / length)).collect()
}

/// The words of a text, runs of letters and digits in lower case, in their order.
pub fn words(text: &str) -> Vec<String> {
    let text = text.to_lowercase();
    let words = text.split(|character: char| !character.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_owned).collect()
}

/// In how many of some texts each word stands.
#[derive(Clone, Debug, Default)]
pub struct WordFrequencies {
    texts: usize,
    with_word: HashMap<String, usize>,
}

impl WordFrequencies {
    /// Of these texts.
    pub fn of<'a>(texts: impl IntoIterator<Item = &'a str>) -> Self {
        let mut frequencies = Self::default();
        for text in texts {
            frequencies.texts += 1;
            for word in words(text).into_iter().collect::<BTreeSet<String>>() {
                *frequencies.with_word.entry(word).or_default() += 1;
            }
        }
        frequencies
    }

    /// A word's inverse document frequency, ln((1 + texts) / (1 + texts with the word)) + 1, which is scikit-learn's.
    pub fn inverse(&self, word: &str) -> f64 {
        let with_word = self.with_word.get(word).copied().unwrap_or(0);
        ((1 + self.texts) as f64 / (1 + with_word) as f64).ln() + 1.0
    }
}

fn column(words: &str, bits: u32) -> u32 {
    let hash = blake3::hash(words.as_bytes());
    let (first, _) = hash.as_bytes().split_first_chunk().expect("a hash has 32 bytes");
    (u64::from(u32::from_le_bytes(*first)) & ((1u64 << bits) - 1)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_pairs_are_counted_and_scaled() {
        // a, b, "a b", "b a" with counts 2, 1, 1, 1; length √7.
        let row = hashed_words("A b, a!", 32);
        let mut values: Vec<f64> = row.iter().map(|(_, value)| value * 7f64.sqrt()).collect();
        values.sort_unstable_by(f64::total_cmp);
        assert!(values.iter().zip([1.0, 1.0, 1.0, 2.0]).all(|(value, expected)| (value - expected).abs() < 1e-12));
        assert_eq!(values.len(), 4);
    }

    #[test]
    fn rare_words_have_large_inverse_frequencies() {
        // ln(4/4) + 1, ln(4/2) + 1 and ln(4/1) + 1.
        let frequencies = WordFrequencies::of(["A b, a", "a c", "a d"]);
        let inverse = ["a", "b", "e"].map(|word| frequencies.inverse(word));
        assert_eq!(inverse, [1.0, 2.0_f64.ln() + 1.0, 4.0_f64.ln() + 1.0]);
    }

    #[test]
    fn columns_never_change() {
        // The first four bytes, little-endian, of the BLAKE3 hash of "good".
        let row = hashed_words("good", 32);
        assert_eq!(row, [(u32::from_le_bytes([0x4A, 0xE7, 0x5B, 0x23]), 1.0)]);
        assert_eq!(hashed_words("Good", 16), [(row[0].0 & 0xFFFF, 1.0)]);
        assert_eq!(hashed_words("good", 0), [(0, 1.0)]);
    }

    #[test]
    fn no_words_no_entries() {
        assert_eq!(hashed_words("", 18), []);
        assert_eq!(hashed_words(" ... !", 18), []);
    }
}
