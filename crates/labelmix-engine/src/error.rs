//! What can go wrong in an engine.

use std::path::PathBuf;

use labelmix_models::ByteSize;
use labelmix_store::StoreError;
use miette::Diagnostic;

/// The result of an engine's work.
pub type Result<T> = std::result::Result<T, Error>;

/// An engine that cannot be used, or work that it could not do.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum Error {
    /// Training failed, or the model cannot be used.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Training(#[from] labelmix_train::Error),
    /// What it starts from cannot be read, or what it trained not be written.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Store(#[from] StoreError),
    /// The prompt does not work with the model's tokenizer.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Prompt(#[from] labelmix_train::PromptError),
    #[error("training would take {needed} of memory, and {available} are available")]
    #[diagnostic(help("{help}"))]
    DoesNotFit {
        /// What training takes at its peak.
        needed: ByteSize,
        available: ByteSize,
        /// What would make it fit.
        help: String,
    },
    #[error("the head of the method {method:?} starts as words, but the pooling is {pooling:?}")]
    #[diagnostic(help("leave `pooling` out of [model]: what a word's row reads is the last token of a decoder"))]
    WordsAfterLastToken {
        /// The method, by its name in the study.
        method: String,
        pooling: &'static str,
    },
    #[error("{} is not the model that the run {run} fine-tuned: its weights or its configuration are others", path.display())]
    #[diagnostic(help("put the model of the run there again, or sweep with this one"))]
    OtherModel { run: String, path: PathBuf },
    #[error("no probe can be fitted: {0}")]
    #[diagnostic(help("a larger `penalty` of the method is easier to fit"))]
    Probe(labelmix_stats::StatsError),
    #[error("the model could not be tried")]
    Trial(
        #[source]
        #[diagnostic_source]
        labelmix_train::Error,
    ),
}

impl From<labelmix_models::Error> for Error {
    fn from(error: labelmix_models::Error) -> Self {
        Self::Training(error.into())
    }
}

impl Error {
    /// Whether it is no error: the work was asked to stop, and goes on with the same command.
    pub fn is_interruption(&self) -> bool {
        matches!(self, Self::Training(labelmix_train::Error::Interrupted))
    }
}
