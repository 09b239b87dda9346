//! What to write into a study where a label column holds something else than labels.

use std::path::Path;

use super::column_values::values_of;
use super::columns::RowColumns;
use crate::error::DataError;
use crate::read::TableFile;

/// Distinct values from which on a column of words is no column of classes.
const MOST_CLASSES: usize = 50;

/// Names of class 0 and class 1 that people use.
const PAIRS: &[[&str; 2]] = &[
    ["false", "true"],
    ["no", "yes"],
    ["n", "y"],
    ["negative", "positive"],
    ["neg", "pos"],
    ["ham", "spam"],
    ["not spam", "spam"],
    ["not_spam", "spam"],
    ["bad", "good"],
    ["fail", "pass"],
    ["incorrect", "correct"],
    ["wrong", "right"],
    ["fake", "real"],
    ["non-toxic", "toxic"],
    ["not toxic", "toxic"],
    ["safe", "unsafe"],
    ["benign", "malicious"],
    ["harmless", "harmful"],
    ["reject", "accept"],
    ["off", "on"],
    ["f", "t"],
    ["irrelevant", "relevant"],
    ["subjective", "objective"],
    ["contradiction", "entailment"],
    ["not_entailment", "entailment"],
    ["unacceptable", "acceptable"],
    ["-1", "1"],
];

/// Marks that people put where there is no label.
const MISSING: &[&str] = &[
    "na",
    "n/a",
    "nan",
    "<na>",
    "null",
    "none",
    "nil",
    "-",
    "--",
    "?",
    ".",
    "#n/a",
    "missing",
    "unknown",
    "unlabeled",
    "unlabelled",
    "abstain",
];

/// The same error, with the line to paste into the study if it is about a label that is none.
pub(super) fn label_advice(error: DataError, file: &Path, columns: &RowColumns) -> DataError {
    let known: Vec<String> = columns.values.values.keys().map(|value| value.trim().to_lowercase()).collect();
    match error {
        DataError::GoldLabel { place, column, value, advice } => {
            let advice = advice_on(columns.table(file), &column, Kind::Gold, &known).map_or(advice, Into::into);
            DataError::GoldLabel { place, column, value, advice }
        }
        DataError::WeakLabel { place, column, value, advice } => {
            let advice = advice_on(columns.table(file), &column, Kind::Weak, &known).map_or(advice, Into::into);
            DataError::WeakLabel { place, column, value, advice }
        }
        error => error,
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Gold,
    Weak,
}

fn advice_on(file: TableFile, column: &str, kind: Kind, known: &[String]) -> Option<String> {
    let Some(counted) = values_of(file, column, MOST_CLASSES) else {
        let threshold = "labelmix does binary tasks only: if this column is a score, say in [task] from which value on it is class \
                         1, `threshold = 3.5` for instance; if it is text, name another column";
        return (kind == Kind::Gold).then(|| threshold.to_owned());
    };
    let (missing, values): (Vec<String>, Vec<String>) =
        counted.into_iter().map(|(value, _)| value).filter(|value| !value.is_empty()).partition(|value| {
            MISSING.contains(&value.to_lowercase().as_str()) && !known.contains(&value.to_lowercase())
        });
    let missing_line = (!missing.is_empty()).then(|| format!("missing = {}", list(&missing)));
    let numbers: Option<Vec<f64>> = values.iter().map(|value| value.parse().ok()).collect();
    let are_labels = numbers.as_ref().is_some_and(|numbers| match kind {
        Kind::Gold => numbers.iter().all(|number| [0.0, 1.0].contains(number)),
        Kind::Weak => numbers.iter().all(|number| (0.0..=1.0).contains(number)),
    });
    if let (true, Some(missing)) = (are_labels, &missing_line) {
        return Some(format!("say in [task] which marks are no label: `{missing}`"));
    }
    let with_missing = missing_line.map_or(String::new(), |line| format!(" and `{line}`"));
    if let [one, other] = values.as_slice() {
        let line = match known_pair(one, other) {
            Some([zero, one]) => format!("say in [task] what they mean: `{}`", values_line(zero, one)),
            None => format!("say in [task] which is class 0 and which class 1: `{}`", values_line(one, other)),
        };
        return Some(line + &with_missing);
    }
    if values.len() < 2 {
        return None;
    }
    if let (Kind::Gold, Some(numbers)) = (kind, &numbers) {
        let (least, most) = numbers.iter().fold((f64::MAX, f64::MIN), |(least, most), n| (least.min(*n), most.max(*n)));
        let threshold = f64::midpoint(least, most).ceil();
        return Some(format!(
            "labelmix does binary tasks only: say in [task] from which value on a row is of class 1, `threshold = {threshold}`, or \
             keep two of the values: `{}` and `drop = {}`{with_missing}",
            values_line(&values[0], &values[1]),
            list(&values[2..])
        ));
    }
    // A pair that is known comes before the two most frequent.
    let pair = values.iter().find_map(|a| values.iter().find_map(|b| known_pair(a, b).filter(|pair| pair[0] == a)));
    let [zero, one] = pair.unwrap_or([&values[0], &values[1]]);
    let others: Vec<String> = values.iter().filter(|value| **value != *zero && **value != *one).cloned().collect();
    let shown = if others.len() > 8 { [&others[..8], &["…".to_owned()]].concat() } else { others };
    Some(format!(
        "labelmix does binary tasks only: keep two of the classes with `{}` and `drop = {}` in [task]{with_missing}, or name one \
         class against the rest by giving all of them in `values`",
        values_line(zero, one),
        list(&shown)
    ))
}

/// The two values in the order of their classes, if they are a pair that is known.
fn known_pair<'a>(a: &'a str, b: &'a str) -> Option<[&'a str; 2]> {
    let is = |x: &str, y: &str| PAIRS.iter().any(|[zero, one]| x.to_lowercase() == *zero && y.to_lowercase() == *one);
    if is(a, b) {
        Some([a, b])
    } else if is(b, a) {
        Some([b, a])
    } else {
        None
    }
}

fn values_line(zero: &str, one: &str) -> String {
    format!("values = {{ {} = 0, {} = 1 }}", toml_key(zero), toml_key(one))
}

/// A value as a key of TOML: bare where it can be.
fn toml_key(value: &str) -> String {
    let is_bare = !value.is_empty() && value.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
    if is_bare { value.to_owned() } else { quoted(value) }
}

fn quoted(value: &str) -> String {
    toml::Value::String(value.to_owned()).to_string()
}

fn list(values: &[String]) -> String {
    let values: Vec<String> = values.iter().map(|value| quoted(value)).collect();
    format!("[{}]", values.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_known_either_way_and_in_capitals() {
        assert_eq!(known_pair("Spam", "ham"), Some(["ham", "Spam"]));
        assert_eq!(known_pair("no", "YES"), Some(["no", "YES"]));
        assert_eq!(known_pair("cat", "dog"), None);
    }

    #[test]
    fn lines_can_be_pasted() {
        let line = values_line("not spam", "5.0");
        assert_eq!(line, r#"values = { "not spam" = 0, "5.0" = 1 }"#);
        let table: toml::Table = toml::from_str(&line).unwrap();
        assert_eq!(table["values"]["5.0"].as_integer(), Some(1));
    }
}
