//! Labels that annotators gave, read from tables and from the exports of annotation tools.

use std::path::Path;

use labelmix_econ::LabelKind;

use super::error::AnnotationError;
use super::{ID, KIND, LABEL};
use crate::cell::Cell;
use crate::error::{DataError, Place, RowNumber};
use crate::example::ExampleId;
use crate::read::{Holds, Need, WantedColumn, read_blocks};

type Result<T> = std::result::Result<T, AnnotationError>;

/// A label that was collected.
#[derive(Debug, Clone, PartialEq)]
pub struct CollectedLabel {
    /// The example.
    pub id: ExampleId,
    /// Its label: the probability of class 1.
    pub label: f32,
    /// Where it stands.
    pub place: Place,
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
    /// Refuse them.
    Refuse,
    /// Leave them out.
    LeaveOut,
}

/// Reads the labels of one kind from a table (CSV, JSONL, Parquet or Arrow) with the columns `labelmix_id` and `label`,
/// or from the JSON that Label Studio or Argilla exports. Where several annotators labelled an example, a weak label is
/// the mean of what they say, and a gold label what all of them say.
///
/// # Errors
/// [`AnnotationError`] for a file that cannot be read, an id that is none, a label that is none, annotators who disagree
/// about a gold label, rows of another kind, and rows without a label where these are to be refused.
pub fn read_collected_labels(file: &Path, kind: LabelKind, if_missing: IfMissing) -> Result<CollectedLabels> {
    let is_json = file.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
    let rows = if is_json { json_rows(file)? } else { table_rows(file)? };
    let mut collected = CollectedLabels::default();
    let mut unlabeled: Option<(Place, ExampleId)> = None;
    for row in rows {
        row.check_kind(kind)?;
        let (place, id) = (row.place.clone(), row.id()?);
        if let Some(label) = row.label(id, kind)? {
            collected.labels.push(CollectedLabel { id, label, place });
        } else {
            collected.missing += 1;
            unlabeled.get_or_insert((place, id));
        }
    }
    match unlabeled {
        Some((place, id)) if if_missing == IfMissing::Refuse => {
            Err(AnnotationError::Unlabeled { place, id, others: collected.missing - 1 })
        }
        _ => Ok(collected),
    }
}

/// A row of a file of labels: what each annotator says of an example.
struct LabelRow {
    place: Place,
    id: Cell,
    kind: Cell,
    answers: Vec<Cell>,
}

impl LabelRow {
    fn check_kind(&self, kind: LabelKind) -> Result<()> {
        match &self.kind {
            Cell::Text(found) if !found.is_empty() && found != kind.name() => {
                Err(AnnotationError::OtherKind { place: self.place.clone(), found: found.clone(), kind: kind.name() })
            }
            _ => Ok(()),
        }
    }

    fn id(&self) -> Result<ExampleId> {
        let text = match &self.id {
            Cell::Text(text) => Some(text.trim()),
            _ => None,
        };
        let id = text.filter(|text| text.len() == 16).and_then(|text| text.parse().ok());
        id.ok_or_else(|| AnnotationError::BadId { place: self.place.clone(), value: self.id.to_string() })
    }

    fn label(self, id: ExampleId, kind: LabelKind) -> Result<Option<f32>> {
        let Self { place, answers, .. } = self;
        let mut labels = Vec::new();
        for answer in answers {
            let read = match kind {
                LabelKind::Gold => answer.into_gold().map(|gold| gold.map(|gold| f32::from(u8::from(gold)))),
                LabelKind::Weak => answer.into_weak(),
            };
            let refused = |cell: Cell| {
                match kind {
                    LabelKind::Gold => DataError::gold_label(place.clone(), LABEL, &cell),
                    LabelKind::Weak => DataError::weak_label(place.clone(), LABEL, &cell),
                }
            };
            labels.extend(read.map_err(refused)?);
        }
        let Some(&first) = labels.first() else { return Ok(None) };
        match kind {
            LabelKind::Weak => Ok(Some(labels.iter().sum::<f32>() / labels.len() as f32)),
            LabelKind::Gold if labels.iter().all(|label| *label == first) => Ok(Some(first)),
            LabelKind::Gold => Err(AnnotationError::Disagreement { place, id, labels }),
        }
    }
}

