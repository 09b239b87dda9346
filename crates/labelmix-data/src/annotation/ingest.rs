//! Labels into the training file: every row as it was, those that were labelled with their label.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use labelmix_econ::LabelKind;

use super::collected::{CollectedLabel, probability};
use super::error::AnnotationError;
use crate::cell::Cell;
use crate::error::{DataError, Place};
use crate::example::ExampleId;
use crate::read::ColumnNames;
use crate::table::{TableColumns, TableRow, read_table};
use crate::write::{IfThere, TableWriter};

type Result<T> = std::result::Result<T, AnnotationError>;

/// What became of a training file's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LabeledRows {
    /// Rows.
    pub rows: usize,
    /// Texts that labels were collected for.
    pub texts: usize,
    /// Rows that got a label.
    pub labeled: usize,
    /// Rows that had the same label already.
    pub known: usize,
}

/// Writes the rows of a training file of texts to `out`, in the format that its name says, with the labels of one kind that were
/// collected for them. All rows and columns stay as they are, in their order, but for the label; from JSON Lines to JSON Lines,
/// lines that get none stay to the byte. Of several weak labels of a text the mean is taken. No file is written over.
///
/// # Errors
/// [`AnnotationError`] for a file that cannot be read or written, labels of texts that are not in it, gold labels of a text that
/// contradict each other, and labels that contradict those that a row has. Nothing is written then.
pub fn with_labels(
    train: &Path,
    columns: &ColumnNames,
    labels: &[CollectedLabel],
    kind: LabelKind,
    out: &Path,
) -> Result<LabeledRows> {
    let label_column = match kind {
        LabelKind::Gold => columns.gold.as_str(),
        LabelKind::Weak => columns.weak.as_deref().unwrap_or("weak"),
    };
    let (known, mut table) = survey(train, columns, labels)?;
    let labels = by_example(train, labels, &known, kind)?;
    for new in labels.values() {
        match new.hard() {
            Some(class) => table.observe_value(label_column, &class),
            None => table.observe_value(label_column, &new.label),
        }
    }
    let mut rows = LabeledRows { texts: labels.len(), ..LabeledRows::default() };
    let mut writer = TableWriter::create(out, &table, IfThere::Refuse)?;
    read_table(train, |mut row| {
        rows.rows += 1;
        let new = text_of(&row, columns).and_then(|text| labels.get(&ExampleId::of(text)));
        if let Some(new) = new {
            let there = row.get(label_column).cloned().unwrap_or(Cell::Missing);
            match probability(there, kind, &row.place(train), label_column)? {
                None => {
                    rows.labeled += 1;
                    match new.hard() {
                        Some(class) => row.set(label_column, &class),
                        None => row.set(label_column, &new.label),
                    }
                }
                Some(label) if label == new.label => rows.known += 1,
                Some(label) => return Err(new.contradicted_by(label, row.place(train), kind)),
            }
        }
        Ok(writer.write(row)?)
    })?;
    writer.finish()?;
    Ok(rows)
}

fn text_of<'a>(row: &'a TableRow, columns: &ColumnNames) -> Option<&'a str> {
    match row.get(&columns.text) {
        Some(Cell::Text(text)) => Some(text),
        _ => None,
    }
}

/// The training file's texts that labels may be about, by their ids, and its columns.
fn survey(
    train: &Path,
    columns: &ColumnNames,
    labels: &[CollectedLabel],
) -> Result<(HashMap<ExampleId, String>, TableColumns)> {
    let named: HashSet<ExampleId> = labels.iter().flat_map(|label| label.identity.candidates()).collect();
    let (mut known, mut table) = (HashMap::new(), TableColumns::default());
    read_table(train, |row| {
        table.observe(&row);
        if let Some(text) = text_of(&row, columns) {
            let id = ExampleId::of(text);
            if named.contains(&id) {
                known.entry(id).or_insert_with(|| text.to_owned());
            }
        }
        Ok::<(), DataError>(())
    })?;
    Ok((known, table))
}

/// What was collected for an example.
struct NewLabel {
    id: ExampleId,
    label: f32,
    place: Place,
    answers: f32,
}

impl NewLabel {
    /// The class of a label that is 0 or 1, which is written as an integer.
    fn hard(&self) -> Option<u8> {
        (self.label == 0.0 || self.label == 1.0).then_some(self.label as u8)
    }

    /// The error where another place says another label.
    fn contradicted_by(&self, label: f32, place: Place, kind: LabelKind) -> AnnotationError {
        AnnotationError::Conflict {
            place: self.place.clone(),
            kind: kind.name(),
            id: self.id,
            label: self.label,
            earlier: Box::new(place),
            earlier_label: label,
        }
    }
}

fn by_example(
    train: &Path,
    labels: &[CollectedLabel],
    known: &HashMap<ExampleId, String>,
    kind: LabelKind,
) -> Result<HashMap<ExampleId, NewLabel>> {
    let mut by_id: HashMap<ExampleId, NewLabel> = HashMap::new();
    for CollectedLabel { identity, label, place } in labels {
        let unknown =
            || AnnotationError::UnknownId { place: place.clone(), id: identity.stated(), train: train.to_path_buf() };
        let id = identity.resolve(known, place)?.ok_or_else(unknown)?;
        let new = NewLabel { id, label: *label, place: place.clone(), answers: 1.0 };
        let Some(earlier) = by_id.get_mut(&id) else {
            by_id.insert(id, new);
            continue;
        };
        if kind == LabelKind::Gold && earlier.label != *label {
            return Err(new.contradicted_by(earlier.label, earlier.place.clone(), kind));
        }
        earlier.answers += 1.0;
        earlier.label += (label - earlier.label) / earlier.answers;
    }
    Ok(by_id)
}
