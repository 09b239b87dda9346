//! Mistakes in the input: each answered with file, row, value and remedy, and exit status 1.

use std::fs;

use crate::workplace::{Workplace, example};

/// Standard error of a command that fails with status 1, with the paths of this machine replaced.
fn complaint(workplace: &Workplace, arguments: &[&str]) -> String {
    let output = workplace.labelmix(arguments).assert().code(1).get_output().clone();
    assert!(output.stdout.is_empty(), "nothing but data goes to standard output");
    let folder = fs::canonicalize(workplace.path()).unwrap();
    String::from_utf8(output.stderr)
        .unwrap()
        .replace(&example().display().to_string(), "[example]")
        .replace(&folder.display().to_string(), "[folder]")
        .trim_end()
        .to_owned()
}

/// What `labelmix sweep` says about the small study with `from` replaced by `to`.
fn with_study(from: &str, to: &str) -> String {
    let workplace = Workplace::new();
    let study = Workplace::study();
    assert!(study.contains(from), "{from:?} is not in the study");
    workplace.write("study.toml", study.replace(from, to));
    complaint(&workplace, &["sweep", "study.toml"])
}

/// What `labelmix sweep` says about a training file of this content.
fn with_training_file(name: &str, content: impl AsRef<[u8]>) -> String {
    let workplace = Workplace::new();
    let study = Workplace::study();
    let old = format!("{}/train.jsonl", example().display());
    workplace.write("study.toml", study.replace(&old, name));
    workplace.write(name, content);
    complaint(&workplace, &["sweep", "study.toml"])
}

#[test]
fn in_the_study() {
    insta::assert_snapshot!(with_study("[grid]", "[grid]\nbudget = [1]"), @"");
    insta::assert_snapshot!(with_study("budgets = [8, 16]", "budgets = [1e6]"), @"");
    insta::assert_snapshot!(with_study("max_test = 100", "text = \"review\""), @"");
    let workplace = Workplace::new();
    insta::assert_snapshot!(complaint(&workplace, &["sweep", "missing.toml"]), @"");
}

#[test]
fn in_the_labels() {
    insta::assert_snapshot!(with_training_file("train.jsonl", "{\"text\": \"a\", \"gold\": 2, \"weak\": 1}\n"), @"");
    insta::assert_snapshot!(with_training_file("train.csv", "text,gold,weak\na,0,0.2\nb,maybe,0.5\n"), @"");
    insta::assert_snapshot!(with_training_file("train.csv", "text,gold,weak\na,0,1.5\n"), @"");
    insta::assert_snapshot!(with_training_file("train.csv", "text,gold,weak\na,0,NaN\n"), @"");
}

#[test]
fn in_the_files() {
    insta::assert_snapshot!(with_training_file("train.jsonl", b"{\"text\": \"a\", \"gold\": 1}\n{\"text\": \"\xff\"}\n"), @"");
    insta::assert_snapshot!(with_training_file("train.jsonl", ""), @"");
    insta::assert_snapshot!(with_training_file("train.csv", "text,gold,weak\na,1,0.9\nb,1,0.8\n"), @"");
}

#[test]
fn in_the_checkpoint() {
    let with_checkpoint = |damage: &dyn Fn(&std::path::Path)| {
        let workplace = Workplace::new();
        let folder = workplace.path().join("checkpoint");
        fs::create_dir(&folder).unwrap();
        for entry in fs::read_dir(example().join("checkpoint")).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), folder.join(entry.file_name())).unwrap();
        }
        damage(&folder);
        let old = format!("{}/checkpoint", example().display());
        workplace.write("study.toml", Workplace::study().replace(&old, "checkpoint"));
        complaint(&workplace, &["sweep", "study.toml"])
    };
    insta::assert_snapshot!(with_checkpoint(&|folder| fs::remove_file(folder.join("model.safetensors")).unwrap()), @"");
    insta::assert_snapshot!(with_checkpoint(&|folder| {
        let path = folder.join("model.safetensors");
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    }), @"");
    insta::assert_snapshot!(with_checkpoint(&|folder| {
        fs::write(folder.join("config.json"), "{\"model_type\": \"mamba\"}").unwrap();
    }), @"");
    insta::assert_snapshot!(with_checkpoint(&|folder| {
        let path = folder.join("config.json");
        let config = fs::read_to_string(&path).unwrap();
        let mut config: serde_json::Value = serde_json::from_str(&config).unwrap();
        config["max_position_embeddings"] = 5.into();
        fs::write(&path, config.to_string()).unwrap();
    }), @"");
}

#[test]
fn in_the_place_for_results() {
    let workplace = Workplace::new();
    workplace.write("a-file", "");
    insta::assert_snapshot!(complaint(&workplace, &["sweep", "study.toml", "--store", "a-file/store"]), @"");
    let arguments = ["predict", "--run", "nowhere", "--input", "x.jsonl", "--output", "y.jsonl"];
    insta::assert_snapshot!(complaint(&workplace, &arguments), @"");
}

#[test]
fn a_budget_beyond_the_pools_is_reported_and_the_others_run() {
    let workplace = Workplace::new();
    workplace.write("study.toml", Workplace::study().replace("[8, 16]", "[8, 100000]").replace("[0, 1]", "[0]"));
    let answer: serde_json::Value =
        serde_json::from_str(&workplace.output_of(&["sweep", "study.toml", "--json"])).unwrap();
    assert_eq!(answer["runs"].as_array().unwrap().len(), 3);
    let not_affordable = answer["not_affordable"].as_array().unwrap();
    assert_eq!(not_affordable.len(), 3);
    let reason = not_affordable[0]["reason"].as_str().unwrap();
    assert!(reason.contains("100000 gold labels wanted") && reason.contains("for sale"), "{reason}");
}
