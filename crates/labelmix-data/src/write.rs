//! Tables out, in the format that the file's name says.
//!
//! A file is written beside its place and takes it when it is complete: a reader never sees half a table, and one that
//! was not finished leaves nothing behind.

mod columnar;
mod error;
mod format;
mod json;
mod separated;
mod workbook;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use labelmix_files::{Unfinished, clear_leftovers};
use serde::Serialize;

pub use self::error::TableWriteError;
use self::format::{Stream, TableFormat, TextFormat};
use crate::place::RowNumber;
use crate::table::{TableColumns, TableRow, parsed_cell};

/// What to do where a file of the name is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IfThere {
    /// Put the new one into its place.
    Replace,
    /// Leave it, and refuse to write.
    Refuse,
}

/// A table that is being written.
pub struct TableWriter {
    path: PathBuf,
    unfinished: Unfinished,
    if_there: IfThere,
    sink: Box<dyn Sink>,
    /// Rows that are handed on together: formats of columns have a batch for each time.
    waiting: Vec<TableRow>,
}

/// Rows that are handed on together.
const ROWS_AT_A_TIME: usize = 4096;

/// Takes rows in one format.
trait Sink {
    /// Writes some rows.
    fn write(&mut self, rows: &[TableRow]) -> Result<(), SinkError>;

    /// Writes what is left, and hands the file back.
    fn finish(self: Box<Self>) -> Result<File, SinkError>;
}

/// Why a format cannot take a row, or the disk cannot.
enum SinkError {
    Io(io::Error),
    /// More than the format holds.
    TooMuch(String),
}

impl From<io::Error> for SinkError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl TableWriter {
    /// Begins a table with these columns.
    ///
    /// # Errors
    /// [`TableWriteError`] for a name that says no format, a file that is there already where that is refused, and a place
    /// that cannot be written to.
    pub fn create(path: &Path, columns: &TableColumns, if_there: IfThere) -> Result<Self, TableWriteError> {
        let format = TableFormat::of(path)?;
        if if_there == IfThere::Refuse && path.exists() {
            return Err(TableWriteError::Exists { path: path.to_path_buf() });
        }
        clear_leftovers(path);
        let (unfinished, file) = Unfinished::file(path).map_err(|error| unwritable(path, error.into()))?;
        let sink = sink(file, format, columns).map_err(|error| unwritable(path, error))?;
        Ok(Self { path: path.to_path_buf(), unfinished, if_there, sink, waiting: Vec::new() })
    }

    /// Writes a row. Columns that it does not have are empty there.
    ///
    /// # Errors
    /// [`TableWriteError`] where the disk, or the format, takes no more.
    pub fn write(&mut self, row: TableRow) -> Result<(), TableWriteError> {
        self.waiting.push(row);
        if self.waiting.len() < ROWS_AT_A_TIME {
            return Ok(());
        }
        let written = self.sink.write(&self.waiting);
        self.waiting.clear();
        written.map_err(|error| unwritable(&self.path, error))
    }

    /// Completes the table and puts it into its place.
    ///
    /// # Errors
    /// [`TableWriteError`] where the disk takes no more, or where a file has appeared that is not to be replaced.
    pub fn finish(self) -> Result<(), TableWriteError> {
        let Self { path, unfinished, if_there, mut sink, waiting } = self;
        let placed = sink.write(&waiting).and_then(|()| sink.finish()).and_then(|_| {
            match if_there {
                IfThere::Replace => unfinished.put()?,
                IfThere::Refuse => unfinished.put_new()?,
            }
            Ok(())
        });
        match placed {
            Err(SinkError::Io(error)) if error.kind() == io::ErrorKind::AlreadyExists => {
                Err(TableWriteError::Exists { path })
            }
            placed => placed.map_err(|error| unwritable(&path, error)),
        }
    }
}

fn sink(file: File, format: TableFormat, columns: &TableColumns) -> Result<Box<dyn Sink>, SinkError> {
    match format {
        TableFormat::Text(format, compression) => {
            let out = Stream::new(file, compression)?;
            match format {
                TextFormat::JsonLines => Ok(json::lines(out)),
                TextFormat::JsonArray => Ok(json::array(out)),
                TextFormat::Separated(separator) => separated::table(out, separator, columns),
            }
        }
        TableFormat::Parquet => columnar::parquet(file, columns),
        TableFormat::Arrow => columnar::arrow(file, columns),
        TableFormat::Workbook => workbook::workbook(file, columns),
    }
}

fn unwritable(path: &Path, error: SinkError) -> TableWriteError {
    match error {
        SinkError::Io(source) => TableWriteError::Unwritable { path: path.to_path_buf(), source },
        SinkError::TooMuch(what) => TableWriteError::TooMuch { path: path.to_path_buf(), what },
    }
}

/// Writes a table of values, whose fields are its columns, in place of what the file held.
///
/// # Errors
/// [`TableWriteError`] for a name that says no format, and a place that cannot be written to.
pub fn write_table<T: Serialize>(path: &Path, values: impl Iterator<Item = T> + Clone) -> Result<(), TableWriteError> {
    let rows =
        values.zip(1..).filter_map(|(value, number)| TableRow::of_cell(RowNumber::Row(number), parsed_cell(&value)));
    let mut columns = TableColumns::default();
    rows.clone().for_each(|row| columns.observe(&row));
    let mut writer = TableWriter::create(path, &columns, IfThere::Replace)?;
    for row in rows {
        writer.write(row)?;
    }
    writer.finish()
}
