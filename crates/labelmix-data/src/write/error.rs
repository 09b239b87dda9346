//! Tables that cannot be written.

use std::path::PathBuf;

use miette::Diagnostic;
use thiserror::Error;

/// Why a table cannot be written. What the file held before is as it was.
#[derive(Debug, Error, Diagnostic)]
pub enum TableWriteError {
    /// A name that says no format.
    #[error("{}: the name says no format in which a table can be written", path.display())]
    #[diagnostic(help(
        "end it in .jsonl, .json, .csv or .tsv (each also with .gz or .zst behind it), .parquet, .arrow, .feather or .xlsx"
    ))]
    UnknownFormat {
        /// The file.
        path: PathBuf,
    },

    /// A format that compresses by itself, or not at all, with a compression behind it.
    #[error("{}: {format} files are not compressed from outside", path.display())]
    #[diagnostic(help("leave the last ending away"))]
    Compressed {
        /// The file.
        path: PathBuf,
        /// The format.
        format: &'static str,
    },

    /// A file that is there already.
    #[error("{} is there already", path.display())]
    #[diagnostic(help("choose another name: no data is ever written over"))]
    Exists {
        /// The file.
        path: PathBuf,
    },

    /// A table that the format cannot hold.
    #[error("{}: {what}", path.display())]
    #[diagnostic(help("write .csv or .parquet, which hold tables and texts of any size"))]
    TooMuch {
        /// The file.
        path: PathBuf,
        /// What is too much.
        what: String,
    },

    /// A place that takes no file.
    #[error("{}: {source}", path.display())]
    #[diagnostic(help("choose a place that you may write to, on a disk with space"))]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        source: std::io::Error,
    },
}
