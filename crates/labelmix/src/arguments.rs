//! The arguments of every command.

mod data;
mod engine;
mod figures;
mod plan;
mod results;
mod serve;
mod slurm;
mod store;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use labelmix_data::Encoding;
use labelmix_models::ByteSize;
use labelmix_study::EngineKind;

pub(crate) use self::data::{
    LabelReportArguments, TaskCheckArguments, TaskShowArguments, TasksArguments, TasksCommand, WeakLabelArguments,
};
pub(crate) use self::engine::{EngineCheckArguments, EngineCommand, EngineCommandArguments, TorchArguments};
pub(crate) use self::figures::{FigureArguments, FormatArgument};
pub(crate) use self::plan::{Have, IngestArguments, PlanArguments, PriceList};
pub(crate) use self::results::{
    CompareArguments, ExportArguments, ImportArguments, ReportArguments, ShowArguments, Statistic,
};
pub(crate) use self::serve::ServeArguments;
pub(crate) use self::slurm::{Executor, SlurmArguments, SlurmTaskArguments};
pub(crate) use self::store::{
    StoreArguments, StoreCommand, StoreExportArguments, StoreGarbageArguments, StoreListArguments, StoreShowArguments,
    StoreVerifyArguments,
};

/// Find the mix of cheap and expert labels that buys the most accuracy.
#[derive(Debug, Parser)]
#[command(name = "labelmix", version, about)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Demo(DemoArguments),
    Sweep(SweepArguments),
    Status(StatusArguments),
    WeakLabel(WeakLabelArguments),
    Report(ReportArguments),
    Serve(ServeArguments),
    Plan(PlanArguments),
    Ingest(IngestArguments),
    Compare(CompareArguments),
    Show(ShowArguments),
    LabelReport(LabelReportArguments),
    Import(ImportArguments),
    Predict(PredictArguments),
    Export(ExportArguments),
    Store(StoreArguments),
    Tasks(TasksArguments),
    Methods(MethodsArguments),
    StudyFile(StudyFileArguments),
    Inspect(InspectArguments),
    Sandbox(SandboxArguments),
    Engine(EngineCommandArguments),
    Doctor(DoctorArguments),
    #[command(hide = true)]
    SlurmTask(SlurmTaskArguments),
}

/// Where a model runs.
#[derive(Clone, Debug, Args)]
pub(crate) struct DeviceArgument {
    /// Where the model runs: auto, cpu, cuda:N or metal; the native engine uses the processor alone
    #[arg(long, value_name = "DEVICE", default_value = "auto")]
    pub(crate) device: String,
}

/// Who runs the model, and where.
#[derive(Debug, Args)]
pub(crate) struct EngineArguments {
    #[command(flatten)]
    pub(crate) device: DeviceArgument,
    /// Who runs the model [default: the study's [engine], or native]
    #[arg(long, value_name = "ENGINE", value_parser = engine_kind)]
    pub(crate) engine: Option<EngineKind>,
    /// Run the program or the interpreter that the study's [engine] names
    #[arg(long)]
    pub(crate) allow_command: bool,
}

impl EngineArguments {
    /// What is meant where nobody can say anything.
    pub(crate) fn of_study() -> Self {
        Self { device: DeviceArgument { device: "auto".to_owned() }, engine: None, allow_command: false }
    }
}

fn engine_kind(name: &str) -> Result<EngineKind, String> {
    match name {
        "native" => Ok(EngineKind::Native),
        "torch" => Ok(EngineKind::Torch),
        _ => Err("expected native or torch; a program of your own stands in the study's [engine]".to_owned()),
    }
}

const STUDY_EXAMPLE: &str = r#"A study file:

  name = "reviews"
  [task]
  train = "train.jsonl"        # JSONL, CSV or Parquet; relative to this file
  test = "test.jsonl"
  text = "text"                # column names
  gold = "gold"                # 0 or 1
  weak = "weak"                # 0, 1, or a probability
  max_test = 1000
  [model]
  path = "all-MiniLM-L6-v2"    # a folder in the Hugging Face layout, or org/name@revision of the Hub
  weights = "auto"             # optional: f32, bf16 or nf4
  matmul_precision = "f32"     # optional: bf16 is faster on recent processors, with bf16 rounding
  activation_checkpointing = false   # optional: less memory, more time
  [labeler]                    # optional, in place of a column of weak labels (docs/weak-labels.md)
  model = "org/name"           # a small model, fine-tuned on gold labels of its own
  target_accuracy = 0.8        # optional: how good its labels are to be
  [prices]                     # dollars per label
  weak = 0.10
  gold = 1.00
  [grid]
  budgets = [16, 64, 256]      # dollars
  weak_fractions = [0.0, 0.5, 1.0]
  weak_counts = [0, 80, 640]   # optional, beside or instead of fractions: each number of weak labels
  gold_counts = [0, 16, 64]    # with each number of gold ones
  seeds = [0, 1, 2]
  [[methods]]                  # or: methods = ["seq-sft", "few-shot"]; `labelmix methods` lists them
  name = "seq-sft"
  [recipe]                     # optional
  total_examples = 30000
  learning_rate = 5e-4
  [slurm]                      # optional, for --executor slurm (docs/slurm.md)
  partition = "gpu"
  gres = "gpu:1"
  time = "02:00:00"

