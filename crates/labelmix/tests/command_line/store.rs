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
    let left = format!("{}.99-0123abcd", "0123".repeat(8));
    workplace.write(&format!("labelmix-store/unfinished/{left}/outcome.json"), "{}");
    let [listed, hint] = workplace.said(&gc, 0);
    assert!(listed.ends_with('\n') && listed.lines().last().unwrap().starts_with("8 items, "), "{listed}");
    assert_eq!(listed.matches("no run of any study refers to it").count(), 7);
    assert!(listed.contains(&format!("{left}: left by a process that was killed")), "{listed}");
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
fn what_labelmix_did_not_write_is_no_garbage() {
    let (workplace, _) = swept();
    let delete = ["store", "gc", "labelmix-store", "--delete"];
    // Names of others, in the store's folders and behind links that lead out of it.
    for foreign in ["stages/act-one/script.txt", "checkpoints/epoch3.pt", "unfinished/novel/1.txt", "claims/mine"] {
        workplace.write(&format!("labelmix-store/{foreign}"), "precious");
    }
    workplace.write("photos/a.jpg", "precious");
    workplace.write(&format!("photos/{}/b.jpg", "ab".repeat(16)), "precious");
    std::os::unix::fs::symlink("../photos", workplace.path().join("labelmix-store/damaged")).unwrap();
    let link = workplace.path().join("labelmix-store/stages").join("cd".repeat(16));
    std::os::unix::fs::symlink("../../photos", &link).unwrap();
    assert_eq!(workplace.output_of(&delete), "0 items, 0 bytes deleted\n");
    assert!(link.is_symlink());
    assert_eq!(fs::read_dir(workplace.path().join("photos")).unwrap().count(), 2);

    // A folder that only looks like a store; and a record that cannot be read, whose stages nobody knows.
    workplace.write("project/stages/0123456789abcdef0123456789abcdef/script.txt", "precious");
    let refusal = workplace.complaint(&["store", "gc", "project", "--delete"]);
    insta::assert_snapshot!(refusal, @r#"
    error: project has no labelmix-store.json, which says that it is a store
    hint: nothing is deleted from what may be something else; if it is a store from before, `labelmix sweep` marks it
    "#);
    let record = workplace.path().join("labelmix-store/runs/small/seq-sft_w80_g8_s0/run.json");
    fs::write(&record, &fs::read(&record).unwrap()[..300]).unwrap();
    let refusal = workplace.complaint(&delete);
    assert!(refusal.contains("seq-sft_w80_g8_s0/run.json: EOF"), "{refusal}");
    // Of a later version nothing is known.
    workplace.write("labelmix-store/labelmix-store.json", "{\"format\": 99}");
    let refusal = workplace.complaint(&delete);
    assert!(refusal.contains("the store has the format 99, which this version of labelmix does not know"), "{refusal}");
}

#[test]
fn a_digit_in_a_record_or_a_plan_is_found_by_whoever_reads_it() {
    let (workplace, answer) = swept();
    let run = "labelmix-store/runs/small/seq-sft_w80_g8_s0";
    let other = "labelmix-store/runs/small/seq-sft_w0_g8_s0";
    let place = |name: &str| workplace.path().join(name);
    let changed = |name: &str, old: &str, new: &str| {
        let text = fs::read_to_string(place(name)).unwrap();
        assert!(text.contains(old), "{text}");
        fs::write(place(name), text.replace(old, new)).unwrap();
    };
    let mends = |name: &str, reader: &[&str]| {
        let found = workplace.said(&["store", "verify", "labelmix-store"], 3)[0].clone();
        assert!(found.contains(name) && found.ends_with(" 1 damaged\n"), "{found}");
        if !reader.is_empty() {
            let complaint = workplace.complaint(reader);
            assert!(complaint.contains(name), "{complaint}");
        }
        assert_eq!(workplace.output_of(&SWEEP), answer);
        assert!(workplace.output_of(&["store", "verify", "labelmix-store"]).ends_with(" 0 damaged\n"));
    };
    let (record, plan) = (format!("{run}/run.json"), "labelmix-store/studies/small.json");
    changed(&record, "\"learning_rate\": 0.005", "\"learning_rate\": 0.009");
    mends(&record, &["show", run]);
    changed(plan, "\"weak\": 0.1", "\"weak\": 0.2");
    mends(plan, &["report", "study.toml", "--out", "report"]);
    let ledger = format!("{run}/ledger.csv");
    changed(&ledger, "weak", "gold");
    mends(&ledger, &[]);
    // Two whole records in each other's places, and one whose stages are gone.
    let (a, b) = (place(&record), place(&format!("{other}/run.json")));
    let (of_a, of_b) = (fs::read(&a).unwrap(), fs::read(&b).unwrap());
    fs::write(&a, of_b).unwrap();
    fs::write(&b, of_a).unwrap();
    let found = workplace.said(&["store", "verify", "labelmix-store"], 3)[0].clone();
    assert!(found.ends_with(" 2 damaged\n"), "{found}");
    assert_eq!(workplace.output_of(&SWEEP), answer);
    fs::remove_dir_all(&stages_of(&workplace, "seq-sft_w80_g8_s0")[1]).unwrap();
    let found = workplace.said(&["store", "verify", "labelmix-store"], 3)[0].clone();
    assert!(found.contains("its stage") && found.contains("is missing"), "{found}");
    assert_eq!(workplace.output_of(&SWEEP), answer);
}

#[test]
fn records_from_before_checksums_are_read_with_a_word() {
    let (workplace, _) = swept();
    let record = workplace.path().join("labelmix-store/runs/small/seq-sft_w80_g8_s0/run.json");
    let mut value: serde_json::Value = serde_json::from_slice(&fs::read(&record).unwrap()).unwrap();
    for key in ["blake3", "ledger_blake3", "model_blake3"] {
        assert!(value.as_object_mut().unwrap().remove(key).is_some(), "{key}");
    }
    fs::write(&record, value.to_string()).unwrap();
    let [_, said] = workplace.said(&["report", "study.toml", "--out", "report"], 0);
    assert!(said.contains("1 records are from before records had a checksum"), "{said}");
    workplace.output_of(&SWEEP);
    let [_, said] = workplace.said(&["report", "study.toml", "--out", "report"], 0);
    assert!(!said.contains("from before"), "{said}");
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
    // In a store that was marked while they were there they are missing; one from before is marked without.
    let [found, _] = workplace.said(&["store", "verify", "labelmix-store"], 3);
    assert!(found.contains("manifest.json: it is missing") && found.ends_with(" 14 damaged\n"), "{found}");
    fs::remove_file(workplace.path().join("labelmix-store/labelmix-store.json")).unwrap();
    assert_eq!(workplace.output_of(&SWEEP), answer);
    assert!(workplace.output_of(&["store", "verify", "labelmix-store"]).ends_with(" 0 damaged\n"));
}
