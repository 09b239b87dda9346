//! The same numbers as PyTorch, transformers and peft: hidden states, logits of both heads, gradients, and twenty
//! training steps; in the fused form of every operation and in the composed form that other devices run.
//! `fixtures/make_fixtures.py` made the references.

#![expect(clippy::unwrap_used, reason = "this file is all test, including the functions beside the tests")]

mod support;

use std::path::Path;

use labelmix_models::{
    Adapter, Classifier, LanguageModel, LoadOptions, LoraSettings, Model, Pooling, TextLimit, TokenBatch, Tokenizer,
};
use labelmix_nn::{AdamW, AdamWSettings, Array, Device, Gradients, clip_gradient_norm, soft_cross_entropy};
use safetensors::SafeTensors;

use support::{Tensors, fixture_folder};

/// The LoRA settings of all fixtures.
const LORA: LoraSettings = LoraSettings { rank: 4, alpha: 8.0 };

fn read_fixture(name: &str) -> Tensors {
    Tensors::read(&fixture_folder(name).join("parity.safetensors"))
}

/// The token ids of each of the fixture's sequences.
fn sequences_of(fixture: &Tensors) -> Vec<Vec<u32>> {
    let token_ids = &fixture.integers["token_ids"];
    let range = |pair: &[i64]| token_ids[pair[0] as usize..pair[1] as usize].iter().map(|id| *id as u32).collect();
    fixture.integers["offsets"].windows(2).map(range).collect()
}

fn assert_close(what: &str, ours: &[f32], reference: &[f32], tolerance: f32) {
    assert_eq!(ours.len(), reference.len(), "{what}");
    let largest = reference.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
    for (element, (ours, reference)) in ours.iter().zip(reference).enumerate() {
        let difference = (ours - reference).abs();
        assert!(difference <= tolerance * largest, "{what}, element {element}: {ours} against {reference}");
    }
}

fn loss_and_gradients(
    model: &Classifier,
    adapter: &Adapter,
    sequences: &[Vec<u32>],
    targets: &[f32],
) -> (f32, Gradients) {
    let batch = TokenBatch::new(sequences.iter().map(Vec::as_slice));
    let logits = model.logits(&batch, adapter).unwrap();
    let loss = soft_cross_entropy(&logits, targets, targets.len() as f32).unwrap();
    (loss.to_vec().unwrap()[0], loss.backward().unwrap())
}

/// Logits, and twenty steps of AdamW with clipping, against the fixture's; the trained adapter.
fn check_logits_and_training(name: &str, model: &Classifier, mut adapter: Adapter, fixture: &Tensors) -> Adapter {
    let sequences = sequences_of(fixture);
    let batch = TokenBatch::new(sequences.iter().map(Vec::as_slice));
    let logits = model.logits(&batch, &adapter).unwrap().to_vec().unwrap();
    assert_close(&format!("{name}: logits"), &logits, &fixture.floats["logits"], 1e-4);
    for (index, sequence) in sequences.iter().enumerate() {
        let alone = model.logits(&TokenBatch::new([sequence.as_slice()]), &adapter).unwrap().to_vec().unwrap();
        assert_close(&format!("{name}: sequence {index} alone"), &alone, &logits[2 * index..2 * index + 2], 1e-4);
    }

    let mut optimizer = AdamW::new(AdamWSettings { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weight_decay: 0.01 });
    let learning_rates = &fixture.floats["learning_rates"];
    let examples = &fixture.integers["step_examples"];
    let per_step = examples.len() / learning_rates.len();
    for (step, learning_rate) in learning_rates.iter().enumerate() {
        let chosen: Vec<usize> =
            examples[step * per_step..(step + 1) * per_step].iter().map(|index| *index as usize).collect();
        let batch: Vec<Vec<u32>> = chosen.iter().map(|index| sequences[*index].clone()).collect();
        let targets: Vec<f32> = chosen.iter().map(|index| fixture.floats["targets"][*index]).collect();
        let (loss, mut gradients) = loss_and_gradients(model, &adapter, &batch, &targets);
        let reference = fixture.floats["losses"][step];
        assert!(
            (loss - reference).abs() <= 1e-3 * reference.abs(),
            "{name}: loss of step {step}: {loss} against {reference}"
        );
        clip_gradient_norm(&mut gradients, adapter.parameters(), 1.0).unwrap();
        optimizer.step(adapter.parameters_mut(), &gradients, f64::from(*learning_rate)).unwrap();
    }
    adapter
}