fn table_rows(file: &Path) -> Result<Vec<LabelRow>> {
    let column = |name, need| WantedColumn { name, need, holds: Holds::Anything };
    let wanted = [column(ID, Need::EveryRow), column(LABEL, Need::Somewhere), column(KIND, Need::IfThere)];
    let mut rows = Vec::new();
    read_blocks(file, &wanted, |block| {
        rows.extend(block.map(|row| {
            let [id, label, kind] = row.cells.try_into().expect("a reader gives a cell for every wanted column");
            Ok::<_, DataError>(LabelRow { place: Place::row(file, row.number), id, kind, answers: vec![label] })
        })?);
        Ok::<(), DataError>(())
    })?;
    Ok(rows)
}

/// The rows of a tool's export: a list of Label Studio's tasks, of Argilla's records, or of flat objects (Label Studio's
/// JSON-MIN).
fn json_rows(file: &Path) -> Result<Vec<LabelRow>> {
    let bytes = std::fs::read(file).map_err(|reason| DataError::unreadable(file, &reason))?;
    let no_label_file = |reason: String| AnnotationError::NoLabelFile { file: file.to_path_buf(), reason };
    let list: Vec<Cell> =
        serde_json::from_slice(&bytes).map_err(|error| no_label_file(format!("not a JSON list of rows: {error}")))?;
    if list.is_empty() {
        return Err(DataError::NoRows { file: file.to_path_buf() }.into());
    }
    let row = |(index, item): (usize, &Cell)| {
        let place = Place::row(file, RowNumber::Row(index as u64 + 1));
        let get = |path: &[&str]| {
            let path: Vec<String> = path.iter().map(|name| (*name).to_owned()).collect();
            item.at(&path).cloned()
        };
        let or_missing = |cell: Option<Cell>| cell.unwrap_or(Cell::Missing);
        let (id, kind, answers) = if let Some(annotations) = get(&["annotations"]) {
            (get(&["data", ID]), get(&["data", KIND]), label_studio_answers(&annotations))
        } else if let Some(responses) = get(&["responses"]) {
            (get(&["id"]), get(&["metadata", KIND]), argilla_answers(&responses))
        } else {
            (get(&[ID]), get(&[KIND]), get(&[LABEL]).into_iter().collect())
        };
        let id = id.ok_or_else(|| no_label_file(format!("row {} names no example", index + 1)))?;
        Ok(LabelRow { place, id, kind: or_missing(kind), answers })
    };
    list.iter().enumerate().map(row).collect()
}

fn items(cell: &Cell) -> &[Cell] {
    match cell {
        Cell::List(items) => items,
        _ => &[],
    }
}

fn field<'a>(cell: &'a Cell, name: &str) -> Option<&'a Cell> {
    match cell {
        Cell::Record(entries) => entries.iter().find(|(key, _)| key == name).map(|(_, value)| value),
        _ => None,
    }
}

/// An answer for each annotation that was not skipped: the choice, or the number, that was made.
fn label_studio_answers(annotations: &Cell) -> Vec<Cell> {
    let given = items(annotations)
        .iter()
        .filter(|annotation| !matches!(field(annotation, "was_cancelled"), Some(Cell::Bool(true))));
    let answer = |result: &Cell| {
        let value = field(result, "value")?;
        field(value, "number").cloned().or_else(|| items(field(value, "choices")?).first().cloned())
    };
    given.filter_map(|annotation| items(field(annotation, "result")?).iter().find_map(answer)).collect()
}

/// An answer for each response to the question `label`, or to the only question there is.
fn argilla_answers(responses: &Cell) -> Vec<Cell> {
    let of_question = match (field(responses, LABEL), responses) {
        (Some(answers), _) => Some(answers),
        (None, Cell::Record(questions)) if questions.len() == 1 => questions.first().map(|(_, answers)| answers),
        _ => None,
    };
    of_question.map_or(Vec::new(), |answers| {
        items(answers).iter().filter_map(|response| field(response, "value").cloned()).collect()
    })
}
