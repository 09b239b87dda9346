//! Mistakes in the input: each answered with file, row, value and remedy, and exit status 1.

use std::fs;

use crate::workplace::{Workplace, example};

/// What `labelmix sweep` says about the small study with `from` replaced by `to`.
fn with_study(from: &str, to: &str) -> String {
    let workplace = Workplace::new();
    let study = Workplace::study();
    assert!(study.contains(from), "{from:?} is not in the study");
    workplace.write("study.toml", study.replace(from, to));
    workplace.complaint(&["sweep", "study.toml"])
}

/// What `labelmix sweep` says about a training file of this content.
fn with_training_file(name: &str, content: impl AsRef<[u8]>) -> String {
    let workplace = Workplace::new();
    let study = Workplace::study();
    let old = format!("{}/train.jsonl", example().display());
    workplace.write("study.toml", study.replace(&old, name));
    workplace.write(name, content);
    workplace.complaint(&["sweep", "study.toml"])
}

#[test]
fn in_the_study() {
    insta::assert_snapshot!(with_study("[grid]", "[grid]\nbudget = [1]"), @r#"
error: study.toml: line 9: unknown field `budget`, expected one of `budgets`, `weak_fractions`, `weak_counts`, `gold_counts`, `seeds`
hint: did you mean `budgets`?
"#);
    insta::assert_snapshot!(with_study("budgets = [8, 16]", "budgets = [0.01]"), @"
    train: [example]/train.jsonl: 3,200 rows, 3,200 kept
           dropped: nothing
           labels: 3,200 gold, 3,200 weak, 3,200 both (weak agrees with gold in 75.2%)
           gold:   1,600 of class 0, 1,600 of class 1 (50.0%)
           weak:   1,516 of class 0, 1,684 of class 1 (52.6%); balancing takes 168 of class 1 off sale
    test:  [example]/test.jsonl: 600 rows, 100 kept (50 of class 0, 50 of class 1)
           dropped: 500 beyond the test set's size
           labels: 100 gold, 100 weak, 100 both (weak agrees with gold in 72.0%)
    error: no point of the grid can be bought: the budget buys no label
    hint: change the budgets of [grid], or get more labels; where balancing the classes left too few, `balance = false` in [task] sells all, and a `gold_pool` there sets texts with both labels aside for gold
    ");
    insta::assert_snapshot!(with_study("max_test = 100", "text = \"review\""), @"
    error: [example]/train.jsonl, line 1: there is no column `review`; the columns are `gold`, `text`, `weak`
    hint: name one of these columns, or add the one that is missing
    ");
    let workplace = Workplace::new();
    insta::assert_snapshot!(workplace.complaint(&["sweep", "missing.toml"]), @r#"
error: missing.toml: No such file or directory (os error 2)
hint: give the path of a study file (TOML)
"#);
}

#[test]
fn in_the_labels() {
    insta::assert_snapshot!(with_training_file("train.jsonl", "{\"text\": \"a\", \"gold\": 2, \"weak\": 1}\n"), @"
    error: train.jsonl, line 1, column `gold`: `2` is not a gold label
    hint: a gold label is 0 or 1 (or false, true); leave the cell empty where there is none. Other values can be named in [task]: `values = { no = 0, yes = 1 }`
    ");
    insta::assert_snapshot!(with_training_file("train.csv", "text,gold,weak\na,0,0.2\nb,maybe,0.5\n"), @"
    error: train.csv, line 3, column `gold`: `maybe` is not a gold label
    hint: say in [task] which is class 0 and which class 1: `values = { 0 = 0, maybe = 1 }`
    ");
    insta::assert_snapshot!(with_training_file("train.csv", "text,gold,weak\na,0,1.5\n"), @"
    error: train.csv, line 2, column `weak`: `1.5` is not a weak label
    hint: a weak label is the probability of class 1, from 0 to 1 (or 0, 1, false, true); leave the cell empty where there is none. Other values can be named in [task]: `values = { no = 0, yes = 1 }`
    ");
    insta::assert_snapshot!(with_training_file("train.csv", "text,gold,weak\na,0,NaN\n"), @r#"
    error: train.csv, line 2, column `weak`: `NaN` is not a weak label
    hint: say in [task] which marks are no label: `missing = ["NaN"]`
    "#);
}

#[test]
fn in_the_files() {
    insta::assert_snapshot!(with_training_file("train.jsonl", b"{\"text\": \"a\", \"gold\": 1, \"weak\": 1}\n{\"text\": \"\xff\"}\n"), @r#"
    error: train.jsonl, line 2: byte 0xFF at offset 46 of the file is not valid UTF-8
    hint: if the file is in windows-1252, say so: `encoding = "windows-1252"` in [task] of the study or [local] of a task file, `--encoding windows-1252` for a file named on the command line; or save the file as UTF-8
    "#);
    insta::assert_snapshot!(with_training_file("train.jsonl", ""), @r#"
error: train.jsonl: the file has no rows
hint: check that it was written completely: it needs a row for each example
"#);
    insta::assert_snapshot!(with_training_file("train.csv", "text,gold,weak\na,1,0.9\nb,1,0.8\n"), @"
    train: train.csv: 2 rows, 2 kept
           dropped: nothing
           labels: 2 gold, 2 weak, 2 both (weak agrees with gold in 100.0%)
           gold:   0 of class 0, 2 of class 1 (100.0%); balancing takes 2 of class 1 off sale
           weak:   0 of class 0, 2 of class 1 (100.0%); balancing takes 2 of class 1 off sale
    test:  [example]/test.jsonl: 600 rows, 100 kept (50 of class 0, 50 of class 1)
           dropped: 500 beyond the test set's size
           labels: 100 gold, 100 weak, 100 both (weak agrees with gold in 72.0%)
    error: train.csv: all 2 examples are of class 1
    hint: both classes, 0 and 1, are needed: check the label columns, or add examples of the other class
    ");
}

#[test]
fn in_the_checkpoint() {
    let with_checkpoint = |damage: &dyn Fn(&std::path::Path)| {
        let workplace = Workplace::new();
        damage(&workplace.own_checkpoint());
        let old = format!("{}/checkpoint", example().display());
        workplace.write("study.toml", Workplace::study().replace(&old, "checkpoint"));
        workplace.complaint(&["sweep", "study.toml"])
    };
    insta::assert_snapshot!(with_checkpoint(&|folder| fs::remove_file(folder.join("model.safetensors")).unwrap()), @r#"
error: checkpoint: it has no model.safetensors
hint: its weights are missing, or kept in another format: load it with transformers, call save_pretrained, and name the folder; or name a revision that has them (organisation/name@revision)
"#);
    insta::assert_snapshot!(with_checkpoint(&|folder| {
        let path = folder.join("model.safetensors");
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    }), @r#"
error: checkpoint/model.safetensors: not a whole safetensors file (incomplete metadata, file not fully covered)
hint: download or copy the checkpoint again; this one is incomplete or damaged
"#);
    insta::assert_snapshot!(with_checkpoint(&|folder| {
        fs::write(folder.join("config.json"), "{\"model_type\": \"mamba\"}").unwrap();
    }), @r#"
error: checkpoint/config.json: unknown architecture "mamba"
hint: the architectures that can be run are: bert, camembert, distilbert, gemma, gemma2, gemma3_text, gpt2, gpt_neox, llama, mistral, modernbert, qwen2, qwen3, roberta, xlm-roberta
"#);
    insta::assert_snapshot!(with_checkpoint(&|folder| {
        let path = folder.join("config.json");
        let config = fs::read_to_string(&path).unwrap();
        let mut config: serde_json::Value = serde_json::from_str(&config).unwrap();
        config["max_position_embeddings"] = 5.into();
        fs::write(&path, config.to_string()).unwrap();
    }), @r#"
error: the text "i came by train . the garden was simply perfect . the staff …" has 20 tokens; at most 5 are read
hint: set `too_long` in the study's [model] table: "drop" leaves such texts out, "cut" cuts them to the limit, which is `max_length` there, or what the model reads
"#);
}

#[test]
fn in_the_place_for_results() {
    let workplace = Workplace::new();
    workplace.write("a-file", "");
    insta::assert_snapshot!(workplace.complaint(&["sweep", "study.toml", "--store", "a-file/store"]), @r#"
error: the store a-file/store/stages: Not a directory (os error 20)
hint: choose a folder that you may write to, on a disk with space, with --store
"#);
    let arguments = ["predict", "--run", "nowhere", "--input", "x.jsonl", "--output", "y.jsonl"];
    insta::assert_snapshot!(workplace.complaint(&arguments), @r#"
error: nowhere holds no finished run
hint: give a folder of the store's runs/, such as the ones that `labelmix sweep` lists with --json
"#);
}

#[test]
fn a_budget_beyond_the_pools_buys_all_that_there_is() {
    let workplace = Workplace::new();
    workplace.write("study.toml", Workplace::study().replace("[8, 16]", "[8, 100000]").replace("[0, 1]", "[0]"));
    let answer: serde_json::Value =
        serde_json::from_str(&workplace.output_of(&["sweep", "study.toml", "--json"])).unwrap();
    // Of what the larger budget affords it buys all that there are: all gold labels, all weak ones, and all divided.
    let runs = answer["runs"].as_array().unwrap();
    let bought = |kind: &str| runs.iter().map(|run| run[kind].as_u64().unwrap()).collect::<Vec<_>>();
    assert_eq!((runs.len(), answer["not_affordable"].as_array().unwrap().len()), (6, 0));
    assert_eq!((bought("n_gold").into_iter().max(), bought("n_weak").into_iter().max()), (Some(3200), Some(3032)));
}
