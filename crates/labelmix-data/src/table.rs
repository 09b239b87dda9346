//! Tables whose rows are kept whole: every column of a row, in the file's order, on its way from one file to another.
//!
//! The readers of [`crate::read`] give the columns that somebody names. Here nobody names any: what a row holds is carried
//! on, whatever it is, and columns are added at its end.

mod columns;
mod json;
mod row;

use std::path::Path;

pub use self::columns::TableColumns;
pub(crate) use self::columns::{Column, ColumnKind};
pub(crate) use self::json::{Ordered, parsed_cell};
pub use self::row::TableRow;
use crate::cell::Cell;
use crate::error::{DataError, Place, RowNumber};
use crate::read::{Holds, Need, Row, WantedColumn, column_names, read_blocks, read_lines_of};

/// Reads the rows of a file of any known format with all their columns, and hands them on in the file's order.
///
/// # Errors
/// [`DataError`] for a file that cannot be read or has no rows.
pub fn read_table<E: From<DataError>>(file: &Path, mut take: impl FnMut(TableRow) -> Result<(), E>) -> Result<(), E> {
    let is_lines = file.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("jsonl"));
    if is_lines { read_lines(file, take) } else { read_columns(file, &mut take) }
}

/// A file of JSON Lines, whose rows need not have the same keys.
fn read_lines<E: From<DataError>>(file: &Path, mut take: impl FnMut(TableRow) -> Result<(), E>) -> Result<(), E> {
    let mut is_empty = true;
    read_lines_of(file, |number, line| {
        is_empty = false;
        let number = RowNumber::Line(number);
        let malformed = |reason: String| DataError::MalformedJson { place: Place::row(file, number), reason };
        match serde_json::from_str(line).map_err(|error| malformed(error.to_string()))? {
            Cell::Record(entries) => take(TableRow::of_line(number, entries, line)),
            _ => Err(malformed("a value of another kind".to_owned()).into()),
        }
    })?;
    if is_empty { Err(DataError::NoRows { file: file.to_path_buf() }.into()) } else { Ok(()) }
}

/// A file whose rows have the same columns.
fn read_columns<E: From<DataError>>(file: &Path, take: &mut impl FnMut(TableRow) -> Result<(), E>) -> Result<(), E> {
    let names = column_names(file)?;
    let wanted: Vec<WantedColumn> =
        names.iter().map(|name| WantedColumn { name, need: Need::IfThere, holds: Holds::Anything }).collect();
    read_blocks(file, &wanted, |block| {
        for Row { number, cells } in block.map(Ok::<Row, DataError>)? {
            take(TableRow::new(number, names.iter().cloned().zip(cells).collect()))?;
        }
        Ok(())
    })
}
