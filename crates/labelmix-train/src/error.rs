//! What can go wrong in training.

use miette::Diagnostic;

/// The result of a stage.
pub type Result<T> = std::result::Result<T, Error>;

/// A stage that could not be finished.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum Error {
    #[error("the training loss became {loss} at step {step}")]
    #[diagnostic(help(
        "the learning rate is too high for this model: lower `learning_rate` in the study's [recipe] (a weak labeler's: in [labeler])"
    ))]
    Diverged {
        /// The step, counted from one.
        step: usize,
        loss: f32,
    },
    #[error("the validation loss became {loss} after step {step}")]
    #[diagnostic(help(
        "the learning rate is too high for this model: lower `learning_rate` in the study's [recipe] (a weak labeler's: in [labeler])"
    ))]
    ValidationDiverged {
        /// The steps that were made.
        step: usize,
        loss: f64,
    },
    #[error("{count} of the {texts} scores of the test set are not numbers")]
    #[diagnostic(help("the model says nothing after this training: lower `learning_rate` in the study's [recipe]"))]
    ScoresAreNoNumbers { count: usize, texts: usize },
    #[error(
        "no checkpoint of the weak labeler comes near the accuracy {target}: the nearest had {nearest:.3}, after \
             {step} of {steps} steps"
    )]
    #[diagnostic(help(
        "choose a `target_accuracy` between one half and what the labeler reaches without one, or give \
                       [labeler] more `epochs`, another `learning_rate` or a larger `model`"
    ))]
    TargetNotReached {
        /// The accuracy that was asked for.
        target: f64,
        /// The validation accuracy of the checkpoint nearest to it.
        nearest: f64,
        /// The step of that checkpoint.
        step: usize,
        /// Steps that were made.
        steps: usize,
    },
    /// An optimizer's state cannot be kept or read.
    #[error("{}: {source}", path.display())]
    #[diagnostic(help("remove the stage's folder and run the sweep again: only that stage is redone"))]
    OptimizerFile {
        path: std::path::PathBuf,
        /// What is wrong with it.
        source: std::io::Error,
    },
    /// It was asked to stop.
    #[error("interrupted")]
    #[diagnostic(help("the same command goes on where it was"))]
    Interrupted,
    /// Whoever runs the model says that it cannot.
    #[error("{message}")]
    #[diagnostic()]
    Backend {
        message: String,
        /// What to do about it, where it is known.
        #[help]
        help: Option<String>,
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
