//! Files in: JSONL, CSV and Parquet to texts and labels.
//!
//! A reader per format turns a file into a [`RawRow`] per row, and knows nothing of labels. What the cells mean,
//! and which may be empty, is decided here, once for all formats.

mod csv;
mod jsonl;
mod parquet;

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use crate::cell::Cell;
use crate::error::{DataError, Place, RowNumber};

/// The columns of a task's files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnNames {
    /// The column of the text to classify; strings.
    pub text: String,
    /// The column of the gold label. The test file must have it. The training file may lack it where there is a
    /// column of weak labels: then no gold labels are for sale.
    pub gold: String,
    /// The column of the weak label, if there are weak labels. The training file must have it, the test file
    /// may.
    pub weak: Option<String>,
}

/// A text and its labels, as read.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LabeledText {
    pub(crate) text: String,
    pub(crate) gold: Option<bool>,
    pub(crate) weak: Option<f32>,
}

/// The columns to read from one file, and which of them the file must have.
struct Wanted<'a> {
    text: &'a str,
    gold: Option<LabelColumn<'a>>,
    weak: Option<LabelColumn<'a>>,
}

#[derive(Clone, Copy)]
struct LabelColumn<'a> {
    name: &'a str,
    presence: Presence,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Presence {
    Required,
    IfThere,
}

impl Wanted<'_> {
    /// The error for the first required column that is not among a file's columns, if any.
    fn check(&self, file: &Path, present: &[String]) -> Result<(), DataError> {
        let labels = [self.gold, self.weak].into_iter().flatten();
        let required_labels = labels.filter(|label| label.presence == Presence::Required).map(|label| label.name);
        for name in [self.text].into_iter().chain(required_labels) {
            if !present.iter().any(|column| column == name) {
                let place = Place::file(file);
                return Err(DataError::missing_column(place, name, present.to_vec()));
            }
        }
        Ok(())
    }
}

/// A row of a file: the wanted cells, their meaning not yet looked at. A column that is not wanted or not there
/// gives [`Cell::Missing`].
struct RawRow {
    number: RowNumber,
    text: Cell,
    gold: Cell,
    weak: Cell,
}

/// Reads a training file: every row with a text needs a gold label, a weak label or both.
pub(crate) fn read_training(file: &Path, columns: &ColumnNames) -> Result<Vec<LabeledText>, DataError> {
    let wanted = Wanted {
        text: &columns.text,
        gold: Some(LabelColumn {
            name: &columns.gold,
            presence: match columns.weak {
                Some(_) => Presence::IfThere,
                None => Presence::Required,
            },
        }),
        weak: columns.weak.as_deref().map(|name| LabelColumn { name, presence: Presence::Required }),
    };
    read_labeled(file, &wanted, |row, place| {
        if row.gold.is_some() || row.weak.is_some() {
            return Ok(());
        }
        let gold = std::iter::once(columns.gold.clone());
        Err(DataError::Unlabeled { place, columns: gold.chain(columns.weak.clone()).collect() })
    })
}

/// Reads a test file: every row with a text needs a gold label.
pub(crate) fn read_test(file: &Path, columns: &ColumnNames) -> Result<Vec<LabeledText>, DataError> {
    let wanted = Wanted {
        text: &columns.text,
        gold: Some(LabelColumn { name: &columns.gold, presence: Presence::Required }),
        weak: columns.weak.as_deref().map(|name| LabelColumn { name, presence: Presence::IfThere }),
    };
    read_labeled(file, &wanted, |row, place| {
        if row.gold.is_some() {
            return Ok(());
        }
        Err(DataError::UnlabeledTest { place, column: columns.gold.clone() })
    })
}

