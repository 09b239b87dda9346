//! Weak labels from a study's labeler.

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value as Json;

use crate::workplace::{Workplace, example};

/// Rows of the example's training file that the tests use.
const ROWS: usize = 1000;

/// A study without weak labels in its data, and with this [labeler] beside the example's checkpoint.
fn workplace(labeler: &str) -> Workplace {
    let workplace = Workplace::new();
    let rows = fs::read_to_string(example().join("train.jsonl")).unwrap();
    let gold_only = rows.lines().take(ROWS).map(|line| {
        let mut row: Json = serde_json::from_str(line).unwrap();
        row.as_object_mut().unwrap().remove("weak");
        format!("{row}\n")
    });
    workplace.write("train.jsonl", gold_only.collect::<String>());
    workplace.write("study.toml", study(labeler));
    workplace
}

fn study(labeler: &str) -> String {
    let old = format!("{}/train.jsonl", example().display());
    let study = Workplace::study().replace(&old, "train.jsonl");
    format!("{study}[labeler]\n{labeler}\n")
}

/// The keys of a labeler that the example's checkpoint makes, trained in a second or two.
fn model() -> String {
    format!("model = \"{}/checkpoint\"\nlearning_rate = 5e-3\ntrain = 400\n", example().display())
}

/// What `labelmix weak-label` prints as JSON, and the rows that it writes.
fn weak_label(workplace: &Workplace, study: &str) -> (Json, Vec<Json>) {
    let printed = workplace.output_of(&["weak-label", study, "--out", "weak.jsonl", "--json"]);
    let written = fs::read_to_string(workplace.path().join("weak.jsonl")).unwrap();
    let rows = written.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    (serde_json::from_str(&printed).unwrap(), rows)
}

/// Standard error of a command that the user got wrong, with what differs between machines and runs replaced.
fn complaint(workplace: &Workplace, arguments: &[&str]) -> String {
    workplace.complaint(arguments)
}

/// Every kept labeler's files.
fn labelers(workplace: &Workplace, store: &str) -> BTreeMap<String, BTreeMap<String, Vec<u8>>> {
    let folders = fs::read_dir(workplace.path().join(store).join("labelers")).unwrap();
    let files = |folder: fs::DirEntry| -> BTreeMap<String, Vec<u8>> {
        let entries = fs::read_dir(folder.path()).unwrap().map(Result::unwrap);
        entries.map(|file| (file.file_name().into_string().unwrap(), fs::read(file.path()).unwrap())).collect()
    };
    folders.map(Result::unwrap).map(|folder| (folder.file_name().into_string().unwrap(), files(folder))).collect()
}

fn accuracy(rows: &[Json], split: &str) -> f64 {
    let of_split: Vec<&Json> = rows.iter().filter(|row| row["split"] == split).collect();
    let right = of_split.iter().filter(|row| (row["weak"].as_f64().unwrap() >= 0.5) == (row["gold"] == 1)).count();
    right as f64 / of_split.len() as f64
}