The data may also be a task (`labelmix tasks` lists them; docs/tasks.md):

  [task]
  name = "sciq"                # or: file = "mine.toml"
  folder = "data"              # optional: a folder with the data, instead of the Hugging Face Hub
  template = "{{ question }} {{ answer }}"   # optional, and `proxy`: other templates than the task's
  weak = ["ann", "bob"]        # optional: a column of weak labels, or several; or a table [task.weak]
  merge = "dawid-skene"        # optional: how several become one label: mean, majority or dawid-skene
  max_test = 1000

Results are kept as they come: after an interruption the same command goes on where it was, also in the middle of a
stage. Several sweeps may use one store at once: no stage is done twice.

Exit status: 0 done, 1 a mistake in the input, 2 an error of labelmix, 3 some stages failed, 4 interrupted by a signal
(a second one ends the sweep at once, with 128 and its number)."#;

/// Fine-tune with every mix of a study and print accuracy for every budget
#[derive(Debug, Args)]
#[command(after_help = STUDY_EXAMPLE)]
pub(crate) struct SweepArguments {
    /// The study file (TOML)
    pub(crate) study: PathBuf,
    /// Where results are kept [default: labelmix-store beside the study file]
    #[arg(long, value_name = "DIR")]
    pub(crate) store: Option<PathBuf>,
    /// How many stages are trained at a time [default: one per core for small models, as far as memory goes]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) jobs: Option<u16>,
    /// The memory to stay within, such as 16GiB [default: what is available]
    #[arg(long, value_name = "SIZE")]
    pub(crate) memory: Option<ByteSize>,
    /// Only say what there is to do, and how much time and memory it will take, after a trial of a few seconds
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Try stages again that failed before and would fail again; others that failed are tried in any case
    #[arg(long)]
    pub(crate) retry_failed: bool,
    /// The seconds between two states of a stage that are kept, to go on from after an interruption
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    pub(crate) checkpoint_every: u64,
    #[command(flatten)]
    pub(crate) watch: WatchArguments,
    #[command(flatten)]
    pub(crate) slurm: SlurmArguments,
    #[command(flatten)]
    pub(crate) engine: EngineArguments,
    /// Print one JSON object instead of tables
    #[arg(long)]
    pub(crate) json: bool,
}

/// The files that tell of a sweep while it runs.
#[derive(Debug, Args)]
pub(crate) struct WatchArguments {
    /// Append what happens to this file as it happens, a line of JSON each
    #[arg(long, value_name = "FILE.jsonl")]
    pub(crate) events: Option<PathBuf>,
    /// Write the curves of each stage into a folder of its own under DIR/STUDY, for TensorBoard
    #[arg(long, value_name = "DIR")]
    pub(crate) tensorboard: Option<PathBuf>,
}

/// Say how far a study is: stages done, running, waiting, failed, and the time left
#[derive(Debug, Args)]
pub(crate) struct StatusArguments {
    /// The study file (TOML)
    pub(crate) study: PathBuf,
    /// Where results are kept [default: labelmix-store beside the study file]
    #[arg(long, value_name = "DIR")]
    pub(crate) store: Option<PathBuf>,
    /// Say it again every two seconds, until everything is done
    #[arg(long)]
    pub(crate) watch: bool,
    /// Print one JSON object instead of text (with --watch, one a line)
    #[arg(long)]
    pub(crate) json: bool,
}

/// Classify new texts with a finished run
#[derive(Debug, Args)]
pub(crate) struct PredictArguments {
    /// The run's folder, such as labelmix-store/runs/reviews/seq-sft_w320_g32_s0
    #[arg(long, value_name = "RUN")]
    pub(crate) run: PathBuf,
    /// The table of texts
    #[arg(long, value_name = "FILE")]
    pub(crate) input: PathBuf,
    /// The column of texts [default: where the run's study had them, or text]
    #[arg(long, value_name = "NAME")]
    pub(crate) text: Option<String>,
    /// How the table's characters are encoded, where it is a text that is not Unicode: windows-1252, for instance
    #[arg(long, value_name = "NAME")]
    pub(crate) encoding: Option<Encoding>,
    /// Where to write the rows with their id, label, probability of label 1, and log-odds; the name says the format: .jsonl,
    /// .json, .csv, .tsv (also .gz and .zst), .parquet, .arrow, .feather, .xlsx
    #[arg(long, value_name = "FILE")]
    pub(crate) output: PathBuf,
    /// Cut texts that are longer than the run reads (its `max_length`, or the model's context) instead of refusing them
    #[arg(long)]
    pub(crate) cut: bool,
    #[command(flatten)]
    pub(crate) engine: EngineArguments,
}

