//! Why a stage could not be done.

use labelmix_engine::Error as EngineError;
use labelmix_store::StoreError;
use labelmix_train::Error as TrainError;
use miette::Diagnostic;

use crate::error::Error;
use crate::graph::StageNode;

/// Why a stage could not be done.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum StageError {
    /// The engine could not do it.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Engine(#[from] labelmix_engine::Error),
    /// Its inputs could not be read or its outcome not be kept.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Store(#[from] Error),
    #[error("it failed in an earlier sweep, and would fail again: {}", log.join(": "))]
    #[diagnostic(help("{help}"))]
    FailedBefore {
        /// What went wrong then.
        log: Vec<String>,
        /// What to do about it.
        help: String,
    },
    #[error("the stage that it starts from is not in the store")]
    #[diagnostic(help("`labelmix status` says whether that one failed or waits; submit again when it can be done"))]
    NothingToStartFrom,
    /// The program made a mistake.
    #[error("labelmix made a mistake: {message}")]
    #[diagnostic(help("please report this, with the study and the message above"))]
    Panicked {
        /// What it says.
        message: String,
    },
}

impl From<StoreError> for StageError {
    fn from(error: StoreError) -> Self {
        Self::Store(error.into())
    }
}

impl StageError {
    /// Whether it is no failure: the stage was asked to stop.
    pub(crate) fn is_interruption(&self) -> bool {
        matches!(self, Self::Engine(error) if error.is_interruption())
    }

    /// Whether the same stage is bound to fail again. A stage is a function of what its key is made of; what else can go
    /// wrong lies in the machine, which may do better the next time.
    pub(crate) fn repeats(&self) -> bool {
        matches!(
            self,
            Self::Engine(EngineError::Training(
                TrainError::Diverged { .. }
                    | TrainError::ValidationDiverged { .. }
                    | TrainError::ScoresAreNoNumbers { .. }
                    | TrainError::TargetNotReached { .. }
            ))
        )
    }

    /// Whether something that the stage starts from is damaged or gone: it can be made anew, and then the stage done.
    pub(crate) fn is_damaged_start(&self) -> bool {
        matches!(
            self,
            Self::Store(Error::Store(StoreError::Damaged { .. }))
                | Self::Engine(EngineError::Store(StoreError::Damaged { .. }))
        )
    }

    /// The error of a store that can take nothing more: no other stage could be kept either.
    pub(crate) fn into_full_store(self) -> Result<Error, Self> {
        use std::io::ErrorKind::{QuotaExceeded, ReadOnlyFilesystem, StorageFull};
        match self {
            Self::Store(Error::Store(StoreError::Io { path, source }))
            | Self::Engine(EngineError::Store(StoreError::Io { path, source }))
                if matches!(source.kind(), StorageFull | QuotaExceeded | ReadOnlyFilesystem) =>
            {
                Ok(StoreError::Io { path, source }.into())
            }
            other => Err(other),
        }
    }
}

/// A stage that could not be done. The stages that start from it are left out.
#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("{stage}")]
pub struct StageFailure {
    /// Which stage, in words.
    pub stage: String,
    #[source]
    #[diagnostic_source]
    pub cause: StageError,
}

impl StageFailure {
    pub(crate) fn of(stage: &StageNode, cause: StageError) -> Self {
        Self { stage: format!("the stage on {}", stage.in_words()), cause }
    }
}
