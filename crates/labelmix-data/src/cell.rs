//! One value of a data file: its reading as a label, as a key, and as JSON.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

/// A cell, whatever the file's format.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Cell {
    /// Null, not there, or (in a CSV file) empty.
    Missing,
    Bool(bool),
    Integer(i64),
    /// Any other number: with a fraction, or beyond 64 bits.
    Number(f64),
    Text(String),
    List(Vec<Cell>),
    /// An object or a struct, its fields in the file's order.
    Record(Vec<(String, Cell)>),
}

impl Cell {
    /// The cell as a gold label: `None` where it is empty, the cell itself as the error where it is neither 0
    /// nor 1.
    pub(crate) fn into_gold(self) -> Result<Option<bool>, Self> {
        match self.literal() {
            Self::Missing => Ok(None),
            Self::Bool(label) => Ok(Some(label)),
            Self::Integer(0) | Self::Number(0.0) => Ok(Some(false)),
            Self::Integer(1) | Self::Number(1.0) => Ok(Some(true)),
            _ => Err(self),
        }
    }

    /// The cell as a weak label, the probability of class 1: `None` where it is empty, the cell itself as the
    /// error where it is no probability.
    pub(crate) fn into_weak(self) -> Result<Option<f32>, Self> {
        match self.literal() {
            Self::Missing => Ok(None),
            Self::Bool(label) => Ok(Some(f32::from(u8::from(label)))),
            Self::Integer(0) => Ok(Some(0.0)),
            Self::Integer(1) => Ok(Some(1.0)),
            // `abs` makes a negative zero, which is inside the range, the one zero.
            Self::Number(p) if (0.0..=1.0).contains(&p) => Ok(Some(p.abs() as f32)),
            _ => Err(self),
        }
    }

    /// The cell as a class's name: the same however a format types it, so that an integer, `3.0`, and the string `3`
    /// in a CSV file are one. `None` for lists and records.
    pub(crate) fn class_name(&self) -> Option<Cow<'_, str>> {
        match (self.literal(), self) {
            (Self::Text(_), Self::Text(text)) => Some(Cow::Borrowed(text.trim())),
            (literal, _) => literal.exact().map(|name| Cow::Owned(name.into_owned())),
        }
    }

    /// The cell as it is written, nothing if it is missing; `None` for lists and records.
    pub(crate) fn exact(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Missing => Some(Cow::Borrowed("")),
            Self::Bool(value) => Some(Cow::Borrowed(if *value { "true" } else { "false" })),
            Self::Integer(value) => Some(Cow::Owned(value.to_string())),
            Self::Number(value) => Some(Cow::Owned(value.to_string())),
            Self::Text(text) => Some(Cow::Borrowed(text)),
            Self::List(_) | Self::Record(_) => None,
        }
    }

    /// The part of a nested cell to which the names of its fields lead.
    pub(crate) fn at(&self, fields: &[String]) -> Option<&Self> {
        fields.iter().try_fold(self, |cell, field| match cell {
            Self::Record(entries) => entries.iter().find(|(name, _)| name == field).map(|(_, value)| value),
            _ => None,
        })
    }

    /// What a string spells, since CSV files (and careless JSON) have only strings: nothing, a truth value or a
    /// number. pandas writes `True`, and `1.0` for an integer in a column with gaps.
    fn literal(&self) -> Self {
        let Self::Text(text) = self else {
            return self.clone();
        };
        let text = text.trim();
        if text.is_empty() {
            Self::Missing
        } else if text.eq_ignore_ascii_case("true") {
            Self::Bool(true)
        } else if text.eq_ignore_ascii_case("false") {
            Self::Bool(false)
        } else {
            text.parse().map_or_else(|_| self.clone(), Self::Number)
        }
    }

    /// As JSON, but for numbers that JSON does not know.
    pub(crate) fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Missing => serde_json::Value::Null,
            Self::Bool(value) => (*value).into(),
            Self::Integer(value) => (*value).into(),
            Self::Number(value) => (*value).into(),
            Self::Text(text) => text.as_str().into(),
            Self::List(cells) => cells.iter().map(Self::to_json).collect(),
            Self::Record(entries) => entries.iter().map(|(name, cell)| (name.clone(), cell.to_json())).collect(),
        }
    }
}

impl<'de> Deserialize<'de> for Cell {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CellVisitor)
    }
}

struct CellVisitor;

