//! Tables whose rows are kept whole: every column of a row, in the file's order, on its way from one file to another.
//!
//! The readers of [`crate::read`] give the columns that somebody names. Here nobody names any: what a row holds is carried
//! on, whatever it is, and columns are added at its end.

mod columns;
mod json;
mod row;

pub use self::columns::TableColumns;
pub(crate) use self::columns::{Column, ColumnKind};
pub(crate) use self::json::{Ordered, parsed_cell};
pub use self::row::TableRow;
use crate::cell::Cell;
use crate::error::DataError;
use crate::place::{Place, RowNumber};
use crate::read::{Holds, Need, Row, TableFile, WantedColumn, column_names, is_json, read_blocks, read_lines_of};

/// Reads the rows of a file of any known format with all their columns, and hands them on in the file's order.
///
/// # Errors
/// [`DataError`] for a file that cannot be read or has no rows.
pub fn read_table<'a, E: From<DataError>>(
    file: impl Into<TableFile<'a>>,
    take: impl FnMut(TableRow) -> Result<(), E>,
) -> Result<(), E> {
    let file = file.into();
    if is_json(file)? { read_objects(file, take) } else { read_columns(file, take) }
}

/// A file of JSON objects, which need not have the same keys.
fn read_objects<E: From<DataError>>(file: TableFile, mut take: impl FnMut(TableRow) -> Result<(), E>) -> Result<(), E> {
    let (path, mut is_empty) = (file.path(), true);
    read_lines_of(file, |number, line| {
        is_empty = false;
        let number = RowNumber::Line(number);
        let malformed = |reason: String| DataError::MalformedJson { place: Place::row(path, number), reason };
        match serde_json::from_str(line).map_err(|error| malformed(error.to_string()))? {
            Cell::Record(entries) => take(TableRow::of_line(number, entries, line)),
            _ => Err(malformed("a value of another kind".to_owned()).into()),
        }
    })?;
    if is_empty { Err(DataError::NoRows { file: path.to_path_buf() }.into()) } else { Ok(()) }
}

/// A file whose rows have the same columns.
fn read_columns<E: From<DataError>>(file: TableFile, mut take: impl FnMut(TableRow) -> Result<(), E>) -> Result<(), E> {
    let names = column_names(file)?;
    let wanted: Vec<WantedColumn> =
        names.iter().map(|name| WantedColumn { name, need: Need::IfThere, holds: Holds::Anything }).collect();
    read_blocks(file, &wanted, |block| {
        for Row { number, cells } in block.map(Ok::<Row, DataError>)? {
            take(TableRow::new(number, names.iter().cloned().zip(cells).collect()))?;
        }
        Ok::<(), E>(())
    })?;
    Ok(())
}
