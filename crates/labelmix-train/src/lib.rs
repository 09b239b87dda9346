//! Training: fine-tuning a pretrained classifier on the labels of a stage, asking a language model, scoring texts.
//!
//! [`train_stage`] trains one stage and knows no method; [`continue_labeler`] makes the labeler that weak labels can come from.
//! Both decide; a [`Backend`] runs the model.

mod answer;
mod backend;
mod continuation;
mod early_stopping;
mod error;
mod follow_up;
mod interrupt;
mod loss;
mod native;
mod optimizer_state;
mod prompt;
mod settings;
mod target_stopping;
mod timetable;
mod trainer;
mod verbalizer;
mod weak_labeler;

pub use answer::{Answer, AnswerEncoder, score_answers};
pub use backend::{Backend, Batch, Learner, Learning, Reading};
pub use continuation::Continuation;
pub use error::{Error, Result};
pub use follow_up::{FollowUpTexts, answers};
pub use interrupt::Interrupt;
pub use loss::log_confidence_targets;
pub use native::NativeBackend;
pub use optimizer_state::OptimizerState;
pub use prompt::{Prompt, PromptEncoder, PromptError, Shots};
pub use settings::lora_settings;
pub use trainer::{StageProgress, StageRequest, StageResult, continue_stage, stage_split, train_stage};
pub use verbalizer::start_with_words;
pub use weak_labeler::{LabelerRequest, TrainedLabeler, continue_labeler, soft_label};