impl<'de> Visitor<'de> for CellVisitor {
    type Value = Cell;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E>(self) -> Result<Cell, E> {
        Ok(Cell::Missing)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Cell, E> {
        Ok(Cell::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Cell, E> {
        Ok(Cell::Integer(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Cell, E> {
        Ok(i64::try_from(value).map_or(Cell::Number(value as f64), Cell::Integer))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Cell, E> {
        Ok(Cell::Number(value))
    }

    fn visit_str<E>(self, text: &str) -> Result<Cell, E> {
        Ok(Cell::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Cell, A::Error> {
        let mut cells = Vec::new();
        while let Some(cell) = list.next_element()? {
            cells.push(cell);
        }
        Ok(Cell::List(cells))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Cell, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Cell::Record(entries))
    }
}

/// The value as a message quotes it: short, since the wrong column may hold whole paragraphs.
impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MAX_CHARS: usize = 40;
        let value = match self {
            Self::Missing => "null".to_owned(),
            Self::Bool(value) => value.to_string(),
            Self::Integer(value) => value.to_string(),
            Self::Number(value) => value.to_string(),
            Self::Text(value) => value.clone(),
            Self::List(_) | Self::Record(_) => self.to_json().to_string(),
        };
        match value.char_indices().nth(MAX_CHARS) {
            Some((end, _)) => write!(f, "{}…", &value[..end]),
            None => f.write_str(&value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: &str) -> Cell {
        Cell::Text(value.to_owned())
    }

    #[test]
    fn every_spelling_of_a_hard_label_is_a_label_of_both_kinds() {
        for (class, spellings) in [(false, ["0", "0.0", " 0 ", "False"]), (true, ["1", "1.0", "TRUE", "true"])] {
            let cells = spellings.iter().map(|spelling| text(spelling));
            let number = u8::from(class);
            let typed = [Cell::Bool(class), Cell::Integer(i64::from(number)), Cell::Number(f64::from(number))];
            for cell in cells.chain(typed) {
                assert_eq!(cell.clone().into_gold(), Ok(Some(class)), "{cell}");
                assert_eq!(cell.clone().into_weak(), Ok(Some(f32::from(u8::from(class)))), "{cell}");
            }
        }
    }

    #[test]
    fn an_empty_cell_is_no_label() {
        for cell in [Cell::Missing, text(""), text("  ")] {
            assert_eq!(cell.clone().into_gold(), Ok(None));
            assert_eq!(cell.into_weak(), Ok(None));
        }
    }

    #[test]
    fn a_probability_is_a_weak_label_only() {
        for cell in [Cell::Number(0.25), text("0.25"), text("2.5e-1")] {
            assert_eq!(cell.clone().into_weak(), Ok(Some(0.25)));
            assert!(cell.into_gold().is_err());
        }
        assert_eq!(text("-0.0").into_weak().unwrap().map(f32::to_bits), Some(0));
    }

    #[test]
    fn nothing_else_is_a_label() {
        let numbers = [2.0, -1.0, 1.000_001, -1e-9, f64::NAN, f64::INFINITY].map(Cell::Number);
        let texts = ["2", "maybe", "yes", "nan", "inf", "1,0", "0x1"].map(text);
        for cell in numbers.into_iter().chain(texts).chain([Cell::List(vec![Cell::Integer(1)]), Cell::Integer(2)]) {
            assert!(cell.clone().into_gold().is_err(), "{cell}");
            assert!(cell.clone().into_weak().is_err(), "{cell}");
        }
    }

    #[test]
    fn a_class_has_one_name_however_it_is_typed() {
        for cell in [Cell::Integer(3), Cell::Number(3.0), text("3"), text(" 3.0 ")] {
            assert_eq!(cell.class_name().unwrap(), "3", "{cell}");
        }
        assert_eq!(text(" a b ").class_name().unwrap(), "a b");
        assert_eq!(text("True").class_name(), Cell::Bool(true).class_name());
        assert_eq!(Cell::Missing.class_name(), text("").class_name());
        assert_eq!(Cell::List(vec![]).class_name(), None);
    }

    #[test]
    fn a_nested_cell_is_quoted_as_json() {
        let cell: Cell = serde_json::from_str(r#"{"b": [1, 2.5, null], "a": {"text": "x"}}"#).unwrap();
        assert_eq!(cell.to_string(), r#"{"a":{"text":"x"},"b":[1,2.5,null]}"#);
        assert_eq!(cell.at(&["a".to_owned(), "text".to_owned()]), Some(&text("x")));
        assert_eq!(cell.at(&["a".to_owned(), "b".to_owned()]), None);
    }

    #[test]
    fn a_paragraph_is_quoted_in_part() {
        assert_eq!(text(&"ä".repeat(41)).to_string(), "ä".repeat(40) + "…");
    }
}
