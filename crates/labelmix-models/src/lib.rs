//! Transformers from Hugging Face checkpoints: configuration, weights, tokenizer, classification head, and the LoRA
//! adapters that training changes.
//!
//! A [`Model`] is a frozen transformer, held once per process; a [`Classifier`] puts a two-class head on it and a
//! [`LanguageModel`] the checkpoint's own head; an [`Adapter`] is what one run trains. The numbers agree with
//! transformers and peft (`tests/parity.rs`).

mod adapter;
mod architectures;
mod batch;
mod byte_size;
mod checkpoint;
mod classifier;
mod config;
mod contents;
mod description;
mod error;
mod export;
mod folder;
mod foreign;
mod language_model;
mod layers;
mod lfs;
mod memory;
mod merged;
mod model;
mod numbers;
mod peft;
mod rope;
mod sentence_transformer;
mod shape;
mod tensor_file;
mod tokenizer;
mod trainable;
mod transformer;

pub use adapter::{Adapter, LoraSettings};
pub use batch::{TokenBatch, shared_prefix};
pub use byte_size::ByteSize;
pub use checkpoint::{MissingFiles, checkpoint_files, tokenizer_files};
pub use classifier::{Classifier, Pooling};
pub use config::check_configuration;
pub use error::{Error, Result};
pub use export::{BaseModel, PythonClass};
pub use foreign::{ForeignModel, ForeignShape};
pub use labelmix_nn::{Device, MatmulPrecision, Precision};
pub use language_model::{LanguageModel, Prefix};
pub use memory::{MemoryPlan, MemoryRequest};
pub use model::{LoadOptions, Model};
pub use shape::{ModelShape, ShapeSummary};
pub use tensor_file::{KeptTensors, write_streamed};
pub use tokenizer::{ChatTurns, TextLimit, Tokenizer};
pub use trainable::TrainableLanguageModel;
