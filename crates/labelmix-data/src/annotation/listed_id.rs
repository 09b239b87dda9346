//! The id of an example as a list for annotators has it, and what spreadsheets make of it.
//!
//! Sixteen hexadecimal digits may be all decimal, or look like `12e4567890123456`. A spreadsheet takes those for numbers and
//! rounds them. A letter that is no digit keeps it from doing so.

use crate::cell::Cell;
use crate::example::ExampleId;

/// Stands before the digits.
const MARK: char = 't';

/// The fewest decimal digits that are taken for an id whose zeros a spreadsheet has removed: six zeros at the front of an id
/// are one case in sixteen millions.
const FEWEST_DIGITS: usize = 10;

/// What stands in place of an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoId {
    Empty,
    /// A number that a spreadsheet has made of it.
    Number,
    Other,
}

/// An id for a list that a spreadsheet may open.
pub(super) fn for_spreadsheets(id: ExampleId) -> String {
    format!("{MARK}{id}")
}

/// The id that a cell names: with the mark or without it, in small or large letters, quoted, or without the zeros at its front
/// that a spreadsheet has removed.
pub(super) fn listed_id(cell: &Cell) -> Result<ExampleId, NoId> {
    let written = match cell {
        Cell::Missing => return Err(NoId::Empty),
        Cell::Text(text) => text.to_lowercase(),
        Cell::Integer(number) => number.to_string(),
        // Whole numbers below 2^53 are exact.
        Cell::Number(number) if number.fract() == 0.0 && (0.0..9e15).contains(number) => format!("{number:.0}"),
        Cell::Number(_) => return Err(NoId::Number),
        Cell::Bool(_) | Cell::List(_) | Cell::Record(_) => return Err(NoId::Other),
    };
    let is_around = |letter: char| letter.is_whitespace() || "'\"`=‘’“”\u{feff}\u{200b}".contains(letter);
    let digits = written.trim_matches(is_around);
    if digits.is_empty() {
        return Err(NoId::Empty);
    }
    let digits = digits.strip_prefix(MARK).or_else(|| digits.strip_prefix("0x")).unwrap_or(digits);
    let whole = digits.strip_suffix(".0").unwrap_or(digits);
    let is_decimal = whole.bytes().all(|digit| digit.is_ascii_digit());
    let is_id = digits.len() == 16 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    if is_id || is_decimal && (FEWEST_DIGITS..=16).contains(&whole.len()) {
        return whole.parse().map_err(|_| NoId::Other);
    }
    let is_number = digits.replace(',', ".").parse::<f64>().is_ok() && digits.len() > 4;
    Err(if is_number { NoId::Number } else { NoId::Other })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: &str) -> Cell {
        Cell::Text(value.to_owned())
    }

    #[test]
    fn an_id_is_read_however_it_comes_back() {
        let id: ExampleId = "001234567890123e".parse().unwrap();
        let written = [
            "t001234567890123e",
            "001234567890123e",
            " T001234567890123E ",
            "\u{feff}0x001234567890123e",
            "'001234567890123e",
            "=\"001234567890123e\"",
        ];
        for written in written {
            assert_eq!(listed_id(&text(written)), Ok(id), "{written}");
        }
        let decimal: ExampleId = "0000123456789012".parse().unwrap();
        for cell in [
            text("123456789012"),
            text("123456789012.0"),
            Cell::Integer(123_456_789_012),
            Cell::Number(123_456_789_012.0),
        ] {
            assert_eq!(listed_id(&cell), Ok(decimal), "{cell}");
        }
        let id: ExampleId = "1234567890123456".parse().unwrap();
        assert_eq!(listed_id(&Cell::Integer(1_234_567_890_123_456)), Ok(id));
        assert_eq!(for_spreadsheets(id), "t1234567890123456");
    }

    #[test]
    fn what_a_spreadsheet_has_rounded_is_told_from_what_never_was_an_id() {
        for cell in [text("1.23457E+15"), text("1,23457E+15"), Cell::Number(1.2e40), Cell::Number(f64::INFINITY)] {
            assert_eq!(listed_id(&cell), Err(NoId::Number), "{cell}");
        }
        for cell in [text("17"), text("t17"), text("abc"), Cell::Bool(true)] {
            assert_eq!(listed_id(&cell), Err(NoId::Other), "{cell}");
        }
        for cell in [text("  "), Cell::Missing] {
            assert_eq!(listed_id(&cell), Err(NoId::Empty), "{cell}");
        }
    }
}
