//! Tables in, row by row, through one door.
//!
//! [`open`] finds out what a file holds, from its first bytes and its name: how it is compressed, whether it is a text and in
//! which encoding, and of what kind its table is. A reader per kind turns it into blocks of rows, and knows nothing of labels
//! or texts. What the cells mean,
//! and which may be empty, is decided by who reads: `text_files` for files that say it all themselves, the tasks
//! for files that need a template. Blocks keep memory low (a file's rows are never all there at once), and
//! whatever is done to a row is done on all cores.

mod arrow_ipc;
mod columnar;
mod compression;
mod encoding;
mod guard;
mod json;
mod kind;
mod line_count;
mod names;
mod open;
mod parquet;
mod progress;
mod separated;
mod spreadsheet;
mod stream_fault;
mod table_file;
mod text;

use std::path::Path;

use rayon::prelude::*;

use self::arrow_ipc::Batches;
pub use self::encoding::{Encoding, UnknownEncoding};
pub(crate) use self::names::column_names;
pub use self::names::field_names;
pub(crate) use self::open::is_json;
use self::open::{Table, open};
pub use self::progress::{ReadingProgress, observe_reading};
pub use self::table_file::{TableFile, TableNotes};
use crate::cell::Cell;
use crate::error::DataError;
use crate::place::{Place, RowNumber};

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
    /// In every object of a JSON file.
    EveryRow,
    /// In some object: writers leave out nulls.
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
    Objects(json::Objects<'a>),
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
            Self::Objects(objects) => {
                let parsed = (0..objects.len()).into_par_iter().map(|index| objects.row(index));
                parsed.map(|row| make(row?)).collect()
            }
        };
        made.into_iter().collect()
    }
}

/// Reads the wanted columns of a file of any known kind, and hands its rows on block by block.
pub(crate) fn read_blocks<'a, E: From<DataError>>(
    file: impl Into<TableFile<'a>>,
    wanted: &[WantedColumn],
    mut take: impl FnMut(Block) -> Result<(), E>,
) -> Result<TableNotes, E> {
    let file = file.into();
    let path = file.path();
    let mut is_empty = true;
    let take = |block: Block| {
        is_empty = false;
        take(block)
    };
    let mut notes = TableNotes::default();
    match open(file)? {
        Table::Json(text) => notes = json::read(file, text, wanted, take)?,
        Table::Separated(text) => separated::read(path, text, wanted, take)?,
        Table::Spreadsheet(file) => spreadsheet::read(path, file, wanted, take)?,
        Table::Parquet(file) => parquet::read(path, file, wanted, take)?,
        Table::ArrowFile(file) => Batches::of_file(path, file)?.read(wanted, take)?,
        Table::ArrowStream(stream) => Batches::of_stream(path, stream)?.read(wanted, take)?,
    }
    if is_empty { Err(DataError::NoRows { file: path.to_path_buf() }.into()) } else { Ok(notes) }
}

/// Hands on the objects of a JSON file, each as one line of JSON with the number of the line on which it begins. What stands
/// on one line is handed on as it is.
pub(crate) fn read_lines_of<'a, E: From<DataError>>(
    file: impl Into<TableFile<'a>>,
    take: impl FnMut(u64, &str) -> Result<(), E>,
) -> Result<(), E> {
    let file = file.into();
    match open(file)? {
        Table::Json(text) => json::read_as_lines(file.path(), text, take),
        _ => Err(DataError::no_table(file.path(), "no JSON file", "name a file of JSON Lines").into()),
    }
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
