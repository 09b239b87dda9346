//! JSON: an object for each row, its keys the columns. JSON Lines, lists of objects, and objects one after the other,
//! each over any number of lines.

mod surrogates;
mod values;

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::de::{Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};

use self::surrogates::without_lone_surrogates;
use self::values::{ValueTexts, Values};
use super::open::{Table, open};
use super::text::Text;
use super::{Block, Need, Row, TableFile, TableNotes, WantedColumn};
use crate::cell::Cell;
use crate::error::DataError;
use crate::place::{Place, RowNumber};

/// Values whose parsing is left to the receiver, who does it on all cores.
pub(crate) struct Objects<'a> {
    path: &'a Path,
    wanted: &'a [WantedColumn<'a>],
    seen: &'a Seen,
    values: ValueTexts,
}

/// What was seen in a file on the way, by all threads.
struct Seen {
    /// Which of the wanted columns were in some object.
    found: Vec<AtomicBool>,
    notes: Mutex<TableNotes>,
}

/// Reads every object. A key may be left out of one, as some writers do with nulls, where the column's [`Need`] allows
/// it.
pub(super) fn read<E: From<DataError>>(
    file: TableFile,
    text: Text,
    wanted: &[WantedColumn],
    take: impl FnMut(Block) -> Result<(), E>,
) -> Result<TableNotes, E> {
    let found = wanted.iter().map(|_| AtomicBool::new(false)).collect();
    let seen = Seen { found, notes: Mutex::default() };
    let read = read_objects(file.path(), text, wanted, &seen, take);
    // Before any error of the receiver: a row without a label is no wonder where the column's name is wrong.
    let never_found = wanted
        .iter()
        .zip(&seen.found)
        .find(|(column, found)| column.need == Need::Somewhere && !found.load(Ordering::Relaxed));
    if let Some((column, _)) = never_found
        && !matches!(&read, Err(Stopped::File(_)))
    {
        let present = all_keys(file)?;
        if !present.is_empty() && !present.iter().any(|name| name == column.name) {
            return Err(DataError::missing_column(Place::file(file.path()), column.name, present).into());
        }
    }
    match read {
        Ok(()) => Ok(seen.notes.into_inner().expect("no thread panics while it notes something")),
        Err(Stopped::File(error)) => Err(error.into()),
        Err(Stopped::Receiver(error)) => Err(error),
    }
}

/// Who ended the reading.
enum Stopped<E> {
    File(DataError),
    Receiver(E),
}

fn read_objects<E: From<DataError>>(
    path: &Path,
    text: Text,
    wanted: &[WantedColumn],
    seen: &Seen,
    mut take: impl FnMut(Block) -> Result<(), E>,
) -> Result<(), Stopped<E>> {
    let mut blocks = Values::new(path, text).map_err(Stopped::File)?;
    let mut block = blocks.next_block().map_err(Stopped::File)?;
    let mut is_first = true;
    while let Some(values) = block {
        // Read ahead, because the only value of a file may not be a row.
        let next = blocks.next_block();
        if is_first && matches!(next, Ok(None)) && values.places.len() == 1 {
            refuse_columns(path, &values).map_err(Stopped::File)?;
        }
        is_first = false;
        take(Block::Objects(Objects { path, wanted, seen, values })).map_err(Stopped::Receiver)?;
        block = next.map_err(Stopped::File)?;
    }
    Ok(())
}

/// Refuses a file whose only value is an object of columns, or of rows by their number.
fn refuse_columns(path: &Path, values: &ValueTexts) -> Result<(), DataError> {
    let [(line, range)] = &values.places[..] else { return Ok(()) };
    let Ok(Cell::Record(entries)) = serde_json::from_str(&values.text[range.clone()]) else { return Ok(()) };
    let is_inner = |(_, cell): &(String, Cell)| matches!(cell, Cell::List(_) | Cell::Record(_));
    if entries.is_empty() || !entries.iter().all(is_inner) {
        return Ok(());
    }
    let keys = entries.into_iter().map(|(key, _)| key).take(5).collect();
    Err(DataError::JsonOfColumns { place: Place::row(path, RowNumber::Line(*line)), keys })
}

impl Objects<'_> {
    pub(super) fn len(&self) -> usize {
        self.values.places.len()
    }

    /// Parses one object.
    pub(super) fn row(&self, index: usize) -> Result<Row, DataError> {
        let (line, range) = &self.values.places[index];
        let json = &self.values.text[range.clone()];
        let number = RowNumber::Line(*line);
        let cells = match wanted_cells(json, self.wanted) {
            Ok(cells) => cells,
            Err(error) => self.mended(json, number).ok_or_else(|| malformed(self.path, *line, &error, json))??,
        };
        for ((column, found), cell) in self.wanted.iter().zip(&self.seen.found).zip(&cells) {
            if cell.is_some() {
                // Looked at before it is written: a line of memory that all threads write to is slow.
                if !found.load(Ordering::Relaxed) {
                    found.store(true, Ordering::Relaxed);
                }
            } else if column.need == Need::EveryRow {
                let Keys(mut present) = serde_json::from_str(json).unwrap_or_default();
                present.sort();
                return Err(DataError::missing_column(Place::row(self.path, number), column.name, present));
            }
        }
        let cells = cells.into_iter().map(|cell| cell.unwrap_or(Cell::Missing)).collect();
        Ok(Row { number, cells })
    }

    /// The cells of an object that cannot be parsed because of lone surrogates; `None` if there are none in it.
    fn mended(&self, json: &str, number: RowNumber) -> Option<Result<Vec<Option<Cell>>, DataError>> {
        let (json, replaced) = without_lone_surrogates(json)?;
        let cells = wanted_cells(&json, self.wanted).map_err(|error| {
            let (RowNumber::Line(line) | RowNumber::Row(line)) = number;
            malformed(self.path, line, &error, &json)
        });
        if cells.is_ok() {
            let mut notes = self.seen.notes.lock().expect("no thread panics while it notes something");
            notes.replaced_surrogates += replaced;
            let is_first = notes.first_at.is_none_or(|first| number < first);
            if is_first {
                notes.first_at = Some(number);
            }
        }
        Some(cells)
    }
}

