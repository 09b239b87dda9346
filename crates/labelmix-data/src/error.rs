//! What can be wrong with a user's data, where, and what to do about it.

use std::path::{Path, PathBuf};

use miette::Diagnostic;
use thiserror::Error;

use crate::account::Accounted;
use crate::cell::Cell;
use crate::place::{Place, RowNumber};
use crate::summary::Dropped;
use crate::task::TaskError;

/// A row whose gold label another row of the same text contradicts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContradictingRow {
    pub number: RowNumber,
    /// Its gold label.
    pub gold: u8,
}

/// Data that cannot be used as it is. The message says where and what, the help what to do.
#[derive(Debug, Error, Diagnostic)]
pub enum DataError {
    /// The file cannot be opened or read.
    #[error("{} cannot be read: {reason}", file.display())]
    #[diagnostic(help("check that the file is there and that you may read it"))]
    Unreadable {
        file: PathBuf,
        /// What the operating system says.
        reason: String,
    },

    #[error("{}: files of this kind cannot be read", file.display())]
    #[diagnostic(help("use CSV, JSON Lines, Parquet, Arrow or .xlsx"))]
    UnknownFormat { file: PathBuf },

    /// The file is of a kind that is known not to be a table.
    #[error("{} is {found}", file.display())]
    NoTable {
        file: PathBuf,
        found: String,
        #[help]
        advice: String,
    },

    #[error("{} is cut short: its {compression} data end too early", file.display())]
    #[diagnostic(help("copy or download it again, or write it again"))]
    CutShort {
        file: PathBuf,
        /// How it is compressed.
        compression: &'static str,
    },

    #[error("{} cannot be decompressed: damaged {compression} data ({reason})", file.display())]
    #[diagnostic(help("copy or download it again, or write it again"))]
    Undecompressed {
        file: PathBuf,
        /// How it is compressed.
        compression: &'static str,
        /// What the decompressor says.
        reason: String,
    },

    #[error("{}: the file has no rows", file.display())]
    #[diagnostic(help("check that it was written completely: it needs a row for each example"))]
    NoRows { file: PathBuf },

    #[error("{place}: byte 0x{byte:02X} at offset {offset} of the file is not valid {encoding}")]
    InvalidText {
        place: Place,
        /// The encoding in which the file was read.
        encoding: &'static str,
        /// The first byte at fault.
        byte: u8,
        /// Its offset from the beginning of the file, once decompressed, from 0.
        offset: u64,
        /// The remedy, with the encoding that the file is probably in.
        #[help]
        advice: String,
    },

