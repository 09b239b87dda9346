//! `--tensorboard`: the curves of each stage, read as TensorBoard reads them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use prost::Message;
use serde_json::Value as Json;

use crate::interruption::{Chance, SWEEP, Undisturbed, disturbances};

#[derive(Message)]
struct Event {
    #[prost(int64, tag = "2")]
    step: i64,
    #[prost(message, optional, tag = "5")]
    summary: Option<Summary>,
    #[prost(message, optional, tag = "7")]
    session_log: Option<SessionLog>,
}

#[derive(Message)]
struct Summary {
    #[prost(message, repeated, tag = "1")]
    value: Vec<Scalar>,
}

#[derive(Message)]
struct Scalar {
    #[prost(string, tag = "1")]
    tag: String,
    #[prost(float, optional, tag = "2")]
    simple_value: Option<f32>,
}

#[derive(Message)]
struct SessionLog {
    #[prost(int32, tag = "1")]
    status: i32,
}

/// The events of a file. One that was being written when its process was killed is left out.
fn events(path: &Path) -> Vec<Event> {
    let bytes = fs::read(path).unwrap();
    let (mut rest, mut events) = (&bytes[..], Vec::new());
    while let Some((length, after)) = rest.split_first_chunk::<8>() {
        let length = u64::from_le_bytes(*length) as usize;
        let Some(event) = after.get(4..4 + length) else { break };
        events.push(Event::decode(event).unwrap());
        rest = after.get(8 + length..).unwrap_or_default();
    }
    events
}

/// The points of each curve of a stage. A session that starts at a step makes void what earlier ones said of it and later ones.
fn curves(folder: &Path) -> BTreeMap<String, Vec<(i64, f32)>> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut curves = BTreeMap::<String, Vec<(i64, f32)>>::new();
    for event in files.iter().flat_map(|path| events(path)) {
        if event.session_log.is_some_and(|log| log.status == 1) {
            for points in curves.values_mut() {
                points.retain(|(step, _)| *step < event.step);
            }
        }
        for Scalar { tag, simple_value } in event.summary.into_iter().flat_map(|summary| summary.value) {
            curves.entry(tag).or_default().push((event.step, simple_value.unwrap()));
        }
    }
    // An evaluation that was made just before its process was killed is told in the end.
    for points in curves.values_mut() {
        points.sort_by_key(|(step, _)| *step);
    }
    curves
}

/// The curves of every stage hold what its outcome says.
fn tell_what_the_outcomes_tell(undisturbed: &Undisturbed, folder: &str, trained: bool) {
    let folder = undisturbed.workplace.path().join(folder).join("small");
    let mut told = 0;
    for stage in fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap()) {
        let name = stage.file_name().into_string().unwrap();
        let key = name.rsplit('_').next().unwrap();
        let stages = fs::read_dir(undisturbed.store().join("stages")).unwrap().map(|entry| entry.unwrap());
        let kept = { stages }.find(|stage| stage.file_name().to_str().unwrap().starts_with(key)).unwrap();
        let outcome: Json = serde_json::from_slice(&fs::read(kept.path().join("outcome.json")).unwrap()).unwrap();
        let history = &outcome["history"];
        let curves = curves(&stage.path());
        let point =
            |point: &Json, field: &str| (point["step"].as_i64().unwrap(), point[field].as_f64().unwrap() as f32);
        let validation: Vec<_> =
            history["validation"].as_array().unwrap().iter().map(|evaluation| point(evaluation, "loss")).collect();
        assert_eq!(curves.get("loss/validation").cloned().unwrap_or_default(), validation, "{name}");
        let at_best = (history["best_step"].as_i64().unwrap(), outcome["metrics"]["accuracy"].as_f64().unwrap() as f32);
        assert_eq!(curves["accuracy/test"], [at_best], "{name}");
        if trained {
            let steps: Vec<i64> = curves["loss/training"].iter().map(|(step, _)| *step).collect();
            assert_eq!(steps, (1..=history["steps"].as_i64().unwrap()).collect::<Vec<_>>(), "{name}");
            assert_eq!(curves["learning rate"].len(), steps.len(), "{name}");
        }
        told += 1;
    }
    assert_eq!(told, 14);
}

#[test]
fn curves_are_those_of_the_outcomes_also_after_interruptions() {
    let undisturbed = Undisturbed::new();
    let mut chance = Chance::new();
    let sweep = [&SWEEP[..], &["--tensorboard", "curves"]].concat();
    for _ in 0..disturbances(3) {
        let mut killed = undisturbed.while_running(undisturbed.workplace.process(&sweep), &mut chance);
        killed.kill().unwrap();
        killed.wait().unwrap();
    }
    undisturbed.workplace.output_of(&sweep);
    undisturbed.finishes();
    tell_what_the_outcomes_tell(&undisturbed, "curves", true);
    // Of stages that were finished before, the evaluations.
    undisturbed.workplace.output_of(&[&SWEEP[..], &["--tensorboard", "afterwards"]].concat());
    tell_what_the_outcomes_tell(&undisturbed, "afterwards", false);
}
