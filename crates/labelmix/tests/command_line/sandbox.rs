//! The demo, and pretraining.

use std::fs;
use std::path::Path;

use serde_json::Value as Json;

use crate::workplace::Workplace;

#[test]
fn the_demo_does_the_whole_job() {
    let workplace = Workplace::new();
    let said = workplace.output_of(&["demo", "--fast", "--out", "demo"]);
    let in_order = [
        "Labels are to bring out what it knows",
        "demo: a weak label costs $0.10 and is right .",
        "seq-sft: accuracy by budget and weak spending fraction",
        "seq-sft: probability that each way to spend a budget is best",
        "Pareto frontier of cost and accuracy",
        "Control: a model of the same shape that never saw the corpus is right ",
        "Report: demo/report",
        "labelmix sweep my-study.toml",
    ];
    let mut rest = said.as_str();
    for part in in_order {
        let (_, after) = rest.split_once(part).unwrap_or_else(|| panic!("{part:?} is missing in:\n{rest}"));
        rest = after;
    }
    for file in
        ["strong/model.safetensors", "untrained/config.json", "train.jsonl", "control.toml", "report/answer.json"]
    {
        assert!(workplace.path().join("demo").join(file).exists(), "{file}");
    }

    // The folder works with the other commands, and nothing is done twice.
    let answer = workplace.output_of(&["sweep", "demo/study.toml", "--json"]);
    assert_eq!(answer, fs::read_to_string(workplace.path().join("demo/report/answer.json")).unwrap());
    let by_relation = workplace.output_of(&["label-report", "demo/study.toml", "--by", "relation", "--out", "labels"]);
    assert!(by_relation.contains("by relation") && by_relation.contains("instrument"), "{by_relation}");
    assert_eq!(workplace.output_of(&["demo", "--fast", "--out", "demo"]), said);
}

#[test]
fn what_the_model_knows_comes_from_pretraining() {
    let workplace = Workplace::new();
    workplace.output_of(&["demo", "--fast", "--out", "demo"]);
    let study = fs::read_to_string(workplace.path().join("demo/study.toml")).unwrap();
    let best = |model: &str| -> f64 {
        let study = study.replace("budgets = [16, 64]", "budgets = [256]").replace("[0.0, 0.4, 1.0]", "[0.0]");
        let study = study.replace("total_examples = 640", "total_examples = 3000").replace("\"strong\"", model);
        workplace.write("demo/one.toml", study);
        let answer: Json = serde_json::from_str(&workplace.output_of(&["sweep", "demo/one.toml", "--json"])).unwrap();
        answer["budgets"][0]["accuracy_mean"].as_f64().unwrap()
    };
    let (pretrained, untrained) = (best("\"strong\""), best("\"untrained\""));
    assert!(pretrained > 0.75 && untrained < 0.6, "{pretrained} and {untrained}");
}

#[test]
fn pretraining_writes_checkpoints_that_other_commands_read() {
    let workplace = Workplace::new();
    let said = workplace.output_of(&["sandbox", "pretrain", "--steps", "2", "--seed", "3", "--out", "world"]);
    assert!(said.contains("world/strong: ") && said.contains("world/weak: ") && said.contains("loss of the object"));
    let card: Json =
        serde_json::from_str(&fs::read_to_string(workplace.path().join("world/card.json")).unwrap()).unwrap();
    for model in ["strong", "weak"] {
        assert_eq!(card[model]["statements"].as_array().unwrap().len(), 6);
        let about = workplace.output_of(&["inspect", Path::new("world").join(model).to_str().unwrap()]);
        assert!(about.to_lowercase().contains("llama"), "{about}");
    }
    let again = Workplace::new();
    again.output_of(&["sandbox", "pretrain", "--steps", "2", "--seed", "3", "--out", "world"]);
    let weights = |place: &Workplace| fs::read(place.path().join("world/strong/model.safetensors")).unwrap();
    assert_eq!(weights(&workplace), weights(&again));
    let complaint = workplace.complaint(&["sandbox", "pretrain", "--steps", "2", "--out", "study.toml"]);
    assert!(complaint.contains("study.toml"), "{complaint}");
}
