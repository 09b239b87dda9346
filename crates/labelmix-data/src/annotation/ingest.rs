//! Labels into the training file: every row as it was, those that were labelled with their label.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use labelmix_econ::LabelKind;

use super::collected::{CollectedLabel, probability};
use super::error::AnnotationError;
use crate::cell::Cell;
use crate::error::DataError;
use crate::example::{ExampleId, ROUNDS, Round};
use crate::place::Place;
use crate::read::TableFile;
use crate::table::{TableColumns, read_table};
use crate::text_files::{LabelValues, RowText, TextColumns};
use crate::write::{IfThere, TableWriter};

type Result<T> = std::result::Result<T, AnnotationError>;

/// What became of a training file's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LabeledRows {
    pub rows: usize,
    /// Texts that labels were collected for.
    pub texts: usize,
    /// Rows that got a label.
    pub labeled: usize,
    /// Rows that had the same label already.
    pub known: usize,
}

/// Writes the rows of a training file of texts to `out`, in the format that its name says, with the labels of one kind that were
/// collected for them, each in the first row of its text. All rows and columns stay as they are, in their order; from JSON to JSON
/// Lines, rows that get none stay to the byte. Of several weak labels of a text the mean is taken. The round of buying is noted
/// beside a new label (`labelmix_gold_round`, `labelmix_weak_round`), so that whatever was measured before stays measured. No file is written over.
///
/// # Errors
/// [`AnnotationError`] for a file that cannot be read or written, labels of texts that are not in it, gold labels of a text that
/// contradict each other, labels that contradict those that a row has, and gold labels that are scores. Nothing is written then.
pub fn with_labels(
    train: &Path,
    columns: &TextColumns,
    labels: &[CollectedLabel],
    kind: LabelKind,
    out: &Path,
) -> Result<LabeledRows> {
    let (label_column, round_column) = match kind {
        LabelKind::Gold => (columns.gold.as_str(), ROUNDS[0]),
        LabelKind::Weak => (columns.weak.first().map_or("weak", String::as_str), ROUNDS[1]),
    };
    if kind == LabelKind::Gold && columns.values.threshold.is_some() {
        return Err(AnnotationError::Scores { file: train.to_path_buf(), column: label_column.to_owned() });
    }
    let text = RowText::new(&columns.text)?;
    let table = TableFile::new(train).in_encoding(columns.encoding);
    let Survey { known, mut table_columns, last_round } = survey(table, &text, labels)?;
    let labels = by_example(train, labels, &known, kind)?;
    let round = last_round + 1;
    for new in labels.values() {
        new.put(label_column, &columns.values, |column, value| table_columns.observe_value(column, &value));
    }
    table_columns.observe_value(round_column, &round);
    let mut rows = LabeledRows { texts: labels.len(), ..LabeledRows::default() };
    let mut is_done = HashSet::new();
    let mut writer = TableWriter::create(out, &table_columns, IfThere::Refuse)?;
    read_table(table, |mut row| {
        rows.rows += 1;
        let id = ExampleId::of(&text.of(&row, train)?);
        if let Some(new) = labels.get(&id).filter(|_| !is_done.contains(&id)) {
            let there = row.get(label_column).cloned().unwrap_or(Cell::Missing);
            match probability(there, kind, &columns.values, &row.place(train), label_column)? {
                None => {
                    rows.labeled += 1;
                    new.put(label_column, &columns.values, |column, value| row.set(column, &value));
                    row.set(round_column, &round);
                    is_done.insert(id);
                }
                Some(label) if label == new.label => {
                    rows.known += 1;
                    is_done.insert(id);
                }
                Some(label) => return Err(new.contradicted_by(label, row.place(train), kind)),
            }
        }
        Ok(writer.write(row)?)
    })?;
    writer.finish()?;
    Ok(rows)
}

/// What a first look at the training file tells.
struct Survey {
    /// Its texts that labels may be about, by their ids.
    known: HashMap<ExampleId, String>,
    table_columns: TableColumns,
    /// The last round of buying that it notes, of either kind: rounds are counted together.
    last_round: Round,
}

fn survey(table: TableFile, text: &RowText, labels: &[CollectedLabel]) -> Result<Survey> {
    let named: HashSet<ExampleId> = labels.iter().flat_map(|label| label.identity.candidates()).collect();
    let mut survey = Survey { known: HashMap::new(), table_columns: TableColumns::default(), last_round: 0 };
    read_table(table, |row| {
        survey.table_columns.observe(&row);
        for column in ROUNDS {
            let round = row.get(column).and_then(Cell::class_name).and_then(|round| round.parse().ok());
            survey.last_round = survey.last_round.max(round.unwrap_or(0));
        }
        let text = text.of(&row, table.path())?;
        let id = ExampleId::of(&text);
        if named.contains(&id) {
            survey.known.entry(id).or_insert(text);
        }
        Ok::<(), DataError>(())
    })?;
    Ok(survey)
}

/// What was collected for an example.
struct NewLabel {
    id: ExampleId,
    label: f32,
    place: Place,
    answers: f32,
}

impl NewLabel {
    /// Hands on what is written into the label's column: a probability, an integer, or the study's name for the class.
    fn put(&self, column: &str, values: &LabelValues, mut put: impl FnMut(&str, serde_json::Value)) {
        let is_hard = self.label == 0.0 || self.label == 1.0;
        match values.written(self.label as u8).filter(|_| is_hard) {
            Some(name) if !values.values.is_empty() => {
                put(column, name.parse::<i64>().map_or_else(|_| name.clone().into(), Into::into));
            }
            _ if is_hard => put(column, (self.label as u8).into()),
            // By way of its shortest decimals, so that 0.9 is written as 0.9.
            _ => put(column, self.label.to_string().parse().unwrap_or(f64::from(self.label)).into()),
        }
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
