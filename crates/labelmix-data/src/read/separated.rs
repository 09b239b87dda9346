//! Separated values (CSV, TSV and their kin) with a header, double quotes where needed.

mod records;
mod separator;

use std::path::Path;

use self::records::{Record, RecordError, Records};
use self::separator::Dialect;
use super::stream_fault::refused;
use super::text::Text;
use super::{BLOCK_ROWS, Block, Holds, Row, WantedColumn, check_columns};
use crate::cell::Cell;
use crate::error::DataError;
use crate::place::{Place, RowNumber};

/// A text of separated values behind its header.
struct Separated<'a> {
    path: &'a Path,
    records: Records<'a>,
    separator: u8,
    columns: Vec<String>,
}

/// The names of the columns.
pub(super) fn columns(path: &Path, text: Text) -> Result<Vec<String>, DataError> {
    Ok(Separated::new(path, text)?.columns)
}

impl<'a> Separated<'a> {
    fn new(path: &'a Path, mut text: Text<'a>) -> Result<Self, DataError> {
        let beginning = text.peek().map_err(|error| refused(path, &error))?;
        let Dialect { separator, has_sep_line } = Dialect::of(path, beginning);
        let mut separated = Self { path, records: Records::new(text, separator), separator, columns: Vec::new() };
        if has_sep_line {
            separated.records.skip_line().map_err(|error| separated.refuse(error))?;
        }
        let mut header = Record::default();
        if !separated.read(&mut header)? {
            return Err(DataError::NoRows { file: path.to_path_buf() });
        }
        separated.columns = header.fields().map(|name| name.trim().to_owned()).collect();
        Ok(separated)
    }

    fn read(&mut self, record: &mut Record) -> Result<bool, DataError> {
        self.records.read(record).map_err(|error| self.refuse(error))
    }

    fn refuse(&self, error: RecordError) -> DataError {
        match error {
            RecordError::Io(error) => refused(self.path, &error),
            RecordError::Quote { opened, followed } => {
                DataError::UnclosedQuote { place: Place::row(self.path, RowNumber::Line(opened)), followed }
            }
        }
    }

    /// Refuses a record that has not as many fields as the header.
    fn check_length(&self, record: &Record) -> Result<(), DataError> {
        if record.len() == self.columns.len() {
            return Ok(());
        }
        let advice = match record.quoted_lines {
            Some((opened, closed)) => format!(
                "the quote that opens on line {opened} is closed on line {closed} only: if it is part of a text, the \
                 field must be in double quotes, and the quote inside be doubled"
            ),
            None => format!(
                "every record needs as many fields as the header; a field with a separator (`{}`) or a line break in it \
                 must be in double quotes",
                char::from(self.separator).escape_default()
            ),
        };
        Err(DataError::MalformedCsv {
            place: Place::row(self.path, RowNumber::Line(record.lines.0)),
            reason: format!("{} fields, where the header has {}", record.len(), self.columns.len()),
            advice,
        })
    }
}

/// Reads every record.
pub(super) fn read<E: From<DataError>>(
    path: &Path,
    text: Text,
    wanted: &[WantedColumn],
    mut take: impl FnMut(Block) -> Result<(), E>,
) -> Result<(), E> {
    let mut separated = Separated::new(path, text)?;
    check_columns(path, wanted, &separated.columns)?;
    let position = |wanted: &WantedColumn| separated.columns.iter().position(|column| column == wanted.name);
    let positions: Vec<Option<usize>> = wanted.iter().map(position).collect();
    // Where commas do not separate fields, it is because they are decimal marks.
    let has_decimal_commas = separated.separator != b',';

    let mut rows = Vec::new();
    let mut record = Record::default();
    while separated.read(&mut record)? {
        separated.check_length(&record)?;
        let cell = |(wanted, position): (&WantedColumn, &Option<usize>)| {
            let Some(field) = position.and_then(|position| record.get(position)) else { return Cell::Missing };
            let is_decimal = has_decimal_commas && wanted.holds == Holds::Label && is_number_with_comma(field);
            Cell::Text(if is_decimal { field.replace(',', ".") } else { field.to_owned() })
        };
        let cells = wanted.iter().zip(&positions).map(cell).collect();
        rows.push(Row { number: RowNumber::Line(record.lines.0), cells });
        if rows.len() == BLOCK_ROWS {
            take(Block::Rows(std::mem::take(&mut rows)))?;
        }
    }
    if rows.is_empty() { Ok(()) } else { take(Block::Rows(rows)) }
}

/// `0,75`, as spreadsheets write numbers in much of Europe.
fn is_number_with_comma(field: &str) -> bool {
    let is_digits = |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    field.trim().split_once(',').is_some_and(|(whole, fraction)| is_digits(whole) && is_digits(fraction))
}
