//! Where something is, as people name it.

use std::fmt;
use std::path::{Path, PathBuf};

/// Where in a file something is wrong: a row, or the file as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file, as the user named it.
    pub file: PathBuf,
    /// The row, where it is known.
    pub row: Option<RowNumber>,
}

/// A row's number, counted from 1 as the user's own tools count it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RowNumber {
    /// A line of a text file: the one on which the record, or the object, begins.
    Line(u64),
    /// A row of a Parquet or Arrow file; of a spreadsheet, as that shows it.
    Row(u64),
}

impl Place {
    pub(crate) fn file(file: &Path) -> Self {
        Self { file: file.to_path_buf(), row: None }
    }

    pub(crate) fn row(file: &Path, row: RowNumber) -> Self {
        Self { row: Some(row), ..Self::file(file) }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        self.row.map_or(Ok(()), |row| write!(f, ", {row}"))
    }
}

impl fmt::Display for RowNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line) => write!(f, "line {line}"),
            Self::Row(row) => write!(f, "row {row}"),
        }
    }
}
