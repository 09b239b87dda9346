//! What can go wrong between a study file and its results.

use std::path::{Path, PathBuf};

use labelmix_data::Accounted;
use labelmix_models::ByteSize;
use miette::Diagnostic;

/// The result of a step of a sweep.
pub type Result<T> = std::result::Result<T, Error>;

/// A sweep that cannot start or go on.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum Error {
    /// The study file cannot be read.
    #[error("{}: {source}", path.display())]
    #[diagnostic(help("give the path of a study file (TOML)"))]
    ReadStudy {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// The study file says something that makes no sense.
    #[error("{}: {reason}", path.display())]
    #[diagnostic(help("{help}"))]
    Study {
        /// The file.
        path: PathBuf,
        /// What is wrong, with line and value.
        reason: String,
        /// What to do about it.
        help: String,
    },
    /// The store cannot be used.
    #[error("the store {}: {source}", path.display())]
    #[diagnostic(help("choose a folder that you may write to, on a disk with space, with --store"))]
    Store {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// A folder that was to hold a store holds none.
    #[error("{} is no store of labelmix", path.display())]
    #[diagnostic(help(
        "give the folder that `labelmix sweep` keeps its results in: labelmix-store beside the study file, unless --store names another"
    ))]
    NoStore {
        /// The folder.
        path: PathBuf,
    },
    /// A study of which the store does not say what it consists of.
    #[error("the study {study} has not been swept into {}", path.display())]
    #[diagnostic(help(
        "`labelmix sweep` does it, and finds again what is done already; --store names the store, if it is another one"
    ))]
    NotSwept {
        /// The study's name.
        study: String,
        /// The store.
        path: PathBuf,
    },
    /// Something that was asked for is not in the store.
    #[error("{} has no {what} {name:?}", path.display())]
    #[diagnostic(help("{help}"))]
    NotInStore {
        /// The store.
        path: PathBuf,
        /// What was asked for.
        what: &'static str,
        /// Its name.
        name: String,
        /// What there is.
        help: String,
    },
    /// A kept file is damaged.
    #[error("{}: {reason}", path.display())]
    #[diagnostic(help(
        "`labelmix store verify STORE --set-aside` moves what is damaged out of the way; then `labelmix sweep` does only \
         that anew"
    ))]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Every point of the grid asks for more labels than there are.
    #[error("no point of the grid can be bought: {reason}")]
    #[diagnostic(help(
        "change the budgets of [grid], or get more labels; where balancing the classes left too few, `balance = false` in [task] \
         sells all, and a `gold_pool` there sets texts with both labels aside for gold"
    ))]
    NothingAffordable {
        /// The first point's reason.
        reason: String,
    },
    /// What follows from the data that was read, after the account of it.
    #[error(transparent)]
    #[diagnostic(transparent)]
    OfWhatWasRead(Accounted<Error>),
    /// Training would need more memory than there is.
    #[error("training would take {needed} of memory, and {available} are available")]
    #[diagnostic(help("{help}"))]
    DoesNotFit {
        /// What training takes at its peak.
        needed: ByteSize,
        /// What there is.
        available: ByteSize,
        /// What would make it fit.
        help: String,
    },
    /// A head of words reads the last token, and another pooling was asked for.
    #[error("the head of the method {method:?} starts as words, but the pooling is {pooling:?}")]
    #[diagnostic(help("leave `pooling` out of [model]: what a word's row reads is the last token of a decoder"))]
    WordsAfterLastToken {
        /// The method, by its name in the study.
        method: String,
        /// The pooling.
        pooling: &'static str,
    },
    /// The weak labels are not in the store, and were not to be made now.
    #[error("the weak labels of the study's [labeler] are not in the store ({})", path.display())]
    #[diagnostic(help("make them with `labelmix sweep` or `labelmix weak-label`, with this study and this store"))]
    NoWeakLabels {
        /// Where they would be.
        path: PathBuf,
    },
    /// Weak labels were asked of a study that says nothing of them.
    #[error("the study {study:?} has no [labeler]")]
    #[diagnostic(help(
        "add a [labeler] table with the model that makes the weak labels: model = \"organisation/name\""
    ))]
    NoLabeler {
        /// The study's name.
        study: String,
    },
    /// A labeler has too little to learn from.
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
    /// A labeler was to read proxy texts that are not there.
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
    /// The labeler could not be trained.
    #[error("the weak labeler could not be trained, or not label")]
    Labeler(
        #[source]
        #[diagnostic_source]
        labelmix_elicit::Error,
    ),
    /// The model could not be tried before a sweep.
    #[error("the model could not be tried")]
    Trial(
        #[source]
        #[diagnostic_source]
        labelmix_elicit::Error,
    ),
    /// Labels of the accuracy that was asked for cannot be made.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Stats(#[from] labelmix_stats::StatsError),
    /// A method that the study does not have.
    #[error("the study has no method {method:?}")]
    #[diagnostic(help("name one of the study's methods, as its file has them"))]
    NoSuchMethod {
        /// The name.
        method: String,
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
    /// A folder of results cannot be read.
    #[error("{}: {source}", path.display())]
    #[diagnostic(help("give a folder that holds results of the published code, and that you may read"))]
    ReadResults {
        /// The folder.
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
        /// The folder.
        path: PathBuf,
        /// What is missing.
        reason: String,
    },
    /// The cluster does not do what is asked of it.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Slurm(#[from] crate::slurm::SlurmError),
    /// A run whose predictions rank nothing.
    #[error("the run {run} has no AUROC on the test set")]
    #[diagnostic(help(
        "the AUROC needs test examples of both classes and predictions that are numbers; the accuracy does not"
    ))]
    NoAuroc {
        /// The run.
        run: String,
    },
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
    /// Two runs that were tested on different texts.
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
    /// A run cannot be exported, or not to there.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Export(#[from] crate::export::ExportError),
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
    /// The prompt does not work with the model's tokenizer.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Prompt(#[from] labelmix_elicit::PromptError),
    /// The model cannot be used.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Model(#[from] labelmix_models::Error),
}

impl From<labelmix_data::TaskError> for Error {
    fn from(error: labelmix_data::TaskError) -> Self {
        Self::Task(Box::new(error))
    }
}

impl Error {
    /// Whether it is no error: the work was asked to stop, and goes on with the same command.
    #[must_use]
    pub fn is_interruption(&self) -> bool {
        matches!(self, Self::Labeler(labelmix_elicit::Error::Interrupted))
    }

    pub(crate) fn store(path: &Path) -> impl FnOnce(std::io::Error) -> Self + '_ {
        |source| Self::Store { path: path.to_owned(), source }
    }
}
