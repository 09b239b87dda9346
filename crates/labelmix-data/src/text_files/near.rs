//! Training texts that are nearly a test text: they leak what is tested, and only a person can say whether they may stay.
//!
//! Two texts are near if they have the same words but for capitals and punctuation, or, where they are long enough, the same but
//! for one. Texts are compared by hashes of their words and of their words without each one, so a million take seconds.

use std::collections::HashMap;

use rayon::prelude::*;

use super::reading::TextRows;
use crate::summary::{NearTest, NearText};

/// Words from which on one may differ: in shorter texts one word is what they are about.
const LONG: usize = 8;

/// How many are named.
const NAMED: usize = 3;

/// The training texts that are nearly a test text. Equal ones are not among them any more.
pub(super) fn near_texts(train: &TextRows, test: &TextRows) -> NearTest {
    let mut known: HashMap<u64, usize> = HashMap::new();
    for (index, example) in test.examples.iter().enumerate() {
        for hash in hashes(&example.text) {
            known.entry(hash).or_insert(index);
        }
    }
    let found = train.examples.par_iter().enumerate().filter_map(|(index, example)| {
        let of_test = hashes(&example.text).into_iter().find_map(|hash| known.get(&hash))?;
        Some((index, *of_test))
    });
    let found: Vec<(usize, usize)> = found.collect();
    let mut named: Vec<NearText> = found
        .iter()
        .map(|(index, of_test)| NearText {
            train: train.first_rows[*index].to_string(),
            test: test.first_rows[*of_test].to_string(),
        })
        .take(NAMED)
        .collect();
    named.shrink_to_fit();
    NearTest { texts: found.len(), named }
}

/// Hashes of a text's words: of all, and of a long text's without each one.
fn hashes(text: &str) -> Vec<u64> {
    const BASE: u64 = 0x9E37_79B9_7F4A_7C15;
    let words: Vec<u64> =
        text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(word_hash).collect();
    if words.is_empty() {
        return Vec::new();
    }
    let joined = |before: u64, word: &u64| before.wrapping_mul(BASE).wrapping_add(*word);
    let mut all = vec![words.iter().fold(0, joined)];
    if words.len() >= LONG {
        // What stands behind each word, with the power that what stands before it is raised by.
        let mut behind = vec![(0u64, 1u64); words.len()];
        for place in (0..words.len() - 1).rev() {
            let (hash, power) = behind[place + 1];
            behind[place] = (words[place + 1].wrapping_mul(power).wrapping_add(hash), power.wrapping_mul(BASE));
        }
        let mut before = 0u64;
        for (word, (hash, power)) in words.iter().zip(behind) {
            all.push(before.wrapping_mul(power).wrapping_add(hash));
            before = joined(before, word);
        }
    }
    all
}

/// A hash of a word's small letters that is never 0.
fn word_hash(word: &str) -> u64 {
    let mut hash = 0xCBF2_9CE4_8422_2325_u64;
    for c in word.chars().flat_map(char::to_lowercase) {
        hash = (hash ^ u64::from(c)).wrapping_mul(0x0000_0100_0000_01B3);
        hash ^= hash >> 29;
    }
    hash | 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn are_near(a: &str, b: &str) -> bool {
        let a = hashes(a);
        hashes(b).iter().any(|hash| a.contains(hash))
    }

    #[test]
    fn capitals_and_punctuation_make_no_difference() {
        assert!(are_near("The soup was cold.", "the soup, was COLD"));
        assert!(!are_near("the soup was cold", "the soup was hot"));
        assert!(!are_near("...", "!"));
    }

    #[test]
    fn of_a_long_text_one_word_may_be_another_missing_or_more() {
        let text = "we waited an hour for a table and then the soup was cold";
        for near in [
            "we waited an hour for a table and then the soup was warm",
            "we waited an hour for a table and then soup was cold",
            "yes we waited an hour for a table and then the soup was cold",
        ] {
            assert!(are_near(text, near), "{near}");
        }
        assert!(!are_near(text, "we waited one hour for a table and then the soup was warm"));
    }
}
