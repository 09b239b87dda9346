//! The account of what was read, what was dropped and why, and what is for sale.

use std::fmt;
use std::path::Path;

use serde::Serialize;

use crate::example::{Example, weak_class};

/// The account of both files.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DataSummary {
    /// The training file.
    pub train: SplitSummary,
    /// The test file.
    pub test: SplitSummary,
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
    /// The text is empty or nothing but white space.
    pub empty: usize,
    /// An earlier row has the same text.
    pub duplicates: usize,
    /// A training text that is in the test file.
    pub in_test: usize,
    /// Surplus of the larger class.
    pub undersampled: usize,
    /// More than the test set may hold.
    pub beyond_limit: usize,
}

impl SplitSummary {
    pub(crate) fn new(file: &Path, rows: usize, dropped: Dropped, examples: &[Example]) -> Self {
        let count = |is_counted: fn(&Example) -> bool| examples.iter().filter(|e| is_counted(e)).count();
        let ones = count(Example::class);
        let with_both = count(|example| example.gold.is_some() && example.weak.is_some());
        let right = count(|example| example.gold.is_some() && example.gold == example.weak.map(weak_class));
        Self {
            file: file.display().to_string(),
            rows,
            dropped,
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
        write!(f, "test:  {}", self.test)
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
            (self.empty, "empty"),
            (self.duplicates, "duplicate"),
            (self.in_test, "also in the test file"),
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
fn grouped(count: usize) -> String {
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
