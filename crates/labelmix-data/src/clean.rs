//! Which rows become examples: no empty text, no text twice, no test text in training, classes in balance.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use crate::dataset::Balance;
use crate::error::DataError;
use crate::example::{Example, ExampleId};
use crate::order::SeededOrder;
use crate::read::LabeledText;
use crate::summary::{Dropped, SplitSummary};

/// One split on its way from rows to examples, and the count of what fell by the wayside.
pub(crate) struct Split {
    file: PathBuf,
    rows: usize,
    dropped: Dropped,
    examples: Vec<Example>,
}

impl Split {
    /// The rows of a file without the empty texts, and without those that repeat an earlier row's text.
    pub(crate) fn distinct(file: &Path, rows: Vec<LabeledText>) -> Self {
        let mut split = Self {
            file: file.to_path_buf(),
            rows: rows.len(),
            dropped: Dropped::default(),
            examples: Vec::with_capacity(rows.len()),
        };
        let mut seen = HashSet::with_capacity(rows.len());
        for LabeledText { text, gold, weak } in rows {
            if text.trim().is_empty() {
                split.dropped.empty += 1;
                continue;
            }
            let example = Example::new(text, gold, weak);
            // Equal ids are taken for equal texts. That two texts of a million share an id has a probability of
            // 3e-8, and then one example too few is sold.
            if seen.insert(example.id) {
                split.examples.push(example);
            } else {
                split.dropped.duplicates += 1;
            }
        }
        split
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
    }

    /// Puts the examples into the one order that all seeds and runs share, which depends on their ids alone, and
    /// drops from its end: the surplus of the larger class, then what exceeds `limit`.
    pub(crate) fn balance(&mut self, balance: Balance, limit: Option<usize>) -> Result<(), DataError> {
        if self.examples.is_empty() {
            return Err(self.nothing_left());
        }
        let order = SeededOrder::new("labelmix-data 1 order of cleaned examples", 0);
        self.examples.sort_by_cached_key(|example| order.place(example.id.number()));
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
        Err(DataError::OneClass { file: self.file.clone(), examples: self.examples.len(), class })
    }

    /// The examples that are left, and the account of how they came to be.
    pub(crate) fn finish(self) -> (Vec<Example>, SplitSummary) {
        let summary = SplitSummary::new(&self.file, self.rows, self.dropped, &self.examples);
        (self.examples, summary)
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
        DataError::NothingLeft {
            file: self.file.clone(),
            rows: self.rows,
            empty: self.dropped.empty,
            duplicates: self.dropped.duplicates,
            in_test: self.dropped.in_test,
        }
    }
}
