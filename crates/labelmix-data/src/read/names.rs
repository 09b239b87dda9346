//! What a file's fields are called.

use arrow_schema::DataType;
use arrow_schema::Fields;

use super::arrow_ipc::Batches;
use super::open::{Table, open};
use super::{TableFile, json, parquet, separated, spreadsheet};
use crate::cell::Cell;
use crate::error::DataError;

/// Objects of a JSON file that are looked at: writers leave out what is null, so that one is too few.
const JSON_OBJECTS: usize = 1000;

/// The names of a file's columns in the file's order; of a column of records those of their fields, `a.b`. A JSON file's
/// are those of its first 1,000 objects.
///
/// # Errors
/// [`DataError`] for a file that cannot be read, or is no table.
pub fn field_names<'a>(file: impl Into<TableFile<'a>>) -> Result<Vec<String>, DataError> {
    let file = file.into();
    let path = file.path();
    let mut names = Names::default();
    match open(file)? {
        Table::Json(text) => {
            for entries in json::records(path, text, JSON_OBJECTS)? {
                names.add_entries("", &entries);
            }
        }
        Table::Separated(text) => names.0 = separated::columns(path, text)?,
        Table::Spreadsheet(file) => names.0 = spreadsheet::columns(path, file)?,
        Table::Parquet(file) => names.add_fields("", parquet::schema(path, file)?.fields()),
        Table::ArrowFile(file) => names.add_fields("", Batches::of_file(path, file)?.schema().fields()),
        Table::ArrowStream(stream) => names.add_fields("", Batches::of_stream(path, stream)?.schema().fields()),
    }
    Ok(names.of_leaves())
}

/// The names of a table's columns in the file's order, those of records as one; of a JSON file the keys of all objects.
///
/// # Errors
/// [`DataError`] for a file that cannot be read, or is no table.
pub(crate) fn column_names<'a>(file: impl Into<TableFile<'a>>) -> Result<Vec<String>, DataError> {
    let file = file.into();
    let path = file.path();
    let of_schema = |fields: &Fields| fields.iter().map(|field| field.name().clone()).collect();
    Ok(match open(file)? {
        Table::Json(text) => {
            let mut names = Names::default();
            json::for_each_key(path, text, |key| {
                if !names.0.iter().any(|name| name == key) {
                    names.0.push(key.to_owned());
                }
            })?;
            names.0
        }
        Table::Separated(text) => separated::columns(path, text)?,
        Table::Spreadsheet(file) => spreadsheet::columns(path, file)?,
        Table::Parquet(file) => of_schema(parquet::schema(path, file)?.fields()),
        Table::ArrowFile(file) => of_schema(Batches::of_file(path, file)?.schema().fields()),
        Table::ArrowStream(stream) => of_schema(Batches::of_stream(path, stream)?.schema().fields()),
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
