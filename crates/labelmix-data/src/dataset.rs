//! A task's data, ready for a sweep: training examples for sale and a test set held apart.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::clean::{RowsRead, Split};
use crate::error::DataError;
use crate::example::{Example, content_hash};
use crate::field::refuse_unknown;
use crate::pools::Pools;
use crate::read::{ColumnNames, read_test, read_training};
use crate::summary::DataSummary;

/// Whether the classes are made equally frequent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Balance {
    /// Each split is balanced by leaving out examples of its larger class.
    #[default]
    Undersample,
    /// The classes stay as frequent as they are.
    AsIs,
}

/// What is left out when a dataset is loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CleaningOptions {
    /// Whether the classes are balanced.
    pub balance: Balance,
    /// The size of the test set at most; `None` keeps all. The same examples are kept for every seed.
    pub max_test: Option<usize>,
}

impl CleaningOptions {
    /// Refuses a limit that cannot be kept, before any file is read.
    pub(crate) fn check(&self) -> Result<(), DataError> {
        match self.max_test {
            Some(max_test @ (0 | 1)) => Err(DataError::MaxTestTooSmall { max_test }),
            _ => Ok(()),
        }
    }
}

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
}

impl Dataset {
    /// Reads and cleans a training and a test file. Training texts that occur anywhere in the test file are
    /// dropped, so that the training examples do not depend on `max_test`.
    ///
    /// # Errors
    /// [`DataError`] for files, columns and labels that cannot be used, for a split of which nothing is left, and
    /// for one that needs both classes (the test set always, the training set to be balanced) and has one.
    pub fn load(
        train_file: &Path,
        test_file: &Path,
        columns: &ColumnNames,
        options: &CleaningOptions,
    ) -> Result<Self, DataError> {
        options.check()?;
        let split = |file: &Path, examples| {
            Split::distinct(file.display().to_string(), RowsRead { examples, ..RowsRead::default() })
        };
        let test = split(test_file, read_test(test_file, columns)?);
        let mut train = read_training(train_file, columns)?;
        refuse_unknown(&columns.fields, &[train_file.to_path_buf()], &train)?;
        // Of two rows with the same text the one with a label is the one to keep.
        train.sort_by_key(|example| !example.is_labeled());
        let mut train = split(train_file, train);
        train.set_unlabeled_apart();
        Self::clean(train, test, options)
    }

    /// What is left of two splits: no test text in training, and the classes in balance.
    pub(crate) fn clean(mut train: Split, mut test: Split, options: &CleaningOptions) -> Result<Self, DataError> {
        train.hold_out(&test.ids());
        let unlabeled = train.take_unlabeled();
        train.balance(options.balance, None)?;
        test.balance(options.balance, options.max_test)?;
        test.require_both_classes()?;

        let (train, train_summary) = train.finish();
        let (test, test_summary) = test.finish();
        let summary = DataSummary { train: train_summary, test: test_summary, weak_file: None };
        Ok(Self { train, test, unlabeled, summary })
    }

    /// A hash of all examples and their labels: equal for equal datasets, whatever the format of their files and
    /// the order of the rows.
    #[must_use]
    pub fn content_hash(&self) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new_derive_key("labelmix-data 1 content of a dataset");
        for split in [&self.train, &self.test] {
            hasher.update(content_hash(split).as_bytes());
        }
        hasher.finalize()
    }

    /// The training examples as a seed puts them up for sale: see [`Pools::new`].
    #[must_use]
    pub fn pools(&self, seed: u64, gold_pool: usize) -> Pools {
        Pools::new(&self.train, seed, gold_pool)
    }
}
