//! Runs of the published code become records, tables and figures.

use std::fs;
use std::path::Path;

use serde_json::{Value as Json, json};

use crate::workplace::Workplace;

/// Writes a run as the published code does: right on the first `right` of 100 items.
fn published_run(results: &Path, n_weak: usize, n_gold: usize, seed: u64, right: usize) {
    published_run_of(results, TASK, "meta-llama/Meta-Llama-3-8B", [n_weak, n_gold], seed, right);
}

const TASK: &str = "boolq_Qwen1.5-0.5B";

/// The same with any model on any task.
fn published_run_of(results: &Path, task: &str, model: &str, labels: [usize; 2], seed: u64, right: usize) {
    let ([n_weak, n_gold], short) = (labels, model.rsplit('/').next().unwrap());
    let folder = results.join(format!("{task}/nw={n_weak}_no={n_gold}_m={short}_seq_sft_s{seed}"));
    fs::create_dir_all(&folder).unwrap();
    let gold: Vec<f64> = (0..100).map(|item| f64::from(item % 2)).collect();
    let log_odds: Vec<f64> =
        gold.iter().enumerate().map(|(item, gold)| (gold - 0.5) * if item < right { 2.0 } else { -2.0 }).collect();
    let ids: Vec<String> = (0..100).map(|item| format!("item {item}")).collect();
    let results = json!({
        "acc": 0.5, "ids": ids, "calibrated_logodds": log_odds, "gt_soft_labels": gold,
        "reporter": {"method": "ModularSftReporter", "num_weak": n_weak, "num_oracle": n_gold},
    });
    fs::write(folder.join("results.json"), results.to_string()).unwrap();
    fs::write(folder.join("config.json"), json!({ "model": { "name": model } }).to_string()).unwrap();
}

fn workplace() -> Workplace {
    let workplace = Workplace::new();
    let results = workplace.path().join("results");
    for (n_weak, n_gold, right) in [(160, 0, 62), (130, 3, 60), (0, 16, 55), (640, 0, 68), (260, 38, 71), (0, 64, 66)] {
        for seed in [3, 4] {
            published_run(&results, n_weak, n_gold, seed, right + seed as usize);
        }
    }
    // What the published code leaves beside its runs, and a run that was interrupted.
    fs::create_dir_all(results.join("boolq_Qwen1.5-0.5B/weak_train")).unwrap();
    fs::create_dir_all(results.join("boolq_Qwen1.5-0.5B/nw=10_no=15_m=Meta-Llama-3-8B_seq_sft_s3")).unwrap();
    workplace
}

const STUDY: &str = "boolq_Qwen1.5-0.5B_meta-llama_Meta-Llama-3-8B";

