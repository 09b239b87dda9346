//! What the columns of a table hold, gathered from its rows: formats with types and headers need it before the first row.

use serde::Serialize;

use super::{TableRow, parsed_cell};
use crate::cell::Cell;

/// The columns of a table in the order in which they were seen, and the kind of their values.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TableColumns {
    columns: Vec<Column>,
}

/// A column.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) kind: ColumnKind,
}

/// What all values of a column have in common.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ColumnKind {
    /// No value is known yet.
    Missing,
    Bool,
    Integer,
    Number,
    Text,
    List(Box<ColumnKind>),
    Record(Vec<Column>),
    /// Values of several kinds.
    Mixed,
}

impl TableColumns {
    /// Takes note of a row's columns.
    pub fn observe(&mut self, row: &TableRow) {
        for (place, (name, cell)) in row.entries().iter().enumerate() {
            observe(&mut self.columns, place, name, ColumnKind::of(cell));
        }
    }

    /// Takes note of a column of values like this one.
    pub fn observe_value(&mut self, name: &str, value: &impl Serialize) {
        observe(&mut self.columns, usize::MAX, name, ColumnKind::of(&parsed_cell(value)));
    }

    /// Their names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|column| column.name.as_str())
    }

    /// Whether there is a column of this name.
    pub fn contains(&self, name: &str) -> bool {
        self.columns.iter().any(|column| column.name == name)
    }

    pub(crate) fn columns(&self) -> &[Column] {
        &self.columns
    }
}

/// Enters a kind into the column of a name, which is probably at a place.
fn observe(columns: &mut Vec<Column>, place: usize, name: &str, kind: ColumnKind) {
    let is_there = columns.get(place).is_some_and(|column| column.name == name);
    let found = if is_there { Some(place) } else { columns.iter().position(|column| column.name == name) };
    match found {
        Some(found) => columns[found].kind.join(kind),
        None => columns.push(Column { name: name.to_owned(), kind }),
    }
}

impl ColumnKind {
    fn of(cell: &Cell) -> Self {
        match cell {
            Cell::Missing => Self::Missing,
            Cell::Bool(_) => Self::Bool,
            Cell::Integer(_) => Self::Integer,
            Cell::Number(_) => Self::Number,
            Cell::Text(_) => Self::Text,
            Cell::List(cells) => {
                let mut items = Self::Missing;
                for cell in cells {
                    items.join(Self::of(cell));
                }
                Self::List(Box::new(items))
            }
            // A record without fields is a value that has no columns.
            Cell::Record(entries) if entries.is_empty() => Self::Mixed,
            Cell::Record(entries) => {
                let mut columns = Vec::with_capacity(entries.len());
                for (place, (name, cell)) in entries.iter().enumerate() {
                    observe(&mut columns, place, name, Self::of(cell));
                }
                Self::Record(columns)
            }
        }
    }

    /// Takes in the kind of another value.
    fn join(&mut self, other: Self) {
        match (&mut *self, other) {
            (_, Self::Missing) | (Self::Number, Self::Integer) => {}
            (Self::List(items), Self::List(others)) => items.join(*others),
            (Self::Record(columns), Self::Record(others)) => {
                for (place, Column { name, kind }) in others.into_iter().enumerate() {
                    observe(columns, place, &name, kind);
                }
            }
            (Self::Missing, other) => *self = other,
            (Self::Integer, Self::Number) => *self = Self::Number,
            (kind, other) if *kind == other => {}
            (_, _) => *self = Self::Mixed,
        }
    }
}
