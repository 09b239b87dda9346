//! What fuzzing began with and what it found, read again. The first byte of each input chooses the name.

use std::path::Path;

use labelmix_data::{CleaningOptions, field_names, read_texts};

use crate::scratch::Scratch;

#[test]
fn the_corpus_is_read_or_refused() {
    let names: Vec<&str> = include_str!("names.txt").lines().collect();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds/tables");
    let scratch = Scratch::new();
    let mut inputs = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let input = std::fs::read(entry.unwrap().path()).unwrap();
        let Some((choice, content)) = input.split_first() else { continue };
        let name = names[usize::from(*choice) % names.len()];
        let file = scratch.write(name, content);
        let _ = read_texts(&file, "text");
        let _ = field_names(&file);
        let _ = scratch.load(name, &CleaningOptions::default());
        inputs += 1;
    }
    assert!(inputs > 10, "{inputs} inputs");
}
