//! Weak labels that come with the data: in its own columns, or in a file of their own.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use serde::{Deserialize, Serialize};

use super::definition::{OneOrMore, Problem};
use super::error::TaskError;
use crate::cell::Cell;
use crate::error::DataError;
use crate::example::Example;
use crate::place::{Place, RowNumber};
use crate::read::{Holds, Need, WantedColumn, read_blocks};
use crate::summary::WeakFileSummary;

/// `[weak]`: where weak labels are. Each is 0, 1 or a probability of class 1; empty where there is none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WeakTable {
    /// The column, or a column for each annotator.
    pub columns: OneOrMore<String>,
    /// The file that has them, if it is not the data's own: relative to the task file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<PathBuf>,
    /// The column, of that file and of the data, by whose value rows belong together. By default the file's
    /// column `id` holds the ids of examples.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// The column of a file of weak labels that holds the examples' ids.
const ID_COLUMN: &str = "id";

impl WeakTable {
    pub(super) fn check(&self) -> Result<(), Problem> {
        if self.columns.as_slice().is_empty() {
            let advice = "name the column, or a column for each annotator";
            return Err(Problem { reason: "[weak] has no columns".to_owned(), advice: advice.to_owned() });
        }
        if self.key.is_some() && self.file.is_none() {
            let advice = "a key joins rows with those of a file: name the file, or leave the key out";
            return Err(Problem { reason: "[weak] has a key but no file".to_owned(), advice: advice.to_owned() });
        }
        Ok(())
    }
}

/// Makes weak labels out of several annotators' votes: from a slice of votes for each example (`None` where an
/// annotator says nothing, in the order of the task's columns) the probability of class 1 for each, `None` where
/// there is none. It sees all examples at once, so that it can find out how good each annotator is.
pub type MergeVotes<'a> = dyn Fn(&[&[Option<f32>]]) -> Vec<Option<f32>> + 'a;

/// The share of the votes for class 1: the weak label, unless votes are merged in another way.
pub(crate) fn mean_vote(votes: &[Option<f32>]) -> Option<f32> {
    let given: Vec<f32> = votes.iter().flatten().copied().collect();
    (!given.is_empty()).then(|| given.iter().sum::<f32>() / given.len() as f32)
}

/// Makes the weak labels of examples out of their votes; those without votes keep theirs.
///
/// # Panics
/// If `merge` gives other than one label for each example.
pub(crate) fn merge_votes<'a>(examples: impl Iterator<Item = &'a mut Example>, merge: &MergeVotes) {
    let mut voted: Vec<&mut Example> = examples.filter(|example| !example.votes.is_empty()).collect();
    let votes: Vec<&[Option<f32>]> = voted.iter().map(|example| &*example.votes).collect();
    let merged = merge(&votes);
    assert_eq!(merged.len(), voted.len(), "merging votes gives a label for each example");
    for (example, weak) in voted.iter_mut().zip(merged) {
        example.weak = weak;
    }
}

/// The votes in the cells of a row.
pub(super) fn votes_of(
    file: &Path,
    number: RowNumber,
    columns: &[String],
    cells: impl IntoIterator<Item = Cell>,
) -> Result<Box<[Option<f32>]>, DataError> {
    let votes = columns.iter().zip(cells).map(|(column, cell)| {
        cell.into_weak().map_err(|cell| DataError::weak_label(Place::row(file, number), column, &cell))
    });
    votes.collect()
}

/// A file of weak labels, to be joined with the data.
#[derive(Debug)]
pub(super) struct VoteTable {
    file: PathBuf,
    rows: usize,
    repeated: usize,
    votes: HashMap<String, KeyedVotes>,
}

#[derive(Debug)]
struct KeyedVotes {
    number: RowNumber,
    votes: Box<[Option<f32>]>,
    is_matched: AtomicBool,
}

impl VoteTable {
    /// Reads the file of a task's weak labels.
    pub(super) fn read(file: &Path, table: &WeakTable) -> Result<Self, TaskError> {
        let columns = table.columns.as_slice();
        let key = table.key.as_deref().unwrap_or(ID_COLUMN);
        let mut wanted = vec![WantedColumn { name: key, need: Need::EveryRow, holds: Holds::Anything }];
        wanted.extend(columns.iter().map(|name| WantedColumn { name, need: Need::Somewhere, holds: Holds::Label }));
        let mut joined = Self { file: file.to_path_buf(), rows: 0, repeated: 0, votes: HashMap::new() };
        read_blocks(file, &wanted, |block| {
            let rows = block.map(|row| {
                let mut cells = row.cells.into_iter();
                let key = cells.next().and_then(|cell| cell.exact().map(|key| key.trim().to_owned()));
                let votes = votes_of(file, row.number, columns, cells)?;
                Ok::<_, TaskError>((key.unwrap_or_default(), row.number, votes))
            })?;
            rows.into_iter().try_for_each(|(key, number, votes)| joined.insert(key, number, votes))
        })?;
        Ok(joined)
    }

    fn insert(&mut self, key: String, number: RowNumber, votes: Box<[Option<f32>]>) -> Result<(), TaskError> {
        self.rows += 1;
        if let Some(earlier) = self.votes.get(&key) {
            if earlier.votes != votes {
                let place = Place::row(&self.file, number);
                return Err(TaskError::WeakConflict { place, key, earlier: earlier.number });
            }
            self.repeated += 1;
            return Ok(());
        }
        self.votes.insert(key, KeyedVotes { number, votes, is_matched: AtomicBool::new(false) });
        Ok(())
    }

    /// The votes for a key, which is from now on one that the data has.
    pub(super) fn take_notice(&self, key: &str) -> Option<Box<[Option<f32>]>> {
        let found = self.votes.get(key)?;
        found.is_matched.store(true, Ordering::Relaxed);
        Some(found.votes.clone())
    }

    /// The account, after all data has been read; `without` rows of it got no weak label.
    pub(super) fn summary(&self, without: usize) -> WeakFileSummary {
        let unmatched = self.votes.values().filter(|votes| !votes.is_matched.load(Ordering::Relaxed)).count();
        WeakFileSummary {
            file: self.file.display().to_string(),
            rows: self.rows,
            repeated: self.repeated,
            unmatched,
            without,
        }
    }
}
