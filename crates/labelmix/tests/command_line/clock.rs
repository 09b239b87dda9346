//! Sweeps under a clock that jumps, and in a store whose files have times out of order.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use crate::interruption::{Chance, SWEEP, Undisturbed, disturbances};

const YEAR: Duration = Duration::from_hours(365 * 24);

/// The clock, as a library that takes the place of the C library's; `None`, and a message, without a C compiler.
fn jumping_clock(folder: &Path) -> Option<PathBuf> {
    let library = folder.join("jumping_clock.so");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clock/jumping_clock.c");
    let compiled = Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(source).status();
    if compiled.is_ok_and(|status| status.success()) {
        return Some(library);
    }
    eprintln!("skipped: there is no C compiler, cc");
    None
}

/// Every file below a folder gets a time of up to ten years ago or from now.
fn scatter_times(folder: &Path, chance: &mut Chance) {
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            scatter_times(&path, chance);
        } else {
            let away = YEAR.mul_f64(chance.below(10_000) as f64 / 1000.0);
            let now = SystemTime::now();
            let time = if chance.below(2) == 0 { now - away } else { now + away };
            File::options().append(true).open(&path).unwrap().set_modified(time).unwrap();
        }
    }
}

/// The times that a file of events tells.
fn times_told(path: &Path) -> Vec<f64> {
    let events = fs::read_to_string(path).unwrap();
    events
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["time"].as_f64().unwrap())
        .collect()
}

#[test]
#[cfg(target_os = "linux")]
fn a_clock_that_jumps_changes_nothing() {
    let undisturbed = Undisturbed::new();
    let (workplace, mut chance) = (&undisturbed.workplace, Chance::new());
    let Some(clock) = jumping_clock(workplace.path()) else { return };
    let events = workplace.path().join("events.jsonl");
    let sweep = || {
        let mut sweep = workplace.process(&[&SWEEP[..], &["--events", "events.jsonl"]].concat());
        sweep.env("LD_PRELOAD", &clock);
        sweep
    };
    for _ in 0..disturbances(3) {
        // Two at once, each with its own clock. One is killed; what it leaves is taken over.
        let mut other = sweep().spawn().unwrap();
        let mut killed = undisturbed.while_running(sweep(), &mut chance);
        killed.kill().unwrap();
        killed.wait().unwrap();
        if chance.below(2) == 0 {
            other.kill().unwrap();
        }
        other.wait().unwrap();
        scatter_times(&undisturbed.store(), &mut chance);
        let arguments = ["status", "study.toml", "--json", "--store", "disturbed"];
        let said = workplace.labelmix(&arguments).env("LD_PRELOAD", &clock).assert().get_output().clone();
        // Both may have been killed before the sweep's plan was there.
        if !String::from_utf8(said.stderr).unwrap().contains("has not been swept") {
            let status: serde_json::Value = serde_json::from_slice(&said.stdout).unwrap();
            let left = status["seconds_left"].as_f64();
            assert!(left.is_none_or(|seconds| seconds.is_finite() && seconds >= 0.0), "{status}");
        }
        undisturbed.finishes();
        undisturbed.begin_anew();
    }
    // The clock did jump.
    let times = times_told(&events);
    assert!(times.windows(2).any(|pair| (pair[1] - pair[0]).abs() > YEAR.as_secs_f64()), "{times:?}");
    undisturbed.finishes();
}
