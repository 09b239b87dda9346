//! Sweep, report, predict.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value as Json;

use crate::workplace::Workplace;

#[test]
fn a_sweep_answers_as_json() {
    let workplace = Workplace::new();
    let answer: Json = serde_json::from_str(&workplace.output_of(&["sweep", "study.toml", "--json"])).unwrap();
    // Two budgets, three fractions: six allocations, of which none fall together; two seeds.
    let runs = answer["runs"].as_array().unwrap();
    assert_eq!(runs.len(), 12);
    for run in runs {
        let cost = run["n_weak"].as_f64().unwrap() * 0.1 + run["n_gold"].as_f64().unwrap();
        assert!((run["cost_usd"].as_f64().unwrap() - cost).abs() < 1e-9);
        let accuracy = run["accuracy"].as_f64().unwrap();
        assert!(run["accuracy_low"].as_f64().unwrap() < accuracy && accuracy < run["accuracy_high"].as_f64().unwrap());
        for field in ["method", "task", "model", "seed", "auroc"] {
            assert!(!run[field].is_null(), "{field}");
        }
    }
    let budgets = answer["budgets"].as_array().unwrap();
    assert_eq!(budgets.len(), 6);
    assert_eq!(budgets.iter().filter(|row| row["best"] == true).count(), 2);
    for row in budgets {
        for field in ["method", "budget_usd", "weak_fraction", "n_weak", "n_gold", "accuracy_mean", "accuracy_sd"] {
            assert!(!row[field].is_null(), "{field}");
        }
        assert_eq!(row["seeds"], 2);
    }
    for point in answer["frontier"].as_array().unwrap() {
        for field in ["cost_usd", "accuracy", "method", "n_weak", "n_gold"] {
            assert!(!point[field].is_null(), "{field}");
        }
    }
    assert!(!answer["frontier"].as_array().unwrap().is_empty());
}

#[test]
fn the_number_of_jobs_changes_no_byte_and_a_second_run_trains_nothing() {
    let workplace = Workplace::new();
    let one = workplace.output_of(&["sweep", "study.toml", "--json", "--jobs", "1", "--store", "one"]);
    let two = workplace.output_of(&["sweep", "study.toml", "--json", "--jobs", "2", "--store", "two"]);
    assert_eq!(one, two);
    let stages = |store: &str| -> BTreeSet<(String, Vec<u8>)> {
        fs::read_dir(workplace.path().join(store).join("stages"))
            .unwrap()
            .map(|entry| {
                let folder = entry.unwrap();
                let weights = fs::read(folder.path().join("adapter_model.safetensors")).unwrap();
                (folder.file_name().into_string().unwrap(), weights)
            })
            .collect()
    };
    // Per seed: all gold (2), all weak (2), weak then gold (2 · 2), of which the weak half of $16 is all of $8.
    assert_eq!(stages("one").len(), 14);
    assert_eq!(stages("one"), stages("two"));

    let again = workplace.labelmix(&["sweep", "study.toml", "--json", "--store", "one"]).assert().success();
    let output = again.get_output();
    assert_eq!(String::from_utf8_lossy(&output.stdout), one);
    assert!(!String::from_utf8_lossy(&output.stderr).contains("14/14 stages"), "nothing was left to train");
}

#[test]
fn new_prices_train_nothing_anew() {
    let workplace = Workplace::new();
    let before = workplace.output_of(&["sweep", "study.toml", "--json"]);
    let stages = || fs::read_dir(workplace.path().join("labelmix-store/stages")).unwrap().count();
    let count = stages();
    // Half the price and half the budgets buy the same labels.
    let study = Workplace::study().replace("budgets = [8, 16]", "budgets = [4, 8]");
    workplace.write("study.toml", study + "[prices]\nweak = 0.05\ngold = 0.5\n");
    let after = workplace.output_of(&["sweep", "study.toml", "--json"]);
    assert_eq!(stages(), count);
    let accuracies = |text: &str| -> Vec<Json> {
        let answer: Json = serde_json::from_str(text).unwrap();
        answer["runs"].as_array().unwrap().iter().map(|run| run["accuracy"].clone()).collect()
    };
    assert_eq!(accuracies(&before), accuracies(&after));
}

#[test]
fn a_report_and_predictions_from_a_finished_run() {
    let workplace = Workplace::new();
    let table = workplace.output_of(&["sweep", "study.toml"]);
    assert!(table.contains("$16"), "{table}");
    let written = workplace.output_of(&["report", "study.toml", "--out", "report"]);
    for path in written.lines() {
        assert!(fs::metadata(workplace.path().join(path)).unwrap().len() > 0, "{path}");
    }
    assert!(written.contains(".svg") && written.contains("answer.json"), "{written}");

    workplace.write("new.csv", "review,stars\n\"the soup was good , and warm\",5\nthe staff were slow,1\n");
    let run = "labelmix-store/runs/small/seq-sft_w80_g8_s0";
    let arguments =
        ["predict", "--run", run, "--input", "new.csv", "--text", "review", "--output", "predictions.jsonl"];
    workplace.labelmix(&arguments).assert().success();
    let predictions = fs::read_to_string(workplace.path().join("predictions.jsonl")).unwrap();
    let rows: Vec<Json> = predictions.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.len(), 2);
    for row in &rows {
        let (log_odds, probability) = (row["log_odds"].as_f64().unwrap(), row["probability"].as_f64().unwrap());
        assert!((probability - 1.0 / (1.0 + (-log_odds).exp())).abs() < 1e-6);
        assert_eq!(row["label"], u8::from(log_odds > 0.0));
    }
    let id = labelmix_data::ExampleId::of("the staff were slow").to_string();
    let kept = [&rows[1]["review"], &rows[1]["stars"], &rows[1]["labelmix_id"]];
    assert_eq!(kept, ["the staff were slow", "1", &id]);
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    let workplace = Workplace::new();
    workplace.output_of(&["sweep", "study.toml", "--json"]);
    let mut child = std::process::Command::new(assert_cmd::cargo::cargo_bin!("labelmix"))
        .current_dir(workplace.path())
        .args(["sweep", "study.toml", "--json"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    assert!(child.wait().unwrap().success());
}
