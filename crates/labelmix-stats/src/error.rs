//! What can be wrong with numbers handed to this crate, which of them, and what to do about it.
//!
//! Items, annotators, rows and columns are counted from 0 here; who knows the file adds its name and its counting.

use miette::Diagnostic;
use thiserror::Error;

/// A result of this crate.
pub type Result<T, E = StatsError> = std::result::Result<T, E>;

/// Numbers that cannot be used as they are.
#[derive(Debug, Clone, PartialEq, Error, Diagnostic)]
pub enum StatsError {
    #[error("{quantity} of item {item} is {value}, not a probability")]
    #[diagnostic(help("give a number between 0 and 1"))]
    NotAProbability {
        /// What should be a probability.
        quantity: &'static str,
        item: usize,
        value: f64,
    },

    #[error("{quantity} of item {item} is {value}, not a finite number")]
    #[diagnostic(help("leave the item out, or find out which model or file wrote the value"))]
    NotFinite {
        /// What should be finite.
        quantity: &'static str,
        item: usize,
        value: f64,
    },

    /// A setting outside its range.
    #[error("{setting} is {value}, but must be {range}")]
    #[diagnostic(help("choose a value that is {range}"))]
    SettingOutOfRange {
        setting: &'static str,
        value: f64,
        /// The values that are allowed, as in "above 0".
        range: &'static str,
    },

    #[error("a vote names {what} {number}, but there are only {count}")]
    #[diagnostic(help("numbers start at 0; check the counts that the votes were declared with"))]
    UnknownVoteTarget {
        /// "item" or "annotator".
        what: &'static str,
        /// The number in the vote.
        number: usize,
        count: usize,
    },

    #[error("annotator {annotator} votes twice on item {item}")]
    #[diagnostic(help("keep one of the votes, for instance the later one"))]
    DuplicateVote { item: usize, annotator: usize },

    #[error("there are no votes")]
    #[diagnostic(help("check that the annotators' columns hold labels: at least one vote is needed"))]
    NoVotes,

    #[error("labels of expected accuracy {target} cannot be made: these margins allow {lowest} to {highest}")]
    #[diagnostic(help("choose an accuracy in that range; margins of exactly 0 are coin flips and limit it"))]
    UnreachableAccuracy {
        /// What was asked for.
        target: f64,
        /// The least that is possible.
        lowest: f64,
        /// The most that is possible.
        highest: f64,
    },

    #[error("row {row} has a feature in column {column}, but there are only {columns} columns")]
    #[diagnostic(help("columns are counted from 0; check the width that the matrix was made with"))]
    ColumnOutOfRange { row: usize, column: usize, columns: usize },

    #[error("too few examples of class {class}: {count} of at least {needed}")]
    #[diagnostic(help("add examples of this class; with a single class there is nothing to tell apart"))]
    TooFewOfClass {
        /// 0 or 1.
        class: u8,
        count: usize,
        needed: usize,
    },

    #[error("the logistic regression did not converge in {iterations} iterations (largest gradient {gradient:e})")]
    #[diagnostic(help("raise the penalty, or scale the features to similar sizes"))]
    NotConverged {
        iterations: usize,
        /// The gradient's largest component.
        gradient: f64,
    },
}
