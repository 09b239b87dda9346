//! What a stage takes from the pools: whose labels, which of them, and what it does with them.

use labelmix_econ::LabelKind;
use serde::Serialize;

use crate::noise::LossCorrection;

/// Examples that a stage takes from the pools.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Draw {
    /// Whose labels they have.
    pub source: DrawSource,
    /// How many; fewer of [`DrawSource::Predictions`] if the pools have no more texts.
    pub count: usize,
    /// Labels at the front of the pool that it leaves to the prompt.
    pub skip: usize,
    /// Which of the pool's examples.
    pub choice: Choice,
    pub role: Role,
}

/// Where labels come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DrawSource {
    /// A pool, which sells them.
    Labels(LabelKind),
    /// The mean predictions of the classifiers that the stage reads, on texts of all pools. They cost nothing.
    Predictions,
}

/// What a stage does with a draw.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Role {
    /// Trains on it, a part of it being its validation labels.
    Train,
    /// Trains on it jointly with what it trains on anyway.
    Jointly(JointLoss),
    /// Puts it before texts.
    Shot,
}

/// How much is made of labels that are trained on jointly with others.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct JointLoss {
    /// What each one's part of the loss is multiplied by.
    pub weight: f64,
    /// Whether that is multiplied by how sure a label is, |2ỹ − 1|.
    pub by_confidence: bool,
    /// How the loss is corrected for the labels' errors, by the classifiers that the stage reads.
    pub denoise: Option<Denoise>,
}

/// How the loss is corrected for the errors of labels.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Denoise {
    #[serde(rename = "way")]
    pub correction: LossCorrection,
    /// Where the error rates come from.
    pub rates: RatesFrom,
    /// Whether a label counts as much as the classifiers that the stage reads believe in it.
    pub by_agreement: bool,
}

/// Where the error rates of labels are estimated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RatesFrom {
    /// On the stage's own labels, with the predictions of classifiers that have learnt to predict those trained on jointly.
    OwnLabels,
    /// On what is trained on jointly, with the predictions of classifiers that have learnt to predict the class.
    Predictions,
}

/// Which examples of a pool a stage trains on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Choice {
    /// Those at the pool's front. A pool is in random order, so this is a random sample.
    Front,
    /// Of the first `of` labels of the pool, which are all bought, the ones that are surest of their class.
    SurestLabels {
        /// How many labels are looked at.
        of: usize,
    },
    /// The ones on which the parent stage's classifier is least certain, of the first `candidates` examples of the
    /// pool (all, if there is no number). Their texts cost nothing; the labels of those chosen are bought.
    LeastCertain {
        /// 0 for the largest entropy; else sampled without replacement with weight entropy^(1/temperature).
        temperature: f64,
        /// How many examples are looked at.
        candidates: Option<usize>,
    },
    /// The ones of the first `of` examples of the weak pool, whose weak labels are bought, where the parent stage's classifier and the
    /// weak label disagree most; then those at the front of the pool, if gold labels of so many are not for sale.
    Disputed {
        /// How many weak labels are doubted.
        of: usize,
    },
    /// Those whose hidden states cover the first [`COVERED_TEXTS`] examples of the pool; then those behind them. Texts cost
    /// nothing; the labels of those chosen are bought.
    Coverage,
}

/// How many examples a choice by coverage looks at.
pub const COVERED_TEXTS: usize = 500;

impl Choice {
    /// How many labels have to be bought for it to use so many.
    pub fn looks_at(&self, count: usize) -> usize {
        match self {
            Self::SurestLabels { of } => *of,
            Self::Front | Self::LeastCertain { .. } | Self::Disputed { .. } | Self::Coverage => count,
        }
    }

    /// Whether it looks at more texts than it buys labels for: a stage chooses when it is done.
    pub fn is_of_texts(&self) -> bool {
        self.reads_pool() || matches!(self, Self::Disputed { .. })
    }

    /// Whether these are texts of the pool that sells the labels, so that there have to be more than are bought.
    pub fn reads_pool(&self) -> bool {
        matches!(self, Self::LeastCertain { .. } | Self::Coverage)
    }

    /// Whether the parent stage's classifier makes it.
    pub fn is_by_parent(&self) -> bool {
        matches!(self, Self::LeastCertain { .. } | Self::Disputed { .. })
    }
}

impl Draw {
    /// Labels at the front of a pool.
    pub(crate) fn front(labels: LabelKind, count: usize, role: Role) -> Self {
        Self { source: DrawSource::Labels(labels), count, skip: 0, choice: Choice::Front, role }
    }

    /// The kind of its labels, if they are bought.
    pub fn labels(&self) -> Option<LabelKind> {
        match self.source {
            DrawSource::Labels(labels) => Some(labels),
            DrawSource::Predictions => None,
        }
    }
}
