//! What is told of a sweep, as JSON: `status.json` of a study and `studies.json`.

use labelmix_store::{FailureRecord, RunningStage, Status};
use serde::Serialize;

/// Stages that are told one by one.
const SHOWN: usize = 20;

/// How far a study is: as `labelmix status --json`, with lists that stay short.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Progress {
    runs: usize,
    finished_runs: usize,
    stages: usize,
    finished: usize,
    running_in_all: usize,
    running: Vec<Running>,
    waiting: usize,
    failed_in_all: usize,
    failed: Vec<Failed>,
    /// Behind a failed one.
    blocked: usize,
    seconds_left: Option<f64>,
}

#[derive(Clone, Debug, Serialize)]
struct Running {
    stage: String,
    holder: Option<String>,
}

#[derive(Clone, Debug, Serialize)]
struct Failed {
    stage: String,
    /// The error and its causes, outermost first.
    log: Vec<String>,
    help: Option<String>,
}

impl From<&Status> for Progress {
    fn from(status: &Status) -> Self {
        let running = |RunningStage { stage, holder, .. }: &RunningStage| Running {
            stage: stage.clone(),
            holder: holder.as_ref().map(ToString::to_string),
        };
        let failed = |FailureRecord { stage, log, help, .. }: &FailureRecord| Failed {
            stage: stage.clone(),
            log: log.clone(),
            help: help.clone(),
        };
        Self {
            runs: status.runs,
            finished_runs: status.finished_runs,
            stages: status.stages,
            finished: status.finished,
            running_in_all: status.running.len(),
            running: status.running.iter().take(SHOWN).map(running).collect(),
            waiting: status.waiting,
            failed_in_all: status.failed.len(),
            failed: status.failed.iter().take(SHOWN).map(failed).collect(),
            blocked: status.blocked,
            seconds_left: status.seconds_left,
        }
    }
}

impl Progress {
    /// Whether somebody is at a stage, or one waits.
    pub(crate) fn goes_on(&self) -> bool {
        self.running_in_all + self.waiting > 0
    }
}

/// `status.json`.
#[derive(Debug, Serialize)]
pub(crate) struct StudySeen<'a> {
    /// Whether the store has been looked at.
    pub(crate) looked: bool,
    /// None if the store does not say what the study consists of.
    pub(crate) progress: Option<&'a Progress>,
    pub(crate) results: ResultsSeen<'a>,
    /// What is not as it should be, in words.
    pub(crate) notes: Vec<&'a str>,
}

/// The results that `data.json` has.
#[derive(Debug, Serialize)]
pub(crate) struct ResultsSeen<'a> {
    /// Different whenever they are; none as long as there are none.
    pub(crate) version: Option<&'a str>,
    /// Of so many runs.
    pub(crate) runs: usize,
    #[serde(flatten)]
    pub(crate) doing: Doing,
}

/// What is being done for newer results.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub(crate) enum Doing {
    #[default]
    Current,
    /// So many of the new runs are read.
    Reading { read: usize, of_runs: usize },
    /// The new results are computed.
    Computing,
}

/// `studies.json`.
#[derive(Debug, Serialize)]
pub(crate) struct StudiesSeen<'a> {
    /// The store's folder.
    pub(crate) store: String,
    pub(crate) looked: bool,
    /// Why the store cannot be read, if it cannot.
    pub(crate) problem: Option<&'a str>,
    pub(crate) studies: Vec<StudyLine<'a>>,
}

/// A study in the list.
#[derive(Debug, Serialize)]
pub(crate) struct StudyLine<'a> {
    pub(crate) study: &'a str,
    pub(crate) progress: Option<&'a Progress>,
    pub(crate) problem: Option<&'a str>,
}
