//! The arguments of the commands about data: tasks, weak labels.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use labelmix_models::ByteSize;

use super::{EngineArguments, FormatArgument};

/// Make the weak labels of a study's [labeler], or find them in the store, and write them to a file
#[derive(Debug, Args)]
pub(crate) struct WeakLabelArguments {
    /// The study file (TOML), with a [labeler] table
    pub(crate) study: PathBuf,
    /// Where to write the labels, in the format that the name says (as for `labelmix predict`): id, split (pool or test),
    /// text, gold, weak, one row for each weak label
    #[arg(long, value_name = "FILE", required_unless_present = "dry_run")]
    pub(crate) out: Option<PathBuf>,
    /// Only say what it would take to ask the language model of [labeler.llm]: requests, tokens, dollars and time
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Where labels are kept [default: labelmix-store beside the study file]
    #[arg(long, value_name = "DIR")]
    pub(crate) store: Option<PathBuf>,
    /// The memory to stay within, such as 16GiB [default: what is available]
    #[arg(long, value_name = "SIZE")]
    pub(crate) memory: Option<ByteSize>,
    #[command(flatten)]
    pub(crate) engine: EngineArguments,
    /// Print one JSON object instead of text
    #[arg(long)]
    pub(crate) json: bool,
}

/// Say how good the weak labels of a study are, where they fail, and whether their errors can be told from the text
#[derive(Debug, Args)]
pub(crate) struct LabelReportArguments {
    /// The study file (TOML); its model is not needed
    pub(crate) study: PathBuf,
    /// A field of the rows that holds the labels of an annotator (may be repeated; two at least)
    ///
    /// The weak labels are then set beside the annotators: how good each is, whether they err on the same texts, and, by the
    /// alternative annotator test, whether the weak labels may stand in for the annotators.
    #[arg(long, value_name = "FIELD")]
    pub(crate) annotator: Vec<String>,
    /// By how much the weak labels may fall behind an annotator, who is dearer: 0.1 for a crowd, 0.15 for skilled annotators,
    /// 0.2 for experts
    #[arg(long, value_name = "SHARE", default_value = "0.1", value_parser = share, requires = "annotator")]
    pub(crate) epsilon: f64,
    /// Also break the accuracy down by this field of the training and test rows (may be repeated)
    ///
    /// The ten most frequent values, the others together, and the rows without a value; numbers of more than ten values in
    /// fifths. `a.b` is the field `b` of records in the column `a`. No field is chosen for you: of many groups, some look
    /// bad by chance, and you know which field may matter. Without `--by`, a line says which fields there are.
    #[arg(long, value_name = "FIELD")]
    pub(crate) by: Vec<String>,
    /// Where the labels of the study's [labeler] are kept, if it has one [default: labelmix-store beside the study file]
    #[arg(long, value_name = "DIR")]
    pub(crate) store: Option<PathBuf>,
    /// A folder for the report as text, JSON and figures
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) figures: FormatArgument,
    /// Print one JSON object instead of text
    #[arg(long)]
    pub(crate) json: bool,
}

/// List the tasks that labelmix knows, show one, or check one on its data
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct TasksArguments {
    #[command(subcommand)]
    pub(crate) command: Option<TasksCommand>,
    /// Print a JSON array instead of a table
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TasksCommand {
    Show(TaskShowArguments),
    Check(TaskCheckArguments),
}

/// Show a task: its data, its templates, and examples where the data is at hand
#[derive(Debug, Args)]
pub(crate) struct TaskShowArguments {
    /// The name of a task, or a task file (TOML)
    #[arg(value_name = "NAME|FILE")]
    pub(crate) task: String,
    /// Show the first N examples of each class
    #[arg(long, value_name = "N")]
    pub(crate) examples: Option<usize>,
    /// A folder with the data, instead of where the task has it
    #[arg(long, value_name = "DIR")]
    pub(crate) folder: Option<PathBuf>,
    /// Download what the examples need
    #[arg(long, requires = "examples", conflicts_with = "folder")]
    pub(crate) download: bool,
    /// Print one JSON object instead of text
    #[arg(long)]
    pub(crate) json: bool,
}

/// Check a task on all of its data: what is dropped and why, balance, duplicates, overlap with the test set, examples
#[derive(Debug, Args)]
pub(crate) struct TaskCheckArguments {
    /// The name of a task, or a task file (TOML)
    #[arg(value_name = "NAME|FILE")]
    pub(crate) task: String,
    /// A folder with the data, instead of where the task has it (the Hugging Face Hub: what the cache lacks is
    /// downloaded)
    #[arg(long, value_name = "DIR")]
    pub(crate) folder: Option<PathBuf>,
    /// Also measure the texts in tokens of this model: a folder in the Hugging Face layout, or a repository of the Hub
    #[arg(long, value_name = "MODEL")]
    pub(crate) model: Option<String>,
    /// Also ask this model, a decoder, about training texts in each wording of the task
    ///
    /// Says how well it tells the classes with nothing trained, without examples and behind some, and how a prompt and the
    /// words for the classes are cut into tokens. Whoever chooses a wording by that has used the labels of these texts.
    #[arg(long, requires = "model")]
    pub(crate) wordings: bool,
    /// Ask through the chat template of the model's tokenizer
    #[arg(long, requires = "wordings")]
    pub(crate) chat: bool,

    /// Texts to ask about, half of each class
    #[arg(long, value_name = "N", default_value_t = 200, requires = "wordings", value_parser = clap::value_parser!(u32).range(2..))]
    pub(crate) texts: u32,
    /// Labelled examples before each text, half of each class; 0 for none
    #[arg(long, value_name = "K", default_value_t = 8, requires = "wordings")]
    pub(crate) shots: u32,
    /// Print one JSON object instead of text
    #[arg(long)]
    pub(crate) json: bool,
}

/// A number from 0 to 1.
fn share(text: &str) -> Result<f64, String> {
    let share = text.parse().ok().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| "a share is a number from 0 to 1".to_owned())
}