/// The devices on which every case runs: the host, with its fused operations; the host again, where activations are
/// computed twice; and the composed operations of other devices.
fn ways_to_run() -> [(&'static str, LoadOptions); 3] {
    [
        ("fused", LoadOptions::default()),
        ("checkpointed", LoadOptions { activation_checkpointing: true, ..LoadOptions::default() }),
        ("composed", LoadOptions { device: Device::composed_on_host(), ..LoadOptions::default() }),
    ]
}

/// The adapter with the fixture's initial values.
fn initial_adapter(name: &str, model: &Classifier, fixture: &Tensors) -> Adapter {
    let mut adapter = model.initial_adapter(LORA, 0).unwrap();
    let initial: Vec<Array> = adapter
        .parameters()
        .iter()
        .map(|parameter| {
            let values = fixture.floats[&format!("initial.{}", parameter.name())].clone();
            Array::new(values, parameter.value().shape())
        })
        .collect();
    let trainable = fixture.floats.keys().filter(|key| key.starts_with("initial.")).count();
    assert_eq!(trainable, initial.len(), "{name}: the number of trainable tensors");
    adapter.restore(&initial).unwrap();
    adapter
}

fn check_tiny_checkpoint(name: &str, pooling: Pooling) {
    let fixture = read_fixture(name);
    let sequences = sequences_of(&fixture);
    let batch = TokenBatch::new(sequences.iter().map(Vec::as_slice));
    for (way, options) in ways_to_run() {
        let model = Classifier::new(&Model::load(&fixture_folder(name), &options).unwrap(), None).unwrap();
        assert_eq!(model.pooling(), pooling, "{name}: the natural pooling");
        let name = format!("{name}, {way}");
        let adapter = initial_adapter(&name, &model, &fixture);
        let hidden = model.hidden_states(&batch, &adapter).unwrap().to_vec().unwrap();
        assert_close(&format!("{name}: hidden states"), &hidden, &fixture.floats["hidden"], 1e-4);
        let (_, gradients) = loss_and_gradients(&model, &adapter, &sequences, &fixture.floats["targets"]);
        for parameter in adapter.parameters() {
            let gradient = gradients.to_vec(parameter.value()).unwrap().unwrap();
            let reference = &fixture.floats[&format!("gradient.{}", parameter.name())];
            assert_close(&format!("{name}: gradient of {}", parameter.name()), &gradient, reference, 1e-3);
        }
        check_logits_and_training(&name, &model, adapter, &fixture);
        if model.model().is_decoder() {
            check_language_model(&name, model.model(), &sequences, &fixture.floats["lm_logits"]);
        }
    }
}

/// The next token's logits after every token, all at once and behind a prefix that is computed once.
fn check_language_model(name: &str, model: &Model, sequences: &[Vec<u32>], reference: &[f32]) {
    let model = LanguageModel::new(model).unwrap();
    let batch = TokenBatch::new(sequences.iter().map(Vec::as_slice));
    let logits = model.logits(&batch, None).unwrap().to_vec().unwrap();
    assert_close(&format!("{name}: logits of the next token"), &logits, reference, 1e-4);
    let vocabulary = model.model().vocabulary();
    let last = model.last_logits(&batch, None).unwrap().to_vec().unwrap();
    for (last, range) in last.chunks_exact(vocabulary).zip(batch.offsets().ranges()) {
        assert_close(name, last, &logits[(range.end - 1) * vocabulary..range.end * vocabulary], 1e-5);
    }
    // From the second token on, and of the last token alone.
    let judged = |from: fn(&[u32]) -> usize| {
        let from: Vec<usize> = sequences.iter().map(|tokens| from(tokens)).collect();
        let sums = model.log_likelihoods(&batch, &from).unwrap().into_iter().map(|sum| sum as f32);
        let wanted = sequences.iter().zip(batch.offsets().ranges()).zip(from).map(|((tokens, range), from)| {
            let of_token = |place: usize| {
                let row = &reference[(range.start + place - 1) * vocabulary..][..vocabulary];
                row[tokens[place] as usize] - row.iter().map(|logit| logit.exp()).sum::<f32>().ln()
            };
            (from..tokens.len()).map(of_token).sum()
        });
        assert_close(
            &format!("{name}: log-likelihoods"),
            &sums.collect::<Vec<_>>(),
            &wanted.collect::<Vec<f32>>(),
            1e-4,
        );
    };
    judged(|_| 1);
    judged(|tokens| tokens.len() - 1);
    // The second half of every long sequence continues the first half of the longest: a prefix longer than any window.
    let longest = sequences.iter().max_by_key(|sequence| sequence.len()).unwrap();
    let prefix = &longest[..longest.len() / 2];
    let own: Vec<&[u32]> = sequences.iter().map(|sequence| &sequence[sequence.len() / 2..]).collect();
    let joined: Vec<Vec<u32>> = own.iter().map(|own| [prefix, own].concat()).collect();
    let whole = model.last_logits(&TokenBatch::new(joined.iter().map(Vec::as_slice)), None).unwrap();
    let kept = model.prefix(prefix).unwrap();
    let continued = model.last_logits(&TokenBatch::new(own.iter().copied()), Some(&kept)).unwrap();
    let what = format!("{name}: logits behind a prefix");
    assert_close(&what, &continued.to_vec().unwrap(), &whole.to_vec().unwrap(), 2e-5);
}

/// Every tiny checkpoint of the fixtures, in a test of its own.
macro_rules! tiny_checkpoints {
    ($($name:ident: $pooling:ident,)*) => {
        $(
            #[test]
            fn $name() {
                check_tiny_checkpoint(stringify!($name), Pooling::$pooling);
            }
        )*
    };
}

tiny_checkpoints! {
    bert_mean: Mean,
    bert_pooler: Pooler,
    distilbert: Mean,
    gemma: LastToken,
    gemma2: LastToken,
    gemma3: LastToken,
    gpt2: LastToken,
    gpt_neox: LastToken,
    gpt_neox_sequential: LastToken,
    llama3_scaled: LastToken,
    llama_gqa: LastToken,
    llama_linear: LastToken,
    llama_mha_tied: LastToken,
    mistral: LastToken,
    modernbert: Mean,
    qwen2: LastToken,
    qwen2_window: LastToken,
    qwen3: LastToken,
    roberta: Mean,
}

/// The formula by which the real checkpoints' fixtures were initialised; see `make_fixtures.py`.
fn formula_values(name: &str, length: usize) -> Vec<f32> {
    let phase = name.bytes().map(u64::from).sum::<u64>() % 97;
    (0..length).map(|index| (0.05 * (0.37 * index as f64 + phase as f64).sin()) as f32).collect()
}

fn check_real_checkpoint(name: &str, folder: &Path) {
    let fixture = read_fixture(name);
    let model = Classifier::new(&Model::load(folder, &LoadOptions::default()).unwrap(), None).unwrap();
    let tokenizer = Tokenizer::load(folder).unwrap();
    let texts = std::fs::read_to_string(fixture_folder(name).join("texts.json")).unwrap();
    let texts: Vec<String> = serde_json::from_str(&texts).unwrap();
    let tokens: Vec<Vec<u32>> = texts.iter().map(|text| tokenizer.encode(text, TextLimit::Refuse).unwrap()).collect();
    assert_eq!(tokens, sequences_of(&fixture), "{name}: token ids");

    let mut adapter = model.initial_adapter(LORA, 0).unwrap();
    let initial: Vec<Array> = adapter
        .parameters()
        .iter()
        .map(|parameter| {
            let shape = parameter.value().shape();
            Array::new(formula_values(parameter.name(), shape.iter().product()), shape)
        })
        .collect();
    adapter.restore(&initial).unwrap();
    let (_, gradients) = loss_and_gradients(&model, &adapter, &tokens, &fixture.floats["targets"]);
    for parameter in adapter.parameters() {
        let gradient = gradients.of(parameter.value()).unwrap();
        let what = format!("{name}: gradient of {}", parameter.name());
        let norm = gradient.iter().map(|value| value * value).sum::<f32>().sqrt();
        let reference = fixture.floats[&format!("gradient_norm.{}", parameter.name())][0];
        assert!((norm - reference).abs() <= 1e-3 * reference, "{what}: norm {norm} against {reference}");
        let sample = &fixture.floats[&format!("gradient_sample.{}", parameter.name())];
        let stride = gradient.len().div_ceil(32);
        let ours: Vec<f32> = gradient.iter().step_by(stride).copied().collect();
        assert_close(&what, &ours, sample, 1e-3);
    }
    check_logits_and_training(name, &model, adapter, &fixture);
    if let Some(reference) = fixture.floats.get("lm_last_logits") {
        let language_model = LanguageModel::new(model.model()).unwrap();
        let batch = TokenBatch::new(tokens.iter().map(Vec::as_slice));
        let logits = language_model.last_logits(&batch, None).unwrap().to_vec().unwrap();
        assert_close(&format!("{name}: logits of the next token"), &logits, reference, 1e-4);
    }
}

#[test]
fn real_stories260k() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/stories260K");
    if folder.exists() {
        check_real_checkpoint("real_stories260k", &folder);
    } else {
        eprintln!("skipped: {} is not there", folder.display());
    }
}

