//! Which rows become examples: no empty text, no text twice, no test text in training, classes in balance.

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};

use crate::error::DataError;
use crate::example::{Example, ExampleId};
use crate::order::SeededOrder;
use crate::summary::{Dropped, LeftOut, SplitSummary, TextNotes};

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

/// The rows of a split as they were read: those that its task leaves out are only counted, by reason.
#[derive(Debug, Default)]
pub(crate) struct RowsRead {
    pub(crate) examples: Vec<Example>,
    pub(crate) left_out: BTreeMap<String, usize>,
}

/// One split on its way from rows to examples, and the count of what fell by the wayside.
#[derive(Debug)]
pub(crate) struct DataSplit {
    /// What messages call it: its file.
    pub(crate) name: String,
    pub(crate) rows: usize,
    pub(crate) left_out: Vec<LeftOut>,
    pub(crate) dropped: Dropped,
    pub(crate) notes: TextNotes,
    pub(crate) cleaned_class_counts: [usize; 2],
    pub(crate) examples: Vec<Example>,
    /// Set apart: nothing is learned from them, but a label can be bought for them.
    pub(crate) unlabeled: Vec<Example>,
}

impl DataSplit {
    /// The rows without the empty texts, and without those that repeat an earlier row's text.
    pub(crate) fn distinct(name: String, rows: RowsRead) -> Self {
        let left_out: Vec<LeftOut> = rows.left_out.into_iter().map(|(reason, rows)| LeftOut { reason, rows }).collect();
        let by_the_task = left_out.iter().map(|left_out| left_out.rows).sum();
        let mut split = Self {
            name,
            rows: rows.examples.len() + by_the_task,
            left_out,
            dropped: Dropped { by_the_task, ..Dropped::default() },
            notes: TextNotes::default(),
            cleaned_class_counts: [0; 2],
            examples: Vec::with_capacity(rows.examples.len()),
            unlabeled: Vec::new(),
        };
        let mut seen = HashSet::with_capacity(rows.examples.len());
        for example in rows.examples {
            if example.text.trim().is_empty() {
                split.dropped.empty += 1;
            } else if seen.insert(example.id) {
                // Equal ids are taken for equal texts. That two texts of a million share an id has a probability of
                // 3e-8, and then one example too few is sold.
                split.examples.push(example);
            } else {
                split.dropped.duplicates += 1;
            }
        }
        split
    }

    /// Takes `size` examples with a gold label out for a test set, those that come first in an order that depends on
    /// the seed and their ids alone. What was dropped so far stays on this split's account.
    pub(crate) fn split_off(&mut self, name: String, size: usize, seed: u64) -> Result<Self, DataError> {
        let with_gold = self.examples.iter().filter(|example| example.gold.is_some()).count();
        if with_gold < size || self.examples.len() == size {
            return Err(DataError::PoolTooSmall { data: self.name.clone(), examples: with_gold, size });
        }
        let order = SeededOrder::new("labelmix-data 1 test set of pooled splits", seed);
        self.examples.sort_by_cached_key(|example| (example.gold.is_none(), order.place(example.id.number())));
        let rest = self.examples.split_off(size);
        let examples = std::mem::replace(&mut self.examples, rest);
        self.rows -= size;
        Ok(Self {
            name,
            rows: size,
            left_out: Vec::new(),
            dropped: Dropped::default(),
            notes: TextNotes::default(),
            cleaned_class_counts: [0; 2],
            examples,
            unlabeled: Vec::new(),
        })
    }

    /// The examples that are left.
    pub(crate) fn examples_mut(&mut self) -> &mut [Example] {
        &mut self.examples
    }

    /// Sets the examples without any label apart.
    pub(crate) fn set_unlabeled_apart(&mut self) {
        let examples = std::mem::take(&mut self.examples);
        (self.examples, self.unlabeled) = examples.into_iter().partition(Example::is_labeled);
        self.dropped.unlabeled = self.unlabeled.len();
    }

