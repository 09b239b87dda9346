//! What `predict` writes: the rows of the input, and what the classifier makes of them.

use std::fs;

use serde_json::Value as Json;

use crate::workplace::Workplace;

const RUN: &str = "labelmix-store/runs/small/seq-sft_w0_g8_s0";

fn with_a_run() -> Workplace {
    let workplace = Workplace::new();
    let study = Workplace::study().replace("budgets = [8, 16]", "budgets = [8]").replace("[0.0, 0.5, 1.0]", "[0.0]");
    workplace.write("study.toml", study);
    workplace.output_of(&["sweep", "study.toml"]);
    workplace
}

fn predict(workplace: &Workplace, input: &str, output: &str) -> [String; 2] {
    workplace.said(&["predict", "--run", RUN, "--input", input, "--output", output], 0)
}

#[test]
fn rows_keep_their_columns_and_their_places() {
    let workplace = with_a_run();
    let read = |name: &str| fs::read_to_string(workplace.path().join(name)).unwrap();
    let lines = "{\"n\": 1.50, \"meta\": {\"b\": [1], \"a\": null}, \"text\": \"the soup was good .\"}\n\
                 {\"text\": null, \"late\": \"007\"}\n\
                 {\"text\": \"the bread was dull .\", \"label\": 1}\n";
    workplace.write("new.jsonl", lines);
    let [said, told] = predict(&workplace, "new.jsonl", "out.jsonl");
    assert!(said.is_empty());
    insta::assert_snapshot!(told, @"
    the input has a column `label`: that of the predictions is `labelmix_label`
    2 predictions written to out.jsonl
    rows without a text, and so without a prediction: 1
    ");
    let out = read("out.jsonl");
    for (before, after) in lines.lines().zip(out.lines()) {
        assert!(after.starts_with(before.strip_suffix('}').unwrap()), "{after}");
    }
    let rows: Vec<Json> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows[2]["label"], 1);
    assert!(rows[2]["labelmix_label"].is_u64() && rows[0]["log_odds"].is_f64());
    for column in ["labelmix_id", "labelmix_label", "probability", "log_odds"] {
        assert_eq!(rows[1][column], Json::Null);
    }

    // The same in every other format.
    predict(&workplace, "new.jsonl", "out.csv");
    let table = read("out.csv");
    let header = "n,meta,text,late,label,labelmix_id,labelmix_label,probability,log_odds";
    assert_eq!(table.lines().next(), Some(header));
    assert!(table.lines().nth(2).unwrap().ends_with(",007,,,,,"), "{table}");
    for name in ["out.parquet", "out.arrow", "out.tsv.gz", "out.json", "out.xlsx"] {
        predict(&workplace, "new.jsonl", name);
    }
    predict(&workplace, "out.parquet", "again.jsonl");
    let again: Vec<Json> = read("again.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for (row, again) in rows.iter().zip(&again) {
        assert_eq!(row["log_odds"], again["log_odds"]);
        assert_eq!((&row["log_odds"], &row["labelmix_id"]), (&again["labelmix_log_odds"], &again["labelmix_id_2"]));
    }
}

#[test]
fn outputs_that_cannot_be_written() {
    let workplace = with_a_run();
    workplace.write("new.jsonl", "{\"text\": \"the soup was good .\"}\n");
    let refused =
        |output: &str| workplace.complaint(&["predict", "--run", RUN, "--input", "new.jsonl", "--output", output]);
    insta::assert_snapshot!(refused("out.xls"), @"
    error: out.xls: the name says no format in which a table can be written
    hint: end it in .jsonl, .json, .csv or .tsv (each also with .gz or .zst behind it), .parquet, .arrow, .feather or .xlsx
    ");
    insta::assert_snapshot!(refused("out.parquet.gz"), @"
    error: out.parquet.gz: Parquet files are not compressed from outside
    hint: leave the last ending away
    ");
}
