//! `labelmix store`, and stages that were damaged.

use std::fs;
use std::path::PathBuf;

use serde_json::Value as Json;

use crate::workplace::Workplace;

const SWEEP: [&str; 3] = ["sweep", "study.toml", "--json"];

/// A workplace whose small study is swept, and the answer.
fn swept() -> (Workplace, String) {
    let workplace = Workplace::new();
    let answer = workplace.output_of(&SWEEP);
    (workplace, answer)
}

fn json(workplace: &Workplace, arguments: &[&str]) -> Json {
    serde_json::from_str(&workplace.output_of(arguments)).unwrap()
}

/// Does something to a file's bytes.
type Damage = fn(&mut Vec<u8>);

/// The folders of the stages of a run, first to last.
fn stages_of(workplace: &Workplace, run: &str) -> Vec<PathBuf> {
    let run = json(workplace, &["store", "show", "labelmix-store", run, "--json"]);
    let stages = run["run"]["stages"].as_array().unwrap();
    stages.iter().map(|key| workplace.path().join("labelmix-store/stages").join(key.as_str().unwrap())).collect()
}

/// A text with sizes and keys replaced.
fn without_numbers(text: &str) -> String {
    let word = |word: &str| {
        let is_key = word.len() == 32 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
        let is_size = word.contains('.') && word.parse::<f64>().is_ok();
        if is_key {
            "[key]".to_owned()
        } else if is_size {
            "[n]".to_owned()
        } else {
            word.to_owned()
        }
    };
    let line = |line: &str| line.split(' ').map(word).collect::<Vec<_>>().join(" ");
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_store_is_listed_shown_and_exported() {
    let (workplace, answer) = swept();
    insta::assert_snapshot!(without_numbers(&workplace.output_of(&["store", "ls", "labelmix-store"])), @"
    stages           14  [n] MiB
    runs             12  [n] KiB
    test_sets         1  [n] KiB

    study small: 12 of 12 runs, 14 of 14 stages, [n] MiB
    ");
    let listed = json(&workplace, &["store", "ls", "labelmix-store", "--json"]);
    assert_eq!(listed["studies"][0]["finished_runs"], 12);
    let run = "seq-sft_w80_g8_s0";
    insta::assert_snapshot!(without_numbers(&workplace.output_of(&["store", "show", "labelmix-store", run])), @r#"
    run       seq-sft_w80_g8_s0 of the study small
    folder    labelmix-store/runs/small/seq-sft_w80_g8_s0
    method    seq-sft, seed 0
    labels    80 weak, 8 gold
    accuracy  [n] on 100 test texts
    stage     [key]
    stage     [key]
    "#);
    let stages = stages_of(&workplace, run);
    let key = stages[1].file_name().unwrap().to_str().unwrap();
    let shown = workplace.output_of(&["store", "show", "labelmix-store", &key[..12]]);
    assert!(shown.contains("parent") && shown.contains("8 gold, seed 0"), "{shown}");
    insta::assert_snapshot!(workplace.complaint(&["store", "show", "labelmix-store", "nothing"]), @r#"
    error: labelmix-store has no stage, weak labels or run "nothing"
    hint: give a run's name, such as `labelmix sweep --json` lists, or the key of a stage
    "#);
    insta::assert_snapshot!(workplace.complaint(&["store", "ls", "."]), @r#"
    error: . is no store of labelmix
    hint: give the folder that `labelmix sweep` keeps its results in: labelmix-store beside the study file, unless --store names another
    "#);

    workplace.output_of(&["store", "export", "labelmix-store", "small", "--out", "records.jsonl"]);
    let records = fs::read_to_string(workplace.path().join("records.jsonl")).unwrap();
    assert_eq!(records.lines().count(), 12);
    let record: Json = serde_json::from_str(records.lines().next().unwrap()).unwrap();
    assert!(record["metrics"]["accuracy"].is_number() && record["stages"][0].is_string());
    // An exported folder is a store: a sweep finds everything in it.
    workplace.output_of(&["store", "export", "labelmix-store", "small", "--out", "exported"]);
    assert!(workplace.stages("exported") == workplace.stages("labelmix-store"));
    let written = fs::metadata(workplace.path().join("exported/stages").join(key).join("outcome.json")).unwrap();
    assert_eq!(workplace.output_of(&[&SWEEP[..], &["--store", "exported"]].concat()), answer);
    let after = fs::metadata(workplace.path().join("exported/stages").join(key).join("outcome.json")).unwrap();
    assert_eq!(written.modified().unwrap(), after.modified().unwrap());
    insta::assert_snapshot!(workplace.complaint(&["store", "export", "labelmix-store", "big", "--out", "x"]), @r#"
    error: labelmix-store has no finished run of the study "big"
    hint: the studies with finished runs are small
    "#);
}

#[test]
fn garbage_is_what_no_run_refers_to() {
    let (workplace, answer) = swept();
    let gc = ["store", "gc", "labelmix-store"];
    assert_eq!(workplace.output_of(&gc), "0 items, 0 bytes\n");
    // A study with fewer runs takes its place; but its earlier runs are still there.
    workplace.write("study.toml", Workplace::study().replace("[0, 1]", "[0]"));
    workplace.output_of(&SWEEP);
    assert_eq!(workplace.output_of(&gc), "0 items, 0 bytes\n");
    for run in fs::read_dir(workplace.path().join("labelmix-store/runs/small")).unwrap() {
        let run = run.unwrap();
        if run.file_name().to_str().unwrap().ends_with("_s1") {
            fs::remove_dir_all(run.path()).unwrap();
        }
    }
    workplace.write("labelmix-store/unfinished/0123.99/outcome.json", "{}");
    let [listed, hint] = workplace.said(&gc, 0);
    assert!(listed.ends_with('\n') && listed.lines().last().unwrap().starts_with("8 items, "), "{listed}");
    assert_eq!(listed.matches("no run of any study refers to it").count(), 7);
    assert!(listed.contains("0123.99: left by a process that was killed"), "{listed}");
    assert!(hint.contains("--delete"));
    assert_eq!(fs::read_dir(workplace.path().join("labelmix-store/stages")).unwrap().count(), 14);
    let deleted = workplace.output_of(&[&gc[..], &["--delete"]].concat());
    assert!(deleted.ends_with(" deleted\n"), "{deleted}");
    assert_eq!(fs::read_dir(workplace.path().join("labelmix-store/stages")).unwrap().count(), 7);
    assert_eq!(workplace.output_of(&gc), "0 items, 0 bytes\n");

    workplace.write("study.toml", Workplace::study());
    assert_eq!(workplace.output_of(&SWEEP), answer);
}

#[test]
fn a_damaged_stage_is_named_set_aside_and_done_again() {
    let (workplace, answer) = swept();
    let kept = workplace.stages("labelmix-store");
    let stages = stages_of(&workplace, "seq-sft_w80_g8_s0");
    let damage: [(PathBuf, Damage); 4] = [
        (stages[1].join("outcome.json"), |bytes| bytes[70] ^= 1),
        (stages[1].join("test_log_odds.json"), |bytes| bytes.truncate(100)),
        (stages[1].join("adapter_model.safetensors"), |bytes| bytes.truncate(1000)),
        (stages[1].join("manifest.json"), |bytes| bytes.clear()),
    ];
    for (file, damage) in damage {
        let mut bytes = fs::read(&file).unwrap();
        damage(&mut bytes);
        fs::write(&file, bytes).unwrap();
        let [found, hint] = workplace.said(&["store", "verify", "labelmix-store"], 3);
        let name = file.strip_prefix(workplace.path()).unwrap().display().to_string();
        assert!(found.contains(&name) && found.ends_with("14 folders read, 1 damaged\n"), "{found}");
        assert!(hint.contains("--set-aside"), "{hint}");
        let [again, said] = workplace.said(&SWEEP, 0);
        assert_eq!(again, answer);
        assert!(said.contains(&name) && said.contains("8 gold labels, seed 0 is set aside and done anew"), "{said}");
        assert!(workplace.stages("labelmix-store") == kept);
    }
    assert_eq!(fs::read_dir(workplace.path().join("labelmix-store/damaged")).unwrap().count(), 4);
    let garbage = workplace.output_of(&["store", "gc", "labelmix-store", "--delete"]);
    assert_eq!(garbage.matches("damaged, and set aside").count(), 4, "{garbage}");

    // A stage that another one is about to start from is read whole; one that nothing reads is `verify`'s to find.
    let flip = |path: PathBuf| {
        let mut bytes = fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 64;
        fs::write(path, bytes).unwrap();
    };
    flip(stages[0].join("adapter_model.safetensors"));
    fs::remove_dir_all(&stages[1]).unwrap();
    let [again, said] = workplace.said(&SWEEP, 0);
    assert_eq!(again, answer);
    assert!(said.contains("80 weak labels, seed 0 is set aside"), "{said}");
    assert!(workplace.stages("labelmix-store") == kept);
    flip(stages[1].join("adapter_model.safetensors"));
    workplace.write("new.jsonl", "{\"text\": \"the soup was good .\"}\n");
    let run = "labelmix-store/runs/small/seq-sft_w80_g8_s0";
    let predict = ["predict", "--run", run, "--input", "new.jsonl", "--output", "predictions.jsonl"];
    let complaint = workplace.complaint(&predict);
    assert!(complaint.contains("the checksum differs") && complaint.contains("--set-aside"), "{complaint}");
    let found = workplace.said(&["store", "verify", "labelmix-store", "--set-aside", "--json"], 3);
    assert_eq!(serde_json::from_str::<Json>(&found[0]).unwrap()["damaged"].as_array().unwrap().len(), 1);
    assert_eq!(workplace.output_of(&SWEEP), answer);
    assert!(workplace.stages("labelmix-store") == kept);
}

#[test]
fn stages_from_before_there_were_manifests_are_found() {
    let (workplace, answer) = swept();
    for stage in fs::read_dir(workplace.path().join("labelmix-store/stages")).unwrap() {
        fs::remove_file(stage.unwrap().path().join("manifest.json")).unwrap();
    }
    let kept = workplace.stages("labelmix-store");
    assert_eq!(workplace.output_of(&SWEEP), answer);
    assert!(workplace.stages("labelmix-store") == kept, "nothing was done again");
}
