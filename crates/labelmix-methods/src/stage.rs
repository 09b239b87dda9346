//! What goes into a stage and what is recorded of it.

use serde::{Deserialize, Serialize};

use crate::noise::Correction;

/// One bought label, ready to train on.
#[derive(Clone, Copy, Debug)]
pub struct StageExample<'a> {
    /// The text as token ids.
    pub token_ids: &'a [u32],
    /// How many of them stand before the text itself.
    pub text_at: usize,
    /// The label: the probability of class 1.
    pub target: f32,
    /// What its part of the loss is multiplied by.
    pub weight: f32,
    /// How often such labels are wrong, if the loss is to be corrected for it.
    pub correction: Option<Correction>,
}

impl<'a> StageExample<'a> {
    /// A label that is taken as it is and counts once.
    pub fn new(token_ids: &'a [u32], target: f32) -> Self {
        Self { token_ids, text_at: 0, target, weight: 1.0, correction: None }
    }
}

/// How a stage went.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StageHistory {
    /// Labels that were trained on.
    pub n_train: usize,
    /// Labels that were validated on.
    pub n_validation: usize,
    /// Optimisation steps that were made.
    pub steps: usize,
    /// Steps that the schedule was made for.
    pub scheduled_steps: usize,
    /// The step of the checkpoint that was kept.
    pub best_step: usize,
    /// Why the stage ended.
    pub stop_reason: StopReason,
    pub validation: Vec<ValidationPoint>,
}

/// Why a stage ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StopReason {
    /// All scheduled steps were made.
    ScheduleEnded,
    /// Validation stopped improving.
    NoImprovement,
    /// There were too few labels to validate on, and as many steps were made as a stage makes that never improves.
    NothingToValidateOn,
    /// The accuracy that was aimed at was reached.
    TargetReached,
}

impl StopReason {
    /// As it is written in tables.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::ScheduleEnded => "the schedule ended",
            Self::NoImprovement => "nothing improved",
            Self::NothingToValidateOn => "nothing to validate on",
            Self::TargetReached => "the target was reached",
        }
    }
}

/// One evaluation on the validation labels.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ValidationPoint {
    /// Steps made so far.
    pub step: usize,
    /// The mean training loss of the steps since the last evaluation.
    pub training_loss: f64,
    /// Cross-entropy on the validation labels.
    pub loss: f64,
    /// The share of the validation labels on whose side the prediction is; not known of older outcomes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accuracy: Option<f64>,
    /// Area under the ROC curve against the validation labels (a soft label counts as 1 from one half on); none if
    /// they are all of one class.
    pub auroc: Option<f64>,
}

/// Where training stopped that aimed at an accuracy.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct TargetStop {
    /// The step of the checkpoint before the target was crossed.
    pub from_step: usize,
    /// The step of the checkpoint after.
    pub to_step: usize,
    /// Where between the two: 0 is the earlier, 1 the later. The trained tensors are interpolated.
    pub share: f64,
    /// The validation accuracy there.
    pub accuracy: f64,
    /// What the head was multiplied by, so that log-odds are as large as they are right.
    pub scale: f64,
}
