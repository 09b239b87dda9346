//! One value of a data file, and its reading as a label.

use std::fmt;

/// A cell, whatever the file's format.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Cell {
    /// Null, not there, or (in a CSV file) empty.
    Missing,
    Bool(bool),
    Number(f64),
    Text(String),
    /// A list or an object, as the file writes it.
    Nested(String),
}

impl Cell {
    /// The cell as a gold label: `None` where it is empty, the cell itself as the error where it is neither 0
    /// nor 1.
    pub(crate) fn into_gold(self) -> Result<Option<bool>, Self> {
        match self.literal() {
            Self::Missing => Ok(None),
            Self::Bool(label) => Ok(Some(label)),
            Self::Number(0.0) => Ok(Some(false)),
            Self::Number(1.0) => Ok(Some(true)),
            _ => Err(self),
        }
    }

    /// The cell as a weak label, the probability of class 1: `None` where it is empty, the cell itself as the
    /// error where it is no probability.
    pub(crate) fn into_weak(self) -> Result<Option<f32>, Self> {
        match self.literal() {
            Self::Missing => Ok(None),
            Self::Bool(label) => Ok(Some(f32::from(u8::from(label)))),
            // `abs` makes a negative zero, which is inside the range, the one zero.
            Self::Number(p) if (0.0..=1.0).contains(&p) => Ok(Some(p.abs() as f32)),
            _ => Err(self),
        }
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
}

/// The value as a message quotes it: short, since the wrong column may hold whole paragraphs.
impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MAX_CHARS: usize = 40;
        let value = match self {
            Self::Missing => "null".to_owned(),
            Self::Bool(value) => value.to_string(),
            Self::Number(value) => value.to_string(),
            Self::Text(value) | Self::Nested(value) => value.clone(),
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
            let typed = [Cell::Bool(class), Cell::Number(f64::from(u8::from(class)))];
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
        for cell in numbers.into_iter().chain(texts).chain([Cell::Nested("[1]".to_owned())]) {
            assert!(cell.clone().into_gold().is_err(), "{cell}");
            assert!(cell.clone().into_weak().is_err(), "{cell}");
        }
    }

    #[test]
    fn a_paragraph_is_quoted_in_part() {
        assert_eq!(text(&"ä".repeat(41)).to_string(), "ä".repeat(40) + "…");
    }
}
