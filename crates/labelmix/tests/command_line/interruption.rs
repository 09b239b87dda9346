//! A sweep that is killed loses at most the stages that were running.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use crate::workplace::Workplace;

/// Every finished stage with the time at which its outcome was written.
fn finished(store: &Path) -> BTreeMap<String, SystemTime> {
    let Ok(entries) = fs::read_dir(store.join("stages")) else { return BTreeMap::new() };
    entries
        .map(|entry| {
            let entry = entry.unwrap();
            let written = fs::metadata(entry.path().join("outcome.json")).unwrap().modified().unwrap();
            (entry.file_name().into_string().unwrap(), written)
        })
        .collect()
}

#[test]
fn a_killed_sweep_goes_on_where_it_was() {
    let workplace = Workplace::new();
    let undisturbed = workplace.output_of(&["sweep", "study.toml", "--json", "--store", "undisturbed"]);
    let store = workplace.path().join("disturbed");
    // Killed again and again, each time after at least one more stage.
    for _ in 0..3 {
        let before = finished(&store).len();
        let mut child = Command::new(assert_cmd::cargo::cargo_bin!("labelmix"))
            .current_dir(workplace.path())
            .args(["sweep", "study.toml", "--json", "--store", "disturbed"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let deadline = Instant::now() + Duration::from_mins(2);
        while finished(&store).len() == before && child.try_wait().unwrap().is_none() {
            assert!(Instant::now() < deadline, "no stage was finished in two minutes");
            std::thread::sleep(Duration::from_millis(2));
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let kept = finished(&store);
    assert!(!kept.is_empty());
    let resumed = workplace.output_of(&["sweep", "study.toml", "--json", "--store", "disturbed"]);
    assert_eq!(resumed, undisturbed);
    let after = finished(&store);
    for (key, written) in &kept {
        assert_eq!(after[key], *written, "stage {key} was done twice");
    }
}
