//! Tables of every kind through the one door: what is read, and what is said of files that cannot be.

mod binary;
mod corpus;
mod damaged;
mod encodings;
mod json;
mod kinds;
mod progress;
mod properties;
mod round_trip;
mod separated;

use labelmix_data::{CleaningOptions, read_texts};

use crate::scratch::Scratch;

/// The texts in a file of this name and content.
pub(super) fn texts_of(name: &str, content: impl AsRef<[u8]>) -> Vec<String> {
    let scratch = Scratch::new();
    let file = scratch.write(name, content);
    read_texts(&file, "text").unwrap_or_else(|error| panic!("{}", scratch.report(&error)))
}

/// What is said of a file of texts of this name and content.
pub(super) fn refusal_of(name: &str, content: impl AsRef<[u8]>) -> String {
    let scratch = Scratch::new();
    let file = scratch.write(name, content);
    match read_texts(&file, "text") {
        Ok(texts) => panic!("{name} was read: {texts:?}"),
        Err(error) => scratch.report(&error),
    }
}

/// What is said of a training file of this name and content; its columns are `text`, `gold` and `weak`.
pub(super) fn training_refusal_of(name: &str, content: impl AsRef<[u8]>) -> String {
    let scratch = Scratch::new();
    scratch.write(name, content);
    let error = scratch.load(name, &CleaningOptions::default()).unwrap_err();
    scratch.report(&error)
}
