//! Models of the Hugging Face Hub, from a hub on this machine.

use std::fs;

use assert_cmd::Command;
use labelmix_loopback::{Fault, LoopbackHub, Script, ServedRepository};

use crate::workplace::{Workplace, example};

/// A command that knows no other hub, and keeps what it downloads in the workplace.
pub(crate) fn at_hub(hub: &LoopbackHub, workplace: &Workplace, arguments: &[&str]) -> Command {
    let mut command = workplace.labelmix(arguments);
    for variable in ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_HUB_CACHE", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"] {
        command.env_remove(variable);
    }
    command.env("HF_HOME", workplace.path().join("hub")).env("HF_ENDPOINT", hub.endpoint());
    command
}

pub(crate) fn output_of(command: &mut Command) -> String {
    String::from_utf8(command.assert().success().get_output().stdout.clone()).unwrap()
}

pub(crate) fn complaint(command: &mut Command) -> String {
    String::from_utf8(command.assert().code(1).get_output().stderr.clone()).unwrap()
}

/// The example's checkpoint as a repository, with things beside it that nobody needs.
fn tiny(name: &str) -> ServedRepository {
    let mut repository =
        ServedRepository::model(name).file("README.md", "A tiny model.").file("pytorch_model.bin", "no");
    for file in ["config.json", "tokenizer.json"] {
        repository = repository.file(file, fs::read(example().join("checkpoint").join(file)).unwrap());
    }
    repository.large_file("model.safetensors", fs::read(example().join("checkpoint/model.safetensors")).unwrap())
}

#[test]
fn a_model_is_downloaded_once_and_then_used_offline() {
    let (hub, workplace) = (LoopbackHub::start(), Workplace::new());
    hub.add(tiny("org/tiny"));
    let first = output_of(&mut at_hub(&hub, &workplace, &["inspect", "org/tiny", "--json"]));
    let local = workplace.output_of(&["inspect", &example().join("checkpoint").display().to_string(), "--json"]);
    assert_eq!(first, local);
    assert!(!hub.requests().iter().any(|request| request.path.contains("pytorch_model.bin")));
    hub.forget_requests();
    let mut offline = at_hub(&hub, &workplace, &["inspect", "org/tiny", "--json"]);
    assert_eq!(output_of(offline.env("HF_HUB_OFFLINE", "1")), first);
    assert!(hub.requests().is_empty());
}

