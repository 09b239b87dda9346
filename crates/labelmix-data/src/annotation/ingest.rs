//! Labels into the training file: every row as it was, those that were labelled with their label.

use std::collections::HashMap;
use std::path::Path;

use labelmix_econ::LabelKind;
use serde::Serialize;

use super::collected::CollectedLabel;
use super::error::AnnotationError;
use crate::cell::Cell;
use crate::error::{DataError, Place, RowNumber};
use crate::example::ExampleId;
use crate::read::{ColumnNames, Holds, Need, Row, WantedColumn, column_names, is_json, read_blocks, read_lines_of};

type Result<T> = std::result::Result<T, AnnotationError>;

/// A training file with more labels.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LabeledRows {
    /// The file's rows as JSONL, in their order.
    pub jsonl: Vec<u8>,
    /// Rows.
    pub rows: usize,
    /// Rows that got a label.
    pub labeled: usize,
    /// Rows that had the same label already.
    pub known: usize,
}

/// The rows of a training file of texts, with the labels of one kind that were collected for them. All rows and columns
/// stay as they are, in their order, but for the label; lines of a JSONL file that get none stay to the byte. Of several
/// weak labels of a text the mean is taken.
///
/// # Errors
/// [`AnnotationError`] for a file that cannot be read, labels of texts that are not in it, gold labels of a text that
/// contradict each other, and labels that contradict those that a row has.
pub fn with_labels(
    train: &Path,
    columns: &ColumnNames,
    labels: &[CollectedLabel],
    kind: LabelKind,
) -> Result<LabeledRows> {
    let label_column = match kind {
        LabelKind::Gold => columns.gold.as_str(),
        LabelKind::Weak => columns.weak.as_deref().unwrap_or("weak"),
    };
    let mut writer = Writer { train, label_column, kind, labels: by_id(labels, kind)?, rows: LabeledRows::default() };
    if is_json(train)? {
        writer.lines(columns)?;
    } else {
        writer.table(columns)?;
    }
    let unknown = labels.iter().find(|label| !writer.labels[&label.id].is_used);
    match unknown {
        Some(label) => {
            Err(AnnotationError::UnknownId { place: label.place.clone(), id: label.id, train: train.to_path_buf() })
        }
        None => Ok(writer.rows),
    }
}

/// What was collected for an example.
struct NewLabel {
    label: f32,
    place: Place,
    answers: f32,
    is_used: bool,
}

fn by_id(labels: &[CollectedLabel], kind: LabelKind) -> Result<HashMap<ExampleId, NewLabel>> {
    let mut by_id: HashMap<ExampleId, NewLabel> = HashMap::new();
    for CollectedLabel { id, label, place } in labels {
        let new = || NewLabel { label: *label, place: place.clone(), answers: 1.0, is_used: false };
        let Some(earlier) = by_id.get_mut(id) else {
            by_id.insert(*id, new());
            continue;
        };
        if kind == LabelKind::Gold && earlier.label != *label {
            return Err(AnnotationError::Conflict {
                place: place.clone(),
                kind: kind.name(),
                id: *id,
                label: *label,
                earlier: Box::new(earlier.place.clone()),
                earlier_label: earlier.label,
            });
        }
        earlier.answers += 1.0;
        earlier.label += (label - earlier.label) / earlier.answers;
    }
    Ok(by_id)
}

/// What becomes of a row.
enum Fate {
    Stays,
    Gets(f32),
}

struct Writer<'a> {
    train: &'a Path,
    label_column: &'a str,
    kind: LabelKind,
    labels: HashMap<ExampleId, NewLabel>,
    rows: LabeledRows,
}

