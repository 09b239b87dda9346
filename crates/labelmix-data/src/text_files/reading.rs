//! Reading the rows of a file of texts.

use std::borrow::Cow;
use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::advice::label_advice;
use super::columns::{RowColumns, TextReader, TextSource, round_of};
use super::joined::{Contradictions, Joined};
use super::labels::LabelRead;
use crate::cell::Cell;
use crate::clean::DataSplit;
use crate::error::DataError;
use crate::example::{Example, ExampleId, ROUNDS};
use crate::place::{Place, RowNumber};
use crate::read::{Need, Row, TableFile, read_blocks};
use crate::summary::{Dropped, LeftOut, TextNotes};

/// What a file is read for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Training,
    /// Every row with a text needs a gold label.
    Testing,
}

/// The texts of a file, each once, with what was read of them.
pub(crate) struct TextRows {
    pub(super) file: PathBuf,
    /// What messages call it.
    pub(crate) name: String,
    pub(crate) rows: usize,
    pub(crate) examples: Vec<Example>,
    /// The first row of each text.
    pub(super) first_rows: Vec<RowNumber>,
    /// A hash of each text's group; empty where there are no groups.
    pub(super) groups: Vec<u64>,
    pub(crate) left_out: Vec<LeftOut>,
    pub(crate) dropped: Dropped,
    pub(crate) notes: TextNotes,
}

impl TextRows {
    /// Keeps the texts of which `is_kept` says so by their index; how many it dropped.
    pub(super) fn retain(&mut self, is_kept: impl Fn(usize, &Example) -> bool) -> usize {
        let kept: Vec<bool> =
            self.examples.iter().enumerate().map(|(index, example)| is_kept(index, example)).collect();
        let mut keep = kept.iter();
        self.examples.retain(|_| keep.next() == Some(&true));
        let mut keep = kept.iter();
        self.first_rows.retain(|_| keep.next() == Some(&true));
        let mut keep = kept.iter();
        self.groups.retain(|_| keep.next() == Some(&true));
        kept.len() - self.examples.len()
    }

    /// Drops the texts that the test set has, and those of its groups.
    pub(super) fn hold_out(&mut self, test: &Self) {
        let ids: HashSet<_> = test.examples.iter().map(|example| example.id).collect();
        self.dropped.in_test = self.retain(|_, example| !ids.contains(&example.id));
        if !self.groups.is_empty() {
            let of_test: HashSet<u64> = test.groups.iter().copied().collect();
            let groups = std::mem::take(&mut self.groups);
            self.dropped.in_test_group = self.retain(|index, _| !of_test.contains(&groups[index]));
        }
    }

    /// Takes out the texts without any label.
    pub(super) fn take_unlabeled(&mut self) -> Vec<Example> {
        let mut unlabeled: Vec<Example> = self.examples.extract_if(.., |example| !example.is_labeled()).collect();
        unlabeled.sort_by_key(|example| example.id);
        self.dropped.unlabeled = unlabeled.len();
        unlabeled
    }
}

/// What became of a row.
enum Outcome {
    LeftOut(String),
    Read(RowRead),
}

/// A row with a text.
pub(super) struct RowRead {
    pub(super) example: Example,
    pub(super) number: RowNumber,
    pub(super) group: Option<u64>,
    pub(super) abstentions: [usize; 2],
}

/// Reads all rows of a file, and joins those of one text.
pub(super) fn read_rows(
    file: &Path,
    columns: &RowColumns,
    purpose: Purpose,
    contradictions: Contradictions,
) -> Result<TextRows, DataError> {
    let needs = match purpose {
        Purpose::Training if columns.weak.is_empty() => [Need::Somewhere, Need::Somewhere],
        Purpose::Training => [Need::IfThere, Need::Somewhere],
        Purpose::Testing => [Need::Somewhere, Need::IfThere],
    };
    let mut joined = Joined::new(file, columns.group.is_some());
    let read = read_blocks(columns.table(file), &columns.wanted(needs), |block| {
        for outcome in block.map(|row| read_row(file, row, columns, purpose))? {
            match outcome {
                Outcome::LeftOut(reason) => joined.leave_out(reason),
                Outcome::Read(row) => joined.push(row),
            }
        }
        Ok::<(), DataError>(())
    });
    let table_notes = read.map_err(|error| label_advice(error, file, columns))?;
    joined.check_abstentions(columns)?;
    let mut rows = joined.finish(contradictions)?;
    rows.notes.replaced_surrogates = table_notes.replaced_surrogates as usize;
    rows.notes.replaced_at = table_notes.first_at.map(|row| row.to_string());
    Ok(rows)
}

