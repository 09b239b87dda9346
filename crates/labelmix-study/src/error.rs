//! What can be wrong with a study and its data.

use std::path::PathBuf;

use miette::Diagnostic;

/// The result of reading a study, or what it names.
pub type Result<T> = std::result::Result<T, StudyError>;

/// A study that cannot be used.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum StudyError {
    /// The study file cannot be read.
    #[error("{}: {source}", path.display())]
    #[diagnostic(help("give the path of a study file (TOML)"))]
    ReadStudy {
        path: PathBuf,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// The study file says something that makes no sense.
    #[error("{}: {reason}", path.display())]
    #[diagnostic(help("{help}"))]
    Study {
        path: PathBuf,
        /// What is wrong, with line and value.
        reason: String,
        /// What to do about it.
        help: String,
    },
    #[error("no point of the grid can be bought: {reason}")]
    #[diagnostic(help(
        "change the budgets of [grid], or get more labels; where balancing the classes left too few, `balance = false` in [task] \
         sells all, and a `gold_pool` there sets texts with both labels aside for gold"
    ))]
    NothingAffordable {
        /// The first point's reason.
        reason: String,
    },
    /// The data cannot be used.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Data(#[from] labelmix_data::DataError),
    /// The task cannot be used, or its data.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Task(Box<labelmix_data::TaskError>),
    /// The prices or the grid make no sense.
    #[error(transparent)]
    #[diagnostic(help("check [prices] and [grid] in the study file"))]
    Econ(#[from] labelmix_econ::EconError),
}

impl From<labelmix_data::TaskError> for StudyError {
    fn from(error: labelmix_data::TaskError) -> Self {
        Self::Task(Box::new(error))
    }
}
