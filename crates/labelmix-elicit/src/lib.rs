//! Elicitation: fine-tuning a pretrained classifier on the labels that an allocation buys.
//!
//! A [`Method`] says which stages it is made of; [`train_stage`] trains one stage and knows no method; what a stage
//! needs besides its labels is its [`Recipe`]. [`train_labeler`] makes the labeler that weak labels can come from.

mod early_stopping;
mod error;
mod evaluation;
mod method;
mod methods;
mod recipe;
mod stage;
mod target_stopping;
mod trainer;
mod weak_labeler;

pub use error::{Error, Result};
pub use evaluation::{TestMetrics, log_odds, test_metrics};
pub use labelmix_econ::LabelKind;
pub use method::{Method, StagePlan, method_named, method_names};
pub use recipe::{Recipe, RecipeError};
pub use stage::{StageExample, StageHistory, StopReason, ValidationPoint};
pub use target_stopping::TargetStop;
pub use trainer::{StageProgress, StageRequest, StageResult, stage_split, train_stage};
pub use weak_labeler::{LabelQuality, LabelerRequest, TrainedLabeler, soft_label, train_labeler};
