//! Folders as they are in the world: what of them is the model, and what is said where it is none.

#![expect(clippy::unwrap_used, reason = "this file is all test, including the functions beside the tests")]

mod adapters;
mod configurations;
mod folder;
mod fuzz_corpus;
mod pooling;
mod refusals;
mod tokenizer_settings;
mod weights;
