//! Transformers from Hugging Face checkpoints: configuration, weights, tokenizer, classification head, and the LoRA
//! adapters that training changes.
//!
//! A [`Classifier`] is the frozen part, shared by all runs of a process; an [`Adapter`] is what one run trains. The
//! numbers agree with transformers and peft (`tests/parity.rs`).

mod adapter;
mod bert;
mod checkpoint;
mod classifier;
mod config;
mod error;
mod layers;
mod llama;
mod peft;
mod random;
mod tokenizer;

pub use adapter::{Adapter, LoraSettings};
pub use classifier::{Classifier, Pooling, TokenBatch};
pub use error::{Error, Result};
pub use random::stream;
pub use tokenizer::{TextLimit, Tokenizer};
