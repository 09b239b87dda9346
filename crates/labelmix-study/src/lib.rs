//! Studies: what is asked.
//!
//! A [`Study`] is a study file, checked and completed with the defaults; its grid says which labels each method buys at which
//! prices, and [`Supply`] what of that can be bought.

mod error;
mod grid;
mod points;
mod runs;
mod slurm;
mod study;
mod supply;

pub use error::{Result, StudyError};
pub use grid::{WantedPoint, budget_that_pays, distinct, split_of, wanted_points, weak_share};
pub use points::{GridPoint, NotAffordable};
pub use runs::{WantedRun, run_name, runs_of};
pub use slurm::{Overrides, SlurmTable};
pub use study::{
    DefinedIn, EngineKind, EngineTable, GridTable, KeyHelp, LabelPrice, LabelerKind, LabelerTable, LlmConfidence,
    LlmForm, LlmTable, MatmulPrecisionName, MethodTable, ModelTable, NamedMethod, Need, PoolingName, PricesTable,
    Rates, RowKeys, ScheduleTable, Sharding, Study, StudyTable, TaskData, TaskReference, TaskTable, TextFiles, TooLong,
    VoteMerging, WeightPrecision, study_file_page, study_tables,
};
pub use supply::{LabelledExamples, Supply};
