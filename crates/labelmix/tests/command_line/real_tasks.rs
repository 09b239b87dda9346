//! `labelmix tasks check` on real rows, where they are at hand. What the rows become is tested in `labelmix-data`;
//! here, that the command says the same.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use crate::workplace::Workplace;

/// The folder of a real dataset beside the checkout; `None`, with a message, where it is missing.
fn shared_data(dataset: &str) -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data").join(dataset);
    if folder.is_dir() {
        return Some(fs::canonicalize(folder).unwrap());
    }
    eprintln!("skipped: {} is not there", folder.display());
    None
}

fn checked(workplace: &Workplace, arguments: &[&str]) -> Json {
    serde_json::from_str(&workplace.output_of(&[&["tasks", "check"], arguments, &["--json"]].concat())).unwrap()
}

/// Training rows and examples for sale, test rows and test examples.
fn sizes(check: &Json) -> [u64; 4] {
    let summary = &check["summary"];
    let number = |split: &str, what: &str| summary[split][what].as_u64().unwrap();
    [number("train", "rows"), number("train", "kept"), number("test", "rows"), number("test", "kept")]
}

#[test]
fn tasks_whose_splits_are_there() {
    let workplace = Workplace::new();
    for (task, expected) in [
        ("cola", [8551, 5030, 1043, 644]),
        ("sciq", [10_679, 10_652, 3000, 2988]),
        ("social_i_qa", [33_410, 33_258, 1954, 1908]),
        ("mc_taco", [9442, 6396, 3783, 2458]),
        ("mmlu", [12_858, 12_714, 3000, 2980]),
    ] {
        let Some(folder) = shared_data(task) else { continue };
        let check = checked(&workplace, &[task, "--folder", &folder.display().to_string()]);
        assert_eq!(sizes(&check), expected, "{task}");
        let classes: Vec<u64> =
            check["examples"].as_array().unwrap().iter().map(|example| example["class"].as_u64().unwrap()).collect();
        assert_eq!(classes, [0, 0, 0, 1, 1, 1], "{task}");
    }
}

#[test]
fn tasks_of_which_only_the_validation_split_is_there() {
    let workplace = Workplace::new();
    if let Some(folder) = shared_data("boolq") {
        let folder = folder.display().to_string();
        let said = workplace.complaint(&["tasks", "check", "boolq", "--folder", &folder]).replace(&folder, "[data]");
        insta::assert_snapshot!(said, @r#"
error: [data] has no split `train`; its splits are `validation`
hint: name one of these in the task's [splits]
"#);
    }
    if let Some(folder) = shared_data("hellaswag") {
        let task = format!(
            "description = \"Endings\"\ntemplate = \"{{{{ ctx }}}}\\n\\nProposed ending: {{{{ answer }}}}\"\n\
             [local]\nfolder = \"{}\"\n[splits]\npooled = \"validation\"\ntest_size = 1000\n\
             [multiple_choice]\noptions = \"endings\"\nanswer = \"label\"\n",
            folder.display()
        );
        workplace.write("mine.toml", task);
        let [train, _, test, _] = sizes(&checked(&workplace, &["mine.toml"]));
        assert_eq!((train, test), (9042, 1000));
    }
}

#[test]
fn lengths_in_tokens_of_a_real_model() {
    let Some(model) = std::env::var_os("LABELMIX_TEST_MINILM") else {
        eprintln!("skipped: LABELMIX_TEST_MINILM names no model");
        return;
    };
    let Some(folder) = shared_data("cola") else { return };
    let workplace = Workplace::new();
    let [folder, model] = [folder, model.into()].map(|path: PathBuf| path.display().to_string());
    let tokens = &checked(&workplace, &["cola", "--folder", &folder, "--model", &model])["tokens"];
    assert_eq!((&tokens["context"], &tokens["train"]["beyond_context"]), (&512.into(), &0.into()));
    let [median, most] = ["median", "percentile_95"].map(|what| tokens["train"][what].as_u64().unwrap());
    assert!(2 < median && median < most && most < tokens["train"]["largest"].as_u64().unwrap(), "{tokens}");
}
