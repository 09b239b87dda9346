//! Sweeps: from a study file to a record of every run.
//!
//! [`Study`] is the file; [`Sweep`] is what it expands to, with data and model loaded; equal stages of different
//! runs are one stage of its graph; the [`Store`] keeps what came out; [`execute`] does what is missing.

mod asked;
mod available_memory;
mod error;
mod estimate;
mod execute;
mod expansion;
mod export;
mod finished;
mod graph;
mod grid;
mod import;
mod key;
mod ledger;
mod memory;
mod next;
mod onlooker;
mod prompts;
mod purchase;
mod record;
mod records;
mod slurm;
mod stage_work;
mod status;
mod store;
mod study;
mod survey;
mod sweep;
mod tokens;
mod weak_labels;
mod workload;

pub use asked::Asked;
pub use available_memory::available_memory;
pub use error::{Error, Result};
pub use estimate::{Calibration, Estimate, estimate};
pub use execute::{ExecuteOptions, Execution, Observer, StageError, StageFailure, SweepEvent, execute};
pub use export::{ExportError, ExportForm, ExportedRun, RunExport};
pub use finished::{FinishedRun, FinishedStudy, FollowedRuns};
pub use graph::{Run, StageGraph, StageNode};
pub use import::{ImportedRuns, ImportedStudy, PUBLISHED_BUDGETS, SetAside, import_published, published_points};
pub use key::StageKey;
pub use next::{NextTexts, Sampling};
pub use onlooker::{Onlooker, SeenStudy};
pub use prompts::{KeptShot, PromptFile, Shortened};
pub use record::{GridPoint, NotAffordable, RunRecord};
pub use slurm::{Overrides, QueueCounts, SlurmError, SlurmTable, Submitted, requeue, submit_missing, task_stages};
pub use status::{RunningStage, Status};
pub use store::{
    Contents, Damage, Exported, FailureRecord, Garbage, Holder, Item, Kind, PlannedRun, PlannedStage, RunFile,
    SeenClaim, Shown, StageOutcome, Store, StudyContents, StudyPlan, StudyQuestion, SweptInputs, TestLogOdds,
    TestSetKey, WhyGarbage,
};
pub use study::{
    DefinedIn, GridTable, KeyHelp, LabelPrice, LabelerKind, LabelerTable, MatmulPrecisionName, MethodTable, ModelTable,
    Need, PoolingName, PricesTable, RowKeys, ScheduleTable, Study, StudyTable, TaskData, TaskReference, TaskTable,
    TextFiles, TooLong, VoteMerging, WeightPrecision, study_file_page, study_tables,
};
pub use sweep::{Inputs, PrepareOptions, ShortenedPrompts, Sweep, SweepSummary};
pub use weak_labels::{LabeledData, LabelerProgress, LabelsKey, LabelsOutcome, Origin, WeakLabeling, label_data};
