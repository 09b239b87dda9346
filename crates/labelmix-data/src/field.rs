//! Fields of rows that are kept with the examples, for breaking numbers down by them.
//!
//! Only those that are asked for are kept. A name is that of a column, or leads into records: `a.b` is the field `b` of
//! the column `a`, unless there is a column `a.b`.

use std::path::PathBuf;

use crate::cell::Cell;
use crate::error::DataError;
use crate::example::Example;
use crate::place::Place;
use crate::read::{Holds, Need, Row, WantedColumn, field_names};

/// The largest whole number up to which all have a double-precision number of their own.
const LARGEST_EXACT: u64 = 1 << 53;

/// What a row holds in a field.
#[derive(Debug, Clone, PartialEq)]
pub enum FieldValue {
    /// Nothing: null, empty, not there, or a NaN, which writers of tables put where a number is missing.
    Missing,
    /// A number, as the file's format has it. Formats without types, such as CSV, have texts only.
    Number(f64),
    /// A text without white space around it; a list or a record as JSON.
    Text(Box<str>),
}

impl From<&Cell> for FieldValue {
    fn from(cell: &Cell) -> Self {
        let text = match cell {
            Cell::Missing => return Self::Missing,
            Cell::Number(number) if number.is_nan() => return Self::Missing,
            Cell::Number(number) => return Self::Number(*number),
            Cell::Integer(number) if number.unsigned_abs() <= LARGEST_EXACT => return Self::Number(*number as f64),
            Cell::List(_) | Cell::Record(_) => cell.to_json().to_string(),
            Cell::Bool(_) | Cell::Integer(_) | Cell::Text(_) => cell.exact().unwrap_or_default().trim().to_owned(),
        };
        if text.is_empty() { Self::Missing } else { Self::Text(text.into_boxed_str()) }
    }
}

/// Fields to keep, and the columns in which they may be.
#[derive(Debug, Clone, Default)]
pub(crate) struct KeptFields {
    columns: Vec<String>,
    fields: Vec<KeptField>,
}

/// Where a field is: in the column of its name, or in a record in the column of its name's first part.
#[derive(Debug, Clone)]
struct KeptField {
    column: usize,
    nested: Option<(usize, Vec<String>)>,
}

impl KeptFields {
    pub(crate) fn new(names: &[String]) -> Self {
        let mut kept = Self::default();
        for name in names {
            let column = kept.position(name);
            let nested = name.split_once('.').map(|(root, fields)| {
                let fields = fields.split('.').map(str::to_owned).collect();
                (kept.position(root), fields)
            });
            kept.fields.push(KeptField { column, nested });
        }
        kept
    }

    /// The columns to ask for, behind all others.
    pub(crate) fn wanted(&self) -> impl Iterator<Item = WantedColumn<'_>> {
        self.columns.iter().map(|name| WantedColumn { name, need: Need::IfThere, holds: Holds::Anything })
    }

    /// Takes the cells of these columns off a row.
    pub(crate) fn take(&self, row: &mut Row) -> Vec<Cell> {
        row.cells.split_off(row.cells.len() - self.columns.len())
    }

    /// The fields' values in the cells that were taken.
    pub(crate) fn values(&self, cells: &[Cell]) -> Box<[FieldValue]> {
        let value = |field: &KeptField| match (&cells[field.column], &field.nested) {
            (Cell::Missing, Some((root, fields))) => {
                cells[*root].at(fields).map_or(FieldValue::Missing, FieldValue::from)
            }
            (cell, _) => FieldValue::from(cell),
        };
        self.fields.iter().map(value).collect()
    }

    fn position(&mut self, name: &str) -> usize {
        self.columns.iter().position(|column| column == name).unwrap_or_else(|| {
            self.columns.push(name.to_owned());
            self.columns.len() - 1
        })
    }
}

/// Refuses a field that no example has and no file knows. `examples` are those of `files`, with the fields of these
/// names.
pub(crate) fn refuse_unknown(names: &[String], files: &[PathBuf], examples: &[Example]) -> Result<(), DataError> {
    for (position, name) in names.iter().enumerate() {
        if examples.iter().any(|example| example.fields[position] != FieldValue::Missing) {
            continue;
        }
        let mut known = Vec::new();
        for file in files {
            let of_file = field_names(file)?;
            known.extend(of_file.into_iter().filter(|field| !known.contains(field)).collect::<Vec<_>>());
        }
        let is_record = |field: &str| field.strip_prefix(name).is_some_and(|rest| rest.starts_with('.'));
        if let Some(file) = files.first()
            && !known.iter().any(|field| field == name || is_record(field))
        {
            return Err(DataError::missing_column(Place::file(file), name, known));
        }
    }
    Ok(())
}
