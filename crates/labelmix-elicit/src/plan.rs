//! What a stage is to do: which labels, behind which prompt, with which loss, from where. Methods write plans; the
//! sweep finds the data for them; the trainer follows them and knows no method.

use labelmix_econ::LabelKind;
use serde::{Deserialize, Serialize};

use crate::loss::Loss;

/// One stage of a method. The first starts from a fresh adapter, each later one from its predecessor's best
/// checkpoint; each has a schedule of its own.
#[derive(Clone, Debug, PartialEq)]
pub struct StagePlan {
    /// Which pool its labels come from. A stage that does not train has the kind of its shots here.
    pub labels: LabelKind,
    /// How many labels it trains on, its own validation labels among them; none if it does not train.
    pub count: usize,
    /// Labels at the front of the pool that it leaves to the prompt.
    pub skip: usize,
    /// Which of the pool's examples.
    pub choice: Choice,
    /// The examples that stand before every text; `None` for the text alone.
    pub shots: Option<ShotsPlan>,
    /// What is done with them.
    pub work: StageWork,
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
}

/// The examples of a prompt: the first of their pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ShotsPlan {
    /// The kind of their labels.
    pub labels: LabelKind,
    /// How many.
    pub count: usize,
    /// In which order they stand.
    pub order: ShotOrder,
}

/// In which order the examples of a prompt stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ShotOrder {
    /// One shuffle for all texts of a run.
    OneForAll,
    /// A shuffle of its own for every text.
    FreshForEach,
}

/// What a stage does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum StageWork {
    /// Trains the classifier.
    Train {
        /// How.
        options: StageOptions,
        /// Whether the optimizer's state is kept, for a later stage to start with.
        keep_optimizer: bool,
    },
    /// Asks the language model for the next token. Nothing is trained.
    Ask,
}

/// How a training stage differs from the usual one: keys of the table `gold` of a method in a study file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StageOptions {
    /// What is made small.
    pub loss: Loss,
    /// Which tensors change.
    pub trains: Trains,
    /// Whether the head starts anew, normal with the deviation 0.01/√hidden, instead of as the stage before left it.
    pub reinitialise_head: bool,
    /// Whether the optimizer goes on with the state that the stage before left, instead of without any.
    pub carry_optimizer: bool,
}

/// The same for a stage that always comes first: keys of the table `weak`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct FirstStageOptions {
    pub(crate) loss: Loss,
    pub(crate) trains: Trains,
}

impl From<FirstStageOptions> for StageOptions {
    fn from(FirstStageOptions { loss, trains }: FirstStageOptions) -> Self {
        Self { loss, trains, ..Self::default() }
    }
}

/// Which tensors change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trains {
    /// The head and the LoRA factors.
    #[default]
    All,
    /// The head.
    Head,
    /// The LoRA factors.
    Body,
}

impl StagePlan {
    /// A stage that trains on the front of a pool.
    #[must_use]
    pub fn training(labels: LabelKind, count: usize, options: impl Into<StageOptions>) -> Self {
        let work = StageWork::Train { options: options.into(), keep_optimizer: false };
        Self { labels, count, skip: 0, choice: Choice::Front, shots: None, work }
    }

    /// Stages that follow each other, without the empty ones. What the first would take over from a stage before is
    /// nothing, so it takes nothing over; and a stage keeps what the next one takes over.
    #[must_use]
    pub fn sequence(stages: impl IntoIterator<Item = Self>) -> Vec<Self> {
        let mut stages: Vec<Self> = stages.into_iter().filter(|stage| stage.count > 0).collect();
        if let Some(Self { work: StageWork::Train { options, .. }, choice, .. }) = stages.first_mut() {
            (options.reinitialise_head, options.carry_optimizer) = (false, false);
            if let Choice::LeastCertain { .. } = choice {
                *choice = Choice::Front;
            }
        }
        for index in 1..stages.len() {
            let carries = matches!(stages[index].work, StageWork::Train { options, .. } if options.carry_optimizer);
            if let StageWork::Train { keep_optimizer, .. } = &mut stages[index - 1].work {
                *keep_optimizer = carries;
            }
        }
        stages
    }

    /// How the stage trains, if it does.
    #[must_use]
    pub fn options(&self) -> Option<StageOptions> {
        match self.work {
            StageWork::Train { options, .. } => Some(options),
            StageWork::Ask => None,
        }
    }
}
