//! What a stage is to do: which labels, behind which prompt, with which loss, from where. Methods write plans; the
//! sweep finds the data for them; the trainer follows them and knows no method.

use std::sync::Arc;

use labelmix_econ::LabelKind;
use labelmix_stats::stream;
use rand::RngExt;
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use crate::calibration::Calibration;
use crate::draw::{Choice, Draw, DrawSource, JointLoss, Role};
use crate::recipe::Recipe;

/// What training makes small, with soft targets y in [0, 1].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Loss {
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

/// One stage of a method.
#[derive(Clone, Debug, PartialEq)]
pub enum StagePlan {
    /// Trains the classifier.
    Train(TrainPlan),
    /// Scores the next token behind each prompt with the language model. Nothing is trained.
    Ask(PromptPlan),
    /// Scores the answer that each text ends with by the language model. Nothing is trained.
    Judge(AnswerScore),
    /// Fits a linear classifier to what the pretrained model's pooling gives.
    Probe(ProbePlan),
    /// Averages the log-odds of other stages. Nothing is trained.
    Average {
        /// Those stages, by their places among the method's.
        of: Vec<usize>,
        /// How they read texts.
        prompt: Option<PromptPlan>,
        /// Whether the mean is shifted afterwards.
        calibration: Calibration,
    },
}

/// What a language model makes of the answer that a text ends with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AnswerScore {
    /// The mean log-likelihood of its tokens behind the rest of the text.
    Likelihood,
    /// Its log-likelihood behind the rest of the text, less that behind what introduces it alone (Holtzman et al. 2021).
    LikelihoodGain,
}

/// A linear classifier of hidden states.
#[derive(Clone, Debug, PartialEq)]
pub struct ProbePlan {
    /// What it is fitted to: labels.
    pub draws: Vec<Draw>,
    /// Half of this times ‖w‖² is added to the sum of losses.
    pub penalty: f64,
    /// What it reads of a text.
    pub features: ProbeFeatures,
}

/// What a linear classifier reads of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProbeFeatures {
    /// What the pretrained model's pooling gives after each of so many of its last blocks (the upper half without a
    /// number), at unit length, averaged.
    HiddenStates { layers: Option<usize> },
    /// How often each word stands in it, times the word's inverse document frequency among the training texts.
    Words,
}

/// A training. It starts from a fresh adapter or from the best checkpoint of an earlier stage; each has a schedule of its own.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainPlan {
    /// What it learns from, beside what stands in its prompts.
    pub draws: Vec<Draw>,
    /// What stands before every text; `None` for the text alone.
    pub prompt: Option<PromptPlan>,
    pub start: Start,
    pub options: StageOptions,
    /// The method's own hyper-parameters; without them it has the study's.
    pub recipe: Option<Arc<Recipe>>,
    /// Whether the optimizer's state is kept, for a later stage to start with.
    pub keep_optimizer: bool,
    /// Which of several trainings of the same stage this is: each has initial weights, validation labels and batches of its
    /// own, and the same pools. 0 is the usual one.
    pub repetition: usize,
    /// Stages whose classifiers it reads, by their places among the method's.
    pub reads: Vec<usize>,
}

/// How texts are read behind a prompt.
#[derive(Clone, Debug, PartialEq)]
pub struct PromptPlan {
    /// The examples that stand before every text.
    pub shots: ShotsPlan,
    /// What is asked on from what the model itself answers to a text, in place of the text.
    pub follow_up: Option<FollowUp>,
}

impl PromptPlan {
    /// A prompt without examples: the text, and what stands around it.
    pub(crate) fn without_shots(follow_up: Option<FollowUp>) -> Self {
        Self { shots: ShotsPlan { labels: LabelKind::Gold, count: 0, order: ShotOrder::OneForAll }, follow_up }
    }
}

/// A question that is put after the model's own answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FollowUp {
    /// The text that takes a text's place: `{answer}` stands for the answer, `{text}` for the text.
    pub template: String,
    /// How many tokens the model answers with.
    pub answer_tokens: usize,
}

