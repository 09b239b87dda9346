//! `labelmix export`: what is written for Python, what is refused, and, where there is a Python with torch, transformers and peft,
//! that it gives the store's log-odds.

use std::collections::HashMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use safetensors::SafeTensors;
use serde_json::Value as Json;

use crate::workplace::{Workplace, example, python_with};

const METHODS: &str = r#"
[prompt]
before_text = "so "
targets = ["slow", "perfect"]
before_target = " is "
between = " . "
[[methods]]
name = "seq-sft"
[[methods]]
name = "ensemble"
members = 2
[[methods]]
name = "verbalizer"
[[methods]]
name = "zero-shot"
[[methods]]
name = "few-shot"
shots = 3
[[methods]]
name = "one-shot"
method = "few-shot-sft"
shots = 1
[[methods]]
name = "few-shot-sft"
shots = 2
order = "fresh-for-each"
[[methods]]
name = "shared"
method = "few-shot-sft"
shots = 2
[[methods]]
name = "asked-on"
method = "verbalizer"
follow_up = "so {answer}"
"#;

/// A sweep of one split of one budget, with these lines in `[model]`.
fn swept(model: &str, methods: &str) -> Workplace {
    let workplace = Workplace::new();
    let study = Workplace::study()
        .replace("budgets = [8, 16]", "budgets = [16]")
        .replace("[0.0, 0.5, 1.0]", "[0.5]")
        .replace("seeds = [0, 1]", "seeds = [0]")
        .replace("total_examples = 600", "total_examples = 200")
        .replace("[model]\n", &format!("[model]\n{model}\n"));
    workplace.write("study.toml", study + methods);
    workplace.output_of(&["sweep", "study.toml", "--json"]);
    workplace
}

/// The folder of a method's only run that bought something, or of its only run.
fn run_of(workplace: &Workplace, method: &str) -> String {
    let runs = fs::read_dir(workplace.path().join("labelmix-store/runs/small")).unwrap();
    let names = runs.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut found: Vec<String> = names.filter(|name| name.starts_with(&format!("{method}_"))).collect();
    if found.len() > 1 {
        found.retain(|name| !name.contains("_w0_g0_"));
    }
    assert_eq!(found.len(), 1, "{method}: {found:?}");
    format!("labelmix-store/runs/small/{}", found.remove(0))
}

/// Exports a method's run into a folder, and says the files.
fn export(workplace: &Workplace, method: &str, out: &str, more: &[&str]) -> Vec<String> {
    let run = run_of(workplace, method);
    let arguments = [&["export", &*run, "--out", out, "--json"], more].concat();
    let exported: Json = serde_json::from_str(&workplace.output_of(&arguments)).unwrap();
    let files: Vec<String> = serde_json::from_value(exported["files"].clone()).unwrap();
    for file in &files {
        assert!(workplace.path().join(out).join(file).is_file(), "{file}");
    }
    files
}

