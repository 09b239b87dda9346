//! Reads bytes as a study file: its task, and the columns of data that are not there.

#![no_main]

use labelmix_study::Study;
use libfuzzer_sys::fuzz_target;

thread_local! {
    static FOLDER: tempfile::TempDir = tempfile::tempdir().expect("a temporary folder can be made");
}

fuzz_target!(|input: &[u8]| {
    FOLDER.with(|folder| {
        let file = folder.path().join("study.toml");
        std::fs::write(&file, input).expect("there is room for a file");
        if let Ok(study) = Study::read(&file) {
            let _ = study.named_task().map(|task| task.map(|task| task.describe()));
            let _ = study.tariff();
            let _ = study.load_data(&Default::default());
        }
    });
});
