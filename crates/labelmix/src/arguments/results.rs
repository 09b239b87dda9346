//! The arguments of the commands that read results: reports, comparisons, single runs, runs of others.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{FigureArguments, PriceList};

/// Make a page, figures and tables of what the store holds of a study, or of several together
///
/// `report.html` is one page, a single file that asks for nothing: prices and a budget to move, the decision that follows,
/// and every run. Figures and tables for papers are in the folders beside it.
///
/// Several studies get a report each, in `studies`, and are seen together: `figures` has accuracy by task and by model, and
/// scaling; `mean` is a report of the mean over the tasks, of every model that was tried on several. Studies with the same
/// test texts and gold labels are of one task.
#[derive(Debug, Args)]
pub(crate) struct ReportArguments {
    /// The study files (TOML): one for each task and model
    #[arg(required = true, value_name = "STUDY")]
    pub(crate) studies: Vec<PathBuf>,
    /// The folder to write to
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    #[command(flatten)]
    pub(crate) figures: FigureArguments,
    /// Other prices for the economics (the frontier with its band, the best within each budget, regimes) than the study's,
    /// such as weak=0.05,gold=1; the table and the figures keep the study's
    #[arg(long, value_name = "PRICES")]
    pub(crate) price: Option<PriceList>,
    /// Where results are kept [default: labelmix-store beside each study file]
    #[arg(long, value_name = "DIR")]
    pub(crate) store: Option<PathBuf>,
}

/// Hold the methods of a study against each other at equal cost, or two finished runs
///
/// For every budget, each method is taken at its best split, and each pair's difference has an interval over seeds and test
/// items, a p-value corrected for the number of pairs, and a verdict: better, worse, or tied.
#[derive(Debug, Args)]
pub(crate) struct CompareArguments {
    /// The study file (TOML); with --runs, the study whose test set the runs were judged by [default: the one that the
    /// first run names]
    #[arg(required_unless_present = "runs")]
    pub(crate) study: Option<PathBuf>,
    /// Compare two finished runs, by their folders, instead of methods
    #[arg(
        long,
        num_args = 2,
        value_names = ["RUN_A", "RUN_B"],
        conflicts_with_all = ["budget", "baseline", "best_of_others", "statistic", "store"]
    )]
    pub(crate) runs: Vec<PathBuf>,
    /// Compare at this budget in dollars (may be repeated) [default: the budgets of the study's grid]
    #[arg(long, value_name = "USD")]
    pub(crate) budget: Vec<f64>,
    /// Compare every other method with this one [default: every method with every other]
    #[arg(long, value_name = "METHOD")]
    pub(crate) baseline: Option<String>,
    /// Compare the baseline also with the best of the others, which is then chosen by other seeds and texts than it is
    /// judged by, as splits are
    #[arg(long, requires = "baseline")]
    pub(crate) best_of_others: bool,
    /// What is compared
    #[arg(long, value_enum, default_value_t = Statistic::Accuracy)]
    pub(crate) statistic: Statistic,
    /// Where results are kept [default: labelmix-store beside the study file]
    #[arg(long, value_name = "DIR")]
    pub(crate) store: Option<PathBuf>,
    /// Print one JSON object instead of tables
    #[arg(long)]
    pub(crate) json: bool,
}

/// What is compared.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Statistic {
    Accuracy,
    Auroc,
}

/// Show a finished run: configuration, labels, training, every measure with its interval, and its worst mistakes
#[derive(Debug, Args)]
pub(crate) struct ShowArguments {
    /// The run's folder, such as labelmix-store/runs/reviews/seq-sft_w320_g32_s0
    pub(crate) run: PathBuf,
    /// The study file (TOML) that made the run [default: the one that the run names]
    #[arg(long, value_name = "STUDY")]
    pub(crate) study: Option<PathBuf>,
    /// How many of the test examples that it is most confidently wrong about are shown
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub(crate) wrong: usize,
    /// Print one JSON object instead of text
    #[arg(long)]
    pub(crate) json: bool,
}

/// Write a finished run's classifier for Python: an adapter or a checkpoint, a tokenizer, and a script for its log-odds
///
/// The folder gets `classify.py`, some forty lines of Python with transformers and PEFT that load the model, put the adapter on
/// it, pool as the run does, apply its head and give log-odds and probabilities of texts. Where transformers has a class that
/// computes the same (decoders that read the last token, BERT with its pooler), the folder loads through that class too; where
/// it has none, no class of sequence classifiers takes it.
///
/// This is one run's model, for elsewhere. `labelmix store export` copies the results of a study, for labelmix or as records.
#[derive(Debug, Args)]
pub(crate) struct ExportArguments {
    /// The run's folder, such as labelmix-store/runs/reviews/seq-sft_w320_g32_s0
    pub(crate) run: PathBuf,
    /// The folder to write: a new one, or one that is empty
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Write a whole checkpoint, in f32, with the adapter merged into its weights: it needs neither PEFT nor the base
    #[arg(long)]
    pub(crate) merged: bool,
    /// Print one JSON object instead of text
    #[arg(long)]
    pub(crate) json: bool,
}

/// Read runs of the published code (Mallen & Belrose 2024) and draw tables and figures of them
///
/// The published code writes a folder for each run, `RESULTS/TASK/nw=640_no=0_m=MODEL_NAME_s42`, with results.json and
/// config.json in it. Every task and model gets a report of its own, in which NAME is the method, and several are seen
/// together as by `labelmix report`. A label that a run looked at twice is paid once. Runs that cannot be used are named, with
/// the reason, and left out.
#[derive(Debug, Args)]
pub(crate) struct ImportArguments {
    /// The folder of results, of one task's results, or of one run
    pub(crate) results: PathBuf,
    /// The folder to write to: records.jsonl, with every run, and in studies/ a folder with the report of each task and model
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// The price of a weak label in dollars
    #[arg(long, value_name = "USD", default_value_t = 0.1)]
    pub(crate) weak_price: f64,
    /// The price of a gold label in dollars
    #[arg(long, value_name = "USD", default_value_t = 1.0)]
    pub(crate) gold_price: f64,
    /// The budgets of the tables, in dollars; a run belongs to the smallest that pays for it [default: the published ones,
    /// 8 to 8192]
    #[arg(long, value_name = "USD", value_delimiter = ',')]
    pub(crate) budgets: Vec<f64>,
    #[command(flatten)]
    pub(crate) figures: FigureArguments,
}
