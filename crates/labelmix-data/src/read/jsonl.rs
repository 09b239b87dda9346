//! JSON Lines: an object per line, its keys the columns.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use serde_json::{Map, Value};

use super::{LabelColumn, RawRow, Wanted, invalid_utf8};
use crate::cell::Cell;
use crate::error::{DataError, Place, RowNumber};

/// Reads the wanted columns of every line that is not blank. A label's key may be left out of a line, as some
/// writers do with nulls, but a required label must have its key on some line.
pub(super) fn read(path: &Path, file: File, wanted: &Wanted) -> Result<Vec<RawRow>, DataError> {
    let mut reader = BufReader::new(file);
    let mut rows = Vec::new();
    let mut columns = BTreeSet::new();
    let mut bytes = Vec::new();
    for number in 1.. {
        bytes.clear();
        let n_bytes = reader.read_until(b'\n', &mut bytes).map_err(|reason| DataError::unreadable(path, &reason))?;
        if n_bytes == 0 {
            break;
        }
        let line = std::str::from_utf8(&bytes).map_err(|_| invalid_utf8(path))?;
        let line = line.trim_start_matches('\u{feff}');
        if line.trim().is_empty() {
            continue;
        }
        let number = RowNumber::Line(number);
        let mut object: Map<String, Value> = serde_json::from_str(line).map_err(|error| DataError::MalformedJson {
            place: Place::row(path, number),
            reason: reason(&error, line),
        })?;
        for column in object.keys() {
            if !columns.contains(column) {
                columns.insert(column.clone());
            }
        }
        let Some(text) = object.remove(wanted.text) else {
            return Err(DataError::missing_column(
                Place::row(path, number),
                wanted.text,
                object.into_iter().map(|(column, _)| column).collect(),
            ));
        };
        // Looked up, not removed: two names may be for one column.
        let label = |column: Option<LabelColumn>| {
            let value = column.and_then(|column| object.get(column.name));
            cell(value.cloned().unwrap_or_default())
        };
        rows.push(RawRow { number, gold: label(wanted.gold), weak: label(wanted.weak), text: cell(text) });
    }
    if !rows.is_empty() {
        wanted.check(path, &columns.into_iter().collect::<Vec<_>>())?;
    }
    Ok(rows)
}

fn cell(value: Value) -> Cell {
    match value {
        Value::Null => Cell::Missing,
        Value::Bool(value) => Cell::Bool(value),
        Value::String(text) => Cell::Text(text),
        // Without the arbitrary-precision feature every JSON number is an f64, an i64 or a u64.
        Value::Number(number) => Cell::Number(number.as_f64().unwrap_or(f64::NAN)),
        nested @ (Value::Array(_) | Value::Object(_)) => Cell::Nested(nested.to_string()),
    }
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
