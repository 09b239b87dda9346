//! Tables that cannot be written.

use std::path::PathBuf;

use miette::Diagnostic;
use thiserror::Error;

/// Why a table cannot be written. What the file held before is as it was.
#[derive(Debug, Error, Diagnostic)]
pub enum TableWriteError {
    #[error("{}: the name says no format in which a table can be written", path.display())]
    #[diagnostic(help(
        "end it in .jsonl, .json, .csv or .tsv (each also with .gz or .zst behind it), .parquet, .arrow, .feather or .xlsx"
    ))]
    UnknownFormat { path: PathBuf },

    #[error("{}: {format} files are not compressed from outside", path.display())]
    #[diagnostic(help("leave the last ending away"))]
    Compressed { path: PathBuf, format: &'static str },

    /// A file that is there already.
    #[error("{} is there already", path.display())]
    #[diagnostic(help("choose another name: no data is ever written over"))]
    Exists { path: PathBuf },

    /// A table that the format cannot hold.
    #[error("{}: {what}", path.display())]
    #[diagnostic(help("write .csv or .parquet, which hold tables and texts of any size"))]
    TooMuch {
        path: PathBuf,
        /// What is too much.
        what: String,
    },

    /// A place that takes no file.
    #[error("{}: {source}", path.display())]
    #[diagnostic(help("choose a place that you may write to, on a disk with space"))]
    Unwritable {
        path: PathBuf,
        /// What the operating system says.
        source: std::io::Error,
    },
}
