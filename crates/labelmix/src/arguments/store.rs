//! The arguments of `labelmix store`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// Look into a store: list it, show an item, verify it, take away what nothing needs, export a study
#[derive(Debug, Args)]
pub(crate) struct StoreArguments {
    #[command(subcommand)]
    pub(crate) command: StoreCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum StoreCommand {
    Ls(StoreListArguments),
    Show(StoreShowArguments),
    Verify(StoreVerifyArguments),
    Gc(StoreGarbageArguments),
    Export(StoreExportArguments),
}

/// List what a store holds, by study and by kind, with sizes
#[derive(Debug, Args)]
pub(crate) struct StoreListArguments {
    /// The store's folder
    pub(crate) store: PathBuf,
    /// Print one JSON object instead of text
    #[arg(long)]
    pub(crate) json: bool,
}

/// Show a stage, weak labels or a run
#[derive(Debug, Args)]
pub(crate) struct StoreShowArguments {
    /// The store's folder
    pub(crate) store: PathBuf,
    /// A key or its beginning (four digits at least), or a run: its name, or STUDY/NAME
    #[arg(value_name = "KEY|RUN")]
    pub(crate) name: String,
    /// Print one JSON object instead of text
    #[arg(long)]
    pub(crate) json: bool,
}

/// Read every file of a store and name what is damaged (exit status 3 if something is)
#[derive(Debug, Args)]
pub(crate) struct StoreVerifyArguments {
    /// The store's folder
    pub(crate) store: PathBuf,
    /// Move what is damaged to STORE/damaged, so that the next sweep does it anew
    #[arg(long)]
    pub(crate) set_aside: bool,
    /// Print one JSON object instead of text
    #[arg(long)]
    pub(crate) json: bool,
}

/// List what nothing needs: stages that no run of any study refers to, leftovers of killed processes, damaged folders
#[derive(Debug, Args)]
pub(crate) struct StoreGarbageArguments {
    /// The store's folder
    pub(crate) store: PathBuf,
    /// Take it away, instead of only listing it
    #[arg(long)]
    pub(crate) delete: bool,
    /// Print one JSON object instead of text
    #[arg(long)]
    pub(crate) json: bool,
}

/// Export a study's finished runs: with their stages into a new folder, a store of its own, or as records (JSONL)
///
/// These are results, for labelmix or for tables. `labelmix export` writes one run's model, for Python.
#[derive(Debug, Args)]
pub(crate) struct StoreExportArguments {
    /// The store's folder
    pub(crate) store: PathBuf,
    /// The study's name
    pub(crate) study: String,
    /// A new folder; or a file that ends in .jsonl, for the records alone
    #[arg(long, value_name = "DIR|FILE.jsonl")]
    pub(crate) out: PathBuf,
}
