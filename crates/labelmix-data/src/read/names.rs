//! What a file's fields are called.

use std::fs::File;
use std::io::{BufRead, BufReader};

use arrow_schema::{DataType, Fields};

use super::{TableFile, arrow_ipc, csv, parquet};
use crate::cell::Cell;
use crate::error::DataError;

/// Lines of a JSONL file that are looked at: writers leave out what is null, so that one is too few.
const JSONL_LINES: usize = 1000;

/// The names of a file's columns in the file's order; of a column of records those of their fields, `a.b`. A JSONL file's
/// are those of its first 1,000 lines.
///
/// # Errors
/// [`DataError`] for a file that cannot be read, or is of another kind than JSONL, CSV, Parquet and Arrow.
pub fn field_names<'a>(file: impl Into<TableFile<'a>>) -> Result<Vec<String>, DataError> {
    let file = file.into().path();
    let opened = File::open(file).map_err(|reason| DataError::unreadable(file, &reason))?;
    let mut names = Names::default();
    match file.extension().unwrap_or_default().to_ascii_lowercase().to_str().unwrap_or_default() {
        "jsonl" => {
            for line in BufReader::new(opened).split(b'\n').take(JSONL_LINES) {
                let line = line.map_err(|reason| DataError::unreadable(file, &reason))?;
                let line = String::from_utf8_lossy(&line);
                if let Ok(Cell::Record(entries)) = serde_json::from_str(line.trim_start_matches('\u{feff}')) {
                    names.add_entries("", &entries);
                }
            }
        }
        "csv" => names.0 = csv::columns(file, opened)?,
        "parquet" => names.add_fields("", parquet::schema(file, opened)?.fields()),
        "arrow" => names.add_fields("", arrow_ipc::schema(file, opened)?.fields()),
        _ => return Err(DataError::UnknownFormat { file: file.to_path_buf() }),
    }
    Ok(names.of_leaves())
}

/// The names of a table's columns in the file's order, those of records as one. For files with a header.
///
/// # Errors
/// [`DataError`] for a file that cannot be read, or is of another kind than CSV, Parquet and Arrow.
pub(crate) fn column_names<'a>(file: impl Into<TableFile<'a>>) -> Result<Vec<String>, DataError> {
    let file = file.into().path();
    let opened = File::open(file).map_err(|reason| DataError::unreadable(file, &reason))?;
    let of_schema = |fields: &Fields| fields.iter().map(|field| field.name().clone()).collect();
    Ok(match file.extension().unwrap_or_default().to_ascii_lowercase().to_str().unwrap_or_default() {
        "csv" => csv::columns(file, opened)?,
        "parquet" => of_schema(parquet::schema(file, opened)?.fields()),
        "arrow" => of_schema(arrow_ipc::schema(file, opened)?.fields()),
        _ => return Err(DataError::UnknownFormat { file: file.to_path_buf() }),
    })
}

#[derive(Default)]
struct Names(Vec<String>);

impl Names {
    fn add(&mut self, name: String) {
        if !self.0.contains(&name) {
            self.0.push(name);
        }
    }

    fn add_entries(&mut self, before: &str, entries: &[(String, Cell)]) {
        for (name, cell) in entries {
            match cell {
                Cell::Record(inner) if !inner.is_empty() => self.add_entries(&format!("{before}{name}."), inner),
                _ => self.add(format!("{before}{name}")),
            }
        }
    }

    fn add_fields(&mut self, before: &str, fields: &Fields) {
        for field in fields {
            match field.data_type() {
                DataType::Struct(inner) => self.add_fields(&format!("{before}{}.", field.name()), inner),
                _ => self.add(format!("{before}{}", field.name())),
            }
        }
    }

    /// Without the records that are null on some line: their fields are named.
    fn of_leaves(self) -> Vec<String> {
        let is_inside = |inner: &str, outer: &str| inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with('.'));
        let is_leaf = |name: &&String| !self.0.iter().any(|inner| is_inside(inner, name));
        self.0.iter().filter(is_leaf).cloned().collect()
    }
}
