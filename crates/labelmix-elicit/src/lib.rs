//! Elicitation: fine-tuning a pretrained classifier on the labels that an allocation buys.
//!
//! A [`Method`] says which stages it is made of, as [`StagePlan`]s; [`train_stage`] trains one stage, [`ask`] asks a language
//! model, and neither knows a method; what a stage needs besides its labels is its [`Recipe`]. [`train_labeler`] makes the labeler that weak labels can come from.

mod asking;
mod choice;
mod continuation;
mod early_stopping;
mod error;
mod evaluation;
mod follow_up;
mod loss;
mod method;
mod methods;
mod noise;
mod optimizer_state;
mod plan;
mod prompt;
mod recipe;
mod stage;
mod target_stopping;
mod timetable;
mod trainer;
mod verbalizer;
mod weak_labeler;

pub use asking::{ask, ask_unless};
pub use choice::{least_certain, surest_labels};
pub use continuation::{Continuation, Interrupt};
pub use error::{Error, Result};
pub use evaluation::{TestMetrics, log_odds, log_odds_unless, mean_log_odds, test_metrics};
pub use follow_up::{FollowUpTexts, answers};
pub use labelmix_econ::LabelKind;
pub use loss::{Loss, log_confidence_targets};
pub use method::{Method, MethodKind, OptionError, OptionHelp, Splits, method_kinds, method_named};
pub use noise::{Correction, CorrectionWay, ErrorRates};
pub use optimizer_state::OptimizerState;
pub use plan::{
    Beside, BesideLabels, Choice, Denoise, FollowUp, HeadStart, PseudoLabels, RatesFrom, ShotOrder, ShotsPlan,
    StageOptions, StagePlan, StageWork, Trains,
};
pub use prompt::{Prompt, PromptEncoder, PromptError, PromptTemplate, Shots, order_for_all};
pub use recipe::{Recipe, RecipeError, Schedule};
pub use stage::{StageExample, StageHistory, StopReason, ValidationPoint};
pub use target_stopping::TargetStop;
pub use timetable::BatchOrder;
pub use trainer::{StageProgress, StageRequest, StageResult, continue_stage, stage_split, train_stage};
pub use verbalizer::start_with_words;
pub use weak_labeler::{LabelQuality, LabelerRequest, TrainedLabeler, continue_labeler, soft_label, train_labeler};
