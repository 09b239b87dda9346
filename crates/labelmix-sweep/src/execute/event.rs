//! What a sweep tells while it runs, and what can become of a stage.

use labelmix_store::{Damage, FailureRecord, Holder, RunRecord, StageOutcome};
use labelmix_train::StageProgress;
use miette::Diagnostic;

use crate::StageError;
use crate::graph::StageNode;

/// Who hears of a sweep while it runs. Calls come from several threads.
pub trait Observer: Sync {
    /// Something happened.
    fn hear(&self, event: &SweepEvent<'_>);
}

/// Something that happens in a sweep.
#[derive(Clone, Copy, Debug)]
pub enum SweepEvent<'a> {
    /// A stage is in the store, from an earlier sweep.
    StageKept {
        /// The stage.
        stage: &'a StageNode,
        /// Its outcome.
        outcome: &'a StageOutcome,
    },
    /// A stage's folder was found damaged and set aside: it is among the missing ones.
    StageDamaged {
        /// The stage.
        stage: &'a StageNode,
        /// What is wrong.
        damage: &'a Damage,
    },
    /// Work begins on what is missing.
    Began {
        /// The missing stages.
        stages: &'a [&'a StageNode],
        /// How much work each is expected to be, in texts that are read once.
        work: &'a [f64],
        /// How many are done at a time.
        jobs: usize,
    },
    /// A worker began a stage.
    StageBegan {
        /// The worker, from 0 to below the number of jobs.
        worker: usize,
        /// The stage.
        stage: &'a StageNode,
    },
    /// Another process is at a stage; it is waited for.
    StageElsewhere {
        /// The stage.
        stage: &'a StageNode,
        /// Who is at it, if that can be told.
        holder: Option<&'a Holder>,
    },
    /// A worker made a step.
    StageProgressed {
        /// The worker.
        worker: usize,
        /// The stage.
        stage: &'a StageNode,
        /// Where it is.
        progress: StageProgress,
    },
    /// A stage's outcome is kept.
    StageFinished {
        /// The worker; none if another process did it.
        worker: Option<usize>,
        /// The stage.
        stage: &'a StageNode,
        /// Its outcome.
        outcome: &'a StageOutcome,
    },
    /// A stage failed, now or, if it would fail again, in an earlier sweep.
    StageFailed {
        /// The worker; none if it was not tried.
        worker: Option<usize>,
        /// The stage.
        stage: &'a StageNode,
        /// Why.
        failure: &'a StageFailure,
    },
    /// All stages of a run are done, and its record is kept.
    RunFinished {
        /// What came out.
        record: &'a RunRecord,
    },
}

/// A stage that could not be done. The stages that start from it are left out.
#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("{stage}")]
pub struct StageFailure {
    /// Which stage, in words.
    pub stage: String,
    /// Why.
    #[source]
    #[diagnostic_source]
    pub cause: StageError,
}

impl StageFailure {
    pub(super) fn of(stage: &StageNode, cause: StageError) -> Self {
        Self { stage: format!("the stage on {}", stage.in_words()), cause }
    }

    pub(super) fn from_record(stage: &StageNode, FailureRecord { log, help, .. }: FailureRecord) -> Self {
        let again = "with --retry-failed it is tried all the same";
        let help = help.map_or_else(|| again.to_owned(), |help| format!("{help}; {again}"));
        Self::of(stage, StageError::FailedBefore { log, help })
    }

    /// What is kept of it.
    pub(super) fn record(&self, stage: &StageNode, study: &str) -> FailureRecord {
        let (mut log, mut help) = (Vec::new(), None);
        let mut cause: Option<&dyn Diagnostic> = Some(&self.cause);
        while let Some(error) = cause {
            log.push(error.to_string());
            help = error.help().map(|help| help.to_string()).or(help);
            cause = error.diagnostic_source();
        }
        FailureRecord {
            key: stage.key.clone(),
            stage: self.stage.clone(),
            study: study.to_owned(),
            log,
            help,
            repeats: self.cause.repeats(),
        }
    }
}