    /// A value that is not a JSON object.
    #[error("{place}: not a JSON object: {reason}")]
    #[diagnostic(help(
        "each row must be one complete object, such as {{\"text\": \"...\", \"gold\": 1}}; a missing value is null (JSON knows no NaN or Infinity)"
    ))]
    MalformedJson {
        place: Place,
        /// What the parser says.
        reason: String,
    },

    #[error("{place}: one JSON object for all rows, with the keys {}", listed(keys))]
    #[diagnostic(help(
        "each row must be an object of its own, such as {{\"text\": \"...\", \"gold\": 1}}: with pandas, write the file with `to_json(path, orient=\"records\", lines=True)`; of a list inside an object, write the list alone"
    ))]
    JsonOfColumns {
        /// The line on which it begins.
        place: Place,
        /// Its first keys.
        keys: Vec<String>,
    },

    #[error("{place}: not a CSV record of this file: {reason}")]
    MalformedCsv {
        /// The line on which it begins.
        place: Place,
        /// What is wrong with it.
        reason: String,
        #[help]
        advice: String,
    },

    #[error("{place}: a double quote is opened and {}", end_of_quote(*followed))]
    #[diagnostic(help(
        "if the quote is part of the text, put the whole field in double quotes and double those inside (\"she said \"\"no\"\"\"); programs that write CSV do so"
    ))]
    UnclosedQuote {
        /// The line on which it is opened.
        place: Place,
        /// The line on which another quote closes it in the middle of a field, if one does.
        followed: Option<u64>,
    },

    #[error("{} cannot be read as Parquet: {reason}", file.display())]
    #[diagnostic(help("check that the file is complete, or convert it to .jsonl or .csv"))]
    MalformedParquet {
        file: PathBuf,
        /// What the Parquet reader says.
        reason: String,
    },

    #[error("{} cannot be read as a spreadsheet: {reason}", file.display())]
    #[diagnostic(help("open it in a spreadsheet program and save it again, or save it as CSV"))]
    MalformedSpreadsheet {
        file: PathBuf,
        /// What the reader says.
        reason: String,
    },

    #[error("{} cannot be read as Arrow: {reason}", file.display())]
    #[diagnostic(help("check that the file is complete, or write it again as .parquet or .jsonl"))]
    MalformedArrow {
        file: PathBuf,
        /// What the Arrow reader says.
        reason: String,
    },

    #[error("{place}: there is no column `{column}`; the columns are {}", listed(present))]
    MissingColumn {
        /// The file, or the line of a JSON file.
        place: Place,
        column: String,
        present: Vec<String>,
        /// The remedy, with the nearest column if one is near.
        #[help]
        advice: String,
    },

    /// A column or cell of a type that cannot hold what it is named for.
    #[error("{place}, column `{column}`: {found}, where {expected} is needed")]
    #[diagnostic(help(
        "name a column that holds {expected}, or convert this one: texts are strings, labels are numbers, booleans or strings"
    ))]
    WrongType {
        /// The row, or the file where the whole column is of one type.
        place: Place,
        column: String,
        /// The value, or the column's type.
        found: String,
        /// What the column is named for.
        expected: &'static str,
    },

    #[error("{place}, column `{column}`: `{value}` is not a gold label")]
    GoldLabel {
        place: Place,
        /// The gold column.
        column: String,
        /// The value found.
        value: Box<str>,
        /// The remedy: the line to write into a study, where the column's values suggest one.
        #[help]
        advice: Box<str>,
    },

    #[error("{place}, column `{column}`: `{value}` is not a weak label")]
    WeakLabel {
        place: Place,
        /// The weak column.
        column: String,
        /// The value found.
        value: Box<str>,
        /// The remedy: the line to write into a study, where the column's values suggest one.
        #[help]
        advice: Box<str>,
    },

    #[error(
        "{}: {} has the gold label {}, and {}, the same text, has {}: {}",
        file.display(), rows[0].number, rows[0].gold, rows[1].number, rows[1].gold, shortened(text)
    )]
    #[diagnostic(help(
        "decide which row holds and delete the other, or say in [task] what is to be done: `contradictions = \"drop\"` leaves such \
         texts out, `\"majority\"` takes what most rows say"
    ))]
    Contradiction {
        file: PathBuf,
        text: Box<str>,
        /// Two of its rows.
        rows: Box<[ContradictingRow; 2]>,
    },

    #[error("{}, column `{column}`: there is -1, and nothing below 1 beside it", file.display())]
    #[diagnostic(help(
        "if -1 is class 0, say so in [task]: `values = {{ -1 = 0, 1 = 1 }}`; if it is no label, `missing = [\"-1\"]`"
    ))]
    MinusOneForZero { file: PathBuf, column: String },

    #[error("{}: a test set of {wanted} cannot be taken from {with_gold} texts with a gold label", file.display())]
    #[diagnostic(help(
        "without `test` in [task], a fifth of the texts with a gold label are the test set: set `test_size` to a number that leaves \
         some for sale (or a share such as 0.3), name a file as `test`, or get more gold labels"
    ))]
    TestPart {
        file: PathBuf,
        /// Its texts with a gold label.
        with_gold: usize,
        /// How many were to be taken.
        wanted: usize,
    },

    #[error("the template in [task] shows `{column}`, which is a label")]
    #[diagnostic(help("take it out of the template: a model that is shown the label has nothing to learn"))]
    TemplateShowsLabel { column: String },

    /// A text template that cannot be parsed or rendered.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Template {
        /// What is wrong with it.
        cause: Box<TaskError>,
    },

    #[error("{place}: there is no label in {}", listed(columns))]
    #[diagnostic(help("every training example needs a gold or a weak label: add one, or delete the row"))]
    Unlabeled {
        place: Place,
        /// The label columns.
        columns: Vec<String>,
    },

    #[error("{place}: there is no gold label in `{column}`")]
    #[diagnostic(help("every test example needs a gold label: add it, or delete the row"))]
    UnlabeledTest {
        place: Place,
        /// The gold column.
        column: String,
    },

    #[error("{data}: none of the {rows} rows is left ({dropped})")]
    #[diagnostic(help("check the text column and that the training and the test file are different files"))]
    NothingLeft {
        /// The split's file.
        data: String,
        rows: usize,
        /// Why they were dropped.
        dropped: Box<Dropped>,
    },

    #[error("{data}: {examples} examples with a gold label are too few to take a test set of {size} from")]
    #[diagnostic(help("set test_size in the task's [splits] to less, a quarter of the examples for instance"))]
    PoolTooSmall {
        /// The splits' files.
        data: String,
        /// Examples with a gold label in them.
        examples: usize,
        /// The size of the test set.
        size: usize,
    },

    #[error("{data}: all {examples} examples are of class {class}")]
    #[diagnostic(help(
        "both classes, 0 and 1, are needed: check the label columns, or add examples of the other class"
    ))]
    OneClass {
        /// The split's file.
        data: String,
        /// Examples left after cleaning.
        examples: usize,
        class: u8,
    },

    /// Any of these, after the account of what was read.
    #[error(transparent)]
    #[diagnostic(transparent)]
    OfWhatWasRead(Accounted<DataError>),

    #[error("max_test is {max_test}: a test set needs an example of each class")]
    #[diagnostic(help("set max_test to 2 or more (1000 is usual), or leave it out"))]
    MaxTestTooSmall {
        /// The limit given.
        max_test: usize,
    },
}

