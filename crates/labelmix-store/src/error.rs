//! What can be wrong with a store.

use std::path::{Path, PathBuf};

use labelmix_study::StudyError;
use miette::Diagnostic;

/// The result of reading or writing a store.
pub type Result<T> = std::result::Result<T, StoreError>;

/// A store that cannot be used, or does not have what is asked for.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum StoreError {
    /// The store cannot be used.
    #[error("the store {}: {source}", path.display())]
    #[diagnostic(help("choose a folder that you may write to, on a disk with space, with --store"))]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system says.
        source: std::io::Error,
    },
    #[error("{} is no store of labelmix", path.display())]
    #[diagnostic(help(
        "give the folder that `labelmix sweep` keeps its results in: labelmix-store beside the study file, unless --store names another"
    ))]
    NoStore { path: PathBuf },
    #[error("{} has no labelmix-store.json, which says that it is a store", path.display())]
    #[diagnostic(help(
        "nothing is deleted from what may be something else; if it is a store from before, `labelmix sweep` marks it"
    ))]
    NoMarker { path: PathBuf },
    #[error("{}: the store has the format {format}, which this version of labelmix does not know", path.display())]
    #[diagnostic(help("use the version of labelmix that wrote it, or a later one"))]
    NewerFormat { path: PathBuf, format: u32 },
    #[error("the study {study} has not been swept into {}", path.display())]
    #[diagnostic(help(
        "`labelmix sweep` does it, and finds again what is done already; --store names the store, if it is another one"
    ))]
    NotSwept {
        /// The study's name.
        study: String,
        path: PathBuf,
    },
    #[error("{} is there already", path.display())]
    #[diagnostic(help("name a folder that is not there yet"))]
    Taken { path: PathBuf },
    /// Something that was asked for is not in the store.
    #[error("{} has no {what} {name:?}", path.display())]
    #[diagnostic(help("{help}"))]
    NotInStore {
        path: PathBuf,
        /// What was asked for.
        what: &'static str,
        name: String,
        help: String,
    },
    /// A kept file is damaged.
    #[error("{}: {reason}", path.display())]
    #[diagnostic(help(
        "`labelmix store verify STORE --set-aside` moves what is damaged out of the way; then `labelmix sweep` does only \
         that anew"
    ))]
    Damaged {
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A folder without runs.
    #[error("{} holds no runs", path.display())]
    #[diagnostic(help(
        "give the store of a sweep: the folder labelmix-store beside its study file, or what --store named"
    ))]
    NoRecordedRuns {
        /// The folder that was given.
        path: PathBuf,
    },
    /// A run that was asked for has no results.
    #[error("{} holds no finished run", path.display())]
    #[diagnostic(help("give a folder of the store's runs/, such as the ones that `labelmix sweep` lists with --json"))]
    NoSuchRun {
        /// The folder that was given.
        path: PathBuf,
    },
    #[error("the run {run} has no AUROC on the test set")]
    #[diagnostic(help(
        "the AUROC needs test examples of both classes and predictions that are numbers; the accuracy does not"
    ))]
    NoAuroc { run: String },
    /// A run and a test set that do not belong together.
    #[error("{}: {reason}", path.display())]
    #[diagnostic(help(
        "give the study that made the run, with its test data as it was; `labelmix sweep` makes the runs of a study that has changed"
    ))]
    OtherTestSet {
        /// The run's folder.
        path: PathBuf,
        /// In what they differ.
        reason: String,
    },
    #[error("the two runs were tested on different texts: {first} and {second}, {common} of them in common")]
    #[diagnostic(help("compare runs of one study, or of studies with the same test data and the same `max_test`"))]
    DifferentTests {
        /// Texts of the first run's test set.
        first: usize,
        /// Texts of the second one's.
        second: usize,
        /// Texts of both.
        common: usize,
    },
    /// The study cannot be read, or its data not be used.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Study(Box<StudyError>),
}

impl From<StudyError> for StoreError {
    fn from(error: StudyError) -> Self {
        Self::Study(Box::new(error))
    }
}

impl StoreError {
    /// What the operating system says of a file or folder.
    pub fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self + '_ {
        |source| Self::Io { path: path.to_owned(), source }
    }
}
