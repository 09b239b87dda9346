//! Texts to be labelled next, and how they were chosen.

use labelmix_data::Example;
use labelmix_econ::Allocation;
use serde::Serialize;

use crate::key::StageKey;

/// Texts to label next, in the order in which they are to be labelled.
#[derive(Clone, Debug, PartialEq)]
pub struct NextTexts<'a> {
    /// For weak labels.
    pub weak: Vec<&'a Example>,
    /// For gold labels. None of them is among the others.
    pub gold: Vec<&'a Example>,
    /// How those for gold labels were chosen.
    pub sampling: Sampling,
    /// Labels that were asked for and for which there are no texts.
    pub lacking: Allocation,
}

/// How texts for gold labels are chosen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "by", rename_all = "kebab-case")]
pub enum Sampling {
    /// As the pool sells them, in the order of this seed.
    PoolOrder { seed: u64 },
    /// Those that best cover the next ones beside those whose gold labels one has, by what the model makes of them.
    Coverage,
    /// Those of which a classifier is least certain.
    LeastCertain {
        /// The stage that trained the classifier.
        stage: StageKey,
        /// The weak labels that it was trained on.
        n_weak: usize,
    },
}