/// Where a training starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// From a fresh adapter, with this head.
    Fresh(HeadStart),
    /// From the best checkpoint of an earlier stage, by its place among the method's.
    After(usize),
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

/// The examples of a prompt: the first of their pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ShotsPlan {
    pub labels: LabelKind,
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
    /// In training a shuffle for all texts of a step, which then have one prompt that is computed once; one for all texts that
    /// are read.
    FreshForEachStep,
}

/// Puts shots, in the order of the pool, into the one order that serves all texts of a run.
pub fn order_for_all<T>(shots: &mut [T], seed: u64) {
    shots.shuffle(&mut stream(seed, "order of shots"));
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
    Head,
    /// The LoRA factors.
    Body,
}

impl TrainPlan {
    /// Trains on the front of a pool.
    pub fn new(labels: LabelKind, count: usize, options: impl Into<StageOptions>) -> Self {
        Self {
            draws: vec![Draw::front(labels, count, Role::Train)],
            prompt: None,
            start: Start::Fresh(HeadStart::default()),
            options: options.into(),
            recipe: None,
            keep_optimizer: false,
            repetition: 0,
            reads: Vec::new(),
        }
    }

    /// The same, with this much of its pool.
    pub(crate) fn choosing(mut self, choice: Choice) -> Self {
        self.draws[0].choice = choice;
        self
    }

    /// The same, trained jointly on more.
    pub(crate) fn jointly(mut self, source: DrawSource, count: usize, loss: JointLoss) -> Self {
        self.draws.push(Draw { source, count, skip: 0, choice: Choice::Front, role: Role::Jointly(loss) });
        self
    }

    /// Stages that follow each other, without the empty ones. What the first would take over from a stage before is
    /// nothing, so it takes nothing over; and a stage keeps what the next one takes over.
    pub fn sequence(stages: impl IntoIterator<Item = Self>) -> Vec<StagePlan> {
        let mut stages: Vec<Self> = stages.into_iter().filter(|stage| stage.count() > 0).collect();
        if let Some(Self { options, draws, .. }) = stages.first_mut() {
            (options.reinitialise_head, options.carry_optimizer) = (false, false);
            for draw in draws.iter_mut().filter(|draw| draw.choice.is_by_parent()) {
                draw.choice = Choice::Front;
            }
        }
        for index in 1..stages.len() {
            stages[index].start = Start::After(index - 1);
            stages[index - 1].keep_optimizer = stages[index].options.carry_optimizer;
        }
        stages.into_iter().map(StagePlan::Train).collect()
    }

    /// Its hyper-parameters, in a study with these.
    pub fn recipe<'a>(&'a self, of_study: &'a Recipe) -> &'a Recipe {
        self.recipe.as_deref().unwrap_or(of_study)
    }

    /// What it trains on by itself, not jointly with something else.
    pub fn own(&self) -> impl Iterator<Item = &Draw> {
        self.draws.iter().filter(|draw| draw.role == Role::Train)
    }

    /// How many labels it trains on by itself, its own validation labels among them.
    pub fn count(&self) -> usize {
        self.own().map(|draw| draw.count).sum()
    }

    /// What decides the initial weights, the validation labels and the order of the batches, in a run of this seed.
    pub fn training_seed(&self, seed: u64) -> u64 {
        match self.repetition {
            0 => seed,
            repetition => stream(seed, &format!("training {repetition} of several")).random(),
        }
    }

    /// The same training among others of a method, of which `before` come first: as one of several.
    pub(crate) fn repeated(&self, repetition: usize, before: usize) -> Self {
        let start = match self.start {
            Start::Fresh(head) => Start::Fresh(head),
            Start::After(place) => Start::After(place + before),
        };
        let reads = self.reads.iter().map(|place| place + before).collect();
        Self { start, repetition, reads, ..self.clone() }
    }

    /// Whether classifiers take the place of labelers for it.
    pub(crate) fn is_taught(&self) -> bool {
        self.draws.iter().any(|draw| draw.source == DrawSource::Predictions)
    }
}

