//! What the cells of label columns mean: 0 and 1, or what a study says of other values.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::cell::Cell;

/// What a study says of the cells of its label columns. Without a word, a gold label is 0 or 1, a weak label a probability, an
/// empty cell no label, and -1 an abstention.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct LabelValues {
    /// The class of each value, 0 or 1.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub values: BTreeMap<String, u8>,
    /// Values that mean that there is no label.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
    /// Gold values whose rows are left out, such as a third class; as a weak label they are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub drop: Vec<String>,
    /// Gold labels are scores: from this one on they are of class 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
}

/// What a cell says.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum LabelRead<T> {
    Label(T),
    Nothing,
    /// -1, where nothing is said about it.
    Abstention,
    /// The row is to be left out, for this value.
    LeaveOut(String),
}

impl LabelValues {
    /// A cell as a gold label: whether it is of class 1.
    ///
    /// # Errors
    /// The cell itself, where it is none.
    pub(crate) fn gold(&self, cell: Cell) -> Result<LabelRead<bool>, Cell> {
        let Some(name) = cell.class_name() else { return Err(cell) };
        if let Some(said) = self.said(&name) {
            return Ok(said.map(|class| class == 1));
        }
        if let Some(threshold) = self.threshold {
            return match name.parse::<f64>() {
                Ok(score) if score.is_finite() => Ok(LabelRead::Label(score >= threshold)),
                _ => Err(cell),
            };
        }
        if !self.values.is_empty() {
            return Err(cell);
        }
        if is_minus_one(&name) {
            return Ok(LabelRead::Abstention);
        }
        Ok(cell.into_gold()?.map_or(LabelRead::Nothing, LabelRead::Label))
    }

    /// A cell as a weak label: the probability of class 1.
    ///
    /// # Errors
    /// The cell itself, where it is none.
    pub(crate) fn weak(&self, cell: Cell) -> Result<LabelRead<f32>, Cell> {
        let Some(name) = cell.class_name() else { return Err(cell) };
        if let Some(said) = self.said(&name) {
            return Ok(match said {
                LabelRead::LeaveOut(_) => LabelRead::Nothing,
                said => said.map(f32::from),
            });
        }
        if is_minus_one(&name) {
            return Ok(LabelRead::Abstention);
        }
        Ok(cell.into_weak()?.map_or(LabelRead::Nothing, LabelRead::Label))
    }

    /// The value that a hard label is written as; `None` where gold labels are scores, which no class stands for.
    pub(crate) fn written(&self, class: u8) -> Option<String> {
        if self.threshold.is_some() {
            return None;
        }
        let named = self.values.iter().find(|(_, other)| **other == class).map(|(value, _)| value.clone());
        Some(named.unwrap_or_else(|| class.to_string()))
    }

    /// What the study says of a value, if anything. Capitals make a difference only where they have to.
    fn said(&self, name: &str) -> Option<LabelRead<u8>> {
        if name.is_empty() || self.missing.iter().any(|missing| is_value(missing, name)) {
            return Some(LabelRead::Nothing);
        }
        if self.drop.iter().any(|dropped| is_value(dropped, name)) {
            return Some(LabelRead::LeaveOut(name.to_owned()));
        }
        let exact = self.values.iter().find(|(value, _)| is_value(value, name));
        let folded = || {
            let mut alike = self.values.iter().filter(|(value, _)| value.trim().to_lowercase() == name.to_lowercase());
            alike.next().filter(|_| alike.next().is_none())
        };
        exact.or_else(folded).map(|(_, class)| LabelRead::Label(*class))
    }
}

impl<T> LabelRead<T> {
    /// The label, if the cell says one.
    pub(crate) fn label(self) -> Option<T> {
        match self {
            Self::Label(label) => Some(label),
            Self::Nothing | Self::Abstention | Self::LeaveOut(_) => None,
        }
    }

