//! What the fuzz targets of `fuzz` begin with, and what they found, as ordinary tests.

use std::fs;
use std::path::Path;

use labelmix_models::{LoadOptions, Model, ModelShape, TokenBatch};

use crate::folder::fixture_folder;

/// Runs every file of a target's corpus in the place of one file of a checkpoint; the other is the fixture's.
fn replay(target: &str, replaced: &str, kept: &str) {
    let folder = tempfile::tempdir().unwrap();
    fs::copy(fixture_folder("qwen3").join(kept), folder.path().join(kept)).unwrap();
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds").join(target);
    let mut replayed = 0;
    for entry in fs::read_dir(corpus).unwrap() {
        fs::copy(entry.unwrap().path(), folder.path().join(replaced)).unwrap();
        let shape = ModelShape::read(folder.path()).map(|shape| shape.summary());
        let model = Model::load(folder.path(), &LoadOptions::default());
        assert_eq!(shape.is_ok(), model.is_ok());
        if let Ok(model) = model {
            let ids: &[u32] = &[3, 9, 4];
            let hidden = model.hidden_states(&TokenBatch::new([ids])).unwrap().to_vec().unwrap();
            assert!(hidden.iter().all(|number| number.is_finite()));
        }
        replayed += 1;
    }
    assert!(replayed > 5);
}

#[test]
fn configurations() {
    replay("configuration", "config.json", "model.safetensors");
}

#[test]
fn files_of_weights() {
    replay("safetensors", "model.safetensors", "config.json");
}
