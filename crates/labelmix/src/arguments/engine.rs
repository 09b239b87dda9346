//! The arguments of `labelmix engine`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use labelmix_study::EngineKind;

use super::{DeviceArgument, engine_kind};

/// Set up another engine than labelmix's own, and hold the two against each other
#[derive(Debug, Args)]
pub(crate) struct EngineCommandArguments {
    #[command(subcommand)]
    pub(crate) command: EngineCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum EngineCommand {
    Torch(TorchArguments),
    Check(EngineCheckArguments),
}

/// Say how the environment of the torch engine is made, or make it
#[derive(Debug, Args)]
pub(crate) struct TorchArguments {
    /// Make a virtual environment in this folder, with packages of versions that are known to work
    #[arg(long, value_name = "DIR")]
    pub(crate) install: Option<PathBuf>,
}

/// Train one small stage with the native engine and with another, and compare their numbers
#[derive(Debug, Args)]
pub(crate) struct EngineCheckArguments {
    /// The engine that is held against the native one
    #[arg(long, value_name = "ENGINE", value_parser = engine_kind, default_value = "torch")]
    pub(crate) engine: EngineKind,
    /// A checkpoint to train [default: the small one that comes with labelmix]
    #[arg(long)]
    pub(crate) model: Option<String>,
    /// The precision in which the frozen weights are kept: auto, f32, bf16 or nf4
    #[arg(long, value_name = "PRECISION", default_value = "auto")]
    pub(crate) weights: String,
    #[command(flatten)]
    pub(crate) device: DeviceArgument,
    /// Print one JSON object instead of text
    #[arg(long)]
    pub(crate) json: bool,
}