#[test]
fn labels_hit_their_target_are_made_once_and_are_shared_by_studies() {
    let workplace = workplace(&(model() + "target_accuracy = 0.7"));
    let (made, rows) = weak_label(&workplace, "study.toml");
    assert_eq!(made["origin"], "made");
    // The 400 that it was trained on are left out; the test set has 100.
    let pool_size = rows.iter().filter(|row| row["split"] == "pool").count();
    assert_eq!(made["pool_labels"].as_u64().unwrap() as usize, pool_size);
    assert_eq!(made["history"]["n_train"], 400);
    assert!(pool_size <= ROWS - 400 && pool_size > ROWS - 450, "{pool_size}");
    assert_eq!(rows.len() - pool_size, 100);
    assert!((accuracy(&rows, "pool") - 0.7).abs() < 0.02);
    assert_eq!(made["pool"]["accuracy"].as_f64().unwrap(), accuracy(&rows, "pool"));
    assert_eq!(made["test"]["accuracy"].as_f64().unwrap(), accuracy(&rows, "test"));
    assert!(rows.iter().all(|row| row["id"].as_str().unwrap().len() == 16 && row["text"].is_string()));

    let kept = labelers(&workplace, "labelmix-store");
    let (found, same_rows) = weak_label(&workplace, "study.toml");
    assert_eq!((&found["origin"], &found["key"]), (&Json::from("found"), &made["key"]));
    assert_eq!(rows, same_rows);

    // A study of another name, with other prices and budgets, in the same store; it sweeps.
    let other = study(&(model() + "target_accuracy = 0.7")).replace("small", "other").replace("[8, 16]", "[2, 4]");
    workplace.write("other.toml", other + "[prices]\nweak = 0.02\ngold = 0.5\n");
    let answer: Json = serde_json::from_str(&workplace.output_of(&["sweep", "other.toml", "--json"])).unwrap();
    let (weak, pool) = (answer["weak_label_accuracy"].as_f64(), made["pool"]["accuracy"].as_f64());
    assert_eq!(weak, pool, "{answer}");
    workplace.output_of(&["report", "other.toml", "--out", "report"]);
    assert_eq!(labelers(&workplace, "labelmix-store"), kept, "nothing was trained again, and nothing written");

    workplace.write("study.toml", study(&(model() + "target_accuracy = 0.75")));
    assert_ne!(weak_label(&workplace, "study.toml").0["key"], made["key"]);
}

#[test]
fn a_labeler_is_the_same_bytes_in_every_store() {
    let workplace = workplace(&(model() + "target_accuracy = 0.7"));
    for store in ["one", "two"] {
        workplace.output_of(&["weak-label", "study.toml", "--out", "weak.jsonl", "--store", store]);
    }
    assert_eq!(labelers(&workplace, "one"), labelers(&workplace, "two"));
}

#[test]
fn shuffled_errors_keep_the_accuracy_exactly_and_train_nothing() {
    let workplace = workplace(&(model() + "target_accuracy = 0.75"));
    let (plain, rows) = weak_label(&workplace, "study.toml");
    let kept = labelers(&workplace, "labelmix-store");
    workplace.write("study.toml", study(&(model() + "target_accuracy = 0.75\nshuffle_errors = true")));
    let (shuffled, shuffled_rows) = weak_label(&workplace, "study.toml");
    for split in ["pool", "test"] {
        assert_eq!(plain[split]["accuracy"], shuffled[split]["accuracy"]);
        assert_eq!(accuracy(&rows, split), accuracy(&shuffled_rows, split));
    }
    assert_ne!(rows, shuffled_rows);
    let now = labelers(&workplace, "labelmix-store");
    let new: Vec<_> = now.iter().filter(|(key, _)| !kept.contains_key(*key)).collect();
    assert_eq!(new.len(), 1);
    assert!(!new[0].1.contains_key("adapter_model.safetensors"), "nothing was trained for them");

    // The other way round, both are made at once.
    workplace.output_of(&["weak-label", "study.toml", "--out", "weak.jsonl", "--store", "other"]);
    assert_eq!(labelers(&workplace, "other"), now);
}

#[test]
fn own_examples_are_included_on_request() {
    let workplace = workplace(&(model() + "include_own_examples = true\nepochs = 1"));
    let (made, rows) = weak_label(&workplace, "study.toml");
    assert_eq!(made["history"]["stop_reason"], "schedule-ended");
    assert_eq!(made["history"]["steps"], 13);
    let pool_size = rows.iter().filter(|row| row["split"] == "pool").count();
    assert!(pool_size > ROWS - 50, "{pool_size}");
}