fn wanted_cells(json: &str, wanted: &[WantedColumn]) -> serde_json::Result<Vec<Option<Cell>>> {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let cells = WantedCells(wanted).deserialize(&mut deserializer)?;
    deserializer.end().map(|()| cells)
}

/// Hands on every value as one line of JSON, with the number of the line on which it begins.
pub(super) fn read_as_lines<E: From<DataError>>(
    path: &Path,
    text: Text,
    mut take: impl FnMut(u64, &str) -> Result<(), E>,
) -> Result<(), E> {
    let mut blocks = Values::new(path, text)?;
    while let Some(values) = blocks.next_block()? {
        for (line, range) in &values.places {
            let value = &values.text[range.clone()];
            if value.contains('\n') {
                // Line ends in JSON are white space: strings have them escaped.
                let joined: String = value.lines().map(str::trim).collect::<Vec<_>>().join(" ");
                take(*line, &joined)?;
            } else {
                take(*line, value)?;
            }
        }
    }
    Ok(())
}

/// The first objects of a file, those that can be parsed, as records.
pub(super) fn records(path: &Path, text: Text, limit: usize) -> Result<Vec<Vec<(String, Cell)>>, DataError> {
    let mut blocks = Values::new(path, text)?;
    let mut records = Vec::new();
    while let Some(values) = blocks.next_block()? {
        for (_, range) in &values.places {
            if records.len() == limit {
                return Ok(records);
            }
            if let Ok(Cell::Record(entries)) = serde_json::from_str(&values.text[range.clone()]) {
                records.push(entries);
            }
        }
    }
    Ok(records)
}

/// The wanted values of an object, the others skipped unread: `None` where there is no such key.
struct WantedCells<'a>(&'a [WantedColumn<'a>]);

impl<'de> DeserializeSeed<'de> for WantedCells<'_> {
    type Value = Vec<Option<Cell>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for WantedCells<'_> {
    type Value = Vec<Option<Cell>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut cells = vec![None; self.0.len()];
        while let Some(key) = map.next_key_seed(ColumnIndex(self.0))? {
            let Some(index) = key else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            let cell: Cell = map.next_value()?;
            // Two names may be for one column.
            for (later, column) in cells.iter_mut().zip(self.0).skip(index + 1) {
                if column.name == self.0[index].name {
                    *later = Some(cell.clone());
                }
            }
            cells[index] = Some(cell);
        }
        Ok(cells)
    }
}

/// The keys of an object, in its order.
#[derive(Default)]
struct Keys(Vec<String>);

impl<'de> Deserialize<'de> for Keys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeysVisitor;
        impl<'de> Visitor<'de> for KeysVisitor {
            type Value = Keys;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Keys, A::Error> {
                let mut keys = Vec::new();
                while let Some((key, IgnoredAny)) = map.next_entry()? {
                    keys.push(key);
                }
                Ok(Keys(keys))
            }
        }
        deserializer.deserialize_map(KeysVisitor)
    }
}

/// Finds a key among the wanted columns without allocating it.
struct ColumnIndex<'a>(&'a [WantedColumn<'a>]);

impl<'de> DeserializeSeed<'de> for ColumnIndex<'_> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for ColumnIndex<'_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        Ok(self.0.iter().position(|column| column.name == key))
    }
}

/// The keys of all objects, sorted.
fn all_keys(file: TableFile) -> Result<Vec<String>, DataError> {
    let Table::Json(text) = open(file)? else { return Ok(Vec::new()) };
    let mut keys = BTreeSet::new();
    for_each_key(file.path(), text, |key| {
        if !keys.contains(key) {
            keys.insert(key.to_owned());
        }
    })?;
    Ok(keys.into_iter().collect())
}

/// Visits the keys of every object that can be parsed, in the file's order.
pub(super) fn for_each_key(path: &Path, text: Text, mut visit: impl FnMut(&str)) -> Result<(), DataError> {
    let mut blocks = Values::new(path, text)?;
    while let Some(values) = blocks.next_block()? {
        for (_, range) in &values.places {
            if let Ok(Keys(keys)) = serde_json::from_str(&values.text[range.clone()]) {
                for key in &keys {
                    visit(key);
                }
            }
        }
    }
    Ok(())
}

/// The parser's complaint about a value that begins on this line, with the text at which it stopped: that shows a `NaN`
/// where a number should be.
fn malformed(path: &Path, line: u64, error: &serde_json::Error, json: &str) -> DataError {
    let (number, text) = match error.line().checked_sub(1) {
        Some(before) => (line + before as u64, json.lines().nth(before).unwrap_or_default()),
        None => (line, json),
    };
    DataError::MalformedJson { place: Place::row(path, RowNumber::Line(number)), reason: reason(error, text) }
}

fn reason(error: &serde_json::Error, line: &str) -> String {
    const MAX_CHARS: usize = 20;
    if error.is_eof() {
        return "the line ends in the middle of it".to_owned();
    }
    let complaint = error.to_string();
    let complaint = complaint.split(" at line ").next().unwrap_or_default();
    let column = error.column();
    match column.checked_sub(1).and_then(|start| line.get(start..)) {
        Some(rest) => {
            let near: String = rest.trim_end().chars().take(MAX_CHARS).collect();
            format!("{complaint} at byte {column} of the line, `{near}`")
        }
        None => complaint.to_owned(),
    }
}