fn json(path: PathBuf) -> Json {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// Names and shapes of the tensors of a file.
fn tensors(path: PathBuf) -> HashMap<String, Vec<usize>> {
    let bytes = fs::read(path).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    tensors.iter().map(|(name, view)| (name.to_owned(), view.shape().to_vec())).collect()
}

/// A Python that can run what is exported, if there is one.
fn python() -> Option<String> {
    python_with("peft, torch, transformers")
}

/// The texts and log-odds of a run's test set.
fn kept(workplace: &Workplace, method: &str) -> (Vec<String>, Vec<f64>) {
    let run = json(workplace.path().join(run_of(workplace, method)).join("run.json"));
    let last = run["stages"].as_array().unwrap().last().unwrap().as_str().unwrap();
    let kept = json(workplace.path().join("labelmix-store/stages").join(last).join("test_log_odds.json"));
    let texts = fs::read_to_string(example().join("test.jsonl")).unwrap();
    let texts =
        texts.lines().map(|line| serde_json::from_str::<Json>(line).unwrap()["text"].as_str().unwrap().to_owned());
    let by_id: HashMap<String, String> =
        texts.map(|text| (labelmix_data::ExampleId::of(&text).to_string(), text)).collect();
    let ids = kept["ids"].as_array().unwrap().iter();
    let log_odds = serde_json::from_value(kept["log_odds"].clone()).unwrap();
    (ids.map(|id| by_id[id.as_str().unwrap()].clone()).collect(), log_odds)
}

/// Loads the script of every folder on the command line, and gives each the list of texts that is its own.
const ASK: &str = r#"
import importlib.util, json, sys
answers = []
for number, (folder, texts) in enumerate(zip(sys.argv[1:], json.load(sys.stdin))):
    spec = importlib.util.spec_from_file_location(f"classify_{number}", f"{folder}/classify.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    answers.append(script.log_odds(texts))
json.dump(answers, sys.stdout)
"#;

/// Holds the log-odds of exported folders' scripts against those of the test sets of the methods' runs.
fn check_numbers(workplace: &Workplace, python: &str, exported: &[(&str, &str)]) {
    let (texts, expected): (Vec<_>, Vec<_>) = exported.iter().map(|(method, _)| kept(workplace, method)).unzip();
    let mut child = Command::new(python)
        .args(["-c", ASK])
        .args(exported.iter().map(|(_, folder)| folder))
        .current_dir(workplace.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(serde_json::to_string(&texts).unwrap().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{exported:?}");
    let answers: Vec<Vec<f64>> = serde_json::from_slice(&output.stdout).unwrap();
    for ((exported, ours), theirs) in exported.iter().zip(expected).zip(answers) {
        assert_eq!(ours.len(), theirs.len(), "{exported:?}");
        for (ours, theirs) in ours.iter().zip(theirs) {
            assert!((ours - theirs).abs() < 1e-4, "{exported:?}: {ours} and {theirs}");
        }
    }
}

#[test]
fn runs_of_a_decoder_load_as_sequence_classifiers() {
    let workplace = swept("", METHODS);
    let at = |name: &str| workplace.path().join(name);
    let tokenizer = ["tokenizer.json", "tokenizer_config.json"];
    let adapter = ["adapter_config.json", "adapter_model.safetensors", "classify.py"];
    assert_eq!(export(&workplace, "seq-sft", "adapter", &[]), [&adapter[..], &tokenizer].concat());
    let config = json(at("adapter/adapter_config.json"));
    assert_eq!((&config["task_type"], &config["modules_to_save"][0]), (&"SEQ_CLS".into(), &"score".into()));
    let base = config["base_model_name_or_path"].as_str().unwrap();
    assert!(Path::new(base).is_absolute() && Path::new(base).ends_with("examples/reviews/checkpoint"), "{base}");
    assert_eq!(json(at("adapter/tokenizer_config.json"))["model_max_length"], 256);

    let merged = ["classify.py", "config.json", "model.safetensors"];
    assert_eq!(export(&workplace, "seq-sft", "merged", &["--merged"]), [&merged[..], &tokenizer].concat());
    let config = json(at("merged/config.json"));
    assert_eq!(config["architectures"][0], "LlamaForSequenceClassification");
    // <s>, which begins texts. <unk> is what a text with an unknown word may end with.
    assert_eq!((&config["pad_token_id"], &config["dtype"]), (&1.into(), &"float32".into()));
    let tensors = tensors(at("merged/model.safetensors"));
    assert_eq!(tensors["score.weight"], [2, 64]);
    assert!(tensors.keys().all(|name| name == "score.weight" || name.starts_with("model.")), "{tensors:?}");

    let members: Vec<String> = [1, 2]
        .iter()
        .flat_map(|member| adapter[..2].iter().map(move |file| format!("member-{member}/{file}")))
        .collect();
    let members: Vec<&str> = members.iter().map(String::as_str).collect();
    assert_eq!(export(&workplace, "ensemble", "several", &[]), [&["classify.py"], &*members, &tokenizer].concat());
    export(&workplace, "ensemble", "several-merged", &["--merged"]);
    export(&workplace, "verbalizer", "words", &[]);
    export(&workplace, "verbalizer", "words-merged", &["--merged"]);
    export(&workplace, "one-shot", "one", &[]);
    export(&workplace, "shared", "shared", &[]);
    assert_eq!(export(&workplace, "few-shot", "asked", &[]), [&["classify.py", "shots.json"], &tokenizer[..]].concat());
    assert_eq!(export(&workplace, "zero-shot", "alone", &[]), [&["classify.py"], &tokenizer[..]].concat());
    assert_eq!(json(at("asked/shots.json")).as_array().unwrap().len(), 3);
    let Some(python) = python() else { return };
    let exported = [
        ("seq-sft", "adapter"),
        ("seq-sft", "merged"),
        ("ensemble", "several"),
        ("ensemble", "several-merged"),
        ("verbalizer", "words"),
        ("verbalizer", "words-merged"),
        ("one-shot", "one"),
        ("shared", "shared"),
        ("zero-shot", "alone"),
        ("few-shot", "asked"),
    ];
    check_numbers(&workplace, &python, &exported);
}

#[test]
fn what_no_class_of_transformers_computes_loads_as_no_sequence_classifier() {
    let workplace = swept("pooling = \"mean\"\nmax_length = 12\ntoo_long = \"cut\"", "");
    let at = |name: &str| workplace.path().join(name);
    let adapter = export(&workplace, "seq-sft", "adapter", &[]);
    assert!(adapter.contains(&"head.safetensors".to_owned()), "{adapter:?}");
    let config = json(at("adapter/adapter_config.json"));
    assert_eq!((&config["task_type"], &config["modules_to_save"]), (&"FEATURE_EXTRACTION".into(), &Json::Null));
    // A pattern is matched with whole names: inside a classifier they begin with `model.`
    insta::assert_snapshot!(
        config["target_modules"].as_str().unwrap().replace('|', "\n"),
        @r"
    layers\.\d+\.mlp\.down_proj
    layers\.\d+\.mlp\.gate_proj
    layers\.\d+\.mlp\.up_proj
    layers\.\d+\.self_attn\.k_proj
    layers\.\d+\.self_attn\.o_proj
    layers\.\d+\.self_attn\.q_proj
    layers\.\d+\.self_attn\.v_proj
    "
    );
    let names = tensors(at("adapter/adapter_model.safetensors"));
    assert!(names.keys().all(|name| name.starts_with("base_model.model.layers.")), "{names:?}");
    assert_eq!(tensors(at("adapter/head.safetensors")), HashMap::from([("weight".to_owned(), vec![2, 64])]));
    let script = fs::read_to_string(at("adapter/classify.py")).unwrap();
    assert!(script.contains("MAX_LENGTH = 12") && script.contains("CUT = True"), "{script}");

    let merged = export(&workplace, "seq-sft", "merged", &["--merged"]);
    assert!(!at("merged/config.json").exists() && merged.contains(&"transformer/config.json".to_owned()), "{merged:?}");
    assert_eq!(json(at("merged/transformer/config.json"))["architectures"][0], "LlamaModel");
    let Some(python) = python() else { return };
    check_numbers(&workplace, &python, &[("seq-sft", "adapter"), ("seq-sft", "merged")]);
    for folder in ["adapter", "merged"] {
        let program = format!(
            "import transformers; transformers.AutoModelForSequenceClassification.from_pretrained('{folder}', num_labels=2)"
        );
        let output = Command::new(&python).args(["-c", &program]).current_dir(workplace.path()).output().unwrap();
        assert!(!output.status.success(), "{folder} loads as a sequence classifier");
    }
}

#[test]
fn rounded_weights_are_exported_merged() {
    let workplace = swept("weights = \"nf4\"", "");
    let run = run_of(&workplace, "seq-sft");
    insta::assert_snapshot!(workplace.complaint(&["export", &run, "--out", "adapter"]), @"
    error: the run seq-sft_w80_g8_s0 kept the checkpoint's weights in nf4: with an adapter, Python would read them as they are stored
    hint: --merged writes the weights as the run kept them, with the adapter in them
    ");
    assert!(
        fs::read_dir(workplace.path())
            .unwrap()
            .all(|entry| { !entry.unwrap().file_name().to_string_lossy().contains("adapter") })
    );
    export(&workplace, "seq-sft", "merged", &["--merged"]);
    if let Some(python) = python() {
        check_numbers(&workplace, &python, &[("seq-sft", "merged")]);
    }
}

#[test]
fn what_cannot_be_exported_is_refused() {
    let workplace = swept("", METHODS);
    let refusal = |method: &str, out: &str, more: &[&str]| {
        let run = run_of(&workplace, method);
        workplace.complaint(&[&["export", &*run, "--out", out], more].concat())
    };
    insta::assert_snapshot!(refusal("asked-on", "out", &[]), @"
    error: the run asked-on_w80_g8_s0 asks on from what the model itself answers to a text (`follow_up`), which is not exported
    hint: `labelmix predict` gives its log-odds; runs of the same method without `follow_up`, and of every other method but few-shot-sft with several shots, can be exported
    ");
    insta::assert_snapshot!(refusal("few-shot-sft", "out", &[]), @"
    error: the run few-shot-sft_w70_g9_s0 shows every text its 2 shots in an order of its own, which is not exported
    hint: `labelmix predict` gives its log-odds; runs of few-shot, which has one order for all texts, of few-shot-sft with `shots = 1`, and of methods without shots can be exported
    ");
    insta::assert_snapshot!(refusal("few-shot", "out", &["--merged"]), @"
    error: the run few-shot_w0_g3_s0 asks the language model, and has trained nothing that could be merged
    hint: leave --merged out: what is exported is the prompt, and the Python that asks the model
    ");
    workplace.write("taken/notes.txt", "mine");
    workplace.write("file", "mine");
    insta::assert_snapshot!(refusal("seq-sft", "taken", &[]), @"
    error: taken is there already, and is no empty folder
    hint: name another folder with --out, or take this one away first: nothing is written over
    ");
    insta::assert_snapshot!(refusal("seq-sft", "file", &[]), @"
    error: file is there already, and is no empty folder
    hint: name another folder with --out, or take this one away first: nothing is written over
    ");
    insta::assert_snapshot!(workplace.complaint(&["export", "nowhere", "--out", "out"]), @"
    error: [folder]/nowhere holds no finished run
    hint: give a folder of the store's runs/, such as the ones that `labelmix sweep` lists with --json
    ");
    // An empty folder is no folder of anybody's, and one in another that is not there yet is made.
    fs::create_dir(workplace.path().join("empty")).unwrap();
    for out in ["empty", "new/folder"] {
        let said = workplace.output_of(&["export", &run_of(&workplace, "seq-sft"), "--out", out]);
        assert!(said.starts_with(&format!("seq-sft_w80_g8_s0 written to {out}\n  adapter_config.json\n")), "{said}");
    }
    let left = fs::read_dir(workplace.path()).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(left.into_iter().all(|name| !name.to_string_lossy().contains("unfinished")));
}
