//! Other engines than the one of this process.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use serde_json::Value as Json;

use crate::interruption::{Chance, Undisturbed, disturbances};
use crate::workplace::{Workplace, example, python_with};

/// A Python with torch and transformers, if there is one.
pub(crate) fn interpreter() -> Option<String> {
    python_with("torch, transformers")
}

/// The text of the small study, on torch.
pub(crate) fn on_torch(python: &str) -> String {
    Workplace::study() + &format!("[engine]\nkind = \"torch\"\npython = {python:?}\n")
}

/// Everything here says itself which program may be run.
const ALLOWED: [(&str, &str); 1] = [("LABELMIX_ALLOW_COMMAND", "1")];

/// The log-odds of every run's test set, by the run's name.
fn log_odds(workplace: &Workplace, store: &str, study: &str) -> BTreeMap<String, Vec<f64>> {
    let read = |path: std::path::PathBuf| -> Json { serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap() };
    let store = workplace.path().join(store);
    let runs = fs::read_dir(store.join("runs").join(study)).unwrap();
    let runs = runs.map(|run| {
        let run = run.unwrap();
        let file = read(run.path().join("run.json"));
        let last = file["stages"].as_array().unwrap().last().unwrap().as_str().unwrap().to_owned();
        let kept = read(store.join("stages").join(last).join("test_log_odds.json"));
        (run.file_name().into_string().unwrap(), serde_json::from_value(kept["log_odds"].clone()).unwrap())
    });
    runs.collect()
}

/// The demo: a labeler that is trained, and every mix.
#[test]
fn a_whole_study_on_torch_comes_out_as_it_does_here() {
    let Some(python) = interpreter() else { return };
    let workplace = Workplace::new();
    workplace.output_of(&["demo", "--fast", "--out", "demo"]);
    let sweep = ["sweep", "demo/study.toml", "--engine", "torch", "--store", "torch", "--json"];
    let output = workplace.labelmix(&sweep).env("LABELMIX_PYTHON", &python).assert().success().get_output().clone();
    let [here, there]: [Json; 2] = [
        serde_json::from_str(&workplace.output_of(&["sweep", "demo/study.toml", "--json"])).unwrap(),
        serde_json::from_slice(&output.stdout).unwrap(),
    ];
    assert_eq!(here["regimes"], there["regimes"]);
    let [ours, theirs] = ["demo/labelmix-store", "torch"].map(|store| log_odds(&workplace, store, "demo"));
    assert_eq!(ours.keys().collect::<Vec<_>>(), theirs.keys().collect::<Vec<_>>());
    for (run, ours) in &ours {
        let other = ours.iter().zip(&theirs[run]).filter(|(ours, theirs)| (**ours > 0.0) != (**theirs > 0.0)).count();
        assert!(other * 1000 <= 2 * ours.len(), "{run}: {other} of {} texts are of another class", ours.len());
    }
}

#[test]
fn a_killed_sweep_on_torch_goes_on_to_the_same_bytes() {
    let Some(python) = interpreter() else { return };
    let undisturbed = Undisturbed::with(&on_torch(&python), &ALLOWED);
    let mut chance = Chance::new();
    for _ in 0..disturbances(2) {
        let mut child = undisturbed.disturb_after_a_while(&mut chance);
        child.kill().unwrap();
        child.wait().unwrap();
    }
    undisturbed.finishes();
}

/// Random checkpoints of an architecture that the native engine does not know, beside the example's tokenizer.
const OTHER_ARCHITECTURE: &str = r"
import sys, torch, transformers
torch.manual_seed(0)
config = transformers.Olmo2Config(
    vocab_size=int(sys.argv[2]), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
    max_position_embeddings=512, pad_token_id=0, bos_token_id=None, eos_token_id=None,
)
transformers.Olmo2ForCausalLM(config).save_pretrained(sys.argv[1])
";

