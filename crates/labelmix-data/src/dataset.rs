//! A task's data, ready for a sweep: training examples for sale and a test set held apart.

use crate::account::Accounted;
use crate::clean::{Balance, CleaningOptions, DataSplit};
use crate::error::DataError;
use crate::example::{Example, content_hash};
use crate::pools::{Boundary, Pools};
use crate::summary::DataSummary;

/// The cleaned examples of a task. Their order depends on their ids alone: it is the same whatever the order of
/// the rows in the files.
#[derive(Debug, Clone)]
pub struct Dataset {
    /// Examples whose labels are for sale. No text of the test file is among them.
    pub train: Vec<Example>,
    /// Examples to measure accuracy on; all have a gold label.
    pub test: Vec<Example>,
    /// Training texts without any label, in the order of their ids: nothing is learned from them, but labels can be
    /// bought for them. No text of the test file is among them.
    pub unlabeled: Vec<Example>,
    /// What was read, and what was dropped and why.
    pub summary: DataSummary,
    /// Of files of texts, whose pools are balanced each by its own labels: whether they are.
    pub(crate) balance_of_files: Option<Balance>,
}

impl Dataset {
    /// What is left of a task's splits: no test text in training, and the classes in balance by the best label that each
    /// example has, as published.
    pub(crate) fn clean(
        mut train: DataSplit,
        mut test: DataSplit,
        options: &CleaningOptions,
    ) -> Result<Self, DataError> {
        train.hold_out(&test.ids());
        let unlabeled = train.take_unlabeled();
        Self::accounted(&mut train, &mut test, |train, test| {
            train.balance(options.balance, None)?;
            test.balance(options.balance, options.max_test)?;
            test.require_both_classes()
        })?;
        let mut dataset = Self::of_splits(train, test, unlabeled);
        dataset.train.iter_mut().for_each(Example::offer_all);
        Ok(dataset)
    }

    /// Does something to both splits; an error comes with the account of what was read.
    pub(crate) fn accounted(
        train: &mut DataSplit,
        test: &mut DataSplit,
        step: impl FnOnce(&mut DataSplit, &mut DataSplit) -> Result<(), DataError>,
    ) -> Result<(), DataError> {
        step(train, test).map_err(|error| {
            let summary = DataSummary { train: train.summary(), test: test.summary(), weak_file: None };
            DataError::OfWhatWasRead(Accounted::new(error, &summary))
        })
    }

    /// The examples of two splits with their account.
    pub(crate) fn of_splits(train: DataSplit, test: DataSplit, unlabeled: Vec<Example>) -> Self {
        let (train, train_summary) = train.finish();
        let (test, test_summary) = test.finish();
        let summary = DataSummary { train: train_summary, test: test_summary, weak_file: None };
        Self { train, test, unlabeled, summary, balance_of_files: None }
    }

    /// A hash of all examples and their labels: equal for equal datasets, whatever the format of their files and
    /// the order of the rows.
    pub fn content_hash(&self) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new_derive_key("labelmix-data 1 content of a dataset");
        for split in [&self.train, &self.test] {
            hasher.update(content_hash(split).as_bytes());
        }
        hasher.finalize()
    }

    /// The training examples as a seed puts them up for sale: see [`Pools::new`].
    pub fn pools(&self, seed: u64, boundary: Boundary) -> Pools {
        Pools::new(&self.train, seed, boundary)
    }
}