impl DataError {
    pub(crate) fn unreadable(file: &Path, reason: &std::io::Error) -> Self {
        Self::Unreadable { file: file.to_path_buf(), reason: reason.to_string() }
    }

    pub(crate) fn no_table(file: &Path, found: &str, advice: &str) -> Self {
        Self::NoTable { file: file.to_path_buf(), found: found.to_owned(), advice: advice.into() }
    }

    pub(crate) fn gold_label(place: Place, column: &str, cell: &Cell) -> Self {
        let advice = "a gold label is 0 or 1 (or false, true); leave the cell empty where there is none. Other values can be named \
                      in [task]: `values = { no = 0, yes = 1 }`";
        Self::GoldLabel { place, column: column.to_owned(), value: cell.to_string().into(), advice: advice.into() }
    }

    pub(crate) fn weak_label(place: Place, column: &str, cell: &Cell) -> Self {
        let advice = "a weak label is the probability of class 1, from 0 to 1 (or 0, 1, false, true); leave the cell empty where \
                      there is none. Other values can be named in [task]: `values = { no = 0, yes = 1 }`";
        Self::WeakLabel { place, column: column.to_owned(), value: cell.to_string().into(), advice: advice.into() }
    }

    pub(crate) fn missing_column(place: Place, column: &str, present: Vec<String>) -> Self {
        let advice = match nearest(column, &present) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "name one of these columns, or add the one that is missing".to_owned(),
        };
        Self::MissingColumn { place, column: column.to_owned(), present, advice }
    }
}

fn end_of_quote(followed: Option<u64>) -> String {
    match followed {
        Some(line) => format!("closed only on line {line}, in the middle of a field"),
        None => "never closed".to_owned(),
    }
}

/// The name most like `wanted`, if it is like it at all; capitals make no difference.
pub(crate) fn nearest<'a>(wanted: &str, names: &'a [String]) -> Option<&'a str> {
    const ALIKE: f64 = 0.75;
    let likeness = |name: &str| strsim::jaro_winkler(&wanted.to_lowercase(), &name.to_lowercase());
    names
        .iter()
        .map(|name| (likeness(name), name.as_str()))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

/// The beginning of a text, in quotes.
fn shortened(text: &str) -> String {
    const MAX_CHARS: usize = 60;
    match text.char_indices().nth(MAX_CHARS) {
        Some((end, _)) => format!("\"{}…\"", &text[..end]),
        None => format!("\"{text}\""),
    }
}

pub(crate) fn listed(names: &[String]) -> String {
    if names.is_empty() {
        return "none".to_owned();
    }
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}
