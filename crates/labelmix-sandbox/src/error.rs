//! What can go wrong in the sandbox.

use std::path::PathBuf;

use labelmix_files::WriteError;
use miette::Diagnostic;

/// The result of making something in the sandbox.
pub type Result<T> = std::result::Result<T, Error>;

/// A model that could not be made, or a folder that could not be written.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum Error {
    /// A file cannot be written.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Write(#[from] WriteError),
    /// A state of pretraining that was kept cannot be used.
    #[error("{}: {reason}", path.display())]
    #[diagnostic(help("remove the file: pretraining begins anew"))]
    KeptState {
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A model could not be trained or run.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Model(#[from] labelmix_models::Error),
}

impl From<labelmix_nn::Error> for Error {
    fn from(error: labelmix_nn::Error) -> Self {
        Self::Model(error.into())
    }
}