#[test]
fn annotators_are_simulated_without_a_model_and_with_its_margin() {
    let workplace = workplace("kind = \"symmetric\"\ntarget_accuracy = 0.8");
    let (made, rows) = weak_label(&workplace, "study.toml");
    assert!((accuracy(&rows, "pool") - 0.8).abs() < 0.05);
    assert!(made.get("history").is_none());
    assert!(rows.iter().all(|row| row["weak"] == 0.0 || row["weak"] == 1.0));

    workplace.write("study.toml", study("kind = \"class-dependent\"\nsensitivity = 1.0\nspecificity = 0.5"));
    let (_, rows) = weak_label(&workplace, "study.toml");
    assert!(rows.iter().all(|row| row["gold"] == 0 || row["weak"] == 1.0));
    assert!((accuracy(&rows, "pool") - 0.75).abs() < 0.05);

    workplace.write("study.toml", study(&(model() + "kind = \"margin\"\ntarget_accuracy = 0.8")));
    let (made, rows) = weak_label(&workplace, "study.toml");
    assert!((accuracy(&rows, "pool") - 0.8).abs() < 0.05);
    assert!(made["temperature"].as_f64().unwrap() > 0.0);
}

#[test]
fn what_was_made_is_told_in_words() {
    let workplace = workplace(&(model() + "target_accuracy = 0.7\nshuffle_errors = true"));
    let told = workplace.output_of(&["weak-label", "study.toml", "--out", "weak.jsonl"]);
    let lines: Vec<&str> = told.lines().map(|line| line.split_whitespace().next().unwrap()).collect();
    assert_eq!(lines, ["labels", "labeler", "trained", "errors", "left", "pool", "test"], "{told}");
    assert!(
        told.contains("made now") && told.contains("on 400 gold labels") && told.contains("stopped at step"),
        "{told}"
    );
}