#[test]
fn real_minilm() {
    match std::env::var_os("LABELMIX_TEST_MINILM") {
        Some(folder) => check_real_checkpoint("real_minilm", Path::new(&folder)),
        None => eprintln!("skipped: LABELMIX_TEST_MINILM does not name the folder of all-MiniLM-L6-v2"),
    }
}

#[test]
fn an_adapter_survives_saving_and_loading() {
    let model = Model::load(&fixture_folder("qwen2"), &LoadOptions::default()).unwrap();
    let model = Classifier::new(&model, None).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let saved = model.initial_adapter(LORA, 3).unwrap();
    saved.save(folder.path(), "qwen2").unwrap();
    let mut loaded = model.initial_adapter(LORA, 4).unwrap();
    loaded.load(folder.path()).unwrap();
    for (ours, theirs) in loaded.parameters().iter().zip(saved.parameters()) {
        assert_eq!(ours.array().unwrap().values(), theirs.array().unwrap().values());
    }
}

#[test]
fn a_kept_adapter_has_all_its_layers() {
    let model = Model::load(&fixture_folder("qwen2"), &LoadOptions::default()).unwrap();
    let model = Classifier::new(&model, None).unwrap();
    let folder = tempfile::tempdir().unwrap();
    model.initial_adapter(LORA, 3).unwrap().save(folder.path(), "qwen2").unwrap();
    assert_eq!(model.kept_adapter(folder.path()).unwrap().settings(), LORA);

    let path = folder.path().join("adapter_model.safetensors");
    let bytes = std::fs::read(&path).unwrap();
    let mut tensors = SafeTensors::deserialize(&bytes).unwrap().tensors();
    let place = tensors.iter().position(|(name, _)| name.contains(".lora_B")).unwrap();
    let (name, _) = tensors.remove(place);
    std::fs::write(&path, safetensors::serialize(tensors, None).unwrap()).unwrap();
    let message = model.kept_adapter(folder.path()).err().unwrap().to_string();
    assert!(message.ends_with(&format!("there is no tensor named {name:?}")), "{message}");
    assert!(model.load_adapter(folder.path()).is_ok(), "an adapter from elsewhere may reach fewer layers");
}

