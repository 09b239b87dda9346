//! The account of what was read, what was dropped and why, and what is for sale.

use std::fmt;

use serde::Serialize;

use crate::example::{Example, weak_class};

/// The account of both files.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DataSummary {
    /// The training file.
    pub train: SplitSummary,
    /// The test file.
    pub test: SplitSummary,
    /// The account of the file of weak labels, where they come from one of their own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weak_file: Option<WeakFileSummary>,
}

/// What became of the rows of a file of weak labels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WeakFileSummary {
    /// The file.
    pub file: String,
    /// Rows read.
    pub rows: usize,
    /// Rows that repeat an earlier row, key and labels.
    pub repeated: usize,
    /// Keys that no row of the data has.
    pub unmatched: usize,
    /// Rows of the data that got no weak label.
    pub without: usize,
}

/// Rows that a task leaves out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// Why.
    pub reason: String,
    /// How many.
    pub rows: usize,
}

/// The account of one file.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SplitSummary {
    /// The file, as the user named it.
    pub file: String,
    /// Rows read.
    pub rows: usize,
    /// Rows dropped.
    pub dropped: Dropped,
    /// The rows that the task leaves out, by reason.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<LeftOut>,
    /// Examples of class 0 and of class 1 before the classes were balanced.
    pub cleaned_class_counts: [usize; 2],
    /// Examples kept: what the following numbers count.
    pub kept: usize,
    /// Examples of class 0 and of class 1, by gold label or else by weak label.
    pub class_counts: [usize; 2],
    /// Examples with a gold label.
    pub with_gold: usize,
    /// Examples with a weak label.
    pub with_weak: usize,
    /// Examples with both.
    pub with_both: usize,
    /// The weak labels' accuracy: the share of examples with both labels in which the weak label, rounded, is the
    /// gold one.
    pub weak_accuracy: Option<f64>,
}

/// How many rows were dropped, each counted for the first reason that applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Dropped {
    /// The task leaves the row out: see [`SplitSummary::left_out`].
    #[serde(skip_serializing_if = "is_zero")]
    pub by_the_task: usize,
    /// The text is empty or nothing but white space.
    pub empty: usize,
    /// An earlier row has the same text.
    pub duplicates: usize,
    /// A training text that is in the test file.
    pub in_test: usize,
    /// There is neither a gold nor a weak label.
    #[serde(skip_serializing_if = "is_zero")]
    pub unlabeled: usize,
    /// Surplus of the larger class.
    pub undersampled: usize,
    /// More than the test set may hold.
    pub beyond_limit: usize,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants a reference")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

impl SplitSummary {
    pub(crate) fn new(file: String, rows: usize, dropped: Dropped, examples: &[Example]) -> Self {
        let count = |is_counted: fn(&Example) -> bool| examples.iter().filter(|e| is_counted(e)).count();
        let ones = count(Example::class);
        let with_both = count(|example| example.gold.is_some() && example.weak.is_some());
        let right = count(|example| example.gold.is_some() && example.gold == example.weak.map(weak_class));
        Self {
            file,
            rows,
            dropped,
            left_out: Vec::new(),
            cleaned_class_counts: [0; 2],
            kept: examples.len(),
            class_counts: [examples.len() - ones, ones],
            with_gold: count(|example| example.gold.is_some()),
            with_weak: count(|example| example.weak.is_some()),
            with_both,
            weak_accuracy: (with_both > 0).then(|| right as f64 / with_both as f64),
        }
    }
}

impl fmt::Display for DataSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "train: {}", self.train)?;
        write!(f, "test:  {}", self.test)?;
        match &self.weak_file {
            Some(weak_file) => write!(f, "\nweak:  {weak_file}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for WeakFileSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [rows, repeated, unmatched, without] =
            [self.rows, self.repeated, self.unmatched, self.without].map(grouped);
        write!(f, "{}: {rows} rows, {repeated} repeated, {unmatched} of no row of the data; ", self.file)?;
        write!(f, "{without} rows of the data without a weak label")
    }
}

impl fmt::Display for SplitSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [zeros, ones] = self.class_counts.map(grouped);
        let (rows, kept) = (grouped(self.rows), grouped(self.kept));
        writeln!(f, "{}: {rows} rows, {kept} kept ({zeros} of class 0, {ones} of class 1)", self.file)?;
        writeln!(f, "       dropped: {}", self.dropped)?;
        let [gold, weak, both] = [self.with_gold, self.with_weak, self.with_both].map(grouped);
        write!(f, "       labels: {gold} gold, {weak} weak, {both} both")?;
        if let Some(accuracy) = self.weak_accuracy {
            write!(f, " (weak agrees with gold in {:.1}%)", 100.0 * accuracy)?;
        }
        Ok(())
    }
}

impl fmt::Display for Dropped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reasons = [
            (self.by_the_task, "left out by the task"),
            (self.empty, "empty"),
            (self.duplicates, "duplicate"),
            (self.in_test, "also in the test file"),
            (self.unlabeled, "without a label"),
            (self.undersampled, "to balance the classes"),
            (self.beyond_limit, "beyond the test set's size"),
        ];
        let counted: Vec<String> = reasons
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, reason)| format!("{} {reason}", grouped(count)))
            .collect();
        if counted.is_empty() { f.write_str("nothing") } else { f.write_str(&counted.join(", ")) }
    }
}

/// A count with commas between its thousands.
pub(crate) fn grouped(count: usize) -> String {
    let digits = count.to_string();
    let mut grouped = String::new();
    for (position, digit) in digits.char_indices() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_set_apart() {
        let spelled = [0, 12, 123, 1234, 123_456, 1_234_567].map(grouped);
        assert_eq!(spelled, ["0", "12", "123", "1,234", "123,456", "1,234,567"]);
    }
}