#[test]
fn a_report_says_what_makes_the_labels_that_it_misses() {
    let workplace = workplace("kind = \"symmetric\"\ntarget_accuracy = 0.8");
    let complaint = complaint(&workplace, &["label-report", "study.toml"]);
    let key = complaint.split("labelers/").nth(1).and_then(|rest| rest.split(')').next()).unwrap();
    assert_eq!(key.len(), 32);
    insta::assert_snapshot!(complaint.replace(key, "[key]"), @r#"
error: the weak labels of the study's [labeler] are not in the store (labelmix-store/labelers/[key])
hint: make them with `labelmix sweep` or `labelmix weak-label`, with this study and this store
"#);
}

#[test]
fn a_label_report_finds_labels_in_the_store_that_it_is_told() {
    let workplace = workplace("kind = \"symmetric\"\ntarget_accuracy = 0.8");
    let arguments = ["weak-label", "study.toml", "--out", "weak.jsonl", "--store", "elsewhere", "--json"];
    let made: Json = serde_json::from_str(&workplace.output_of(&arguments)).unwrap();
    let told = ["label-report", "study.toml", "--store", "elsewhere", "--json"];
    let report: Json = serde_json::from_str(&workplace.output_of(&told)).unwrap();
    assert_eq!(report["pool"]["quality"]["accuracy"], made["pool"]["accuracy"]);
    let untold = complaint(&workplace, &["label-report", "study.toml"]);
    assert!(untold.contains("are not in the store (labelmix-store/labelers/"), "{untold}");
}

#[test]
fn labels_that_are_damaged_are_set_aside_and_made_again() {
    let workplace = workplace("kind = \"symmetric\"\ntarget_accuracy = 0.8");
    let (made, rows) = weak_label(&workplace, "study.toml");
    let key = made["key"].as_str().unwrap();
    let kept = labelers(&workplace, "labelmix-store");
    let path = format!("labelmix-store/labelers/{key}/labels.jsonl");
    let labels = fs::read_to_string(workplace.path().join(&path)).unwrap();
    for content in [&labels[..labels.len() - 10], "", &labels.replacen("0.0", "1.0", 1)] {
        workplace.write(&path, content);
        // A report makes no labels.
        let complaint = complaint(&workplace, &["label-report", "study.toml"]);
        assert!(complaint.contains(&path) && complaint.contains("`labelmix sweep` does only that anew"), "{complaint}");
        let [_, said] = workplace.said(&["weak-label", "study.toml", "--out", "weak.jsonl"], 0);
        assert!(said.contains(&path) && said.contains("set aside and made anew"), "{said}");
        assert_eq!(labelers(&workplace, "labelmix-store"), kept);
        assert_eq!(weak_label(&workplace, "study.toml").1, rows);
    }
}

#[test]
fn mistakes() {
    let with = |labeler: &str| complaint(&workplace(labeler), &["weak-label", "study.toml", "--out", "weak.jsonl"]);
    insta::assert_snapshot!(with("kind = \"simmetric\""), @"
    error: study.toml: line 17: unknown variant `simmetric`, expected one of `model`, `prompted`, `llm`, `symmetric`, `class-dependent`, `margin`
    hint: did you mean `symmetric`?
    ");
    insta::assert_snapshot!(with(&(model() + "target_accuracy = 0.5")), @r#"
error: study.toml: target_accuracy = 0.5 in [labeler]
hint: it is the share of labels that are right: above 0.5, which is chance, and at most 1
"#);
    insta::assert_snapshot!(with(&(model() + "target_accuracy = 1.01")), @r#"
error: study.toml: target_accuracy = 1.01 in [labeler]
hint: it is the share of labels that are right: above 0.5, which is chance, and at most 1
"#);
    insta::assert_snapshot!(with(&(model() + "proxy = true")), @r#"
error: [labeler] has proxy = true, but no example has a proxy text
hint: leave `proxy` out, or name a task whose examples have a proxy text
"#);
    insta::assert_snapshot!(with("model = \"nowhere\""), @r#"
error: there is no folder nowhere
hint: a checkpoint is a folder in the Hugging Face layout, or organisation/name of a repository of the Hugging Face Hub (with @revision, if not its newest)
"#);
    let slow = model().replace("5e-3", "1e-6") + "target_accuracy = 0.9";
    let unreached = with(&slow);
    let nearest = unreached.split("had ").nth(1).and_then(|rest| rest.split(" steps").next()).unwrap();
    insta::assert_snapshot!(unreached.replace(nearest, "[…]"), @r#"
error: the weak labeler could not be trained, or not label
  because: no checkpoint of the weak labeler comes near the accuracy 0.9: the nearest had […] steps
hint: choose a `target_accuracy` between one half and what the labeler reaches without one, or give [labeler] more `epochs`, another `learning_rate` or a larger `model`
"#);

    let no_labeler = Workplace::new();
    insta::assert_snapshot!(complaint(&no_labeler, &["weak-label", "study.toml", "--out", "weak.jsonl"]), @r#"
error: the study "small" has no [labeler]
hint: add a [labeler] table with the model that makes the weak labels: model = "organisation/name"
"#);

    let no_gold = workplace(&model());
    no_gold.write("train.jsonl", "{\"text\": \"a\", \"weak\": 0.5}\n{\"text\": \"b\", \"weak\": 0.7}\n");
    insta::assert_snapshot!(complaint(&no_gold, &["weak-label", "study.toml", "--out", "weak.jsonl"]), @r#"
error: train.jsonl: there is no column `gold`; the columns are `text`, `weak`
hint: name one of these columns, or add the one that is missing
"#);

    let too_few = workplace(&model());
    too_few.write("train.jsonl", "{\"text\": \"the soup was good .\", \"gold\": 1}\n{\"text\": \"we\", \"gold\": 0}\n");
    insta::assert_snapshot!(complaint(&too_few, &["weak-label", "study.toml", "--out", "weak.jsonl"]), @r#"
error: the labeler is left with 1 gold labels to train on and 1 to validate on
hint: the training data needs more examples with a gold label that the labeler can read: at least 4
"#);

    let small_memory = workplace(&model());
    let arguments = ["sweep", "study.toml", "--memory", "70MiB"];
    insta::assert_snapshot!(complaint(&small_memory, &arguments), @"
    error: training would take 85.4 MiB of memory, and 70.0 MiB are available
    hint: with micro_batch_tokens = 256 in [labeler] it takes 67.3 MiB, which fits
    ");
}
