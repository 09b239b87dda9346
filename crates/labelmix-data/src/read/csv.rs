//! CSV: comma-separated values with a header, double quotes where needed.

use std::fs::File;
use std::path::Path;

use csv::{ErrorKind, Reader, ReaderBuilder, StringRecord, Trim};

use super::{BLOCK_ROWS, Block, Row, WantedColumn, check_columns, invalid_utf8};
use crate::cell::Cell;
use crate::error::{DataError, Place, RowNumber};

/// The names of the columns.
pub(super) fn columns(path: &Path, file: File) -> Result<Vec<String>, DataError> {
    header(path, &mut reader(file))
}

fn reader(file: File) -> Reader<File> {
    ReaderBuilder::new().trim(Trim::Headers).from_reader(file)
}

fn header(path: &Path, reader: &mut Reader<File>) -> Result<Vec<String>, DataError> {
    let header = reader.headers().map_err(|error| refused(path, &error))?;
    Ok(header.iter().map(str::to_owned).collect())
}

/// Reads every record.
pub(super) fn read<E: From<DataError>>(
    path: &Path,
    file: File,
    wanted: &[WantedColumn],
    mut take: impl FnMut(Block) -> Result<(), E>,
) -> Result<(), E> {
    let mut reader = reader(file);
    let columns = header(path, &mut reader)?;
    check_columns(path, wanted, &columns)?;
    let positions: Vec<Option<usize>> =
        wanted.iter().map(|wanted| columns.iter().position(|column| column == wanted.name)).collect();

    let mut rows = Vec::new();
    let mut record = StringRecord::new();
    while reader.read_record(&mut record).map_err(|error| refused(path, &error))? {
        let cell = |position: &Option<usize>| {
            let field = position.and_then(|position| record.get(position));
            field.map_or(Cell::Missing, |field| Cell::Text(field.to_owned()))
        };
        rows.push(Row {
            number: RowNumber::Line(record.position().map_or(0, csv::Position::line)),
            cells: positions.iter().map(cell).collect(),
        });
        if rows.len() == BLOCK_ROWS {
            take(Block::Rows(std::mem::take(&mut rows)))?;
        }
    }
    if rows.is_empty() { Ok(()) } else { take(Block::Rows(rows)) }
}

fn refused(path: &Path, error: &csv::Error) -> DataError {
    let line = error.position().map(csv::Position::line);
    let place = match line {
        Some(line) => Place::row(path, RowNumber::Line(line)),
        None => Place::file(path),
    };
    match error.kind() {
        ErrorKind::Utf8 { .. } => invalid_utf8(path),
        ErrorKind::Io(reason) => DataError::unreadable(path, reason),
        ErrorKind::UnequalLengths { expected_len, len, .. } => {
            DataError::MalformedCsv { place, reason: format!("{len} fields, where the header has {expected_len}") }
        }
        _ => DataError::MalformedCsv { place, reason: error.to_string() },
    }
}
