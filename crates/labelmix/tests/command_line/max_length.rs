//! `max_length` in `[model]`: a limit for texts below what the model reads.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value as Json;

use crate::workplace::{Workplace, example};

/// A small study with these lines in `[model]`.
fn study(model: &str) -> String {
    Workplace::study()
        .replace("budgets = [8, 16]", "budgets = [8]")
        .replace("[0.0, 0.5, 1.0]", "[0.0]")
        .replace("seeds = [0, 1]", "seeds = [0]")
        .replace("total_examples = 600", "total_examples = 100")
        .replace("[model]\n", &format!("[model]\n{model}\n"))
}

/// The stages of a study's sweep, in a store of its own.
fn stages(workplace: &Workplace, model: &str, store: &str) -> BTreeSet<String> {
    workplace.write("study.toml", study(model));
    workplace.output_of(&["sweep", "study.toml", "--store", store, "--json"]);
    let stages = fs::read_dir(workplace.path().join(store).join("stages")).unwrap();
    stages.map(|stage| stage.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn a_limit_that_shortens_nothing_leaves_results_as_they_are() {
    let workplace = Workplace::new();
    let plain = stages(&workplace, "", "plain");
    // No text of the example is so long.
    assert_eq!(stages(&workplace, "max_length = 100", "long"), plain);
    assert_eq!(stages(&workplace, "max_length = 256", "whole"), plain);
    // Where texts are cut, a limit is part of what a stage is, but for the model's own.
    let cut = stages(&workplace, "too_long = \"cut\"", "cut");
    assert_eq!(stages(&workplace, "too_long = \"cut\"\nmax_length = 256", "cut-whole"), cut);
    assert_ne!(stages(&workplace, "too_long = \"cut\"\nmax_length = 8", "cut-short"), cut);
}

#[test]
fn longer_texts_are_refused_left_out_or_cut() {
    let workplace = Workplace::new();
    workplace.write("study.toml", study("max_length = 12"));
    let complaint = workplace.complaint(&["sweep", "study.toml"]);
    assert!(
        complaint.starts_with("error: the text \"") && complaint.contains(" tokens; at most 12 are read\n"),
        "{complaint}"
    );
    workplace.write("study.toml", study("max_length = 18\ntoo_long = \"drop\""));
    let [_, said] = workplace.said(&["sweep", "study.toml"], 0);
    assert!(said.contains("left out as longer than the model's context or `max_length`: "), "{said}");
    workplace.write("study.toml", study("max_length = 300"));
    insta::assert_snapshot!(workplace.complaint(&["sweep", "study.toml"]), @"
    error: `max_length` = 300: the model reads from 2 to 256 tokens
    hint: set `max_length` in the study's [model] table to a number in between, or leave it out for all that the model reads
    ");
}

#[test]
fn predictions_keep_to_the_limit_of_the_run() {
    let workplace = Workplace::new();
    stages(&workplace, "max_length = 12\ntoo_long = \"cut\"", "store");
    let run = "store/runs/small/seq-sft_w0_g8_s0";
    let input = example().join("test.jsonl").display().to_string();
    let predict = |more: &[&str]| {
        [&["predict", "--run", run, "--input", &*input, "--output", "out.jsonl"], more].concat().join("\n")
    };
    let refused = predict(&[]);
    let refused: Vec<&str> = refused.lines().collect();
    let complaint = workplace.complaint(&refused);
    assert!(complaint.contains("at most 12 are read"), "{complaint}");
    let cut = predict(&["--cut"]);
    let cut: Vec<&str> = cut.lines().collect();
    workplace.output_of(&cut);
    let run: Json =
        serde_json::from_str(&fs::read_to_string(workplace.path().join(run).join("run.json")).unwrap()).unwrap();
    assert_eq!((&run["max_length"], &run["too_long"]), (&12.into(), &"cut".into()));
    let stage = workplace.path().join("store/stages").join(run["stages"][0].as_str().unwrap());
    let kept: Json = serde_json::from_str(&fs::read_to_string(stage.join("test_log_odds.json")).unwrap()).unwrap();
    let predictions = fs::read_to_string(workplace.path().join("out.jsonl")).unwrap();
    let mut found = 0;
    for line in predictions.lines() {
        let row: Json = serde_json::from_str(line).unwrap();
        let id = labelmix_data::ExampleId::of(row["text"].as_str().unwrap()).to_string();
        if let Some(place) = kept["ids"].as_array().unwrap().iter().position(|kept| *kept == id) {
            let (ours, kept) = (row["log_odds"].as_f64().unwrap(), kept["log_odds"][place].as_f64().unwrap());
            assert!((ours - kept).abs() < 1e-5, "{id}");
            found += 1;
        }
    }
    assert!(found >= 100, "{found}");
}
