//! What is told before, during and after a sweep: `sweep --dry-run`, `--events`, `status`; stages that fail; keys.

use std::fs;

use serde_json::Value as Json;

use crate::workplace::{Workplace, example};

fn json(text: &str) -> Json {
    serde_json::from_str(text).unwrap()
}

/// A file of lines of JSON.
fn lines(workplace: &Workplace, name: &str) -> Vec<Json> {
    fs::read_to_string(workplace.path().join(name)).unwrap().lines().map(json).collect()
}

/// The events of a name.
fn of<'a>(events: &'a [Json], name: &str) -> Vec<&'a Json> {
    events.iter().filter(|event| event["event"] == name).collect()
}

#[test]
fn a_dry_run_says_what_there_is_to_do_and_does_nothing() {
    let workplace = Workplace::new();
    let dry_run = ["sweep", "study.toml", "--dry-run", "--jobs", "2"];
    let before = workplace.output_of(&dry_run);
    assert!(
        before.starts_with("runs     12\nstages   14 distinct; sharing saves 2\nstore    has 0 of them; 14 to do\n")
    );
    assert!(before.contains("\ntime     about ") && before.contains("\nmemory   at most "), "{before}");
    assert!(!workplace.path().join("labelmix-store").exists());
    insta::assert_snapshot!(workplace.complaint(&["status", "study.toml"]), @"
    error: the study small has not been swept into labelmix-store
    hint: `labelmix sweep` does it, and finds again what is done already; --store names the store, if it is another one
    ");

    workplace.write("study.toml", Workplace::study().replace("[0, 1]", "[0]"));
    workplace.output_of(&["sweep", "study.toml"]);
    workplace.write("study.toml", Workplace::study());
    let estimate = json(&workplace.output_of(&[&dry_run[..], &["--json"]].concat()));
    assert_eq!((&estimate["in_store"], &estimate["missing"], &estimate["jobs"]), (&7.into(), &7.into(), &2.into()));
    assert!(estimate["seconds"].as_f64().unwrap() > 0.0 && estimate["memory_bytes"].as_u64().unwrap() > 0);
    let status = json(&workplace.output_of(&["status", "study.toml", "--json"]));
    assert_eq!((&status["finished_runs"], &status["finished"], &status["waiting"]), (&6.into(), &7.into(), &0.into()));
    assert_eq!((&status["runs"], &status["not_swept"]), (&12.into(), &6.into()));
    insta::assert_snapshot!(workplace.output_of(&["status", "study.toml"]), @"
    study small: 6 of 12 runs finished, 6 not swept yet
    stages: 7 of 7 done
    nobody is at it: `labelmix sweep` goes on
    ");
}

#[test]
fn numbers_of_labels_go_with_each_other_and_share_their_weak_stages() {
    let workplace = Workplace::new();
    let counts = "[4, 6, 8, 10, 12, 14, 16, 18]";
    let grid = format!("[grid]\nweak_counts = {counts}\ngold_counts = {counts}\nseeds = [0, 1, 2]\n");
    let study = Workplace::study();
    let [before, after] = [study.find("[grid]").unwrap(), study.find("[recipe]").unwrap()];
    workplace.write("study.toml", format!("{}{grid}{}", &study[..before], &study[after..]));
    let estimate = json(&workplace.output_of(&["sweep", "study.toml", "--dry-run", "--json"]));
    assert_eq!((&estimate["runs"], &estimate["stages"]), (&(3 * 64).into(), &(3 * (8 + 64)).into()));
    assert_eq!(estimate["unshared_stages"], 3 * 128);
}

#[test]
fn events_tell_what_happens() {
    let workplace = Workplace::new();
    let sweep = ["sweep", "study.toml", "--events", "events.jsonl"];
    workplace.output_of(&sweep);
    let events = lines(&workplace, "events.jsonl");
    assert_eq!((&events[0]["event"], &events[0]["missing_stages"]), (&"sweep-began".into(), &14.into()));
    for (name, count) in [("stage-began", 14), ("stage-finished", 14), ("run-finished", 12), ("sweep-ended", 1)] {
        assert_eq!(of(&events, name).len(), count, "{name}");
    }
    let run = of(&events, "run-finished")[0];
    assert!(run["run"]["metrics"]["accuracy"].is_number() && run["time"].is_number());
    let progressed = of(&events, "stage-progressed");
    assert!(progressed.iter().all(|event| event["training_loss"].is_number() && event["step"].is_u64()));
    assert_eq!(events.last().unwrap()["finished_runs"], 12);
    // The next sweep writes after it.
    workplace.output_of(&sweep);
    assert_eq!(lines(&workplace, "events.jsonl").len(), events.len() + 1);
}

#[test]
fn events_that_cannot_be_written_hide_no_answer() {
    let workplace = Workplace::new();
    workplace.write("study.toml", Workplace::study().replace("[8, 16]", "[8]").replace("[0, 1]", "[0]"));
    let [out, said] = workplace.said(&["sweep", "study.toml", "--events", "/dev/full"], 1);
    assert!(out.contains("$8: best is"), "{out}");
    assert!(said.contains("error: /dev/full: No space left on device"), "{said}");
}

#[test]
fn a_stage_that_fails_takes_its_dependents_along_and_no_other() {
    let workplace = Workplace::new();
    // The first step of a warm-up changes nothing, so a stage of one step does not diverge, and one of four does.
    let study = Workplace::study().replace("[8, 16]", "[16]").replace("[0, 1]", "[0]").replace("0.5, 1.0", "0.8, 1.0");
    let diverging = study.replace("5e-3", "1e30").replace("total_examples = 600", "total_examples = 1");
    workplace.write("study.toml", diverging);
    let sweep = ["sweep", "study.toml", "--json", "--events", "events.jsonl"];
    let [out, said] = workplace.said(&sweep, 3);
    assert_eq!(json(&out)["runs"].as_array().unwrap().len(), 1);
    assert!(said.contains("the stage on 130 weak labels, seed 0\n  because: the training loss became NaN at step"));
    assert!(said.contains("hint: the learning rate is too high"), "{said}");
    let status = json(&workplace.output_of(&["status", "study.toml", "--json"]));
    let counts = ["finished", "waiting", "blocked"].map(|name| status[name].as_u64().unwrap());
    assert_eq!((counts, status["failed"].as_array().unwrap().len()), ([1, 0, 1], 2));
    let told = workplace.output_of(&["status", "study.toml"]);
    assert!(told.contains("stages: 1 of 4 done, 2 failed, 1 behind a failed one\n"), "{told}");
    assert!(told.contains("  failed: the stage on 160 weak labels, seed 0: the training loss became NaN"), "{told}");

    // It would fail again, and is not tried; unless it is asked for.
    let began = |expected: usize| {
        let events = lines(&workplace, "events.jsonl");
        assert_eq!(of(&events, "stage-began").len(), expected);
    };
    began(3);
    let [again, said] = workplace.said(&sweep, 3);
    assert_eq!(again, out);
    assert!(
        said.contains("because: it failed in an earlier sweep, and would fail again: the training loss became NaN")
    );
    assert!(said.contains("with --retry-failed it is tried all the same"), "{said}");
    began(3);
    workplace.said(&[&sweep[..], &["--retry-failed"]].concat(), 3);
    began(5);

    workplace.write("study.toml", study);
    workplace.output_of(&sweep);
    assert!(workplace.output_of(&["status", "study.toml"]).contains("stages: 4 of 4 done\n"));
}

#[test]
fn keys_stay_what_they_are() {
    // Whoever changes one of these makes everybody's results unfindable: a new meaning needs a new schema instead.
    let workplace = Workplace::new();
    workplace.write("study.toml", Workplace::study().replace("[task]\n", "[task]\nbalance = false\n"));
    workplace.output_of(&["sweep", "study.toml"]);
    let run = json(&workplace.output_of(&["store", "show", "labelmix-store", "seq-sft_w80_g8_s0", "--json"]));
    let stages = ["2d18a3cf00b2157c7f9b33ce9a9f4ab8", "469ae6ebb15139366b609673263416d4"];
    assert_eq!(run["run"]["stages"], Json::from(stages.to_vec()));
}

#[test]
fn what_does_not_matter_does_not_change_a_key() {
    let workplace = Workplace::new();
    workplace.output_of(&["sweep", "study.toml"]);
    // The same study of another name in another place: copied data and checkpoint, tables and keys in another order, other
    // prices for the same labels.
    for file in ["train.jsonl", "test.jsonl", "checkpoint/config.json", "checkpoint/tokenizer.json"] {
        workplace.write(&format!("elsewhere/{file}"), fs::read(example().join(file)).unwrap());
    }
    for entry in fs::read_dir(example().join("checkpoint")).unwrap() {
        let entry = entry.unwrap();
        let name = format!("elsewhere/checkpoint/{}", entry.file_name().display());
        workplace.write(&name, fs::read(entry.path()).unwrap());
    }
    let study = "name = \"other\"\n\
                 [recipe]\nlearning_rate = 0.005\nlora_rank = 8\nschedule = \"early-stopping\"\ntotal_examples = 600\n\
                 [grid]\nseeds = [1, 0]\nweak_fractions = [1, 0.5, 0]\nbudgets = [32, 16]\n\
                 [prices]\ngold = 2\nweak = 0.2\n\
                 [model]\npath = \"checkpoint\"\n\
                 [task]\nmax_test = 100\ntest = \"test.jsonl\"\ntrain = \"train.jsonl\"\n";
    workplace.write("elsewhere/other.toml", study);
    let dry_run = ["sweep", "elsewhere/other.toml", "--dry-run", "--json", "--store", "labelmix-store"];
    let estimate = json(&workplace.output_of(&dry_run));
    assert_eq!((&estimate["stages"], &estimate["missing"], &estimate["seconds"]), (&14.into(), &0.into(), &Json::Null));
    workplace.write("elsewhere/other.toml", study.replace("0.005", "0.006"));
    assert_eq!(json(&workplace.output_of(&dry_run))["missing"], 14);
}
