//! The columns that a task reads, and where in a row their cells are.

use std::borrow::Cow;
use std::path::Path;

use super::error::TaskError;
use crate::cell::Cell;
use crate::place::Place;
use crate::read::Row;

/// Columns to read, each once: a row's cells stand in this order.
#[derive(Debug, Clone, Default)]
pub(super) struct ColumnSet(pub(super) Vec<String>);

impl ColumnSet {
    /// The position of a column among the cells of a row.
    pub(super) fn position(&mut self, name: &str) -> usize {
        self.0.iter().position(|column| column == name).unwrap_or_else(|| {
            self.0.push(name.to_owned());
            self.0.len() - 1
        })
    }

    /// The place of a column, or of a field in a column, `a.b.c`.
    pub(super) fn path(&mut self, name: &str) -> CellPath {
        let mut parts = name.split('.');
        let position = self.position(parts.next().unwrap_or_default());
        CellPath { name: name.to_owned(), position, fields: parts.map(str::to_owned).collect() }
    }
}

/// Where in a row a cell is.
#[derive(Debug, Clone)]
pub(super) struct CellPath {
    /// As the task file names it.
    pub(super) name: String,
    position: usize,
    fields: Vec<String>,
}

impl CellPath {
    pub(super) fn root(&self) -> &str {
        self.name.split('.').next().unwrap_or_default()
    }

    pub(super) fn cell<'a>(&self, file: &Path, row: &'a Row) -> Result<&'a Cell, TaskError> {
        let cell = row.cells[self.position].at(&self.fields);
        cell.ok_or_else(|| self.wrong(file, row, "a value with this field"))
    }

    /// The cell as a text, empty if it is missing.
    pub(super) fn text(&self, file: &Path, row: &Row) -> Result<String, TaskError> {
        let text = self.cell(file, row)?.exact().map(Cow::into_owned);
        text.ok_or_else(|| self.wrong(file, row, "a text"))
    }

    /// The error for a cell that is not what it has to be.
    pub(super) fn wrong(&self, file: &Path, row: &Row, expected: &'static str) -> TaskError {
        TaskError::WrongCell {
            place: Place::row(file, row.number),
            column: self.name.clone(),
            value: row.cells[self.position].to_string(),
            expected,
        }
    }
}
