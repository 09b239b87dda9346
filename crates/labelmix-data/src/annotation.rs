//! Texts on their way to annotators and back: lists of what is to be labelled, and the labels that came of them.
//!
//! Whatever the tool, an example is known by its id under the name [`ID`], which no tool uses for itself (an `id` of
//! Label Studio's is the task's number), and its label is called [`LABEL`].

mod answers;
mod collected;
mod error;
mod formula;
mod identity;
mod ingest;
mod listed_id;
mod request;

use std::str::FromStr;

use serde::Serialize;

pub use self::collected::{CollectedLabel, CollectedLabels, IfMissing, read_collected_labels};
pub use self::error::AnnotationError;
pub use self::identity::Identity;
pub use self::ingest::{LabeledRows, with_labels};
pub use self::request::{RequestFile, label_requests};

/// The name of an example's id.
pub(crate) const ID: &str = "labelmix_id";

/// The name of a label.
pub(crate) const LABEL: &str = "label";

/// The name of the kind of label that is asked for.
pub(crate) const KIND: &str = "kind";

/// How a list of texts to label is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum AnnotationFormat {
    /// A table whose empty column of labels is to be filled in.
    Csv,
    /// The same, an object for each line.
    Jsonl,
    /// Tasks for Label Studio, with a labelling configuration.
    LabelStudio,
    /// Records for Argilla, as its `records.from_json` reads them.
    Argilla,
}

impl AnnotationFormat {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Csv, Self::Jsonl, Self::LabelStudio, Self::Argilla];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Jsonl => "jsonl",
            Self::LabelStudio => "label-studio",
            Self::Argilla => "argilla",
        }
    }
}

impl FromStr for AnnotationFormat {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|format| format.name() == name).ok_or_else(|| {
            let known: Vec<&str> = Self::ALL.iter().map(|format| format.name()).collect();
            format!("there is no format `{name}`: there are {}", known.join(", "))
        })
    }
}
