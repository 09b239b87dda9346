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
    pub file: String,
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
    pub reason: String,
    pub rows: usize,
}

/// The account of one file.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SplitSummary {
    /// The file, as the user named it.
    pub file: String,
    pub rows: usize,
    pub dropped: Dropped,
    /// The rows that the task leaves out, by reason.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<LeftOut>,
    /// Examples of class 0 and of class 1 before the classes were balanced.
    pub cleaned_class_counts: [usize; 2],
    /// Of files of texts: the labels of each kind, and how many are for sale.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pools: Option<PoolCounts>,
    /// Of files of texts: what else there is to say.
    #[serde(flatten)]
    pub notes: TextNotes,
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
    /// A training text whose group is in the test set.
    #[serde(skip_serializing_if = "is_zero")]
    pub in_test_group: usize,
    /// Its gold labels contradict each other.
    #[serde(skip_serializing_if = "is_zero")]
    pub contradictory: usize,
    /// There is neither a gold nor a weak label.
    #[serde(skip_serializing_if = "is_zero")]
    pub unlabeled: usize,
    /// Surplus of the larger class.
    pub undersampled: usize,
    /// More than the test set may hold.
    pub beyond_limit: usize,
}

/// The labels of both kinds in files of texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct PoolCounts {
    pub gold: KindCounts,
    pub weak: KindCounts,
}

/// The labels of a kind, of class 0 and of class 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct KindCounts {
    /// Those that there are.
    pub all: [usize; 2],
    /// Those that are for sale: as many of either class where the classes are balanced.
    pub for_sale: [usize; 2],
}

/// What is worth knowing of a file of texts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct TextNotes {
    /// Gold and weak labels of -1, taken for none.
    #[serde(skip_serializing_if = "are_zero")]
    pub abstentions: [usize; 2],
    /// Texts whose weak label is made of several votes.
    #[serde(skip_serializing_if = "is_zero")]
    pub voted: usize,
    /// Texts whose gold label is what most rows say.
    #[serde(skip_serializing_if = "is_zero")]
    pub contradictions: usize,
    /// Halves of surrogate pairs that were read as the replacement character.
    #[serde(skip_serializing_if = "is_zero")]
    pub replaced_surrogates: usize,
    /// The first row with one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replaced_at: Option<String>,
    /// Training texts that are nearly a test text.
    #[serde(skip_serializing_if = "NearTest::is_empty")]
    pub near_test: NearTest,
}

/// Training texts that differ from a test text in capitals, punctuation or, if they are long, one word.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct NearTest {
    pub texts: usize,
    /// The first of them.
    pub named: Vec<NearText>,
}

impl NearTest {
    fn is_empty(&self) -> bool {
        self.texts == 0
    }
}

/// Where a training text stands, and the test text that it is nearly.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NearText {
    /// The row of the training file.
    pub train: String,
    /// The row of the test set's file.
    pub test: String,
}