#[test]
fn what_stands_beside_a_tokenizer_is_downloaded_too() {
    let (hub, workplace) = (LoopbackHub::start(), Workplace::new());
    hub.add(tiny("org/tiny").file("tokenizer_config.json", r#"{"additional_special_tokens": ["<new>"]}"#));
    let about = output_of(&mut at_hub(&hub, &workplace, &["inspect", "org/tiny"]));
    assert!(about.contains("WordLevel of 244 tokens"), "{about}");
    assert!(about.contains("\nnote "), "{about}");
}

#[test]
fn a_download_that_breaks_off_goes_on() {
    let (hub, workplace) = (LoopbackHub::start(), Workplace::new());
    hub.add(tiny("org/tiny"));
    hub.script(Script::times(1, Fault::DropAfter(1000)).at("model.safetensors?"));
    output_of(&mut at_hub(&hub, &workplace, &["inspect", "org/tiny"]));
    assert!(hub.requests().iter().any(|request| request.range.is_some()));
}

#[test]
fn a_study_may_name_a_model_of_the_hub_and_its_runs_predict() {
    let (hub, workplace) = (LoopbackHub::start(), Workplace::new());
    hub.add(tiny("org/tiny").revision("v1"));
    let folder = example().join("checkpoint").display().to_string();
    let study = Workplace::study().replace(&folder, "org/tiny@v1").replace("[8, 16]", "[8]").replace("[0, 1]", "[0]");
    workplace.write("study.toml", study);
    output_of(&mut at_hub(&hub, &workplace, &["sweep", "study.toml"]));
    workplace.write("new.jsonl", "{\"text\": \"the soup was simply perfect .\"}\n");
    let run = fs::read_dir(workplace.path().join("labelmix-store/runs/small")).unwrap().next().unwrap().unwrap();
    let run = run.path().display().to_string();
    let arguments = ["predict", "--run", &run, "--input", "new.jsonl", "--output", "out.jsonl"];
    output_of(&mut at_hub(&hub, &workplace, &arguments));
    assert!(fs::read_to_string(workplace.path().join("out.jsonl")).unwrap().contains("log_odds"));
}

#[test]
fn doctor_downloads_the_configuration_alone() {
    let (hub, workplace) = (LoopbackHub::start(), Workplace::new());
    hub.add(tiny("org/tiny"));
    let report = output_of(&mut at_hub(&hub, &workplace, &["doctor", "--model", "org/tiny"]));
    assert!(report.contains("Llama of 188,160 parameters"), "{report}");
    assert!(!hub.requests().iter().any(|request| request.path.contains("safetensors")));
}

#[test]
fn names_that_lead_to_no_checkpoint() {
    let (hub, workplace) = (LoopbackHub::start(), Workplace::new());
    hub.add(tiny("org/secret").gated(&["hf_friend"]));
    hub.add(ServedRepository::model("org/old").file("config.json", "{}").file("tokenizer.json", "{}"));
    let said =
        |name: &str| complaint(&mut at_hub(&hub, &workplace, &["inspect", name])).replace(&hub.endpoint(), "HUB");
    insta::assert_snapshot!(said("nowhere"), @r#"
error: there is no folder nowhere
hint: a checkpoint is a folder in the Hugging Face layout, or organisation/name of a repository of the Hugging Face Hub (with @revision, if not its newest)
"#);
    insta::assert_snapshot!(said("./org/tiny"), @r#"
error: there is no folder ./org/tiny
hint: a checkpoint is a folder in the Hugging Face layout, or organisation/name of a repository of the Hugging Face Hub (with @revision, if not its newest)
"#);
    insta::assert_snapshot!(said("org/unknown"), @r#"
error: the model "org/unknown" (there is no folder of this name, so it was looked for on the Hugging Face Hub)
  because: there is no model `org/unknown` at HUB, or it is not shown to you
hint: check the name; if the repository is private, set HF_TOKEN to a token from HUB/settings/tokens
"#);
    insta::assert_snapshot!(said("org/secret"), @r#"
error: the model "org/secret" (there is no folder of this name, so it was looked for on the Hugging Face Hub)
  because: the model `org/secret` is gated: its owner gives it to those who accept its conditions
hint: accept the conditions at HUB/org/secret, then set HF_TOKEN to a token of the same account from HUB/settings/tokens
"#);
    insta::assert_snapshot!(said("org/old"), @r#"
error: the model "org/old" of the Hugging Face Hub cannot be run
  because: it has no model.safetensors
hint: its weights are missing, or kept in another format: load it with transformers, call save_pretrained, and name the folder; or name a revision that has them (organisation/name@revision)
"#);
    let config = fs::read_to_string(example().join("checkpoint/config.json")).unwrap();
    let quantised = config.replacen('{', "{\"quantization_config\": {\"quant_method\": \"awq\"},", 1);
    hub.add(tiny("org/awq").file("config.json", quantised));
    let refusal = said("org/awq");
    assert!(refusal.contains("the checkpoint is quantised: it has a quantization_config (awq)"), "{refusal}");
    assert!(
        !hub.requests().iter().any(|request| request.path.contains("org/awq") && request.path.contains("safetensors"))
    );
    hub.add(ServedRepository::model("org/gguf").file("tiny.Q4_K_M.gguf", "GGUF").file("README.md", "quantised"));
    insta::assert_snapshot!(said("org/gguf"), @r#"
error: the model "org/gguf" of the Hugging Face Hub cannot be run
  because: it has no config.json
hint: the weights are in GGUF files, which llama.cpp reads: name the checkpoint in transformers' layout that they were made of
"#);
    let token = at_hub(&hub, &workplace, &["inspect", "org/secret"]).env("HF_TOKEN", "hf_friend").assert().success();
    drop(token);
}