impl Writer<'_> {
    /// Goes through a JSONL file line by line.
    fn lines(&mut self, columns: &ColumnNames) -> Result<()> {
        read_lines_of(self.train, |number, line| {
            let place = || Place::row(self.train, RowNumber::Line(number));
            let row: Cell = serde_json::from_str(line)
                .map_err(|error| DataError::MalformedJson { place: place(), reason: error.to_string() })?;
            let Cell::Record(mut entries) = row else {
                let reason = "a value of another kind".to_owned();
                return Err(DataError::MalformedJson { place: place(), reason }.into());
            };
            match self.fate(&entries, columns, place())? {
                Fate::Stays => self.rows.jsonl.extend_from_slice(line.as_bytes()),
                Fate::Gets(label) => {
                    set(&mut entries, self.label_column, label_cell(label, self.kind));
                    self.write(entries);
                }
            }
            self.rows.jsonl.push(b'\n');
            Ok(())
        })
    }

    /// Goes through a table of another format.
    fn table(&mut self, columns: &ColumnNames) -> Result<()> {
        let names = column_names(self.train)?;
        let wanted: Vec<WantedColumn> =
            names.iter().map(|name| WantedColumn { name, need: Need::IfThere, holds: Holds::Anything }).collect();
        let mut rows = Vec::new();
        read_blocks(self.train, &wanted, |block| {
            rows.extend(block.map(Ok::<Row, DataError>)?);
            Ok::<(), DataError>(())
        })?;
        for Row { number, cells } in rows {
            let mut entries: Vec<(String, Cell)> = names.iter().cloned().zip(cells).collect();
            if let Fate::Gets(label) = self.fate(&entries, columns, Place::row(self.train, number))? {
                set(&mut entries, self.label_column, label_cell(label, self.kind));
            }
            self.write(entries);
            self.rows.jsonl.push(b'\n');
        }
        Ok(())
    }

    /// Whether a row gets a label.
    fn fate(&mut self, entries: &[(String, Cell)], columns: &ColumnNames, place: Place) -> Result<Fate> {
        self.rows.rows += 1;
        let cell = |name: &str| entries.iter().find(|(key, _)| key == name).map(|(_, cell)| cell);
        let Some(Cell::Text(text)) = cell(&columns.text) else { return Ok(Fate::Stays) };
        let id = ExampleId::of(text);
        let Some(new) = self.labels.get_mut(&id) else { return Ok(Fate::Stays) };
        new.is_used = true;
        let there = cell(self.label_column).cloned().unwrap_or(Cell::Missing);
        let there = match self.kind {
            LabelKind::Gold => there.into_gold().map(|gold| gold.map(|gold| f32::from(u8::from(gold)))),
            LabelKind::Weak => there.into_weak(),
        };
        let there = there.map_err(|cell| {
            let (place, column, value) = (place.clone(), self.label_column.to_owned(), cell.to_string());
            match self.kind {
                LabelKind::Gold => DataError::GoldLabel { place, column, value },
                LabelKind::Weak => DataError::WeakLabel { place, column, value },
            }
        })?;
        match there {
            None => {
                self.rows.labeled += 1;
                Ok(Fate::Gets(new.label))
            }
            Some(label) if label == new.label => {
                self.rows.known += 1;
                Ok(Fate::Stays)
            }
            Some(label) => Err(AnnotationError::Conflict {
                place: new.place.clone(),
                kind: self.kind.name(),
                id,
                label: new.label,
                earlier: Box::new(place),
                earlier_label: label,
            }),
        }
    }

    fn write(&mut self, entries: Vec<(String, Cell)>) {
        serde_json::to_writer(&mut self.rows.jsonl, &Ordered(&Cell::Record(entries)))
            .expect("cells can be written into memory");
    }
}

fn label_cell(label: f32, kind: LabelKind) -> Cell {
    match kind {
        LabelKind::Gold => Cell::Integer(i64::from(label > 0.5)),
        LabelKind::Weak if label == 0.0 || label == 1.0 => Cell::Integer(label as i64),
        // By way of its shortest decimals, so that 0.9 is written as 0.9.
        LabelKind::Weak => Cell::Number(label.to_string().parse().unwrap_or(f64::from(label))),
    }
}

fn set(entries: &mut Vec<(String, Cell)>, name: &str, value: Cell) {
    match entries.iter_mut().find(|(key, _)| key == name) {
        Some((_, cell)) => *cell = value,
        None => entries.push((name.to_owned(), value)),
    }
}

/// A cell as JSON with the fields of records in their order.
struct Ordered<'a>(&'a Cell);

impl Serialize for Ordered<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        match self.0 {
            Cell::Missing => serializer.serialize_unit(),
            Cell::Bool(value) => serializer.serialize_bool(*value),
            Cell::Integer(value) => serializer.serialize_i64(*value),
            Cell::Number(value) => serializer.serialize_f64(*value),
            Cell::Text(text) => serializer.serialize_str(text),
            Cell::List(cells) => serializer.collect_seq(cells.iter().map(Ordered)),
            Cell::Record(entries) => serializer.collect_map(entries.iter().map(|(name, cell)| (name, Ordered(cell)))),
        }
    }
}
