//! Reads bytes as a table. The first byte chooses the file's name, so that every kind is tried.

#![no_main]

use std::cell::OnceCell;

use labelmix_data::{
    Contradictions, Dataset, TestSize, TestTexts, TextColumns, TextFiles, TextOptions, field_names, read_texts,
};
use libfuzzer_sys::fuzz_target;
use tempfile::TempDir;

thread_local! {
    static FOLDER: OnceCell<TempDir> = const { OnceCell::new() };
}

fuzz_target!(|input: &[u8]| {
    let Some((choice, content)) = input.split_first() else { return };
    let names: Vec<&str> = include_str!("../../crates/labelmix-data/tests/data/tables/names.txt").lines().collect();
    FOLDER.with(|folder| {
        let folder = folder.get_or_init(|| TempDir::new_in("/dev/shm").expect("there is room for a file"));
        let file = folder.path().join(names[usize::from(*choice) % names.len()]);
        std::fs::write(&file, content).expect("there is room for a file");
        let _ = read_texts(&file, "text");
        let _ = field_names(&file);
        let files = TextFiles {
            train: file.clone(),
            test: TestTexts::Part { size: TestSize::default(), seed: 0 },
            columns: TextColumns::default(),
            contradictions: Contradictions::Majority,
        };
        let _ = Dataset::load(&files, &TextOptions::default());
    });
});
