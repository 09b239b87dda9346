//! What can go wrong in training.

use miette::Diagnostic;

/// The result of a stage.
pub type Result<T> = std::result::Result<T, Error>;

/// A stage that could not be finished.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum Error {
    /// The loss stopped being a number.
    #[error("the training loss became {loss} at step {step}")]
    #[diagnostic(help("the learning rate is too high for this model: lower `learning_rate` in the study's [recipe]"))]
    Diverged {
        /// The step, counted from one.
        step: usize,
        /// The loss.
        loss: f32,
    },
    /// The model could not be run.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Model(#[from] labelmix_models::Error),
}

impl From<labelmix_nn::Error> for Error {
    fn from(error: labelmix_nn::Error) -> Self {
        Self::Model(error.into())
    }
}
