//! The sandbox: a model organism of elicitation, in which what a pretrained model knows, what labels say and what a test
//! asks are all controlled.
//!
//! A [`World`] of entities, relations and facts; a corpus of sentences about them ([`corpus_rows`]); tiny language
//! models that are [`pretrain`]ed on it; and a binary task ([`World::questions`]) whose answer no sentence states but
//! that follows from two that the corpus has: which object an entity has, and what colour that object is.

mod checkpoint;
mod corpus;
mod error;
mod kept_state;
mod knowledge;
mod language;
mod names;
mod pretraining;
mod question_files;
mod recipes;
mod shipped;
mod vocabulary;
mod world;

pub use checkpoint::Shape;
pub use corpus::{Mixture, Row, answered, corpus_rows, statement};
pub use error::{Error, Result};
pub use knowledge::{Form, ModelCard, object_losses};
pub use pretraining::{Pretraining, PretrainingProgress, pretrain, write_untrained};
pub use question_files::{RELATION_NAMES, write_questions};
pub use recipes::SandboxModel;
pub use shipped::{UNTRAINED, write_question_files};
pub use world::{Question, RELATION_COUNT, Role, Subject, World, WorldSettings};
