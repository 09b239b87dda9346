//! The worker that comes along against the backend of this process, on every architecture that both know.

use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::process::Command;

use labelmix_methods::{Recipe, StageExample, StageOptions, Trains};
use labelmix_models::{LoadOptions, Model};
use labelmix_train::{Interrupt, NativeBackend, StageRequest, StageResult, answers, lora_settings, train_stage};

use super::*;

/// The interpreter to test with; none, with a word about it, where it lacks torch.
fn interpreter() -> Option<PathBuf> {
    let python = std::env::var("LABELMIX_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let works = Command::new(&python).args(["-c", "import torch, transformers, safetensors"]).output();
    if works.is_ok_and(|output| output.status.success()) {
        return Some(python.into());
    }
    eprintln!("skipped: {python} has no torch and transformers (LABELMIX_TEST_PYTHON names another)");
    None
}

fn options(python: PathBuf) -> WorkerOptions {
    let program = WorkerProgram::Torch(python);
    WorkerOptions {
        program,
        device: "cpu".to_owned(),
        attention: None,
        gpus: 1,
        sharding: Sharding::Layers,
        timeout: 120,
        tell: |_| (),
    }
}

/// As stored, in f32.
const EXACT: Running = Running {
    weights: WeightPrecision::Auto,
    products: MatmulPrecisionName::F32,
    activation_checkpointing: false,
    pooling: None,
};

fn checkpoint(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../labelmix-models/tests/fixtures").join(name)
}

const TEXTS: [&[u32]; 7] = [
    &[10, 5, 9],
    &[7],
    &[3, 3, 8, 2, 6, 11, 4, 9],
    &[2, 4, 6, 8, 10],
    &[12, 3],
    &[5, 5, 5, 11],
    &[9, 8, 7, 6, 5, 4, 3],
];

/// What texts may stand behind: long enough to be computed once for all.
const BEFORE: [u32; 18] = [4, 9, 3, 8, 5, 2, 7, 6, 11, 3, 4, 10, 9, 2, 8, 5, 12, 6];

/// Numbers of two backends, as far apart as rounding explains.
fn assert_near(what: &str, ours: &[impl Into<f64> + Copy + Debug], theirs: &[impl Into<f64> + Copy + Debug], by: f64) {
    assert_eq!(ours.len(), theirs.len(), "{what}");
    for (ours, theirs) in ours.iter().zip(theirs) {
        let distance = ((*ours).into() - (*theirs).into()).abs();
        assert!(distance <= by, "{what}: {ours:?} against torch's {theirs:?}");
    }
}

/// A few steps on all texts.
fn trained(backend: &dyn Backend, before: &[u32], options: StageOptions) -> StageResult {
    let texts = TEXTS.map(|text| [before, text].concat());
    let recipe = Recipe { total_examples: 240, learning_rate: 2e-2, micro_batch_tokens: 16, ..Recipe::default() };
    let examples: Vec<Vec<StageExample<'_>>> = (0..2)
        .map(|part| {
            let texts = texts.iter().cycle().skip(part).take(14).enumerate();
            texts.map(|(place, text)| StageExample::new(text, [0.9, 0.15][place % 2])).collect()
        })
        .collect();
    let start = backend.initial_adapter(lora_settings(&recipe), 3).unwrap();
    let (examples, recipe) = (&*examples, &recipe);
    let request =
        StageRequest { model: backend, start, examples, recipe, options, optimizer: None, shots: None, seed: 5 };
    train_stage(request, |_| ()).unwrap()
}

fn values(adapter: &Adapter) -> Vec<f32> {
    adapter.snapshot().unwrap().iter().flat_map(|array| array.values().to_vec()).collect()
}

/// The most tokens that a checkpoint reads.
fn context(folder: &Path) -> u64 {
    let config: Json = serde_json::from_str(&std::fs::read_to_string(folder.join("config.json")).unwrap()).unwrap();
    ["max_position_embeddings", "n_positions"].iter().find_map(|key| config[*key].as_u64()).unwrap()
}

fn compare(name: &str, python: &Path) {
    let folder = checkpoint(name);
    let native = NativeBackend::new(&Model::load(&folder, &LoadOptions::default()).unwrap(), None).unwrap();
    let torch = WorkerBackend::new(&folder, EXACT, &options(python.to_owned()), None).unwrap();
    let interrupt = Interrupt::default();
    let reading = Reading { batch_tokens: 16, interrupt: &interrupt };
    assert_eq!((native.pooling(), native.content_hash().unwrap()), (torch.pooling(), torch.content_hash().unwrap()));
    let settings = lora_settings(&Recipe::default());
    let [ours, theirs] = [&native as &dyn Backend, &torch].map(|backend| backend.initial_adapter(settings, 7).unwrap());
    let sorted = |adapter: &Adapter| {
        let named = adapter.parameters().iter().map(|parameter| parameter.name().to_owned());
        let mut named: Vec<_> =
            named.zip(adapter.snapshot().unwrap().iter().map(|array| array.values().to_vec())).collect();
        named.sort_by(|(a, _), (b, _)| a.cmp(b));
        named
    };
    assert_eq!(sorted(&ours), sorted(&theirs), "{name}: the same adapter from the same seed");
    for layers in [None, Some(1)] {
        let [ours, theirs] =
            [&native as &dyn Backend, &torch].map(|backend| backend.hidden_states(layers, &TEXTS, reading).unwrap());
        assert_near(name, &ours.concat(), &theirs.concat(), 1e-5);
    }
    let behind: &[u32] = if context(&folder) < 32 { &[] } else { &BEFORE };
    for (before, trains) in [(&[][..], Trains::All), (&[], Trains::Head), (&[], Trains::Body), (behind, Trains::All)] {
        let options = StageOptions { trains, ..StageOptions::default() };
        let [ours, theirs] = [&native as &dyn Backend, &torch].map(|backend| trained(backend, before, options));
        assert_eq!(ours.history.best_step, theirs.history.best_step, "{name}");
        assert_eq!(ours.history.steps, theirs.history.steps, "{name}");
        let log_odds =
            |backend: &dyn Backend, result: &StageResult| backend.log_odds(&result.adapter, &TEXTS, reading).unwrap();
        assert_near(name, &log_odds(&native, &ours), &log_odds(&torch, &theirs), 1e-4);
        assert_near(name, &log_odds(&native, &ours), &log_odds(&torch, &ours), 1e-5);
    }
    if native.check_language_model().is_err() {
        assert!(torch.check_language_model().is_err(), "{name}");
        return;
    }
    for before in [vec![], behind.to_vec()] {
        let prompts = TEXTS.map(|text| Prompt { before: before.clone(), query: [text, &[3, 7]].concat(), lost: 0 });
        let scores = |backend: &dyn Backend| backend.next_token_scores(&prompts, [4, 11], reading).unwrap();
        assert_near(name, &scores(&native), &scores(&torch), 1e-4);
    }
    let texts = TEXTS.map(<[u32]>::to_vec);
    let answered = |backend: &dyn Backend| answers(backend, &texts, 3, reading).unwrap();
    assert_eq!(answered(&native), answered(&torch), "{name}");
    let judged: Vec<(&[u32], usize)> =
        TEXTS.iter().filter(|text| text.len() > 2).map(|text| (*text, text.len() - 2)).collect();
    let sums = |backend: &dyn Backend| backend.log_likelihoods(&judged, reading).unwrap();
    assert_near(name, &sums(&native), &sums(&torch), 1e-4);
    let rows = |backend: &dyn Backend| backend.head_rows(&[4, 11]).unwrap();
    assert_eq!(rows(&native).values(), rows(&torch).values(), "{name}");
}

/// The architectures, two workers after the other: most of the time goes into their starts.
#[test]
fn torch_does_what_this_process_does() {
    let Some(python) = interpreter() else { return };
    for name in [
        "bert_mean",
        "bert_pooler",
        "distilbert",
        "roberta",
        "modernbert",
        "gpt2",
        "gpt_neox",
        "gpt_neox_sequential",
        "llama3_scaled",
        "llama_gqa",
        "llama_linear",
        "llama_mha_tied",
        "mistral",
        "gemma",
        "gemma2",
        "gemma3",
        "qwen2",
        "qwen2_window",
        "qwen3",
    ] {
        eprintln!("{name}");
        compare(name, &python);
    }
}

#[test]
fn training_goes_on_where_it_was() {
    let Some(python) = interpreter() else { return };
    let torch = WorkerBackend::new(&checkpoint("llama_gqa"), EXACT, &options(python), None).unwrap();
    let recipe = Recipe { total_examples: 64, learning_rate: 2e-3, ..Recipe::default() };
    let learner = || {
        let adapter = torch.initial_adapter(lora_settings(&recipe), 3).unwrap();
        torch.learner(Learning { adapter, trains: Trains::All, recipe: &recipe, optimizer: None }).unwrap()
    };
    let batch =
        labelmix_train::Batch { texts: &TEXTS, targets: &[0.9, 0.1, 0.8, 0.3, 1.0, 0.0, 0.6], weights: &[1.0; 7] };
    let interrupt = Interrupt::default();
    let mut whole = learner();
    for _ in 0..4 {
        whole.step(batch, 1e-2, &interrupt).unwrap();
    }
    let mut first = learner();
    for _ in 0..2 {
        first.step(batch, 1e-2, &interrupt).unwrap();
    }
    let (values_then, optimizer) = (first.snapshot().unwrap(), first.optimizer().unwrap());
    drop(first);
    let mut second = learner();
    second.restore(&values_then).unwrap();
    second.set_optimizer(&optimizer).unwrap();
    for _ in 0..2 {
        second.step(batch, 1e-2, &interrupt).unwrap();
    }
    assert_eq!(values(&whole.finish().unwrap().0), values(&second.finish().unwrap().0), "to the bit");
}

#[test]
fn two_processes_that_share_a_model_learn_what_one_does() {
    let Some(python) = interpreter() else { return };
    let folder = checkpoint("llama_gqa");
    let one = WorkerBackend::new(&folder, EXACT, &options(python.clone()), None).unwrap();
    let sharded = WorkerOptions { gpus: 2, sharding: Sharding::Fsdp, ..options(python) };
    let two = WorkerBackend::new(&folder, EXACT, &sharded, None).unwrap();
    assert_ne!(one.identity(), two.identity());
    let [ours, theirs] = [&one, &two].map(|backend| trained(backend, &[], StageOptions::default()));
    let losses = |result: &StageResult| -> Vec<f64> {
        result.history.validation.iter().flat_map(|point| [point.training_loss, point.loss]).collect()
    };
    assert_near("losses", &losses(&ours), &losses(&theirs), 1e-4);
    let interrupt = Interrupt::default();
    let reading = Reading { batch_tokens: 16, interrupt: &interrupt };
    let prompts = TEXTS.map(|text| Prompt { before: Vec::new(), query: text.to_vec(), lost: 0 });
    let scores = |backend: &WorkerBackend| backend.next_token_scores(&prompts, [4, 11], reading).unwrap();
    assert_near("scores", &scores(&one), &scores(&two), 1e-4);
}

/// A program that says what the lines of a script say, whatever it is asked.
fn program(script: &str) -> WorkerOptions {
    let program = WorkerProgram::Command(vec!["sh".to_owned(), "-c".to_owned(), script.to_owned()]);
    WorkerOptions { program, timeout: 1, ..options(PathBuf::new()) }
}

/// What is said of a program that cannot be used.
fn refusal(script: &str) -> String {
    let error = WorkerBackend::new(&checkpoint("llama_gqa"), EXACT, &program(script), None).err().unwrap();
    let help = miette::Diagnostic::help(&error).map(|help| help.to_string()).unwrap_or_default();
    format!("{error} | {help}")
}

#[test]
fn workers_that_cannot_be_used_are_described() {
    const HELLO: &str = r#"{"id": 1, "ok": {"protocol": 1, "name": "mine", "device": "cpu"}}"#;
    let after_hello = |script: &str| refusal(&format!("read line; echo '{HELLO}'; read line; {script}"));
    for (said, expected) in [
        (refusal("echo hello; sleep 5"), r#"the engine said "hello", which is no line of JSON"#),
        (refusal("echo broken >&2; exit 3"), "ended (exit status: 3)"),
        (refusal("echo broken >&2; exit 3"), "broken"),
        (refusal("sleep 5"), "said nothing for 1 seconds"),
        (
            refusal(r#"read line; echo '{"id": 1, "ok": {"protocol": 9, "name": "mine", "device": "cpu"}}'"#),
            "speaks protocol 9",
        ),
        (after_hello(r#"echo '{"id": 2, "error": {"message": "no room", "help": "buy some"}}'"#), "no room | buy some"),
        (after_hello(r#"echo '{"id": 2, "ok": {"architecture": "x"}}'"#), "not what it should be: missing field"),
        (after_hello("kill -9 $$"), "ended (signal: 9"),
    ] {
        assert!(said.contains(expected), "{said}");
    }
    let missing = WorkerProgram::Torch("/no/such/python".into());
    let options = WorkerOptions { program: missing, ..program("") };
    let error = WorkerBackend::new(&checkpoint("llama_gqa"), EXACT, &options, None).err().unwrap().to_string();
    assert!(error.contains("/no/such/python cannot be started"), "{error}");
}
