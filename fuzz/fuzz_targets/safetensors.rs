//! Any bytes as model.safetensors beside a configuration: an error, or an answer in numbers.

#![no_main]

use std::path::Path;

use labelmix_models::{LoadOptions, Model, ModelShape, TokenBatch};
use libfuzzer_sys::fuzz_target;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/labelmix-models/tests/fixtures");

thread_local! {
    static FOLDER: tempfile::TempDir = {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let configuration = Path::new(FIXTURES).join("qwen3/config.json");
        std::fs::copy(configuration, folder.path().join("config.json")).expect("the fixture can be copied");
        folder
    };
}

fuzz_target!(|bytes: &[u8]| {
    FOLDER.with(|folder| {
        let folder = folder.path();
        // Written beside and renamed: a model that is in use has its file mapped.
        let beside = folder.join("next");
        std::fs::write(&beside, bytes).expect("the temporary folder can be written to");
        std::fs::rename(beside, folder.join("model.safetensors")).expect("the temporary folder can be written to");
        if let Ok(shape) = ModelShape::read(folder) {
            let _ = shape.summary();
        }
        let Ok(model) = Model::load(folder, &LoadOptions::default()) else { return };
        let ids: &[u32] = &[3, 9, 4];
        // Finite weights may be large enough for their products not to be.
        let _ = model.hidden_states(&TokenBatch::new([ids]));
    });
});
