//! CSV: comma-separated values with a header, double quotes where needed.

use std::fs::File;
use std::path::Path;

use csv::{ErrorKind, ReaderBuilder, StringRecord, Trim};

use super::{LabelColumn, RawRow, Wanted, invalid_utf8};
use crate::cell::Cell;
use crate::error::{DataError, Place, RowNumber};

/// Reads the wanted columns of every record.
pub(super) fn read(path: &Path, file: File, wanted: &Wanted) -> Result<Vec<RawRow>, DataError> {
    let mut reader = ReaderBuilder::new().trim(Trim::Headers).from_reader(file);
    let header = reader.headers().map_err(|error| refused(path, &error))?;
    let columns: Vec<String> = header.iter().map(str::to_owned).collect();
    wanted.check(path, &columns)?;

    let position = |name: &str| columns.iter().position(|column| column == name);
    let label_position = |label: Option<LabelColumn>| label.and_then(|label| position(label.name));
    let text = position(wanted.text);
    let gold = label_position(wanted.gold);
    let weak = label_position(wanted.weak);

    let mut rows = Vec::new();
    let mut record = StringRecord::new();
    while reader.read_record(&mut record).map_err(|error| refused(path, &error))? {
        let cell = |position: Option<usize>| {
            let field = position.and_then(|position| record.get(position));
            field.map_or(Cell::Missing, |field| Cell::Text(field.to_owned()))
        };
        rows.push(RawRow {
            number: RowNumber::Line(record.position().map_or(0, csv::Position::line)),
            text: cell(text),
            gold: cell(gold),
            weak: cell(weak),
        });
    }
    Ok(rows)
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
