//! Made-up names.

use std::collections::BTreeSet;

use labelmix_stats::stream;
use rand::seq::IndexedRandom;

const ONSETS: [&str; 14] = ["b", "d", "f", "g", "k", "l", "m", "n", "p", "r", "s", "t", "v", "z"];
const VOWELS: [&str; 5] = ["a", "e", "i", "o", "u"];
const CODAS: [&str; 6] = ["l", "n", "r", "s", "th", "x"];

/// `count` different names of three syllables, none of them among the `taken` words.
pub(crate) fn names(count: usize, seed: u64, taken: &BTreeSet<&str>) -> Vec<String> {
    let mut random = stream(seed, "names");
    let mut pick = |parts: &[&'static str]| *parts.choose(&mut random).expect("there are parts");
    let mut seen = BTreeSet::new();
    let mut names = Vec::with_capacity(count);
    while names.len() < count {
        let name: String = [ONSETS.as_slice(), &VOWELS, &ONSETS, &VOWELS, &ONSETS, &VOWELS, &CODAS]
            .into_iter()
            .map(&mut pick)
            .collect();
        if !taken.contains(name.as_str()) && seen.insert(name.clone()) {
            names.push(name);
        }
    }
    names
}
