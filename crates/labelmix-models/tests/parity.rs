//! The same numbers as PyTorch, transformers and peft: hidden states, logits, gradients, and twenty training steps.
//! `fixtures/make_fixtures.py` made the references.

#![expect(clippy::unwrap_used, reason = "this file is all test, including the functions beside the tests")]

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use labelmix_models::{Adapter, Classifier, LoraSettings, Pooling, TextLimit, TokenBatch, Tokenizer};
use labelmix_nn::{AdamW, AdamWSettings, Array, Gradients, clip_gradient_norm, soft_cross_entropy};
use safetensors::SafeTensors;

/// The LoRA settings of all fixtures.
const LORA: LoraSettings = LoraSettings { rank: 4, alpha: 8.0 };

struct Fixture {
    floats: HashMap<String, Vec<f32>>,
    integers: HashMap<String, Vec<i64>>,
}

fn fixture_folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

impl Fixture {
    fn read(name: &str) -> Self {
        let bytes = std::fs::read(fixture_folder(name).join("parity.safetensors")).unwrap();
        let tensors = SafeTensors::deserialize(&bytes).unwrap();
        let (mut floats, mut integers) = (HashMap::new(), HashMap::new());
        for (name, tensor) in tensors.tensors() {
            let data = tensor.data();
            match tensor.dtype() {
                safetensors::Dtype::F32 => {
                    let values = data.as_chunks::<4>().0.iter().map(|chunk| f32::from_le_bytes(*chunk)).collect();
                    floats.insert(name, values);
                }
                safetensors::Dtype::I64 => {
                    let values = data.as_chunks::<8>().0.iter().map(|chunk| i64::from_le_bytes(*chunk)).collect();
                    integers.insert(name, values);
                }
                other => panic!("{name} is {other:?}"),
            }
        }
        Self { floats, integers }
    }

    fn sequences(&self) -> Vec<Vec<u32>> {
        let token_ids = &self.integers["token_ids"];
        let offsets = &self.integers["offsets"];
        offsets
            .windows(2)
            .map(|pair| token_ids[pair[0] as usize..pair[1] as usize].iter().map(|id| *id as u32).collect())
            .collect()
    }
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

/// Logits, and twenty steps of AdamW with clipping, against the fixture's.
fn check_logits_and_training(name: &str, model: &Classifier, mut adapter: Adapter, fixture: &Fixture) {
    let sequences = fixture.sequences();
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
        clip_gradient_norm(&mut gradients, 1.0);
        optimizer.step(adapter.parameters_mut(), &gradients, f64::from(*learning_rate));
    }
}

fn check_tiny_checkpoint(name: &str, pooling: Pooling) {
    let fixture = Fixture::read(name);
    let model = Classifier::load(&fixture_folder(name), None).unwrap();
    assert_eq!(model.pooling(), pooling, "{name}: the natural pooling");
    let mut adapter = model.initial_adapter(LORA, 0);
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
    adapter.restore(&initial);

    let sequences = fixture.sequences();
    let batch = TokenBatch::new(sequences.iter().map(Vec::as_slice));
    let hidden = model.hidden_states(&batch, &adapter).unwrap().to_vec().unwrap();
    assert_close(&format!("{name}: hidden states"), &hidden, &fixture.floats["hidden"], 1e-4);
    let (_, gradients) = loss_and_gradients(&model, &adapter, &sequences, &fixture.floats["targets"]);
    for parameter in adapter.parameters() {
        let gradient = gradients.of(parameter.value()).unwrap();
        let reference = &fixture.floats[&format!("gradient.{}", parameter.name())];
        assert_close(&format!("{name}: gradient of {}", parameter.name()), gradient, reference, 1e-3);
    }
    check_logits_and_training(name, &model, adapter, &fixture);
}

#[test]
fn bert_with_pooler() {
    check_tiny_checkpoint("bert_pooler", Pooling::Pooler);
}

#[test]
fn bert_without_pooler() {
    check_tiny_checkpoint("bert_mean", Pooling::Mean);
}

#[test]
fn llama_with_grouped_queries_in_several_files() {
    check_tiny_checkpoint("llama_gqa", Pooling::LastToken);
}

#[test]
fn llama_with_biases_and_a_tied_head() {
    check_tiny_checkpoint("llama_mha_tied", Pooling::LastToken);
}

#[test]
fn qwen2() {
    check_tiny_checkpoint("qwen2", Pooling::LastToken);
}

/// The formula by which the real checkpoints' fixtures were initialised; see `make_fixtures.py`.
fn formula_values(name: &str, length: usize) -> Vec<f32> {
    let phase = name.bytes().map(u64::from).sum::<u64>() % 97;
    (0..length).map(|index| (0.05 * (0.37 * index as f64 + phase as f64).sin()) as f32).collect()
}

fn check_real_checkpoint(name: &str, folder: &Path) {
    let fixture = Fixture::read(name);
    let model = Classifier::load(folder, None).unwrap();
    let tokenizer = Tokenizer::load(folder).unwrap();
    let texts = std::fs::read_to_string(fixture_folder(name).join("texts.json")).unwrap();
    let texts: Vec<String> = serde_json::from_str(&texts).unwrap();
    let tokens: Vec<Vec<u32>> = texts.iter().map(|text| tokenizer.encode(text, TextLimit::Refuse).unwrap()).collect();
    assert_eq!(tokens, fixture.sequences(), "{name}: token ids");

    let mut adapter = model.initial_adapter(LORA, 0);
    let initial: Vec<Array> = adapter
        .parameters()
        .iter()
        .map(|parameter| {
            let shape = parameter.value().shape();
            Array::new(formula_values(parameter.name(), shape.iter().product()), shape)
        })
        .collect();
    adapter.restore(&initial);
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
    let model = Classifier::load(&fixture_folder("qwen2"), None).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let saved = model.initial_adapter(LORA, 3);
    saved.save(folder.path(), "qwen2").unwrap();
    let mut loaded = model.initial_adapter(LORA, 4);
    loaded.load(folder.path()).unwrap();
    for (ours, theirs) in loaded.parameters().iter().zip(saved.parameters()) {
        assert_eq!(ours.array().values(), theirs.array().values());
    }
}