fn are_zero(counts: &[usize; 2]) -> bool {
    *counts == [0; 2]
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants a reference")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

impl SplitSummary {
    pub(crate) fn new(file: String, rows: usize, dropped: Dropped, examples: &[Example]) -> Self {
        let mut summary = Self {
            file,
            rows,
            dropped,
            left_out: Vec::new(),
            cleaned_class_counts: [0; 2],
            pools: None,
            notes: TextNotes::default(),
            kept: 0,
            class_counts: [0; 2],
            with_gold: 0,
            with_weak: 0,
            with_both: 0,
            weak_accuracy: None,
        };
        summary.count(examples);
        summary
    }

    /// Counts the examples that are kept, and their labels.
    pub(crate) fn count(&mut self, examples: &[Example]) {
        let count = |is_counted: fn(&Example) -> bool| examples.iter().filter(|e| is_counted(e)).count();
        let ones = count(Example::class);
        let with_both = count(|example| example.gold.is_some() && example.weak.is_some());
        let right = count(|example| example.gold.is_some() && example.gold == example.weak.map(weak_class));
        self.kept = examples.len();
        self.class_counts = [examples.len() - ones, ones];
        self.with_gold = count(|example| example.gold.is_some());
        self.with_weak = count(|example| example.weak.is_some());
        self.with_both = with_both;
        self.weak_accuracy = (with_both > 0).then(|| right as f64 / with_both as f64);
    }
}

impl fmt::Display for DataSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "train: {}", self.train)?;
        write!(f, "test:  {}", self.test)?;
        if let Some((own, share)) = self.test.own_shares() {
            let [zeros, ones] = own.map(grouped);
            write!(f, "\n       before balancing: {zeros} of class 0, {ones} of class 1 ({:.1}%)", 100.0 * share)?;
        }
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
        const MARGIN: &str = "\n       ";
        let [zeros, ones] = self.class_counts.map(grouped);
        write!(f, "{}: {} rows, {} kept", self.file, grouped(self.rows), grouped(self.kept))?;
        if self.pools.is_none() {
            write!(f, " ({zeros} of class 0, {ones} of class 1)")?;
        }
        write!(f, "{MARGIN}dropped: {}", self.dropped)?;
        for LeftOut { reason, rows } in self.left_out.iter().filter(|_| self.pools.is_some()) {
            write!(f, "{MARGIN}left out: {} ({reason})", grouped(*rows))?;
        }
        let [gold, weak, both] = [self.with_gold, self.with_weak, self.with_both].map(grouped);
        write!(f, "{MARGIN}labels: {gold} gold, {weak} weak, {both} both")?;
        if let Some(accuracy) = self.weak_accuracy {
            write!(f, " (weak agrees with gold in {:.1}%)", 100.0 * accuracy)?;
        }
        if let Some(PoolCounts { gold, weak }) = &self.pools {
            for (name, counts) in [("gold:  ", gold), ("weak:  ", weak)] {
                if counts.all != [0; 2] {
                    write!(f, "{MARGIN}{name} {counts}")?;
                }
            }
        }
        write!(f, "{}", self.notes)
    }
}

impl SplitSummary {
    /// The classes as frequent as they were before balancing changed that, with the share of class 1; `None` where it did not.
    pub fn own_shares(&self) -> Option<([usize; 2], f64)> {
        let [zeros, ones] = self.cleaned_class_counts;
        let changed = self.dropped.undersampled > 0;
        changed.then(|| (self.cleaned_class_counts, ones as f64 / (zeros + ones).max(1) as f64))
    }
}

impl fmt::Display for KindCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [zeros, ones] = self.all;
        let share = 100.0 * ones as f64 / (zeros + ones).max(1) as f64;
        write!(f, "{} of class 0, {} of class 1 ({share:.1}%)", grouped(zeros), grouped(ones))?;
        let surplus = [zeros - self.for_sale[0], ones - self.for_sale[1]];
        for (class, surplus) in surplus.into_iter().enumerate().filter(|(_, surplus)| *surplus > 0) {
            write!(f, "; balancing takes {} of class {class} off sale", grouped(surplus))?;
        }
        Ok(())
    }
}

impl fmt::Display for TextNotes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut note = |count: usize, text: &str| match count {
            0 => Ok(()),
            count => write!(f, "\n       note: {text}: {}", grouped(count)),
        };
        note(self.abstentions[0], "gold labels of -1, taken for none")?;
        note(self.abstentions[1], "weak labels of -1, taken for none")?;
        note(self.voted, "texts with several weak labels, merged into one")?;
        note(self.contradictions, "texts with contradictory gold labels, of which what most rows say holds")?;
        let at = self.replaced_at.as_deref().unwrap_or_default();
        note(self.replaced_surrogates, &format!("halves of surrogate pairs, read as U+FFFD, the first in {at}"))?;
        note(
            self.near_test.texts,
            "training texts that are nearly a test text (but for capitals, punctuation or one word)",
        )?;
        for (place, NearText { train, test }) in self.near_test.named.iter().enumerate() {
            write!(
                f,
                "{}{train} ~ {test}{}",
                if place == 0 { " (" } else { ", " },
                if place + 1 == self.near_test.named.len() { " of the test set)" } else { "" }
            )?;
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
            (self.in_test_group, "of a group in the test set"),
            (self.contradictory, "with contradictory gold labels"),
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
