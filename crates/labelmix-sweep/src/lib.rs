//! Sweeps: from a study file to a record of every run.
//!
//! [`Study`] is the file; [`Sweep`] is what it expands to, with data and model loaded; equal stages of different
//! runs are one stage of its graph; the [`Store`] keeps what came out; [`execute`] does what is missing.

mod chains;
mod error;
mod execute;
mod graph;
mod grid;
mod key;
mod ledger;
mod measured;
mod memory;
mod prompts;
mod purchase;
mod record;
mod stage_work;
mod store;
mod study;
mod sweep;
mod tokens;
mod weak_labels;

pub use error::{Error, Result};
pub use execute::{Execution, Observer, StageError, StageFailure, execute, records};
pub use graph::{Run, StageGraph, StageNode};
pub use key::StageKey;
pub use measured::measured_runs;
pub use memory::available_memory;
pub use prompts::{KeptShot, PromptFile, Shortened};
pub use record::{GridPoint, NotAffordable, RunRecord};
pub use store::{RunFile, StageOutcome, Store, TestLogOdds};
pub use study::{
    DefinedIn, GridTable, LabelerKind, LabelerTable, MatmulPrecisionName, MethodTable, ModelTable, PoolingName,
    PricesTable, Study, TaskData, TaskReference, TaskTable, TextFiles, TooLong, VoteMerging, WeightPrecision,
};
pub use sweep::{Inputs, PrepareOptions, ShortenedPrompts, Sweep, SweepSummary};
pub use weak_labels::{LabeledData, LabelerProgress, LabelsKey, LabelsOutcome, Origin, WeakLabeling, label_data};