    fn map<U>(self, make: impl FnOnce(T) -> U) -> LabelRead<U> {
        match self {
            Self::Label(label) => LabelRead::Label(make(label)),
            Self::Nothing => LabelRead::Nothing,
            Self::Abstention => LabelRead::Abstention,
            Self::LeaveOut(value) => LabelRead::LeaveOut(value),
        }
    }
}

/// Whether a value that a study writes is this one of a file: `1`, `1.0` and `true` have one name each in every format.
fn is_value(written: &str, name: &str) -> bool {
    Cell::Text(written.to_owned()).class_name().is_some_and(|written| written == name)
}

fn is_minus_one(name: &str) -> bool {
    name.parse::<f64>().is_ok_and(|number| number == -1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: &str) -> Cell {
        Cell::Text(value.to_owned())
    }

    fn with(values: &[(&str, u8)], missing: &[&str]) -> LabelValues {
        LabelValues {
            values: values.iter().map(|(value, class)| ((*value).to_owned(), *class)).collect(),
            missing: missing.iter().map(|value| (*value).to_owned()).collect(),
            drop: vec!["neutral".to_owned()],
            threshold: None,
        }
    }

    #[test]
    fn words_are_classes_where_a_study_says_so() {
        let said = with(&[("negative", 0), ("positive", 1)], &["NA", "?"]);
        assert_eq!(said.gold(text(" positive ")), Ok(LabelRead::Label(true)));
        assert_eq!(said.gold(text("Negative")), Ok(LabelRead::Label(false)));
        assert_eq!(said.weak(text("positive")), Ok(LabelRead::Label(1.0)));
        assert_eq!(said.weak(text("0.25")), Ok(LabelRead::Label(0.25)));
        assert_eq!(said.gold(text("neutral")), Ok(LabelRead::LeaveOut("neutral".to_owned())));
        assert_eq!(said.weak(text("neutral")), Ok(LabelRead::Nothing));
        for nothing in ["", "NA", " ? "] {
            assert_eq!(said.gold(text(nothing)), Ok(LabelRead::Nothing));
        }
        assert_eq!(said.gold(Cell::Integer(1)), Err(Cell::Integer(1)), "0 and 1 are no names of these classes");
    }

    #[test]
    fn names_that_differ_in_capitals_alone_are_told_apart() {
        let said = with(&[("a", 0), ("A", 1)], &[]);
        assert_eq!(said.gold(text("a")), Ok(LabelRead::Label(false)));
        assert_eq!(said.gold(text("A")), Ok(LabelRead::Label(true)));
    }

    #[test]
    fn numbers_are_values_however_they_are_typed() {
        let said = with(&[("1", 0), ("2", 1)], &[]);
        for two in [Cell::Integer(2), Cell::Number(2.0), text("2"), text("2.0")] {
            assert_eq!(said.gold(two), Ok(LabelRead::Label(true)));
        }
        assert_eq!(with(&[("-1", 0), ("1", 1)], &[]).gold(Cell::Integer(-1)), Ok(LabelRead::Label(false)));
    }

    #[test]
    fn minus_one_is_an_abstention() {
        let plain = LabelValues::default();
        for minus_one in [Cell::Integer(-1), Cell::Number(-1.0), text("-1"), text("-1.0")] {
            assert_eq!(plain.gold(minus_one.clone()), Ok(LabelRead::Abstention));
            assert_eq!(plain.weak(minus_one), Ok(LabelRead::Abstention));
        }
        assert!(plain.weak(text("-0.5")).is_err());
    }

    #[test]
    fn scores_are_classes_by_a_threshold() {
        let stars = LabelValues { threshold: Some(4.0), ..LabelValues::default() };
        assert_eq!(stars.gold(Cell::Integer(5)), Ok(LabelRead::Label(true)));
        assert_eq!(stars.gold(text("3.5")), Ok(LabelRead::Label(false)));
        assert_eq!(stars.gold(Cell::Missing), Ok(LabelRead::Nothing));
        assert!(stars.gold(text("good")).is_err());
    }
}
