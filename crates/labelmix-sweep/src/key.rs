//! The key of a stage: a hash of everything that determines its outcome, and of nothing else.
//!
//! Prices, budgets, paths, the study's name and the order of its keys do not enter, so re-pricing or moving a study
//! recomputes nothing. Every part is hashed with its name and length, in a fixed order.

use std::fmt;

use labelmix_data::{Example, content_hash};
use labelmix_elicit::{LabelKind, Recipe};
use serde::{Deserialize, Serialize};

/// Raised when the meaning of a stage changes, so that older results are not mistaken for newer ones.
const SCHEMA: &str = "labelmix stage 1";

/// The name of a stage's outcome: 32 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct StageKey(String);

impl fmt::Display for StageKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// What all stages of a sweep have in common, hashed once.
pub(crate) struct SharedInputs {
    pub(crate) model: [u8; 32],
    /// How the weights are rounded, if they are.
    pub(crate) rounding: Option<String>,
    pub(crate) tokenizer: [u8; 32],
    pub(crate) pooling: &'static str,
    /// Whether long texts are cut (leaving them out shows in the data).
    pub(crate) cut: bool,
    /// The test examples, whose log-odds are part of the outcome.
    pub(crate) test: [u8; 32],
    /// The recipe as canonical JSON.
    pub(crate) recipe: String,
}

impl SharedInputs {
    /// The recipe in a form that does not depend on the order of keys.
    pub(crate) fn canonical_recipe(recipe: &Recipe) -> String {
        // serde_json's maps are sorted, and its floats are written with the fewest digits that read back the same.
        serde_json::to_value(recipe).expect("a recipe is numbers with names").to_string()
    }

    /// The key of a stage on `labels`, in the order in which they are bought.
    pub(crate) fn stage_key<'a>(
        &self,
        parent: Option<&StageKey>,
        kind: LabelKind,
        labels: impl IntoIterator<Item = &'a Example>,
        seed: u64,
    ) -> StageKey {
        let mut parts = HashedParts::new(SCHEMA);
        let mut part = |name: &str, bytes: &[u8]| parts.add(name, bytes);
        part("model", &self.model);
        if let Some(rounding) = &self.rounding {
            part("rounding", rounding.as_bytes());
        }
        part("tokenizer", &self.tokenizer);
        part("pooling", self.pooling.as_bytes());
        part("cut", &[u8::from(self.cut)]);
        part("test", &self.test);
        part("recipe", self.recipe.as_bytes());
        part("parent", parent.map_or("", |key| &key.0).as_bytes());
        part("kind", kind.name().as_bytes());
        part("labels", content_hash(labels).as_bytes());
        part("seed", &seed.to_le_bytes());
        StageKey(parts.finish())
    }
}

/// A hash of named parts, each with its length, in a fixed order.
pub(crate) struct HashedParts(blake3::Hasher);

impl HashedParts {
    pub(crate) fn new(schema: &'static str) -> Self {
        Self(blake3::Hasher::new_derive_key(schema))
    }

    pub(crate) fn add(&mut self, name: &str, bytes: &[u8]) {
        for part in [name.as_bytes(), bytes] {
            self.0.update(&(part.len() as u64).to_le_bytes());
            self.0.update(part);
        }
    }

    /// 32 hexadecimal digits.
    pub(crate) fn finish(&self) -> String {
        self.0.finalize().to_hex()[..32].to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shared() -> SharedInputs {
        SharedInputs {
            model: [1; 32],
            rounding: None,
            tokenizer: [2; 32],
            pooling: "mean",
            cut: false,
            test: [3; 32],
            recipe: SharedInputs::canonical_recipe(&Recipe::default()),
        }
    }

    fn labels() -> Vec<Example> {
        vec![Example::new("good".into(), Some(true), Some(0.75)), Example::new("bad".into(), Some(false), None)]
    }

    #[test]
    fn a_known_key_stays_what_it_is() {
        let key = shared().stage_key(None, LabelKind::Weak, &labels(), 7);
        insta::assert_snapshot!(key, @"f73a4c5071e6d0720bd11284c65c7e33");
    }

    #[test]
    fn every_input_changes_the_key() {
        let base = || shared().stage_key(None, LabelKind::Weak, &labels(), 7);
        let mut keys = vec![base()];
        keys.push(shared().stage_key(Some(&base()), LabelKind::Weak, &labels(), 7));
        keys.push(shared().stage_key(None, LabelKind::Gold, &labels(), 7));
        keys.push(shared().stage_key(None, LabelKind::Weak, &labels()[..1], 7));
        keys.push(shared().stage_key(None, LabelKind::Weak, &labels(), 8));
        let recipe = Recipe { learning_rate: 1e-4, ..Recipe::default() };
        for inputs in [
            SharedInputs { model: [9; 32], ..shared() },
            SharedInputs { rounding: Some("nf4".to_owned()), ..shared() },
            SharedInputs { tokenizer: [9; 32], ..shared() },
            SharedInputs { pooling: "last", ..shared() },
            SharedInputs { cut: true, ..shared() },
            SharedInputs { test: [9; 32], ..shared() },
            SharedInputs { recipe: SharedInputs::canonical_recipe(&recipe), ..shared() },
        ] {
            keys.push(inputs.stage_key(None, LabelKind::Weak, &labels(), 7));
        }
        let distinct: std::collections::HashSet<_> = keys.iter().collect();
        assert_eq!(distinct.len(), keys.len());
    }
}
