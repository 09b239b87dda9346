//! Cells as JSON and back, with the fields of records in their order.

use serde::Serialize;

use crate::cell::Cell;

/// A cell, or the entries of a record, as JSON with the fields of records in their order.
pub(crate) enum Ordered<'a> {
    Cell(&'a Cell),
    Record(&'a [(String, Cell)]),
}

impl Serialize for Ordered<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Record(entries) => {
                serializer.collect_map(entries.iter().map(|(name, cell)| (name, Ordered::Cell(cell))))
            }
            Self::Cell(Cell::Record(entries)) => Ordered::Record(entries).serialize(serializer),
            Self::Cell(Cell::Missing) => serializer.serialize_unit(),
            Self::Cell(Cell::Bool(value)) => serializer.serialize_bool(*value),
            Self::Cell(Cell::Integer(value)) => serializer.serialize_i64(*value),
            Self::Cell(Cell::Number(value)) => serializer.serialize_f64(*value),
            Self::Cell(Cell::Text(text)) => serializer.serialize_str(text),
            Self::Cell(Cell::List(cells)) => serializer.collect_seq(cells.iter().map(Ordered::Cell)),
        }
    }
}

impl Ordered<'_> {
    /// As one line of text.
    pub(crate) fn text(&self) -> String {
        serde_json::to_string(self).expect("cells are text and numbers with names")
    }
}

/// A value as a cell, by way of its JSON: a single-precision number becomes the one that its shortest decimals name, so that
/// 0.9 is written as 0.9.
pub(crate) fn parsed_cell(value: &impl Serialize) -> Cell {
    let json = serde_json::to_string(value).expect("values of cells are text, numbers and lists of them");
    serde_json::from_str(&json).expect("what was written as JSON is read as JSON")
}