impl StagePlan {
    /// These stages of a method, with the last one's log-odds shifted.
    pub(crate) fn calibrated(mut stages: Vec<Self>, by: Calibration) -> Vec<Self> {
        match stages.last_mut() {
            _ if by == Calibration::None => {}
            Some(Self::Average { calibration, .. }) => *calibration = by,
            Some(last) => {
                let prompt = last.prompt().cloned();
                stages.push(Self::Average { of: vec![stages.len() - 1], prompt, calibration: by });
            }
            None => {}
        }
        stages
    }

    /// How it shifts log-odds.
    pub fn calibration(&self) -> Calibration {
        if let Self::Average { calibration, .. } = self { *calibration } else { Calibration::None }
    }

    pub fn training(&self) -> Option<&TrainPlan> {
        match self {
            Self::Train(training) => Some(training),
            Self::Ask(_) | Self::Judge(_) | Self::Probe(_) | Self::Average { .. } => None,
        }
    }

    /// What decides the pools, the training and the prompts, in a run of this seed: nothing for a stage that does the same
    /// whatever the seed.
    pub fn seed(&self, of_run: u64) -> u64 {
        match self {
            Self::Ask(PromptPlan { shots, .. }) if shots.count == 0 => 0,
            Self::Judge(_) => 0,
            _ => of_run,
        }
    }

    /// What stands before every text, if something does.
    pub fn prompt(&self) -> Option<&PromptPlan> {
        match self {
            Self::Train(TrainPlan { prompt, .. }) | Self::Average { prompt, .. } => prompt.as_ref(),
            Self::Ask(prompt) => Some(prompt),
            Self::Judge(_) | Self::Probe(_) => None,
        }
    }

    /// Everything that it takes from the pools, in the order in which it is bought.
    pub fn draws(&self) -> impl Iterator<Item = Draw> + '_ {
        let shots = self.prompt().map(|PromptPlan { shots, .. }| Draw::front(shots.labels, shots.count, Role::Shot));
        let draws = match self {
            Self::Train(TrainPlan { draws, .. }) | Self::Probe(ProbePlan { draws, .. }) => &**draws,
            Self::Ask(_) | Self::Judge(_) | Self::Average { .. } => &[],
        };
        shots.into_iter().chain(draws.iter().copied())
    }

    /// How many labels it trains on, not counting what it trains on jointly with them.
    pub fn count(&self) -> usize {
        self.draws().filter(|draw| draw.role == Role::Train).map(|draw| draw.count).sum()
    }

    /// The stage that it starts from, by its place among the method's.
    pub fn parent(&self) -> Option<usize> {
        match self.training()?.start {
            Start::After(place) => Some(place),
            Start::Fresh(_) => None,
        }
    }

    /// The stages whose classifiers it reads, by their places among the method's.
    pub fn reads(&self) -> &[usize] {
        match self {
            Self::Train(training) => &training.reads,
            Self::Average { of, .. } => of,
            Self::Ask(_) | Self::Judge(_) | Self::Probe(_) => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calibration_follows_the_last_stage_or_is_part_of_its_mean() {
        let training = StagePlan::Train(TrainPlan::new(LabelKind::Gold, 2, StageOptions::default()));
        let mean = |of, calibration| StagePlan::Average { of, prompt: None, calibration };
        let stages = StagePlan::calibrated(vec![training.clone(); 2], Calibration::Prior);
        assert_eq!(stages, [training.clone(), training.clone(), mean(vec![1], Calibration::Prior)]);
        let ensemble = vec![training.clone(), training.clone(), mean(vec![0, 1], Calibration::None)];
        let stages = StagePlan::calibrated(ensemble, Calibration::Prior);
        assert_eq!(stages[2..], [mean(vec![0, 1], Calibration::Prior)]);
        assert_eq!(StagePlan::calibrated(Vec::new(), Calibration::Prior), []);
        let prompt = PromptPlan {
            shots: ShotsPlan { labels: LabelKind::Gold, count: 2, order: ShotOrder::OneForAll },
            follow_up: None,
        };
        let stages = StagePlan::calibrated(vec![StagePlan::Ask(prompt.clone())], Calibration::Prior);
        assert_eq!(stages[1].prompt(), Some(&prompt));
    }
}
