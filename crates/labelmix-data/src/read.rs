//! Files in: JSONL, CSV, Parquet and Arrow, row by row.
//!
//! A reader per format turns a file into blocks of rows, and knows nothing of labels or texts. What the cells mean,
//! and which may be empty, is decided by who reads: `text_files` for files that say it all themselves, the tasks
//! for files that need a template. Blocks keep memory low (a file's rows are never all there at once), and
//! whatever is done to a row is done on all cores.

mod arrow_ipc;
mod columnar;
mod csv;
mod encoding;
mod jsonl;
mod names;
mod parquet;
mod table_file;

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use rayon::prelude::*;

pub use self::encoding::{Encoding, UnknownEncoding};
pub(crate) use self::names::column_names;
pub use self::names::field_names;
pub use self::table_file::{TableFile, TableNotes};
use crate::cell::Cell;
use crate::error::{DataError, Place, RowNumber};

/// Rows in a block, where the reader counts rows.
const BLOCK_ROWS: usize = 8192;

/// A column to read, what it must hold, and on which rows it must be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WantedColumn<'a> {
    pub(crate) name: &'a str,
    pub(crate) need: Need,
    pub(crate) holds: Holds,
}

/// Where a column must be. Formats with a header have a column on every row or on none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// On every line of a JSONL file.
    EveryRow,
    /// On some line: writers leave out nulls.
    Somewhere,
    /// Nowhere, if need be.
    IfThere,
}

/// What a column is read for: formats with types refuse a column that cannot hold it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Holds {
    Text,
    Label,
    Anything,
}

/// A row of a file: the wanted cells in the order in which they were asked for. A column that is not there gives
/// [`Cell::Missing`].
pub(crate) struct Row {
    pub(crate) number: RowNumber,
    pub(crate) cells: Vec<Cell>,
}

/// Some consecutive rows of a file, possibly still to be parsed.
pub(crate) enum Block<'a> {
    Rows(Vec<Row>),
    Lines(jsonl::Lines<'a>),
}

impl Block<'_> {
    /// What `make` makes of every row, in the rows' order; done on all cores. The error is the first row's that has
    /// one.
    pub(crate) fn map<T: Send, E: Send + From<DataError>>(
        self,
        make: impl Fn(Row) -> Result<T, E> + Sync + Send,
    ) -> Result<Vec<T>, E> {
        let made: Vec<Result<T, E>> = match self {
            Self::Rows(rows) => rows.into_par_iter().map(make).collect(),
            Self::Lines(lines) => {
                let parsed = (0..lines.len()).into_par_iter().map(|index| lines.row(index));
                parsed.map(|row| make(row?)).collect()
            }
        };
        made.into_iter().collect()
    }
}

/// Reads the wanted columns of a file of any known format, and hands its rows on block by block.
pub(crate) fn read_blocks<'a, E: From<DataError>>(
    file: impl Into<TableFile<'a>>,
    wanted: &[WantedColumn],
    mut take: impl FnMut(Block) -> Result<(), E>,
) -> Result<TableNotes, E> {
    let path = file.into().path();
    let file = File::open(path).map_err(|reason| DataError::unreadable(path, &reason));
    let no_rows = || DataError::NoRows { file: path.to_path_buf() };
    let mut is_empty = true;
    let take = |block: Block| {
        is_empty = false;
        take(block)
    };
    let extension = path.extension().unwrap_or_default().to_ascii_lowercase();
    let extension = extension.to_str().unwrap_or_default();
    if !["jsonl", "csv", "parquet", "arrow"].contains(&extension) {
        return Err(DataError::UnknownFormat { file: path.to_path_buf() }.into());
    }
    let file = file?;
    // An empty file is an empty table in every format, even in those that would miss their header.
    if file.metadata().is_ok_and(|metadata| metadata.len() == 0) {
        return Err(no_rows().into());
    }
    match extension {
        "jsonl" => jsonl::read(path, file, wanted, take)?,
        "csv" => csv::read(path, file, wanted, take)?,
        "parquet" => parquet::read(path, file, wanted, take)?,
        _ => arrow_ipc::read(path, file, wanted, take)?,
    }
    if is_empty { Err(no_rows().into()) } else { Ok(TableNotes::default()) }
}

/// Hands on the lines of a text file with their numbers, without line ends, a byte order mark and those that are blank.
pub(crate) fn read_lines_of<'a, E: From<DataError>>(
    file: impl Into<TableFile<'a>>,
    mut take: impl FnMut(u64, &str) -> Result<(), E>,
) -> Result<(), E> {
    let path = file.into().path();
    let unreadable = |reason| DataError::unreadable(path, &reason);
    let mut reader = BufReader::new(File::open(path).map_err(unreadable)?);
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        if reader.read_until(b'\n', &mut line).map_err(unreadable)? == 0 {
            break;
        }
        let text = std::str::from_utf8(&line).map_err(|_| invalid_utf8(path))?;
        let text = text.trim_end_matches(['\n', '\r']).trim_start_matches('\u{feff}');
        if !text.trim().is_empty() {
            take(number, text)?;
        }
    }
    Ok(())
}

/// Refuses a file with a header in which a needed column is missing.
fn check_columns(file: &Path, wanted: &[WantedColumn], present: &[String]) -> Result<(), DataError> {
    let is_missing =
        |column: &&WantedColumn| column.need != Need::IfThere && !present.iter().any(|name| name == column.name);
    match wanted.iter().find(is_missing) {
        Some(column) => Err(DataError::missing_column(Place::file(file), column.name, present.to_vec())),
        None => Ok(()),
    }
}

/// The error for a text file known not to be UTF-8: reads it again, to say on which line and at which byte.
fn invalid_utf8(path: &Path) -> DataError {
    let unreadable = |reason| DataError::unreadable(path, &reason);
    let mut reader = match File::open(path) {
        Ok(file) => BufReader::new(file),
        Err(reason) => return unreadable(reason),
    };
    let mut line_start = 0;
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        match reader.read_until(b'\n', &mut line) {
            Ok(0) => break,
            Ok(_) => {}
            Err(reason) => return unreadable(reason),
        }
        if let Err(error) = std::str::from_utf8(&line) {
            return DataError::InvalidUtf8 {
                place: Place::row(path, RowNumber::Line(number)),
                byte: line[error.valid_up_to()],
                offset: line_start + error.valid_up_to() as u64,
            };
        }
        line_start += line.len() as u64;
    }
    unreadable(std::io::Error::other("the file changed while it was read"))
}