#[test]
fn adapters_that_peft_saved_give_its_logits() {
    for name in ["qwen3", "roberta", "gpt2"] {
        let fixture = read_fixture(name);
        let model = Model::load(&fixture_folder(name), &LoadOptions::default()).unwrap();
        let model = Classifier::new(&model, None).unwrap();
        let adapter = model.load_adapter(&fixture_folder(name).join("peft_adapter")).unwrap();
        assert_eq!(adapter.settings(), LORA);
        let sequences = sequences_of(&fixture);
        let batch = TokenBatch::new(sequences.iter().map(Vec::as_slice));
        let logits = model.logits(&batch, &adapter).unwrap().to_vec().unwrap();
        assert_close(&format!("{name}: logits of the saved adapter"), &logits, &fixture.floats["trained_logits"], 1e-4);
    }
}

#[test]
fn adapters_that_cannot_be_run_are_refused_with_the_reason() {
    let from = fixture_folder("qwen3").join("peft_adapter");
    let model = Model::load(&fixture_folder("qwen3"), &LoadOptions::default()).unwrap();
    let model = Classifier::new(&model, None).unwrap();
    let complaint = |change: &dyn Fn(&mut serde_json::Value)| {
        let folder = tempfile::tempdir().unwrap();
        std::fs::copy(from.join("adapter_model.safetensors"), folder.path().join("adapter_model.safetensors")).unwrap();
        let config = std::fs::read_to_string(from.join("adapter_config.json")).unwrap();
        let mut config = serde_json::from_str(&config).unwrap();
        change(&mut config);
        std::fs::write(folder.path().join("adapter_config.json"), config.to_string()).unwrap();
        let message = model.load_adapter(folder.path()).err().unwrap().to_string();
        message.split_once(": ").unwrap().1.to_owned()
    };
    assert_eq!(
        complaint(&|config| config["use_dora"] = true.into()),
        "the adapter has DoRA (use_dora), which cannot be run"
    );
    assert_eq!(
        complaint(&|config| config["peft_type"] = "IA3".into()),
        "the adapter is of the type \"IA3\"; only LORA can be run"
    );
    let message = complaint(&|config| config["r"] = 5.into());
    assert!(message.ends_with("has the shape [4, 16] instead of [5, 16]"), "{message}");
}
