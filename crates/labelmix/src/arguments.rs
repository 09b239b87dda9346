//! The arguments of every command.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Find the mix of cheap and expert labels that buys the most accuracy.
#[derive(Debug, Parser)]
#[command(name = "labelmix", version, about)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Sweep(SweepArguments),
    Report(ReportArguments),
    Predict(PredictArguments),
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
  path = "all-MiniLM-L6-v2"    # a folder in the Hugging Face layout
  [prices]                     # dollars per label
  weak = 0.10
  gold = 1.00
  [grid]
  budgets = [16, 64, 256]      # dollars
  weak_fractions = [0.0, 0.5, 1.0]
  seeds = [0, 1, 2]
  [[methods]]
  name = "seq-sft"
  [recipe]                     # optional
  total_examples = 30000
  learning_rate = 5e-4

Results are kept as they come: after an interruption the same command goes on where it was.

Exit status: 0 done, 1 a mistake in the input, 2 an error of labelmix, 3 some stages failed."#;

/// Fine-tune with every mix of a study and print accuracy for every budget
#[derive(Debug, Args)]
#[command(after_help = STUDY_EXAMPLE)]
pub(crate) struct SweepArguments {
    /// The study file (TOML)
    pub(crate) study: PathBuf,
    /// Where results are kept [default: labelmix-store beside the study file]
    #[arg(long, value_name = "DIR")]
    pub(crate) store: Option<PathBuf>,
    /// How many stages are trained at a time [default: one per core for small models]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) jobs: Option<u16>,
    /// Print one JSON object instead of tables
    #[arg(long)]
    pub(crate) json: bool,
}

/// Draw the tables and figures of a study again from what the store holds
#[derive(Debug, Args)]
pub(crate) struct ReportArguments {
    /// The study file (TOML)
    pub(crate) study: PathBuf,
    /// The folder to write to
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// Where results are kept [default: labelmix-store beside the study file]
    #[arg(long, value_name = "DIR")]
    pub(crate) store: Option<PathBuf>,
}

/// Classify new texts with a finished run
#[derive(Debug, Args)]
pub(crate) struct PredictArguments {
    /// The run's folder, such as labelmix-store/runs/reviews/seq-sft_w320_g32_s0
    #[arg(long, value_name = "RUN")]
    pub(crate) run: PathBuf,
    /// The texts: JSONL, CSV or Parquet
    #[arg(long, value_name = "FILE")]
    pub(crate) input: PathBuf,
    /// The column of texts
    #[arg(long, value_name = "NAME", default_value = "text")]
    pub(crate) text: String,
    /// Where to write the predictions (JSONL): text, label, probability of label 1, and log-odds, row by row
    #[arg(long, value_name = "FILE")]
    pub(crate) output: PathBuf,
    /// Cut texts that are longer than the model's context instead of refusing them
    #[arg(long)]
    pub(crate) cut: bool,
}
