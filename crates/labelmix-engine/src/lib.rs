//! What does stages: plain data in; a folder in PEFT's layout, and scores, out.
//!
//! An [`Engine`] does the stages of a sweep, trains labelers and scores texts; who asks it knows neither model nor device.
//! [`ModelEngine`] does all of it in this process.

mod answer;
mod available_memory;
mod checkpoint;
mod drawn;
mod engine;
mod error;
mod memory;
mod model_engine;
mod probe;
mod prompts;
mod tokens;
mod wordings;
mod worker;

pub use available_memory::available_memory;
pub use checkpoint::{run_classifier, run_load_options, tokenizer, weight_precision};
pub use drawn::{Drawn, label};
pub use engine::{
    Calibration, Engine, EngineOptions, Identity, LabelerJob, LabelerTraining, Scorer, StageData, StageJob,
    StageScores, finite_scores, in_digits,
};
pub use error::{Error, Result};
pub use model_engine::{ModelEngine, NeededStage};
pub use probe::{HiddenStates, Probe, ProbeLabels, kept_scorer};
pub use prompts::{ShortenedPrompts, in_chat, kept_shot};
pub use tokens::tokenize;
pub use wordings::{AnswersTrial, AskedTexts, WordingTrial, try_answers, try_wordings};
pub use worker::{EngineSurvey, Gpu, WorkerOptions, WorkerProgram, python, survey};
