//! What a study file may say: every table and key, explained beside the structures that read them.
//!
//! The one source of the study file's reference. Defaults are taken from the structures themselves; the tests hold the
//! keys, the values that are said to work and those that are said to be refused against what is read.

mod keys;
mod markdown;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use toml::{Table, Value};

pub use self::markdown::study_file_page;

/// A table of a study file.
#[derive(Debug, Serialize, Deserialize)]
pub struct StudyTable {
    /// Its heading, such as `[grid]`; empty for the keys at the top of the file.
    pub heading: String,
    pub summary: String,
    /// A page of the book that says more, if there is one.
    pub page: Option<String>,
    /// Its keys, in the order in which they are explained.
    pub keys: Vec<KeyHelp>,
    /// The values of the keys that have defaults.
    #[serde(default)]
    pub defaults: Table,
}

/// A key of a table.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct KeyHelp {
    pub name: String,
    /// The kind of value, and which values make sense.
    pub value: String,
    pub meaning: String,
    /// Whether the file must have it.
    #[serde(default)]
    pub need: Need,
    /// A value that is taken, as TOML.
    pub example: String,
    /// Values that are refused, as TOML.
    pub refused: Vec<String>,
}

/// Whether a table must have a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Need {
    /// It must be there.
    Required,
    /// Needed with some values of other keys, which the meaning says.
    Sometimes,
    /// It may be left out.
    #[default]
    Optional,
}

impl StudyTable {
    /// The default of a key, as TOML.
    pub fn default_of(&self, key: &str) -> Option<String> {
        self.defaults.get(key).map(written)
    }
}

/// A value as a study file has it: amounts without the noise of binary fractions, lists in one line.
fn written(value: &Value) -> String {
    match value {
        Value::Float(number) if number.abs() < 1e-3 && *number != 0.0 => format!("{number:e}"),
        Value::Array(values) => format!("[{}]", values.iter().map(written).collect::<Vec<_>>().join(", ")),
        other => other.to_string(),
    }
}

/// Every table of a study file, in the order in which files usually have them.
pub fn study_tables() -> Vec<StudyTable> {
    keys::tables()
}
