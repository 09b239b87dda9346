//! Reads bytes as a task file, and as a study's templates and label values over a small table.

#![no_main]

use std::path::Path;

use labelmix_data::{LabelValues, RowText, Task, TextSource};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Ok(text) = std::str::from_utf8(input) else { return };
    if let Ok(task) = Task::parse("fuzzed", text, Path::new("")) {
        let _ = task.describe();
    }
    let _ = RowText::new(&TextSource::Template(text.to_owned()));
    let _ = toml::from_str::<LabelValues>(text);
});
