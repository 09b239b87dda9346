//! Whether the weak labels' errors can be told from the text.

use labelmix_stats::{FeatureMatrix, Probe, ProbeSettings, StatsError, hashed_words, probe};
use serde::Serialize;

use super::JudgedLabel;
use super::quality::SEED;
use crate::notation::{count, proportion, range};

/// The fewest wrong and the fewest right labels that a probe is tried on: four of each for every one of its five folds.
pub(super) const FEWEST_OF_A_KIND: usize = 20;

/// Words and pairs of words are hashed to 2^18 columns, in which the vocabulary of a large data set rarely collides.
const FEATURE_BITS: u32 = 18;

/// What a probe says that predicts from a text's words whether its weak label is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(tag = "verdict", rename_all = "kebab-case")]
pub enum ErrorProbe {
    /// Better than chance: the probe's interval lies above one half.
    Learnable(Probe),
    /// Not better than chance.
    NoSign(Probe),
    /// There are too few wrong or too few right labels to try.
    TooFew {
        wrong: usize,
        right: usize,
        /// How many are needed of each.
        needed: usize,
    },
}

impl ErrorProbe {
    pub(super) fn of(labels: &[JudgedLabel<'_>]) -> Result<Self, StatsError> {
        let wrong: Vec<bool> = labels.iter().map(JudgedLabel::is_wrong).collect();
        let errors = wrong.iter().filter(|wrong| **wrong).count();
        let right = labels.len() - errors;
        if errors.min(right) < FEWEST_OF_A_KIND {
            return Ok(Self::TooFew { wrong: errors, right, needed: FEWEST_OF_A_KIND });
        }
        let mut features = FeatureMatrix::new(1 << FEATURE_BITS);
        for label in labels {
            features.push_row(hashed_words(label.text, FEATURE_BITS))?;
        }
        let ids: Vec<u64> = labels.iter().map(|label| label.id).collect();
        let found = probe(&features, &wrong, &ids, &ProbeSettings::new(SEED))?;
        Ok(if found.predictable { Self::Learnable(found) } else { Self::NoSign(found) })
    }

    /// The verdict in words, and what it means.
    pub(crate) fn sentence(&self) -> String {
        let measured = |probe: &Probe| format!("AUROC {} ({})", proportion(probe.auroc), range(probe.interval));
        match self {
            Self::Learnable(probe) => format!(
                "the errors can be told from the text: a probe on its words finds them with {}; chance is .500.\n\
                 A model trained on these labels can learn the errors as well.",
                measured(probe)
            ),
            Self::NoSign(probe) => format!(
                "no sign that the errors can be told from the text: a probe on its words finds them with {}; chance is \
                 .500.\nWhether a larger model could tell them, this does not say.",
                measured(probe)
            ),
            Self::TooFew { wrong, right, needed } => format!(
                "whether the errors can be told from the text is open: {} labels are wrong and {} right.\n\
                 A probe needs {needed} of each.",
                count(*wrong),
                count(*right)
            ),
        }
    }
}
