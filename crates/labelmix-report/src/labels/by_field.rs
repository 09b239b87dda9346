//! Labels grouped by a field of the rows that the examples come from.

use std::collections::HashMap;

use labelmix_data::FieldValue;
use serde::Serialize;

use super::JudgedLabel;
use super::quality::{GroupOf, LabelGroup, fifths};

/// Values that have a group of their own at most; numbers of more values are grouped by fifths.
const MOST_VALUES: usize = 10;

/// The labels by the value of a field.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FieldGroups {
    /// The field's name.
    pub field: String,
    /// Its values, the most frequent first, numbers by size; then the rarer ones together; then the labels whose rows
    /// have no value. Numbers of many values are in fifths instead.
    pub groups: Vec<LabelGroup>,
}

/// The labels by their field at this position.
pub(super) fn by_field<'a>(labels: &'a [JudgedLabel<'a>], position: usize) -> Vec<(GroupOf, Vec<&'a JudgedLabel<'a>>)> {
    let (without, with): (Vec<_>, Vec<_>) =
        labels.iter().partition(|label| *label.field(position) == FieldValue::Missing);
    let numbers: Option<Vec<(f64, &JudgedLabel<'_>)>> =
        with.iter().map(|label| Some((number(label.field(position))?, *label))).collect();
    let mut groups = match numbers {
        Some(numbers) if distinct(&numbers) > MOST_VALUES => {
            let range = |(low, high, members)| (GroupOf::Values { low, high }, members);
            fifths(numbers).into_iter().map(range).collect()
        }
        numbers => {
            let order = if numbers.is_some() { Order::BySize } else { Order::ByFrequency };
            by_value(&with, position, order)
        }
    };
    groups.push((GroupOf::Value(None), without));
    groups
}

/// How values are listed.
#[derive(Clone, Copy)]
enum Order {
    ByFrequency,
    BySize,
}

fn by_value<'a>(
    labels: &[&'a JudgedLabel<'a>],
    position: usize,
    order: Order,
) -> Vec<(GroupOf, Vec<&'a JudgedLabel<'a>>)> {
    let mut by_value: HashMap<String, Vec<&JudgedLabel<'_>>> = HashMap::new();
    for label in labels {
        by_value.entry(written(label.field(position))).or_default().push(label);
    }
    let mut values: Vec<(String, Vec<&JudgedLabel<'_>>)> = by_value.into_iter().collect();
    values.sort_by(|(a, of_a), (b, of_b)| of_b.len().cmp(&of_a.len()).then_with(|| a.cmp(b)));
    // A single rarer value is as short by its name.
    let rarer = if values.len() > MOST_VALUES + 1 { values.split_off(MOST_VALUES) } else { Vec::new() };
    if let Order::BySize = order {
        let size = |value: &str| value.parse().unwrap_or(f64::NAN);
        values.sort_by(|(a, _), (b, _)| size(a).total_cmp(&size(b)));
    }
    let mut groups: Vec<_> =
        values.into_iter().map(|(value, members)| (GroupOf::Value(Some(value)), members)).collect();
    groups.push((GroupOf::OtherValues(rarer.len()), rarer.into_iter().flat_map(|(_, members)| members).collect()));
    groups
}

/// The number that a value is or, in a format without types, spells.
fn number(value: &FieldValue) -> Option<f64> {
    let number = match value {
        FieldValue::Missing => return None,
        FieldValue::Number(number) => *number,
        FieldValue::Text(text) => text.parse().ok()?,
    };
    number.is_finite().then_some(number)
}

fn written(value: &FieldValue) -> String {
    match value {
        FieldValue::Missing => String::new(),
        FieldValue::Number(number) => number.to_string(),
        FieldValue::Text(text) => text.to_string(),
    }
}

fn distinct(numbers: &[(f64, &JudgedLabel<'_>)]) -> usize {
    let mut numbers: Vec<f64> = numbers.iter().map(|(number, _)| *number).collect();
    numbers.sort_by(f64::total_cmp);
    numbers.dedup();
    numbers.len()
}

#[cfg(test)]
mod tests {
    use labelmix_data::Example;

    use super::*;

    fn text(value: &str) -> FieldValue {
        FieldValue::Text(value.into())
    }

    /// The names and sizes of the groups of examples with these values.
    fn grouped(values: impl IntoIterator<Item = FieldValue>) -> Vec<String> {
        let example = |value| Example { fields: [value].into(), ..Example::new("a".into(), Some(true), Some(1.0)) };
        let examples: Vec<Example> = values.into_iter().map(example).collect();
        let labels: Vec<JudgedLabel<'_>> = examples.iter().filter_map(JudgedLabel::of).collect();
        let groups = by_field(&labels, 0).into_iter().filter(|(_, members)| !members.is_empty());
        groups.map(|(of, members)| format!("{}: {}", of.name(), members.len())).collect()
    }

    #[test]
    fn frequent_values_come_first_and_a_missing_one_last() {
        let values = [text("b"), FieldValue::Missing, text("c"), text("a"), FieldValue::Missing, text("c")];
        assert_eq!(grouped(values), ["c: 2", "a: 1", "b: 1", "no value: 2"]);
        assert_eq!(grouped([FieldValue::Missing]), ["no value: 1"]);
    }

    #[test]
    fn rarer_values_are_together() {
        let twice = ('a'..='z').flat_map(|letter| vec![text(&letter.to_string()); if letter < 'k' { 2 } else { 1 }]);
        let groups = grouped(twice);
        assert_eq!((groups.len(), groups[9].as_str(), groups[10].as_str()), (11, "j: 2", "16 other values: 16"));
        let eleven = ('a'..='k').map(|letter| text(&letter.to_string()));
        assert_eq!(grouped(eleven).last().unwrap(), "k: 1");
    }

    #[test]
    fn few_numbers_are_values_by_size() {
        let stars = [5.0, 5.0, 10.0, 1.0].map(FieldValue::Number);
        assert_eq!(grouped(stars), ["1: 1", "5: 2", "10: 1"]);
        assert_eq!(grouped(["5", "10", "05"].map(text)), ["05: 1", "5: 1", "10: 1"]);
    }

    #[test]
    fn many_numbers_are_in_fifths() {
        let years = || (0..20).map(|year| f64::from(2000 + year));
        let fifths = ["2000 to 2003: 4", "2004 to 2007: 4", "2008 to 2011: 4", "2012 to 2015: 4", "2016 to 2019: 4"];
        assert_eq!(grouped(years().map(FieldValue::Number)), fifths);
        assert_eq!(grouped(years().map(|year| text(&year.to_string()))), fifths, "as CSV has them");
        let with_a_gap = years().map(FieldValue::Number).chain([FieldValue::Missing]);
        assert_eq!(grouped(with_a_gap).last().unwrap(), "no value: 1");
        // One word among them, and they are values like others.
        assert_eq!(
            grouped(years().map(FieldValue::Number).chain([text("unknown")])).last().unwrap(),
            "11 other values: 11"
        );
    }

    #[test]
    fn names_are_short_and_on_one_line() {
        assert_eq!(grouped([text("a\nb")]), ["a b: 1"]);
        assert_eq!(grouped([text(&"ä".repeat(60))]), [format!("{}…: 1", "ä".repeat(29))]);
        let thirds = (0..20).map(|number| FieldValue::Number(f64::from(number) / 3.0));
        assert_eq!(grouped(thirds)[1], "1.333 to 2.333: 4");
    }
}
