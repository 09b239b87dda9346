//! What can go wrong between a study file and its results.

use std::path::PathBuf;

use labelmix_data::Accounted;
use labelmix_store::{StageKey, StoreError};
use labelmix_study::StudyError;
use miette::Diagnostic;

use crate::stage_error::{StageError, StageFailure};

/// The result of a step of a sweep.
pub type Result<T> = std::result::Result<T, Error>;

/// A sweep that cannot start or go on.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum Error {
    /// The study cannot be read, or its data not be used.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Study(Box<StudyError>),
    /// The store cannot be used, or is damaged.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Store(#[from] StoreError),
    /// What follows from the data that was read, after the account of it.
    #[error(transparent)]
    #[diagnostic(transparent)]
    OfWhatWasRead(Accounted<Error>),
    /// The engine cannot be used.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Engine(#[from] labelmix_engine::Error),
    #[error("the weak labels of the study's [labeler] are not in the store ({})", path.display())]
    #[diagnostic(help("make them with `labelmix sweep` or `labelmix weak-label`, with this study and this store"))]
    NoWeakLabels {
        key: StageKey,
        /// Where they would be.
        path: PathBuf,
    },
    #[error("the study {study:?} has no [labeler]")]
    #[diagnostic(help(
        "add a [labeler] table with the model that makes the weak labels: model = \"organisation/name\""
    ))]
    NoLabeler {
        /// The study's name.
        study: String,
    },
    #[error("the labeler is left with {train} gold labels to train on and {validation} to validate on")]
    #[diagnostic(help(
        "the training data needs more examples with a gold label that the labeler can read: at least 4"
    ))]
    LabelerStarves {
        /// Gold labels to train on.
        train: usize,
        /// Gold labels to validate on.
        validation: usize,
    },
    #[error("[labeler] has shots = {shots}, and {there} gold labels are left for it")]
    #[diagnostic(help(
        "it takes at most half of the examples with a gold label: lower `shots`, or give it a `gold_file` of its own"
    ))]
    NoShotsForLabeler {
        shots: usize,
        /// Gold labels that it can have.
        there: usize,
    },
    #[error("the weak labels of the study {study:?} cost nothing: no language model behind a service is asked")]
    #[diagnostic(help("`--dry-run` is for studies with `kind = \"llm\"` in [labeler]"))]
    NothingToBuy {
        /// The study's name.
        study: String,
    },
    /// A language model behind a service gave no labels.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Llm(#[from] labelmix_llm::Error),
    #[error("[labeler] has proxy = true, but no example has a proxy text")]
    #[diagnostic(help("leave `proxy` out, or name a task whose examples have a proxy text"))]
    NoProxyTexts,
    /// A text that the labeler cannot read.
    #[error("the labeler: {source}")]
    #[diagnostic(help("set `too_long` for the labeler: model = {{ path = \"…\", too_long = \"cut\" }} in [labeler]"))]
    LabelerText {
        /// What is wrong with it.
        source: labelmix_models::Error,
    },
    /// The labeler could not be trained, or not label.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Labeler(Box<StageFailure>),
    /// Labels of the accuracy that was asked for cannot be made.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Stats(#[from] labelmix_stats::StatsError),
    #[error("the study has no method {method:?}")]
    #[diagnostic(help("name one of the study's methods, as its file has them"))]
    NoSuchMethod { method: String },
    /// A folder of results cannot be read.
    #[error("{}: {source}", path.display())]
    #[diagnostic(help("give a folder that holds results of the published code, and that you may read"))]
    ReadResults {
        path: PathBuf,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// A folder holds no results of the published code that can be used.
    #[error("{}: {reason}", path.display())]
    #[diagnostic(help(
        "give the folder `results` that the published code wrote, one of a task in it, or one of a run, with its \
         results.json"
    ))]
    NothingToImport {
        path: PathBuf,
        /// What is missing.
        reason: String,
    },
    #[error("stages of {runs} runs went away while the sweep was at work, again and again")]
    #[diagnostic(help(
        "see what deletes files of the store, such as a cleaner of scratch disks; then run the sweep again"
    ))]
    StagesGone { runs: usize },
    /// The cluster does not do what is asked of it.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Slurm(#[from] crate::slurm::SlurmError),
    /// A run cannot be exported, or not to there.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Export(#[from] crate::export::ExportError),
}

impl From<StudyError> for Error {
    fn from(error: StudyError) -> Self {
        Self::Study(Box::new(error))
    }
}

impl From<labelmix_models::Error> for Error {
    fn from(error: labelmix_models::Error) -> Self {
        Self::Engine(error.into())
    }
}

impl From<labelmix_train::PromptError> for Error {
    fn from(error: labelmix_train::PromptError) -> Self {
        Self::Engine(error.into())
    }
}

impl Error {
    /// The error of a labeler whose labels could not be made.
    pub(crate) fn labeler(error: StageError) -> Self {
        match error {
            StageError::Store(error) => error,
            cause => {
                let stage = "the weak labeler could not be trained, or not label".to_owned();
                Self::Labeler(Box::new(StageFailure { stage, cause }))
            }
        }
    }

    /// Whether it is no error: the work was asked to stop, and goes on with the same command.
    pub fn is_interruption(&self) -> bool {
        matches!(self, Self::Labeler(failure) if failure.cause.is_interruption())
    }
}
