//! How a sweep is prepared and carried out on this machine. None of it is part of a study, and none changes a result.

use std::collections::HashSet;
use std::path::PathBuf;
use std::time::Duration;

use labelmix_data::SplitFiles;
use labelmix_store::StageKey;
use labelmix_train::Interrupt;

/// What a study names, found on this machine. Who prepares a sweep finds it first: a sweep knows no Hub.
#[derive(Clone, Debug)]
pub struct Inputs {
    /// The folder of the study's model.
    pub model_folder: PathBuf,
    /// The files of each split of the study's task; none where its data is files of texts, which it names itself.
    pub task_files: SplitFiles,
}

/// How a sweep is carried out. None of it changes a result.
#[derive(Clone, Debug)]
pub struct ExecuteOptions {
    /// Who may interrupt it.
    pub interrupt: Interrupt,
    /// The time between two states of a training that are kept, to go on from after an interruption.
    pub keep_every: Duration,
    /// Whether stages that failed before and would fail again are tried all the same.
    pub retry_failed: bool,
    /// The stages that are to be done, where others do the rest; all of them, if it does not say.
    pub only: Option<HashSet<StageKey>>,
}

impl Default for ExecuteOptions {
    fn default() -> Self {
        Self { interrupt: Interrupt::default(), keep_every: Duration::from_secs(30), retry_failed: false, only: None }
    }
}

/// How often a process that has nothing else to do looks after the stages that others are at, and after interruptions.
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(200);
