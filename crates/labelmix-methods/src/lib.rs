//! What methods are: plans of stages, recipes, prompts as text, choices of examples. No tensors.
//!
//! A [`Method`] says which stages it is made of, as [`StagePlan`]s; what a stage needs besides its labels is its [`Recipe`].

mod calibration;
mod choice;
mod draw;
mod method;
mod methods;
mod metrics;
mod noise;
mod plan;
mod recipe;
mod stage;

pub use calibration::{CONTENT_FREE, Calibration, contextual_shift, prior_shift};
pub use choice::{GoldTexts, by_coverage, least_certain, most_disputed, surest_labels};
pub use draw::{COVERED_TEXTS, Choice, Denoise, Draw, DrawSource, JointLoss, RatesFrom, Role};
pub use method::{
    Adjustments, Method, MethodKind, OptionError, OptionHelp, UsableSplits, adjusted, method_kinds, method_named,
};
pub use metrics::{Scores, TestMetrics, mean_log_odds, test_metrics};
pub use noise::{Correction, ErrorRates, LossCorrection, corrected_targets};
pub use plan::{
    AnswerScore, FollowUp, HeadStart, Loss, ProbeFeatures, ProbePlan, PromptPlan, ShotOrder, ShotsPlan, StageOptions,
    StagePlan, Start, TrainPlan, Trains, order_for_all,
};
pub use recipe::{Recipe, RecipeError, Schedule};
pub use stage::{StageExample, StageHistory, StopReason, TargetStop, ValidationPoint};
