//! The baseline that knows no language: logistic regression on the words of texts.

use labelmix_econ::Allocation;
use serde::{Deserialize, Serialize};

use super::joint::check_weight;
use super::probe::{PENALTY, WEAK_WEIGHT, probe_stages};
use crate::method::{Configuration, Method, OptionError, OptionHelp};
use crate::plan::{ProbeFeatures, StagePlan};

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct BagOfWords {
    penalty: f64,
    weak_weight: f64,
}

impl Default for BagOfWords {
    fn default() -> Self {
        Self { penalty: 1.0, weak_weight: 1.0 }
    }
}

impl Method for BagOfWords {
    fn stages(&self, split: Allocation) -> Vec<StagePlan> {
        probe_stages(split, self.weak_weight, self.penalty, ProbeFeatures::Words)
    }
}

impl Configuration for BagOfWords {
    const NAME: &'static str = "bag-of-words";
    const SUMMARY: &'static str = "logistic regression on words: what a neural model has to beat";
    const EXPLANATION: &'static str = "L2-regularised logistic regression on how often each word stands in a text, times \
        the word's inverse document frequency among all training texts, whose labels are not needed; fitted to all \
        labels of both kinds as probe is. The model is not asked. No label validates. Milliseconds a run. Pays for all \
        of them.";
    const OPTIONS: &'static [OptionHelp] = &[PENALTY, WEAK_WEIGHT];
    const EXAMPLE: &'static str = r#"[[methods]]
name = "bag-of-words"

[[methods]]
name = "words-smoother"
method = "bag-of-words"
penalty = 10.0
"#;

    fn check(&self) -> Result<(), OptionError> {
        check_weight("penalty", self.penalty)?;
        check_weight("weak_weight", self.weak_weight)
    }
}
