//! Files of texts: rows that say their text and its labels themselves.
//!
//! Rows of one text are one example: their weak labels are votes, their gold labels must agree. What is one text is decided by
//! its normal form. The classes are balanced by the labels of each kind alone (`offer`), and nothing is
//! dropped for a label of the other kind.

mod advice;
mod column_values;
mod columns;
mod joined;
mod labels;
mod near;
mod offer;
mod options;
mod reading;
mod test_part;

use std::collections::HashSet;
use std::path::{Path, PathBuf};

pub use self::columns::{RowText, TextColumns, TextSource};
pub use self::joined::Contradictions;
pub(crate) use self::labels::LabelRead;
pub use self::labels::LabelValues;
use self::offer::offer;
pub use self::options::TextOptions;
pub use self::reading::read_texts;
use self::reading::{Purpose, TextRows, read_rows};
pub use self::test_part::TestSize;
use crate::account::Accounted;
use crate::clean::Balance;
use crate::dataset::Dataset;
use crate::error::DataError;
use crate::example::Example;
use crate::field::refuse_unknown;
use crate::summary::SplitSummary;
use crate::task::merge_votes;

/// A study's files of texts.
#[derive(Debug, Clone, PartialEq)]
pub struct TextFiles {
    /// The file whose labels are for sale.
    pub train: PathBuf,
    /// Where the test set is.
    pub test: TestTexts,
    /// The columns of both files.
    pub columns: TextColumns,
    /// What is done about gold labels of one text that contradict each other.
    pub contradictions: Contradictions,
}

/// Where the texts to measure accuracy on are.
#[derive(Debug, Clone, PartialEq)]
pub enum TestTexts {
    /// In a file of their own.
    File(PathBuf),
    /// They are a part of the training file.
    Part { size: TestSize, seed: u64 },
}

impl Dataset {
    /// Reads and cleans files of texts. Training texts that occur anywhere in the test file, or share a group with one that
    /// does, are dropped, so that the training examples do not depend on `max_test`.
    ///
    /// # Errors
    /// [`DataError`] for files, columns and labels that cannot be used, gold labels that contradict each other, a split of
    /// which nothing is left, and a test set without both classes.
    ///
    /// # Panics
    /// If [`TextOptions::merge_votes`] gives other than one label for each example.
    pub fn load(files: &TextFiles, options: &TextOptions) -> Result<Self, DataError> {
        options.cleaning.check()?;
        let columns = files.columns.reading(options)?;
        let mut train = read_rows(&files.train, &columns, Purpose::Training, files.contradictions)?;
        refuse_unknown(options.fields, std::slice::from_ref(&files.train), &train.examples)?;
        let mut test = match &files.test {
            TestTexts::File(file) => read_rows(file, &columns, Purpose::Testing, files.contradictions)?,
            TestTexts::Part { size, seed } => train.take_test_part(*size, options.cleaning.max_test, *seed)?,
        };
        if let Some(merge) = options.merge_votes {
            merge_votes(train.examples.iter_mut(), merge);
            merge_votes(test.examples.iter_mut(), merge);
        }
        train.hold_out(&test);
        train.notes.near_test = near::near_texts(&train, &test);
        // Texts that a labeler will give a label stay among the examples.
        let unlabeled = if options.weak_from_elsewhere { Vec::new() } else { train.take_unlabeled() };
        let (mut train, mut test) = (train.into_split(), test.into_split());
        Self::accounted(&mut train, &mut test, |train, test| {
            train.sort()?;
            test.balance(options.cleaning.balance, options.cleaning.max_test)?;
            test.require_both_classes()
        })?;
        let mut dataset = Self::of_splits(train, test, unlabeled);
        dataset.balance_of_files = Some(options.cleaning.balance);
        dataset.offer(options.cleaning.balance);
        dataset.require_something_for_sale(options)?;
        Ok(dataset)
    }

    /// The error for training labels of which balancing leaves none: all of a kind are of one class.
    fn require_something_for_sale(&self, options: &TextOptions) -> Result<(), DataError> {
        let is_for_sale = |example: &Example| example.for_sale.gold.is_some() || example.for_sale.weak.is_some();
        if options.weak_from_elsewhere || self.train.is_empty() || self.train.iter().any(is_for_sale) {
            return Ok(());
        }
        let SplitSummary { file, kept, class_counts, .. } = &self.summary.train;
        let error = DataError::OneClass { data: file.clone(), examples: *kept, class: u8::from(class_counts[1] > 0) };
        Err(DataError::OfWhatWasRead(Accounted::new(error, &self.summary)))
    }

    /// Decides which labels of files of texts are for sale.
    fn offer(&mut self, balance: Balance) {
        let pools = offer(&mut self.train, balance);
        self.summary.train.count(&self.train);
        self.summary.train.pools = Some(pools);
    }

    /// Decides anew which labels are for sale, now that there are others. Of files of texts, texts without any label leave the
    /// training examples.
    pub(crate) fn offer_anew(&mut self) {
        let Some(balance) = self.balance_of_files else {
            return self.train.iter_mut().for_each(Example::offer_all);
        };
        let waiting: Vec<Example> = self.train.extract_if(.., |example| !example.is_labeled()).collect();
        self.summary.train.dropped.unlabeled += waiting.len();
        self.unlabeled.extend(waiting);
        self.unlabeled.sort_by_key(|example| example.id);
        self.offer(balance);
    }
}

/// Reads a file of texts with gold labels, without texts that are empty, repeated, or among those `held_out`.
///
/// # Errors
/// [`DataError`] for files, columns and labels that cannot be used.
pub fn read_gold(
    file: &Path,
    columns: &TextColumns,
    contradictions: Contradictions,
    held_out: &[Example],
) -> Result<Vec<Example>, DataError> {
    let columns = columns.reading(&TextOptions { weak_from_elsewhere: true, ..TextOptions::default() })?;
    let TextRows { mut examples, .. } = read_rows(file, &columns, Purpose::Testing, contradictions)?;
    let held_out: HashSet<_> = held_out.iter().map(|example| example.id).collect();
    examples.retain(|example| !held_out.contains(&example.id));
    Ok(examples)
}
