//! Rows of one text are one example: their weak labels are votes, their gold labels must agree.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::columns::RowColumns;
use super::reading::{RowRead, TextRows};
use crate::error::{ContradictingRow, DataError};
use crate::example::{Example, ExampleId, Round};
use crate::place::RowNumber;
use crate::summary::{Dropped, LeftOut, TextNotes};
use crate::task::mean_vote;

/// What is done about gold labels of one text that contradict each other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Contradictions {
    /// They are refused, with their rows.
    #[default]
    Refuse,
    /// The text is left out.
    Drop,
    /// What most rows say holds; where they tie, the text is left out.
    Majority,
}

/// The rows of a file on their way to one example for each text.
pub(super) struct Joined {
    file: PathBuf,
    has_groups: bool,
    rows: usize,
    left_out: BTreeMap<String, usize>,
    dropped: Dropped,
    notes: TextNotes,
    /// Whether some label of either kind, gold first, is below one half.
    has_zeros: [bool; 2],
    examples: Vec<Example>,
    first_rows: Vec<RowNumber>,
    groups: Vec<u64>,
    places: HashMap<ExampleId, usize>,
    /// Of the texts with several rows, what these say.
    several: BTreeMap<usize, SeveralRows>,
}

/// What several rows say of one text.
#[derive(Default)]
struct SeveralRows {
    gold: Vec<(bool, Round, RowNumber)>,
    weak: Vec<(f32, Round)>,
    /// The votes of rows with a column for each annotator.
    votes: Vec<Option<f32>>,
}

impl SeveralRows {
    fn add(&mut self, example: &Example, number: RowNumber) {
        let [gold_round, weak_round] = example.rounds;
        self.gold.extend(example.gold.map(|gold| (gold, gold_round, number)));
        let votes = example.votes.iter().flatten().copied().chain(example.weak);
        self.weak.extend(votes.map(|vote| (vote, weak_round)));
        self.votes.extend(&example.votes);
    }
}

impl Joined {
    pub(super) fn new(file: &Path, has_groups: bool) -> Self {
        Self {
            file: file.to_path_buf(),
            has_groups,
            rows: 0,
            left_out: BTreeMap::new(),
            dropped: Dropped::default(),
            notes: TextNotes::default(),
            has_zeros: [false; 2],
            examples: Vec::new(),
            first_rows: Vec::new(),
            groups: Vec::new(),
            places: HashMap::new(),
            several: BTreeMap::new(),
        }
    }

    pub(super) fn leave_out(&mut self, reason: String) {
        self.rows += 1;
        self.dropped.by_the_task += 1;
        *self.left_out.entry(reason).or_default() += 1;
    }

    pub(super) fn push(&mut self, row: RowRead) {
        let RowRead { example, number, group, abstentions } = row;
        self.rows += 1;
        for (total, more) in self.notes.abstentions.iter_mut().zip(abstentions) {
            *total += more;
        }
        self.has_zeros[0] |= example.gold == Some(false);
        self.has_zeros[1] |= example.votes.iter().flatten().chain(&example.weak).any(|label| *label < 1.0);
        if example.text.trim().is_empty() {
            self.dropped.empty += 1;
            return;
        }
        if let Some(&place) = self.places.get(&example.id) {
            self.dropped.duplicates += 1;
            let first = &self.examples[place];
            let several = self.several.entry(place).or_insert_with(|| {
                let mut several = SeveralRows::default();
                several.add(first, self.first_rows[place]);
                several
            });
            several.add(&example, number);
            // The same text whatever the rows' order.
            if example.text < first.text {
                self.examples[place].text = example.text;
            }
            return;
        }
        self.places.insert(example.id, self.examples.len());
        self.examples.push(example);
        self.first_rows.push(number);
        if self.has_groups {
            // A row without a group is one of its own.
            let group = group.filter(|group| *group != 0);
            self.groups.push(group.unwrap_or_else(|| self.examples.last().map_or(0, |example| example.id.number())));
        }
    }

    /// Refuses a column in which -1 stands where 0 is expected: it is no abstention then.
    pub(super) fn check_abstentions(&self, columns: &RowColumns) -> Result<(), DataError> {
        let names = [Some(&columns.gold), columns.weak.first()];
        for ((abstentions, has_zeros), name) in self.notes.abstentions.iter().zip(self.has_zeros).zip(names) {
            if let (1.., false, Some(column)) = (*abstentions, has_zeros, name) {
                return Err(DataError::MinusOneForZero { file: self.file.clone(), column: column.clone() });
            }
        }
        Ok(())
    }

    pub(super) fn finish(mut self, contradictions: Contradictions) -> Result<TextRows, DataError> {
        for example in &mut self.examples {
            if example.weak.is_none() {
                example.weak = mean_vote(&example.votes);
            }
        }
        let mut without = Vec::new();
        for (place, SeveralRows { gold, mut weak, votes }) in std::mem::take(&mut self.several) {
            let example = &mut self.examples[place];
            if let Some(&(first, ..)) = gold.first() {
                example.rounds[0] = gold.iter().map(|(_, round, _)| *round).min().unwrap_or(0);
                let ones = gold.iter().filter(|(label, ..)| *label).count();
                example.gold = Some(2 * ones > gold.len());
                if ones != 0 && ones != gold.len() {
                    if contradictions == Contradictions::Refuse {
                        let other =
                            gold.iter().find(|(label, ..)| *label != first).expect("there are labels of both classes");
                        let row = |(label, _, number): &(bool, Round, RowNumber)| ContradictingRow {
                            number: *number,
                            gold: u8::from(*label),
                        };
                        return Err(DataError::Contradiction {
                            file: self.file.clone(),
                            text: Box::from(example.text.as_str()),
                            rows: Box::new([row(&gold[0]), row(other)]),
                        });
                    }
                    if contradictions == Contradictions::Drop || 2 * ones == gold.len() {
                        without.push(place);
                    } else {
                        self.notes.contradictions += 1;
                    }
                }
            }
            if !weak.is_empty() {
                weak.sort_by(|a, b| a.0.total_cmp(&b.0));
                example.rounds[1] = weak.iter().map(|(_, round)| *round).min().unwrap_or(0);
                let given: Box<[Option<f32>]> = weak.iter().map(|(vote, _)| Some(*vote)).collect();
                example.weak = mean_vote(&given);
                if given.len() > 1 {
                    self.notes.voted += 1;
                    example.votes = if votes.is_empty() { given } else { votes.into_boxed_slice() };
                }
            }
        }
        let mut rows = TextRows {
            name: self.file.display().to_string(),
            file: self.file,
            rows: self.rows,
            examples: self.examples,
            first_rows: self.first_rows,
            groups: self.groups,
            left_out: self.left_out.into_iter().map(|(reason, rows)| LeftOut { reason, rows }).collect(),
            dropped: self.dropped,
            notes: self.notes,
        };
        rows.dropped.contradictory = rows.retain(|index, _| without.binary_search(&index).is_err());
        Ok(rows)
    }
}
