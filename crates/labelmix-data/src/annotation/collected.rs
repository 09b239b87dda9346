//! Labels that annotators gave, read from tables and from the exports of annotation tools.

use std::path::Path;

use labelmix_econ::LabelKind;

use super::answers::{answers, kind as asked_kind, text, written_id};
use super::error::AnnotationError;
use super::identity::Identity;
use super::{ID, LABEL};
use crate::cell::Cell;
use crate::error::DataError;
use crate::example::ExampleId;
use crate::place::Place;
use crate::read::TableFile;
use crate::table::{TableColumns, TableRow, read_table};
use crate::text_files::{LabelRead, LabelValues};

type Result<T> = std::result::Result<T, AnnotationError>;

/// A label that was collected.
#[derive(Debug, Clone, PartialEq)]
pub struct CollectedLabel {
    /// Which example it is about.
    pub identity: Identity,
    /// Its label: the probability of class 1.
    pub label: f32,
    /// Where it stands.
    pub place: Place,
}

impl CollectedLabel {
    /// The example's id, as far as its row says it: the one that is written there, or that of the text.
    pub fn id(&self) -> ExampleId {
        self.identity.stated()
    }
}

/// What a file of labels holds.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CollectedLabels {
    /// The labels, in the file's order.
    pub labels: Vec<CollectedLabel>,
    /// Rows without a label.
    pub missing: usize,
}

/// What to do about rows without a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IfMissing {
    Refuse,
    /// Leave them out.
    LeaveOut,
}

/// Reads the labels of one kind from a table with the columns `labelmix_id` and `label`, or from what Label Studio or Argilla
/// exports. Where several annotators labelled an example, a weak label is the mean of what they say, and a gold label what all of
/// them say. Answers that were skipped or discarded, or are drafts, are none.
///
/// # Errors
/// [`AnnotationError`] for a file that cannot be read, an id that is none, a label that is none, annotators who disagree
/// about a gold label, rows of another kind, and rows without a label where these are to be refused.
pub fn read_collected_labels<'a>(
    file: impl Into<TableFile<'a>>,
    kind: LabelKind,
    values: &LabelValues,
    if_missing: IfMissing,
) -> Result<CollectedLabels> {
    let file = file.into();
    let rows = rows(file)?;
    let file = file.path();
    check_columns(file, &rows)?;
    let mut collected = CollectedLabels::default();
    let mut unlabeled: Option<(Place, ExampleId)> = None;
    for row in &rows {
        let place = row.place(file);
        if let Some(found) = asked_kind(row).filter(|found| found != kind.name()) {
            return Err(AnnotationError::OtherKind { place, found, kind: kind.name() });
        }
        let missing = &Cell::Missing;
        let identity = Identity::new(written_id(row).unwrap_or(missing), text(row).unwrap_or(missing), &place)?;
        let answers = answers(row).unwrap_or_default();
        if let Some(label) = label(answers, identity.stated(), kind, values, &place)? {
            collected.labels.push(CollectedLabel { identity, label, place });
        } else {
            collected.missing += 1;
            unlabeled.get_or_insert((place, identity.stated()));
        }
    }
    match unlabeled {
        Some((place, id)) if if_missing == IfMissing::Refuse => {
            Err(AnnotationError::Unlabeled { place, id, others: collected.missing - 1 })
        }
        _ => Ok(collected),
    }
}

/// The rows of a table, or of a tool's export.
fn rows(file: TableFile) -> Result<Vec<TableRow>> {
    let mut rows = Vec::new();
    read_table(file, |row| {
        rows.push(row);
        Ok::<(), DataError>(())
    })?;
    Ok(rows)
}

/// Refuses a file in which no row says what it is about, or has a place for a label.
fn check_columns(file: &Path, rows: &[TableRow]) -> Result<()> {
    let missing = |column: &str| {
        let mut columns = TableColumns::default();
        for row in rows {
            columns.observe(row);
        }
        DataError::missing_column(Place::file(file), column, columns.names().map(str::to_owned).collect())
    };
    if rows.iter().all(|row| written_id(row).is_none() && text(row).is_none()) {
        return Err(missing(ID).into());
    }
    if rows.iter().all(|row| answers(row).is_none()) {
        return Err(missing(LABEL).into());
    }
    Ok(())
}

/// The label that answers make.
fn label(
    answers: Vec<Cell>,
    id: ExampleId,
    kind: LabelKind,
    values: &LabelValues,
    place: &Place,
) -> Result<Option<f32>> {
    let mut labels = Vec::new();
    for answer in answers {
        labels.extend(written_label(answer, kind, values, place)?);
    }
    let Some(&first) = labels.first() else { return Ok(None) };
    match kind {
        LabelKind::Weak => Ok(Some(labels.iter().sum::<f32>() / labels.len() as f32)),
        LabelKind::Gold if labels.iter().all(|label| *label == first) => Ok(Some(first)),
        LabelKind::Gold => Err(AnnotationError::Disagreement { place: place.clone(), id, labels }),
    }
}

/// An answer: 0, 1 or a probability, as lists ask for it, or what the study calls its classes.
fn written_label(answer: Cell, kind: LabelKind, values: &LabelValues, place: &Place) -> Result<Option<f32>> {
    let plain = LabelValues::default();
    match probability(answer.clone(), kind, &plain, place, LABEL) {
        Err(_) => Ok(probability(answer, kind, values, place, LABEL)?),
        label => Ok(label?),
    }
}

/// A label of a kind as the probability of class 1, `None` where the cell holds none.
pub(super) fn probability(
    cell: Cell,
    kind: LabelKind,
    values: &LabelValues,
    place: &Place,
    column: &str,
) -> std::result::Result<Option<f32>, DataError> {
    match kind {
        LabelKind::Gold => values
            .gold(cell)
            .map(|gold| gold.label().map(|gold| f32::from(u8::from(gold))))
            .map_err(|cell| DataError::gold_label(place.clone(), column, &cell)),
        LabelKind::Weak => {
            values.weak(cell).map(LabelRead::label).map_err(|cell| DataError::weak_label(place.clone(), column, &cell))
        }
    }
}