#[test]
fn published_results_become_records_tables_and_figures() {
    let workplace = workplace();
    let table = workplace.output_of(&["import", "results", "--out", "imported"]);
    insta::assert_snapshot!(table.lines().take(7).collect::<Vec<_>>().join("\n"), @r#"
    boolq_Qwen1.5-0.5B_meta-llama_Meta-Llama-3-8B: a weak label costs $0.10, a gold label costs $1.

    seq_sft: accuracy by budget and weak spending fraction (mean ± deviation over seeds, * best)
     budget   0             0.4             0.8           1
    ────────────────────────────────────────────────────────────────────
        $16   .585 ± .007   not run         .635 ± .007   .655 ± .007 *
        $64   .695 ± .007   .745 ± .007 *   not run       .715 ± .007
    "#);

    let imported = workplace.path().join("imported");
    let answer: Json =
        serde_json::from_slice(&fs::read(imported.join("studies").join(STUDY).join("answer.json")).unwrap()).unwrap();
    assert_eq!(answer["runs"].as_array().unwrap().len(), 12);
    assert_eq!(answer["regimes"].as_array().unwrap().len(), 2);
    let pdf = fs::read(imported.join("studies").join(STUDY).join("figures/cost_accuracy.pdf")).unwrap();
    assert!(
        pdf.starts_with(b"%PDF-") && imported.join("studies").join(STUDY).join("figures/cost_accuracy.svg").exists()
    );
    let records = fs::read_to_string(imported.join("records.jsonl")).unwrap();
    let first: Json = serde_json::from_str(records.lines().next().unwrap()).unwrap();
    assert_eq!((records.lines().count(), &first["seed"]), (12, &json!(3)));
}

#[test]
fn several_tasks_and_models_are_seen_together() {
    let workplace = Workplace::new();
    let results = workplace.path().join("results");
    for (task, easier) in [("boolq", 0), ("sciq", 4)] {
        for (model, better) in [("Qwen/Qwen1.5-4B", 0), ("meta-llama/Meta-Llama-3-70B", 10)] {
            for (labels, right) in [([160, 0], 62), ([0, 16], 55), ([640, 0], 68), ([0, 64], 66)] {
                for seed in [3, 4] {
                    published_run_of(&results, task, model, labels, seed, right + easier + better);
                }
            }
        }
    }
    let tables = workplace.output_of(&["import", "results", "--out", "imported", "--figures", "svg"]);
    let mean = tables.split("mean of 2 tasks: ").nth(1).unwrap();
    insta::assert_snapshot!(mean.lines().take(6).collect::<Vec<_>>().join("\n"), @r#"
    a weak label costs $0.10, a gold label costs $1.

    seq_sft: accuracy by budget and weak spending fraction (mean ± deviation over seeds, * best)
     budget   0             1
    ──────────────────────────────────────
        $16   .570 ± .000   .640 ± .000 *
    "#);
    let imported = workplace.path().join("imported");
    insta::assert_snapshot!(names(&imported), @r#"
    figures
    mean_Meta-Llama-3-70B
    mean_Qwen1.5-4B
    records.jsonl
    studies
    "#);
    insta::assert_snapshot!(names(&imported.join("figures")), @r#"
    accuracy_by_model_boolq.svg
    accuracy_by_model_mean_of_2_tasks.svg
    accuracy_by_model_sciq.svg
    accuracy_by_task_Meta-Llama-3-70B.svg
    accuracy_by_task_Qwen1.5-4B.svg
    scaling.svg
    "#);
    let scaling = fs::read_to_string(imported.join("figures/scaling.svg")).unwrap();
    assert!(scaling.contains("4B: Qwen1.5-4B") && scaling.contains("70B: Meta-Llama-3-70B"), "sizes are in the names");
}

/// What is in a folder.
fn names(folder: &Path) -> String {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let entries = entries.filter(|name| !name.starts_with('.'));
    let mut names: Vec<String> = entries.collect();
    names.sort();
    names.join("\n")
}

#[test]
fn the_same_runs_at_other_prices_and_budgets() {
    let workplace = workplace();
    let arguments = ["import", "results", "--out", "cheap", "--weak-price", "0.01", "--budgets", "2,10,40"];
    let said = workplace.labelmix(&arguments).assert().success().get_output().stderr.clone();
    let said = String::from_utf8(said).unwrap();
    assert!(said.contains("nw=10_no=15_m=Meta-Llama-3-8B_seq_sft_s3: results.json: No such file"), "{said}");
    // 0 + 64 costs $64, 260 + 38 costs $40.60.
    assert!(said.contains("4 runs cost more than the largest budget"), "{said}");
    let table = fs::read_to_string(workplace.path().join("cheap/studies").join(STUDY).join("table.txt")).unwrap();
    assert!(table.contains("$2:") && table.contains("$10:") && table.contains("$40:"), "{table}");
}

#[test]
fn what_is_no_result_is_refused() {
    let workplace = Workplace::new();
    workplace.write("results/boolq/readme", "nothing");
    insta::assert_snapshot!(workplace.complaint(&["import", "results", "--out", "imported"]), @r#"
    error: results: no folder in it is named like a run (nw=640_no=0_m=MODEL_NAME_s42)
    hint: give the folder `results` that the published code wrote, one of a task in it, or one of a run, with its results.json
    "#);
    insta::assert_snapshot!(workplace.complaint(&["import", "nowhere", "--out", "imported"]), @r#"
    error: nowhere: No such file or directory (os error 2)
    hint: give a folder that holds results of the published code, and that you may read
    "#);
    insta::assert_snapshot!(workplace.complaint(&["import", "results", "--out", "imported", "--gold-price", "0"]), @r#"
    error: the price of a gold label is 0: it must be a positive number of dollars
    hint: check [prices] and [grid] in the study file
    "#);
}