/// Reads the texts of a file, one for every row and in the rows' order, for instance to predict their classes.
/// Nothing is dropped; a text that is missing in its row is empty.
///
/// # Errors
/// [`DataError`] for a file that cannot be read or has no rows, and for a column that is missing or holds no
/// texts.
pub fn read_texts(file: &Path, text_column: &str) -> Result<Vec<String>, DataError> {
    let wanted = Wanted { text: text_column, gold: None, weak: None };
    read_rows(file, &wanted)?.into_iter().map(|row| text_of(row.text, file, row.number, &wanted)).collect()
}

/// Reads rows and their labels; `check` refuses rows whose labels do not suffice. Rows without a text are not
/// checked: cleaning drops and counts them.
fn read_labeled(
    file: &Path,
    wanted: &Wanted,
    check: impl Fn(&LabeledText, Place) -> Result<(), DataError>,
) -> Result<Vec<LabeledText>, DataError> {
    let column = |label: Option<LabelColumn>| label.map_or_else(String::new, |l| l.name.to_owned());
    read_rows(file, wanted)?
        .into_iter()
        .map(|row| {
            let place = || Place::row(file, row.number);
            let labeled = LabeledText {
                text: text_of(row.text, file, row.number, wanted)?,
                gold: row.gold.into_gold().map_err(|cell| DataError::GoldLabel {
                    place: place(),
                    column: column(wanted.gold),
                    value: cell.to_string(),
                })?,
                weak: row.weak.into_weak().map_err(|cell| DataError::WeakLabel {
                    place: place(),
                    column: column(wanted.weak),
                    value: cell.to_string(),
                })?,
            };
            if !labeled.text.trim().is_empty() {
                check(&labeled, place())?;
            }
            Ok(labeled)
        })
        .collect()
}

fn text_of(cell: Cell, file: &Path, number: RowNumber, wanted: &Wanted) -> Result<String, DataError> {
    match cell {
        Cell::Text(text) => Ok(text),
        Cell::Missing => Ok(String::new()),
        other => Err(DataError::WrongType {
            place: Place::row(file, number),
            column: wanted.text.to_owned(),
            found: format!("`{other}`"),
            expected: "text",
        }),
    }
}

/// Reads the wanted columns of a file of any known format.
fn read_rows(path: &Path, wanted: &Wanted) -> Result<Vec<RawRow>, DataError> {
    let extension = path.extension().unwrap_or_default().to_ascii_lowercase();
    let read = match extension.to_str() {
        Some("jsonl") => jsonl::read,
        Some("csv") => csv::read,
        Some("parquet") => parquet::read,
        _ => {
            return Err(DataError::UnknownFormat { file: path.to_path_buf() });
        }
    };
    let no_rows = || DataError::NoRows { file: path.to_path_buf() };
    let file = File::open(path).map_err(|reason| DataError::unreadable(path, &reason))?;
    // An empty file is an empty table in every format, even in those that would miss their header.
    if file.metadata().is_ok_and(|metadata| metadata.len() == 0) {
        return Err(no_rows());
    }
    let rows = read(path, file, wanted)?;
    if rows.is_empty() {
        return Err(no_rows());
    }
    Ok(rows)
}

/// The error for a text file known not to be UTF-8: reads it again, to say on which line and at which byte.
fn invalid_utf8(path: &Path) -> DataError {
    let unreadable = |reason| DataError::unreadable(path, &reason);
    let mut reader = match File::open(path) {
        Ok(file) => BufReader::new(file),
        Err(reason) => return unreadable(reason),
    };
    let mut line_start = 0;
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        match reader.read_until(b'\n', &mut line) {
            Ok(0) => break,
            Ok(_) => {}
            Err(reason) => return unreadable(reason),
        }
        if let Err(error) = std::str::from_utf8(&line) {
            return DataError::InvalidUtf8 {
                place: Place::row(path, RowNumber::Line(number)),
                byte: line[error.valid_up_to()],
                offset: line_start + error.valid_up_to() as u64,
            };
        }
        line_start += line.len() as u64;
    }
    unreadable(std::io::Error::other("the file changed while it was read"))
}