/// List the elicitation methods, or explain one with its options
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct MethodsArguments {
    #[command(subcommand)]
    pub(crate) command: Option<MethodsCommand>,
    /// Print a JSON array instead of a table
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum MethodsCommand {
    Show(MethodShowArguments),
}

/// Explain a method: what it does and pays for, its options and their defaults, an example of study text
#[derive(Debug, Args)]
pub(crate) struct MethodShowArguments {
    /// The method's name
    pub(crate) method: String,
    /// Print one JSON object instead of text
    #[arg(long)]
    pub(crate) json: bool,
}

/// Explain the study file: every table and key, with defaults and what makes sense
#[derive(Debug, Args)]
pub(crate) struct StudyFileArguments {
    /// Only this table, such as grid or task.weak
    pub(crate) table: Option<String>,
    /// Print a JSON array instead of text
    #[arg(long)]
    pub(crate) json: bool,
    /// Print the reference as Markdown, with the options of every method
    #[arg(long, conflicts_with_all = ["table", "json"])]
    pub(crate) markdown: bool,
}

/// Show what a checkpoint is, and what it makes of texts
#[derive(Debug, Args)]
pub(crate) struct InspectArguments {
    /// A folder in the Hugging Face layout, or a repository of the Hub (org/name, org/name@revision)
    pub(crate) model: String,
    /// Texts to tokenize and, with a decoder, to continue: JSONL with the field `text`
    #[arg(long, value_name = "FILE")]
    pub(crate) texts: Option<PathBuf>,
    /// Write the tensors `token_ids_I` and `logits_I` [tokens, vocabulary] (`hidden_I` [tokens, hidden] for an
    /// encoder) of every text I, counted from 0
    #[arg(long, value_name = "OUT.safetensors", requires = "texts")]
    pub(crate) logits: Option<PathBuf>,
    /// The precision in which the frozen weights are kept: auto, f32, bf16 or nf4
    #[arg(long, value_name = "PRECISION", default_value = "auto")]
    pub(crate) weights: String,
    /// Print one JSON object instead of text
    #[arg(long)]
    pub(crate) json: bool,
}

/// Say what this machine can do and which recipes of a model fit into its memory
#[derive(Debug, Args)]
pub(crate) struct DoctorArguments {
    /// A folder in the Hugging Face layout, or a repository of the Hub (only its config.json is downloaded)
    #[arg(long, value_name = "MODEL")]
    pub(crate) model: Option<String>,
    /// A study file, for its recipe and its model
    #[arg(long, value_name = "STUDY")]
    pub(crate) study: Option<PathBuf>,
    /// The memory to plan for, such as 16GiB [default: what is available]
    #[arg(long, value_name = "SIZE")]
    pub(crate) memory: Option<ByteSize>,
    /// Print one JSON object instead of text
    #[arg(long)]
    pub(crate) json: bool,
    /// Ask this engine what it finds: torch
    #[arg(long, value_name = "ENGINE", value_parser = engine_kind)]
    pub(crate) engine: Option<EngineKind>,
    #[command(flatten)]
    pub(crate) device: DeviceArgument,
}

/// A synthetic world and tiny language models that are pretrained on it: experiments without a download
#[derive(Debug, Args)]
pub(crate) struct SandboxArguments {
    #[command(subcommand)]
    pub(crate) command: SandboxCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum SandboxCommand {
    Pretrain(PretrainArguments),
}

/// Pretrain the strong and the weak language model from nothing (minutes), and write them and the world's questions
///
/// After an interruption the same command goes on where it was.
#[derive(Debug, Args)]
pub(crate) struct PretrainArguments {
    /// The folder to write: strong/ and weak/ in the Hugging Face layout, card.json, train.jsonl, test.jsonl, labeler.jsonl
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Decides the world: names, facts, colours
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
    /// Steps of each model, for models that know less [default: those of the shipped models]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(crate) steps: Option<u16>,
}

/// Run the whole job on a tiny language model that comes with labelmix: two minutes, no download
///
/// Writes a folder with models, data and study files, makes weak labels, fine-tunes with every mix of weak and gold
/// labels, and says what to buy. Everything in the folder works with the other commands; a second run finds what the
/// first one did.
#[derive(Debug, Args)]
pub(crate) struct DemoArguments {
    /// The folder to write
    #[arg(long, value_name = "DIR", default_value = "labelmix-demo")]
    pub(crate) out: PathBuf,
    /// A few small runs, in seconds
    #[arg(long)]
    pub(crate) fast: bool,
}
