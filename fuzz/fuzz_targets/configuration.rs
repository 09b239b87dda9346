//! Any bytes as config.json beside the weights of a tiny checkpoint: an error, or an answer in numbers.

#![no_main]

use std::path::Path;

use labelmix_models::{LoadOptions, MemoryRequest, Model, ModelShape, TokenBatch};
use libfuzzer_sys::fuzz_target;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/labelmix-models/tests/fixtures");

thread_local! {
    static FOLDER: tempfile::TempDir = {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let weights = Path::new(FIXTURES).join("qwen3/model.safetensors");
        std::fs::copy(weights, folder.path().join("model.safetensors")).expect("the fixture can be copied");
        folder
    };
}

fuzz_target!(|bytes: &[u8]| {
    FOLDER.with(|folder| {
        let folder = folder.path();
        std::fs::write(folder.join("config.json"), bytes).expect("the temporary folder can be written to");
        if let Ok(shape) = ModelShape::read(folder) {
            let _ = shape.memory(&MemoryRequest { tokens: 8192, lora_rank: 8, precision: None, activation_checkpointing: false });
            let _ = shape.summary();
        }
        let Ok(model) = Model::load(folder, &LoadOptions::default()) else { return };
        let ids: &[u32] = &[3, 9, 4];
        let Ok(hidden) = model.hidden_states(&TokenBatch::new([ids])) else { return };
        let hidden = hidden.to_vec().expect("the host has the numbers");
        assert!(hidden.iter().all(|number| number.is_finite()));
    });
});
