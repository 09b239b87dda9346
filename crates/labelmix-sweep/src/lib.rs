//! Sweeps: from a study to what its stages are, and to a store that has them all.
//!
//! [`Sweep`] is what a study expands to, with data and model loaded; equal stages of different runs are one stage of its graph;
//! [`execute`] does what the store lacks.

mod error;
mod estimate;
mod execute;
mod expansion;
mod export;
#[cfg(test)]
mod fake_engine;
mod features;
mod graph;
mod import;
mod key;
mod ledger;
mod next;
mod options;
mod piece;
mod plan;
mod purchase;
mod records;
mod slurm;
mod stage_error;
mod stage_work;
mod survey;
mod sweep;
mod weak_labels;
mod workload;

pub use error::{Error, Result};
pub use estimate::{WorkEstimate, estimate};
pub use execute::{Execution, Observer, SweepEvent, execute};
pub use export::{ExportError, ExportForm, ExportedRun, RunExport};
pub use graph::{Run, StageGraph, StageNode};
pub use import::{ImportedRuns, ImportedStudy, PUBLISHED_BUDGETS, SetAside, import_published, published_points};
pub use options::{ExecuteOptions, Inputs};
pub use slurm::{
    QueueCounts, SlurmError, Submitted, queue_counts, requeue, submit_labeler, submit_missing, task_stages,
};
pub use stage_error::{StageError, StageFailure};
pub use sweep::{Sweep, SweepSummary};
pub use weak_labels::{LabeledData, LabelerProgress, Origin, WeakLabeling, estimate_labels, label_data};