#[test]
fn an_architecture_that_the_native_engine_does_not_know_trains() {
    let Some(python) = interpreter() else { return };
    let workplace = Workplace::new();
    let checkpoint = workplace.path().join("olmo2");
    let tokenizer = fs::read_to_string(example().join("checkpoint/tokenizer.json")).unwrap();
    let parsed: Json = serde_json::from_str(&tokenizer).unwrap();
    let words = parsed["model"]["vocab"].as_object().unwrap().len().to_string();
    let made = Command::new(&python).args(["-c", OTHER_ARCHITECTURE]).arg(&checkpoint).arg(words).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    fs::write(checkpoint.join("tokenizer.json"), tokenizer).unwrap();
    let study = on_torch(&python).replace(&format!("{}/checkpoint", example().display()), "olmo2");
    let study = study.replace("[0.0, 0.5, 1.0]", "[0.5]").replace("seeds = [0, 1]", "seeds = [0]");
    workplace.write("study.toml", &study);
    let refused = workplace.complaint(&["sweep", "study.toml", "--engine", "native"]);
    assert!(refused.contains("unknown architecture \"olmo2\""), "{refused}");
    let output = workplace.labelmix(&["sweep", "study.toml", "--allow-command", "--json"]).assert().success();
    let answer: Json = serde_json::from_slice(&output.get_output().stdout).unwrap();
    assert_eq!(answer["runs"].as_array().unwrap().len(), 2, "{answer}");
    // What was trained can be used.
    let run = fs::read_dir(workplace.path().join("labelmix-store/runs/small")).unwrap().next().unwrap().unwrap();
    let run = run.path().display().to_string();
    let test = example().join("test.jsonl").display().to_string();
    let predict = ["predict", "--run", &run, "--input", &test, "--output", "predicted.jsonl", "--allow-command"];
    workplace.labelmix(&predict).assert().success();
    let predicted = fs::read_to_string(workplace.path().join("predicted.jsonl")).unwrap();
    assert_eq!(predicted.lines().count(), fs::read_to_string(test).unwrap().lines().count());
}

#[test]
fn programs_that_a_study_names_are_not_run_by_themselves() {
    let workplace = Workplace::new();
    let refusal = |engine: &str| {
        workplace.write("study.toml", format!("{}[engine]\n{engine}\n", Workplace::study()));
        workplace.complaint(&["sweep", "study.toml"])
    };
    insta::assert_snapshot!(refusal("kind = \"command\"\ncommand = [\"my-trainer\", \"--fast\"]"), @r#"
    error: [engine] of the study names a program, "my-trainer --fast", and nobody allowed to run it
    hint: read what it is; then --allow-command (or LABELMIX_ALLOW_COMMAND=1) runs it. An interpreter can also be named outside of the study: LABELMIX_PYTHON, or an active virtual environment
    "#);
    insta::assert_snapshot!(refusal("kind = \"torch\"\npython = \"venv/bin/python\""), @r#"
    error: [engine] of the study names a program, "venv/bin/python", and nobody allowed to run it
    hint: read what it is; then --allow-command (or LABELMIX_ALLOW_COMMAND=1) runs it. An interpreter can also be named outside of the study: LABELMIX_PYTHON, or an active virtual environment
    "#);
    insta::assert_snapshot!(refusal("kind = \"command\""), @r#"
    error: study.toml: kind = "command" without a `command` in [engine]
    hint: name the program: command = ["my-trainer"]
    "#);
    insta::assert_snapshot!(refusal("python = \"venv/bin/python\""), @r#"
    error: study.toml: `python` is for kind = "torch" in [engine]
    hint: leave it out, or choose that kind
    "#);
    insta::assert_snapshot!(refusal("kind = \"jax\""), @"
    error: study.toml: line 17: unknown variant `jax`, expected one of `native`, `torch`, `command`
    hint: known here: native, torch, command
    ");
}

#[test]
fn engines_that_cannot_be_used_say_so_before_anything_starts() {
    let workplace = Workplace::new();
    let without_torch = "#!/bin/sh\nexec python3 -S -E \"$@\"\n";
    workplace.write("python", without_torch);
    Command::new("chmod").arg("+x").arg(workplace.path().join("python")).output().unwrap();
    let said = |python: &str| {
        let mut command = workplace.labelmix(&["sweep", "study.toml", "--engine", "torch"]);
        let output = command.env("LABELMIX_PYTHON", python).assert().code(1).get_output().stderr.clone();
        workplace.without_paths(&String::from_utf8(output).unwrap())
    };
    let missing = said("/no/such/python");
    assert!(missing.contains("error: the engine /no/such/python cannot be started"), "{missing}");
    let lacking = said(&workplace.path().join("python").display().to_string());
    assert!(lacking.contains("lacks a package: No module named"), "{lacking}");
    assert!(lacking.contains("hint: `labelmix engine torch --install DIR`"), "{lacking}");
}

#[test]
fn doctor_says_what_torch_finds_and_how_long_stages_take() {
    let Some(python) = interpreter() else { return };
    let workplace = Workplace::new();
    let found = workplace
        .labelmix(&["doctor", "--engine", "torch", "--device", "cpu"])
        .env("LABELMIX_PYTHON", &python)
        .assert();
    let found = String::from_utf8(found.success().get_output().stdout.clone()).unwrap();
    assert!(found.contains("no graphics processor"), "{found}");
    assert_eq!(found.matches("trains on 10,000 texts of 64 tokens in about ").count(), 3, "{found}");
}
