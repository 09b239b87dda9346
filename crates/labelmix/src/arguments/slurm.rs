//! The arguments of sweeps on a cluster.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use labelmix_models::ByteSize;

use super::{EngineArguments, WatchArguments};

/// Who does the stages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Executor {
    /// This process, here and now
    #[default]
    Local,
    /// A Slurm cluster: the missing stages are submitted as job arrays, and the command returns
    Slurm,
}

/// What is asked of a cluster.
#[derive(Debug, Args)]
#[command(next_help_heading = "On a cluster")]
pub(crate) struct SlurmArguments {
    /// Who does the stages
    #[arg(long, value_enum, default_value_t)]
    pub(crate) executor: Executor,
    /// A file (TOML) with the keys of a study's [slurm] table, which it takes the place of
    #[arg(long, value_name = "FILE")]
    pub(crate) slurm_profile: Option<PathBuf>,
    /// The partition [default: that of [slurm], or the cluster's]
    #[arg(long)]
    pub(crate) partition: Option<String>,
    /// The account
    #[arg(long)]
    pub(crate) account: Option<String>,
    /// Generic resources of a task, such as gpu:1
    #[arg(long)]
    pub(crate) gres: Option<String>,
    /// The time limit of a task, such as 02:00:00
    #[arg(long)]
    pub(crate) time: Option<String>,
    /// Another option of sbatch, such as --slurm-option=--constraint=a100 (may be repeated)
    #[arg(long, value_name = "OPTION", allow_hyphen_values = true)]
    pub(crate) slurm_option: Vec<String>,
}

/// Do the stages of a task of a job array
#[derive(Debug, Args)]
pub(crate) struct SlurmTaskArguments {
    /// The study file (TOML)
    pub(crate) study: PathBuf,
    /// Where results are kept
    #[arg(long, value_name = "DIR")]
    pub(crate) store: PathBuf,
    /// The file with the stages of each task of the array
    #[arg(long, value_name = "FILE")]
    pub(crate) tasks: PathBuf,
    /// The memory to stay within
    #[arg(long, value_name = "SIZE")]
    pub(crate) memory: Option<ByteSize>,
    /// The seconds between two states of a stage that are kept
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    pub(crate) checkpoint_every: u64,
    /// Try stages again that would fail again
    #[arg(long)]
    pub(crate) retry_failed: bool,
    #[command(flatten)]
    pub(crate) watch: WatchArguments,
    #[command(flatten)]
    pub(crate) engine: EngineArguments,
}
