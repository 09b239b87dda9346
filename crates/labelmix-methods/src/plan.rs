//! What a stage is to do: which labels, behind which prompt, with which loss, from where. Methods write plans; the
//! sweep finds the data for them; the trainer follows them and knows no method.

use labelmix_econ::LabelKind;
use labelmix_stats::stream;
use rand::RngExt;
use serde::{Deserialize, Serialize};

use crate::noise::CorrectionWay;

/// What training makes small, with soft targets y in [0, 1].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Loss {
    /// Cross-entropy.
    #[default]
    Xent,
    /// Cross-entropy minus the labels' entropy: the divergence from the labels. The same gradients.
    Kl,
    /// Cross-entropy against a mixture of the labels and the model's own hardened predictions (Burns et al. 2023).
    LogConfidence,
}

impl Loss {
    /// Examples of a batch below which a quantile of their predictions says too little: such batches are trained on with
    /// their labels alone.
    pub const FEWEST_FOR_THRESHOLD: usize = 8;
}

/// One stage of a method. It starts from a fresh adapter or from the best checkpoint of an earlier stage; each has a
/// schedule of its own.
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
    /// What is asked on from what the model itself answers to a text, in place of the text.
    pub follow_up: Option<FollowUp>,
    /// What is done with them.
    pub work: StageWork,
    /// The stage that it starts from, by its place among the method's; `None` for a fresh adapter.
    pub parent: Option<usize>,
    /// The head that a fresh adapter starts with.
    pub head: HeadStart,
    /// Which of several trainings of the same stage this is: each has initial weights, validation labels and batches of its
    /// own, and the same pools. 0 is the usual one.
    pub member: usize,
    /// Stages whose classifiers it reads, by their places among the method's: teachers, or what it averages.
    pub reads: Vec<usize>,
    /// What it trains on together with its labels.
    pub beside: Option<Beside>,
}

/// What a stage trains on together with its own labels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Beside {
    /// The first labels of a pool, which are bought.
    Labels(BesideLabels),
    /// Texts of both pools, whose labels are not bought: the mean predictions of the classifiers that the stage reads
    /// take their place.
    PseudoLabels(PseudoLabels),
}

/// Labels of another kind, and how much is made of them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BesideLabels {
    /// Their kind.
    pub labels: LabelKind,
    /// How many.
    pub count: usize,
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
    /// The way.
    pub way: CorrectionWay,
    /// Where the error rates come from.
    pub rates: RatesFrom,
    /// Whether a label counts as much as the classifiers that the stage reads believe in it.
    pub by_agreement: bool,
}

/// Where the error rates of labels are estimated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RatesFrom {
    /// On the stage's own labels, with the predictions of classifiers that have learnt to predict what is beside them.
    OwnLabels,
    /// On what is beside them, with the predictions of classifiers that have learnt to predict the class.
    Predictions,
}

/// Texts without labels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PseudoLabels {
    /// How many of the pools' texts; all, if there is no number.
    pub texts: Option<usize>,
    /// What each one's part of the loss is multiplied by.
    pub weight: f64,
}

/// A question that is put after the model's own answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FollowUp {
    /// The text that takes a text's place: `{answer}` stands for the answer, `{text}` for the text.
    pub template: String,
    /// How many tokens the model answers with.
    pub answer_tokens: usize,
}

/// What a fresh head is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HeadStart {
    /// Small random numbers.
    #[default]
    Random,
    /// The language model's own rows for the two targets of the prompt.
    Words,
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
    /// Averages the log-odds of the stages that it reads. Nothing is trained.
    Average,
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
        Self::doing(work, labels, count)
    }

    /// A stage that does something with the front of a pool, and with nothing else.
    #[must_use]
    pub fn doing(work: StageWork, labels: LabelKind, count: usize) -> Self {
        Self {
            labels,
            count,
            skip: 0,
            choice: Choice::Front,
            shots: None,
            follow_up: None,
            work,
            parent: None,
            head: HeadStart::default(),
            member: 0,
            reads: Vec::new(),
            beside: None,
        }
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
            stages[index].parent = Some(index - 1);
            let carries = matches!(stages[index].work, StageWork::Train { options, .. } if options.carry_optimizer);
            if let StageWork::Train { keep_optimizer, .. } = &mut stages[index - 1].work {
                *keep_optimizer = carries;
            }
        }
        stages
    }

    /// What decides the initial weights, the validation labels and the order of the batches, in a run of this seed.
    #[must_use]
    pub fn training_seed(&self, seed: u64) -> u64 {
        match self.member {
            0 => seed,
            member => stream(seed, &format!("training {member} of several")).random(),
        }
    }

    /// The same stage among others of a method, of which `before` come first: as one of several trainings.
    pub(crate) fn as_member(&self, member: usize, before: usize) -> Self {
        let mut stage = self.clone();
        stage.member = member;
        stage.parent = stage.parent.map(|place| place + before);
        stage.reads = stage.reads.iter().map(|place| place + before).collect();
        stage
    }

    /// A stage that averages the log-odds of others, which read texts as `like` does.
    pub(crate) fn average(like: &Self, reads: Vec<usize>) -> Self {
        let Self { labels, shots, follow_up, .. } = like.clone();
        Self { shots, follow_up, reads, ..Self::doing(StageWork::Average, labels, 0) }
    }

    /// Whether classifiers take the place of labelers for it.
    pub(crate) fn is_taught(&self) -> bool {
        matches!(self.beside, Some(Beside::PseudoLabels(_)))
    }

    /// How the stage trains, if it does.
    #[must_use]
    pub fn options(&self) -> Option<StageOptions> {
        match self.work {
            StageWork::Train { options, .. } => Some(options),
            StageWork::Ask | StageWork::Average => None,
        }
    }
}
