//! JSON Lines: an object per line, its keys the columns.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::{Map, Value};

use super::{Block, Need, Row, WantedColumn, invalid_utf8};
use crate::cell::Cell;
use crate::error::{DataError, Place, RowNumber};

/// Text is handed on in pieces of about this size: large enough to be shared among threads.
const BLOCK_BYTES: usize = 4 << 20;

/// Lines whose parsing is left to the receiver, who does it on all cores.
pub(crate) struct Lines<'a> {
    path: &'a Path,
    wanted: &'a [WantedColumn<'a>],
    /// Which of the wanted columns were on some line.
    found: &'a [AtomicBool],
    text: String,
    /// Each line's number, and where in the text it is.
    places: Vec<(u64, Range<usize>)>,
}

/// Reads every line that is not blank. A key may be left out of a line, as some writers do with nulls, where the
/// column's [`Need`] allows it.
pub(super) fn read<E: From<DataError>>(
    path: &Path,
    file: File,
    wanted: &[WantedColumn],
    take: impl FnMut(Block) -> Result<(), E>,
) -> Result<(), E> {
    let found: Vec<AtomicBool> = wanted.iter().map(|_| AtomicBool::new(false)).collect();
    let read = read_lines(path, file, wanted, &found, take);
    // Before any error of the receiver: a row without a label is no wonder where the column's name is wrong.
    let never_found = wanted
        .iter()
        .zip(&found)
        .find(|(column, found)| column.need == Need::Somewhere && !found.load(Ordering::Relaxed));
    if let Some((column, _)) = never_found {
        let present = all_columns(path)?;
        if !present.is_empty() && !present.iter().any(|name| name == column.name) {
            return Err(DataError::missing_column(Place::file(path), column.name, present).into());
        }
    }
    read
}

fn read_lines<E: From<DataError>>(
    path: &Path,
    file: File,
    wanted: &[WantedColumn],
    found: &[AtomicBool],
    mut take: impl FnMut(Block) -> Result<(), E>,
) -> Result<(), E> {
    let unreadable = |reason| DataError::unreadable(path, &reason);
    let mut reader = BufReader::with_capacity(1 << 18, file);
    let mut number = 0;
    loop {
        let mut bytes = Vec::with_capacity(BLOCK_BYTES + BLOCK_BYTES / 8);
        let mut ends = Vec::new();
        while bytes.len() < BLOCK_BYTES && reader.read_until(b'\n', &mut bytes).map_err(unreadable)? > 0 {
            ends.push(bytes.len());
        }
        if ends.is_empty() {
            return Ok(());
        }
        let text = String::from_utf8(bytes).map_err(|_| invalid_utf8(path))?;
        let mut lines = Vec::with_capacity(ends.len());
        let mut start = 0;
        for end in ends {
            number += 1;
            let line = text[start..end].trim_start_matches('\u{feff}');
            if !line.trim().is_empty() {
                lines.push((number, end - line.len()..end));
            }
            start = end;
        }
        if !lines.is_empty() {
            take(Block::Lines(Lines { path, wanted, found, text, places: lines }))?;
        }
    }
}

impl Lines<'_> {
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    /// Parses one line.
    pub(super) fn row(&self, index: usize) -> Result<Row, DataError> {
        let (number, range) = &self.places[index];
        let line = &self.text[range.clone()];
        let place = || Place::row(self.path, RowNumber::Line(*number));
        let mut deserializer = serde_json::Deserializer::from_str(line);
        let cells = WantedCells(self.wanted)
            .deserialize(&mut deserializer)
            .and_then(|cells| deserializer.end().map(|()| cells))
            .map_err(|error| DataError::MalformedJson { place: place(), reason: reason(&error, line) })?;
        for ((column, found), cell) in self.wanted.iter().zip(self.found).zip(&cells) {
            if cell.is_some() {
                // Looked at before it is written: a line of memory that all threads write to is slow.
                if !found.load(Ordering::Relaxed) {
                    found.store(true, Ordering::Relaxed);
                }
            } else if column.need == Need::EveryRow {
                let object: Map<String, Value> = serde_json::from_str(line).unwrap_or_default();
                let present = object.into_iter().map(|(column, _)| column).collect();
                return Err(DataError::missing_column(place(), column.name, present));
            }
        }
        let cells = cells.into_iter().map(|cell| cell.unwrap_or(Cell::Missing)).collect();
        Ok(Row { number: RowNumber::Line(*number), cells })
    }
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

/// The keys of all lines that are objects, sorted.
fn all_columns(path: &Path) -> Result<Vec<String>, DataError> {
    let file = File::open(path).map_err(|reason| DataError::unreadable(path, &reason))?;
    let mut columns = BTreeSet::new();
    for line in BufReader::new(file).split(b'\n') {
        let line = line.map_err(|reason| DataError::unreadable(path, &reason))?;
        let line = String::from_utf8_lossy(&line);
        let object: Map<String, Value> = serde_json::from_str(line.trim_start_matches('\u{feff}')).unwrap_or_default();
        columns.extend(object.into_iter().map(|(column, _)| column));
    }
    Ok(columns.into_iter().collect())
}

/// The parser's complaint about one line, with the text at which it stopped: that shows a `NaN` where a number
/// should be.
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