fn read_row(file: &Path, mut row: Row, columns: &RowColumns, purpose: Purpose) -> Result<Outcome, DataError> {
    let kept = columns.fields.take(&mut row);
    let number = row.number;
    let place = || Place::row(file, number);
    let mut cells = row.cells;
    let mut rest = cells.split_off(columns.text.wanted().len()).into_iter();
    let mut next = || rest.next().expect("a reader gives a cell for every wanted column");
    let text = columns.text.text(&mut cells, place)?;
    let mut abstentions = [0; 2];

    let gold = match columns.values.gold(next()) {
        Ok(LabelRead::Label(gold)) => Some(gold),
        Ok(LabelRead::Nothing) => None,
        Ok(LabelRead::Abstention) => {
            abstentions[0] += 1;
            None
        }
        Ok(LabelRead::LeaveOut(value)) => return Ok(Outcome::LeftOut(format!("{} is {value}", columns.gold))),
        Err(cell) => return Err(DataError::gold_label(place(), &columns.gold, &cell)),
    };
    let mut votes = Vec::with_capacity(columns.weak.len());
    for column in &columns.weak {
        votes.push(match columns.values.weak(next()) {
            Ok(LabelRead::Label(weak)) => Some(weak),
            Ok(LabelRead::Nothing | LabelRead::LeaveOut(_)) => None,
            Ok(LabelRead::Abstention) => {
                abstentions[1] += 1;
                None
            }
            Err(cell) => return Err(DataError::weak_label(place(), column, &cell)),
        });
    }
    let group = columns.group.as_ref().map(|_| group_hash(&next()));
    let rounds = {
        let [gold_column, weak_column] = ROUNDS;
        [round_of(&next(), gold_column, place)?, round_of(&next(), weak_column, place)?]
    };
    let mut example = Example::new(text, gold, None);
    if purpose == Purpose::Testing && gold.is_none() && !example.text.trim().is_empty() {
        return Err(DataError::UnlabeledTest { place: place(), column: columns.gold.clone() });
    }
    example.fields = columns.fields.values(&kept);
    if votes.len() == 1 {
        example.weak = votes[0];
    } else {
        example.votes = votes.into_boxed_slice();
    }
    example.rounds = rounds;
    Ok(Outcome::Read(RowRead { example, number, group, abstentions }))
}

/// A hash of a group's name; rows without one share none with others, which is for the caller to see to.
fn group_hash(cell: &Cell) -> u64 {
    let name = cell.class_name().map_or_else(|| cell.to_json().to_string(), Cow::into_owned);
    if name.is_empty() { 0 } else { ExampleId::exact(&name).number().max(1) }
}

/// Reads the texts of a file, one for every row and in the rows' order, for instance to predict their classes.
/// Nothing is dropped; a text that is missing in its row is empty.
///
/// # Errors
/// [`DataError`] for a file that cannot be read or has no rows, and for a column that is missing or holds no
/// texts.
pub fn read_texts<'a>(file: impl Into<TableFile<'a>>, text: impl Into<TextSource>) -> Result<Vec<String>, DataError> {
    let (reader, file) = (TextReader::new(&text.into())?, file.into());
    let mut texts = Vec::new();
    read_blocks(file, &reader.wanted(), |block| {
        texts.extend(block.map(|mut row| reader.text(&mut row.cells, || Place::row(file.path(), row.number)))?);
        Ok::<(), DataError>(())
    })?;
    Ok(texts)
}

impl TextRows {
    /// The texts of a file, whose rows are joined already, to be cleaned.
    pub(super) fn into_split(self) -> DataSplit {
        let Self { name, rows, left_out, dropped, notes, examples, .. } = self;
        let (cleaned_class_counts, unlabeled) = ([0; 2], Vec::new());
        DataSplit { name, rows, left_out, dropped, notes, cleaned_class_counts, examples, unlabeled }
    }
}
