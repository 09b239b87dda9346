//! Files of labels that cannot be used, and what to do about it.

use std::path::PathBuf;

use miette::Diagnostic;
use thiserror::Error;

use crate::error::DataError;
use crate::example::ExampleId;
use crate::place::Place;
use crate::write::TableWriteError;

/// Why labels that were collected cannot be used. Nothing is written then.
#[derive(Debug, Error, Diagnostic)]
pub enum AnnotationError {
    /// A file that cannot be read, or a value that is no label.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Data(#[from] DataError),

    /// A file that cannot be written.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Write(#[from] TableWriteError),

    /// JSON that no annotation tool exports.
    #[error("{}: {reason}", file.display())]
    #[diagnostic(help(
        "give a CSV or JSONL file with the columns labelmix_id and label, Label Studio's export as JSON, or what \
         Argilla's records.to_json writes"
    ))]
    NoLabelFile {
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },

    #[error("{place}: `{value}` is not the id of an example")]
    BadId {
        place: Place,
        /// What stands there.
        value: String,
        /// What became of it, and what to do.
        #[help]
        advice: &'static str,
    },

    #[error("{place}: {id} is the id of another text: `{text}`")]
    #[diagnostic(help(
        "somebody has sorted or edited one column alone: take the row from the list once more. Without a text the id decides"
    ))]
    OtherText {
        place: Place,
        id: ExampleId,
        /// The text that has this id.
        text: String,
    },

    #[error("{place}: no text of {} has the id {id}", train.display())]
    #[diagnostic(help(
        "labels belong to the texts of the training file that they were asked for with: give the study with that file, or \
         remove the row"
    ))]
    UnknownId {
        place: Place,
        id: ExampleId,
        /// The training file.
        train: PathBuf,
    },

    #[error("{place}: there is no label for {id}{}", and_others(*others))]
    #[diagnostic(help("label it, or take only the labels that are there with --partial"))]
    Unlabeled {
        place: Place,
        id: ExampleId,
        /// How many other rows have none.
        others: usize,
    },

    #[error("{}: the gold labels in `{column}` are scores (`threshold` in [task])", file.display())]
    #[diagnostic(help(
        "give the study a column of 0 and 1 in place of the scores and the threshold; labels that are collected go into it"
    ))]
    Scores {
        /// The training file.
        file: PathBuf,
        column: String,
    },

    #[error("{place}: the {kind} label of {id} is {label}, and {earlier} says {earlier_label}")]
    #[diagnostic(help("decide which one holds, and remove the other"))]
    Conflict {
        place: Place,
        /// The kind of the labels.
        kind: &'static str,
        id: ExampleId,
        /// Its label there.
        label: f32,
        /// Where the other one is.
        earlier: Box<Place>,
        /// The other one.
        earlier_label: f32,
    },

    #[error("{place}: this row asks for a {found} label, and {kind} labels are read")]
    #[diagnostic(help("read the file with --kind {found}"))]
    OtherKind {
        place: Place,
        /// The kind that the row names.
        found: String,
        /// The kind that was asked for.
        kind: &'static str,
    },

    #[error("{place}: the annotators disagree about the gold label of {id}: {}", listed(labels))]
    #[diagnostic(help(
        "a gold label is one answer: let somebody decide. As weak labels (--kind weak) several answers are averaged"
    ))]
    Disagreement {
        place: Place,
        id: ExampleId,
        /// What they say.
        labels: Vec<f32>,
    },
}

fn and_others(others: usize) -> String {
    match others {
        0 => String::new(),
        1 => " (nor for another one)".to_owned(),
        others => format!(" (nor for {others} others)"),
    }
}

fn listed(labels: &[f32]) -> String {
    let labels: Vec<String> = labels.iter().map(f32::to_string).collect();
    labels.join(", ")
}