    /// The examples that were set apart, in the order of their ids.
    pub(crate) fn take_unlabeled(&mut self) -> Vec<Example> {
        let mut unlabeled = std::mem::take(&mut self.unlabeled);
        unlabeled.sort_by_key(|example| example.id);
        unlabeled
    }

    /// The ids of the examples that are left.
    pub(crate) fn ids(&self) -> HashSet<ExampleId> {
        self.examples.iter().map(|example| example.id).collect()
    }

    /// Drops the examples whose texts are in the test file.
    pub(crate) fn hold_out(&mut self, test: &HashSet<ExampleId>) {
        let before = self.examples.len();
        self.examples.retain(|example| !test.contains(&example.id));
        self.dropped.in_test = before - self.examples.len();
        self.unlabeled.retain(|example| !test.contains(&example.id));
    }

    /// Puts the examples into the one order that all seeds and runs share, which depends on their ids alone.
    ///
    /// # Errors
    /// If there are none.
    pub(crate) fn sort(&mut self) -> Result<(), DataError> {
        if self.examples.is_empty() {
            return Err(self.nothing_left());
        }
        self.cleaned_class_counts = self.class_counts();
        let order = SeededOrder::new("labelmix-data 1 order of cleaned examples", 0);
        self.examples.sort_by_cached_key(|example| order.place(example.id.number()));
        Ok(())
    }

    /// Sorts the examples, and drops from their end: the surplus of the larger class, then what exceeds `limit`.
    pub(crate) fn balance(&mut self, balance: Balance, limit: Option<usize>) -> Result<(), DataError> {
        self.sort()?;
        let limit = limit.unwrap_or(usize::MAX);
        match balance {
            Balance::Undersample => {
                self.require_both_classes()?;
                let smaller_class = self.class_counts().into_iter().min().unwrap_or(0);
                self.dropped.undersampled = self.keep_per_class(smaller_class);
                self.dropped.beyond_limit = self.keep_per_class(limit / 2);
            }
            Balance::AsIs => {
                self.dropped.beyond_limit = self.examples.len().saturating_sub(limit);
                self.examples.truncate(limit);
            }
        }
        Ok(())
    }

    /// The error for a split in which one class is all there is.
    pub(crate) fn require_both_classes(&self) -> Result<(), DataError> {
        let class = match self.class_counts() {
            [_, 0] => 0,
            [0, _] => 1,
            _ => return Ok(()),
        };
        Err(DataError::OneClass { data: self.name.clone(), examples: self.examples.len(), class })
    }

    /// The examples that are left, and the account of how they came to be.
    pub(crate) fn finish(self) -> (Vec<Example>, SplitSummary) {
        let summary = self.summary();
        (self.examples, summary)
    }

    /// The account of what was read and dropped.
    pub(crate) fn summary(&self) -> SplitSummary {
        SplitSummary {
            left_out: self.left_out.clone(),
            notes: self.notes.clone(),
            cleaned_class_counts: self.cleaned_class_counts,
            ..SplitSummary::new(self.name.clone(), self.rows, self.dropped, &self.examples)
        }
    }

    /// Keeps the first examples of each class, and says how many it dropped.
    fn keep_per_class(&mut self, per_class: usize) -> usize {
        let before = self.examples.len();
        let mut kept = [0; 2];
        self.examples.retain(|example| {
            let of_class = &mut kept[usize::from(example.class())];
            *of_class += 1;
            *of_class <= per_class
        });
        before - self.examples.len()
    }

    fn class_counts(&self) -> [usize; 2] {
        let ones = self.examples.iter().filter(|example| example.class()).count();
        [self.examples.len() - ones, ones]
    }

    fn nothing_left(&self) -> DataError {
        DataError::NothingLeft { data: self.name.clone(), rows: self.rows, dropped: Box::new(self.dropped) }
    }
}
