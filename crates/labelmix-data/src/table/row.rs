//! A row with all its columns.

use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;

use super::json::{Ordered, parsed_cell};
use crate::cell::Cell;
use crate::error::DataError;
use crate::place::{Place, RowNumber};

/// A row of a table: its number in the file that it comes from, and its cells by the names of their columns, in order.
#[derive(Debug, Clone, PartialEq)]
pub struct TableRow {
    number: RowNumber,
    entries: Vec<(String, Cell)>,
    /// The row as it stood in a file of JSON Lines, and how many of the entries that is. It goes out as it came in:
    /// numbers keep their digits, and spaces stay where they are.
    line: Option<(String, usize)>,
}

impl TableRow {
    pub(super) fn new(number: RowNumber, entries: Vec<(String, Cell)>) -> Self {
        Self { number, entries, line: None }
    }

    pub(super) fn of_line(number: RowNumber, entries: Vec<(String, Cell)>, line: &str) -> Self {
        let line = (line.trim().to_owned(), entries.len());
        Self { number, entries, line: Some(line) }
    }

    /// A row of a record, whose fields are the columns; `None` for a value of another kind.
    pub(crate) fn of_cell(number: RowNumber, cell: Cell) -> Option<Self> {
        match cell {
            Cell::Record(entries) => Some(Self::new(number, entries)),
            _ => None,
        }
    }

    /// The place of the row in the file that it was read from.
    pub fn place(&self, file: &Path) -> Place {
        Place::row(file, self.number)
    }

    /// The names of its columns, in order.
    pub fn columns(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|(name, _)| name.as_str())
    }

    /// The text in a column; empty where there is none.
    ///
    /// # Errors
    /// [`DataError`] where the column is missing or holds something else.
    pub fn text(&self, file: &Path, column: &str) -> Result<&str, DataError> {
        match self.get(column) {
            Some(Cell::Text(text)) => Ok(text),
            Some(Cell::Missing) => Ok(""),
            Some(other) => Err(DataError::WrongType {
                place: self.place(file),
                column: column.to_owned(),
                found: format!("`{other}`"),
                expected: "text",
            }),
            None => {
                let present = self.columns().map(str::to_owned).collect();
                Err(DataError::missing_column(self.place(file), column, present))
            }
        }
    }

    /// Puts a value into a column, which is added at the row's end if there is none of this name.
    pub fn set(&mut self, column: &str, value: &impl Serialize) {
        let cell = parsed_cell(value);
        match self.entries.iter_mut().find(|(name, _)| name == column) {
            Some((_, old)) => {
                *old = cell;
                self.line = None;
            }
            None => self.entries.push((column.to_owned(), cell)),
        }
    }

    pub(crate) fn get(&self, column: &str) -> Option<&Cell> {
        self.entries.iter().find(|(name, _)| name == column).map(|(_, cell)| cell)
    }

    pub(crate) fn entries(&self) -> &[(String, Cell)] {
        &self.entries
    }

    /// Writes the row as a JSON object.
    pub(crate) fn write_json(&self, out: &mut impl Write) -> io::Result<()> {
        let Some((line, in_line)) = &self.line else {
            return Ok(serde_json::to_writer(out, &Ordered::Record(&self.entries))?);
        };
        let added = &self.entries[*in_line..];
        let (Some(head), false) = (line.strip_suffix('}'), added.is_empty()) else {
            return out.write_all(line.as_bytes());
        };
        out.write_all(head.trim_end().as_bytes())?;
        for (index, (name, cell)) in added.iter().enumerate() {
            out.write_all(if in_line + index == 0 { b"" } else { b"," })?;
            serde_json::to_writer(&mut *out, name)?;
            out.write_all(b":")?;
            serde_json::to_writer(&mut *out, &Ordered::Cell(cell))?;
        }
        out.write_all(b"}")
    }
}
