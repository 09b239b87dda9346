//! The sandbox in a folder: models, data, and studies that use them.

use std::path::Path;

use labelmix_files::write_files;
use serde_json::json;

use crate::error::Result;
use crate::world::{Question, RELATION_COUNT, Role, World};

/// The questions about the pool's entities, whose labels are for sale.
pub(crate) const TRAIN_FILE: &str = "train.jsonl";
/// The questions about the test's entities.
pub(crate) const TEST_FILE: &str = "test.jsonl";
/// The questions about the labeler's entities: its own gold labels.
pub(crate) const LABELER_FILE: &str = "labeler.jsonl";

/// What relations are about, for people.
pub const RELATION_NAMES: [&str; RELATION_COUNT] = ["tool", "animal", "dish", "instrument", "stone", "plant"];

/// Writes the world's questions into an existing folder, one file for each role that has labels: JSONL with the columns
/// `text`, `gold` (1 if the object is red), `relation` and `entity`.
///
/// # Errors
/// If a file cannot be written.
pub fn write_questions(world: &World, folder: &Path) -> Result<()> {
    let files = [(Role::Pool, TRAIN_FILE), (Role::Test, TEST_FILE), (Role::Labeler, LABELER_FILE)];
    let rows = |role| world.questions(role).iter().map(|question| row(world, question)).collect::<String>();
    write_files(folder, files.map(|(role, file)| (file.to_owned(), rows(role))))?;
    Ok(())
}

fn row(world: &World, question: &Question) -> String {
    let Question { subject, text, is_red } = question;
    let row = json!({
        "text": text,
        "gold": u8::from(*is_red),
        "relation": RELATION_NAMES[subject.relation],
        "entity": world.names()[subject.entity],
    });
    format!("{row}\n")
}
