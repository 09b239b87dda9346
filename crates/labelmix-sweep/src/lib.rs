//! Sweeps: from a study to what its stages are, and to a store that has them all.
//!
//! [`Sweep`] is what a study expands to, with data and model loaded; equal stages of different runs are one stage of its graph;
//! [`execute`] does what the store lacks.

mod available_memory;
mod checkpoint;
mod engine;
mod error;
mod estimate;
mod execute;
mod expansion;
mod export;
mod graph;
mod import;
mod key;
mod ledger;
mod memory;
mod native;
mod next;
mod options;
mod plan;
mod prompts;
mod purchase;
mod records;
mod slurm;
mod stage_error;
mod stage_work;
mod survey;
mod sweep;
mod tokens;
mod weak_labels;
mod workload;

pub use available_memory::available_memory;
pub use checkpoint::{load_options_of, run_adapter, run_classifier, run_load_options, run_tokenizer, weight_precision};
pub use engine::Calibration;
pub use error::{Error, Result};
pub use estimate::{Estimate, estimate};
pub use execute::{Execution, Observer, StageFailure, SweepEvent, execute};
pub use export::{ExportError, ExportForm, ExportedRun, RunExport};
pub use graph::{Run, StageGraph, StageNode};
pub use import::{ImportedRuns, ImportedStudy, PUBLISHED_BUDGETS, SetAside, import_published, published_points};
pub use options::{ExecuteOptions, Inputs, PrepareOptions};
pub use prompts::{ShortenedPrompts, kept_shots};
pub use slurm::{QueueCounts, SlurmError, Submitted, queue_counts, requeue, submit_missing, task_stages};
pub use stage_error::StageError;
pub use sweep::{Sweep, SweepSummary};
pub use weak_labels::{LabeledData, LabelerProgress, Origin, WeakLabeling, label_data};
