//! Training every weight as PyTorch does it: the next token's loss, its gradients, and the losses after steps of Muon
//! and AdamW. `fixtures/make_full_training.py` made the references.

#![expect(clippy::unwrap_used, reason = "this file is all test, including the functions beside the tests")]

mod support;

use labelmix_models::{LanguageModel, LoadOptions, Model, TokenBatch, TrainableLanguageModel};
use labelmix_nn::{AdamW, AdamWSettings, Device, Muon, MuonSettings, Precision};

use support::{Tensors, fixture_folder};

const CASES: [&str; 4] = ["gemma", "llama_gqa", "llama_mha_tied", "qwen2"];
const WITHOUT_DECAY: AdamWSettings = AdamWSettings { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weight_decay: 0.0 };

struct Case {
    fixture: Tensors,
    batch: TokenBatch,
    predicted: f32,
}

fn read(name: &str) -> Case {
    let fixture = Tensors::read(&fixture_folder("full_training").join(format!("{name}.safetensors")));
    let ids: Vec<u32> = fixture.integers["token_ids"].iter().map(|id| *id as u32).collect();
    let offsets = &fixture.integers["offsets"];
    let sequences: Vec<&[u32]> = offsets.windows(2).map(|pair| &ids[pair[0] as usize..pair[1] as usize]).collect();
    let batch = TokenBatch::new(sequences.iter().copied());
    Case { predicted: (ids.len() - sequences.len()) as f32, batch, fixture }
}

#[test]
fn the_loss_has_pytorchs_gradients_and_falls_as_fast() {
    for name in CASES {
        let Case { fixture, batch, predicted } = read(name);
        for device in [Device::Host, Device::composed_on_host()] {
            let mut model = TrainableLanguageModel::load(&fixture_folder(name), &device).unwrap();
            let mut muon = Muon::new(MuonSettings { momentum: 0.95, weight_decay: 0.0 });
            let mut adamw = AdamW::new(WITHOUT_DECAY);
            let [muon_rate, adamw_rate] = fixture.floats["rates"][..] else { panic!("two rates") };
            for (step, reference) in fixture.floats["losses"].iter().enumerate() {
                let loss = model.next_token_loss(&batch, None, predicted).unwrap();
                let ours = loss.to_vec().unwrap()[0];
                // PyTorch's Muon orthogonalises in bf16, so the losses part a little after the first step.
                let tolerance = if step == 0 { 1e-5 } else { 5e-3 };
                assert!((ours - reference).abs() <= tolerance * reference, "{name}, step {step}: {ours}, {reference}");
                let gradients = loss.backward().unwrap();
                if step == 0 {
                    for parameter in model.matrices().iter().chain(model.others()) {
                        let reference = &fixture.floats[&format!("gradient.{}", parameter.name())];
                        let gradient = gradients.to_vec(parameter.value()).unwrap().unwrap();
                        let largest = reference.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
                        for (ours, reference) in gradient.iter().zip(reference) {
                            let difference = (ours - reference).abs();
                            assert!(difference <= 1e-3 * largest, "{name}: {}: {ours}, {reference}", parameter.name());
                        }
                    }
                }
                let (matrices, others) = model.parameters_mut();
                muon.step(matrices, &gradients, f64::from(muon_rate)).unwrap();
                adamw.step(others, &gradients, f64::from(adamw_rate)).unwrap();
            }
        }
    }
}

#[test]
fn what_is_saved_is_the_model_that_was_trained() {
    for name in CASES {
        let Case { batch, predicted, .. } = read(name);
        let folder = tempfile::tempdir().unwrap();
        std::fs::copy(fixture_folder(name).join("config.json"), folder.path().join("config.json")).unwrap();
        let model = TrainableLanguageModel::initial(folder.path(), 5, &Device::Host).unwrap();
        model.save_weights(folder.path(), Precision::F32).unwrap();
        let again = TrainableLanguageModel::load(folder.path(), &Device::Host).unwrap();
        let loss =
            |model: &TrainableLanguageModel| model.next_token_loss(&batch, None, predicted).unwrap().to_vec().unwrap();
        assert_eq!(loss(&model), loss(&again), "{name}");

        // The frozen model that others load computes the same: its own loss from its logits.
        let frozen = LanguageModel::new(&Model::load(folder.path(), &LoadOptions::default()).unwrap()).unwrap();
        let logits = frozen.logits(&batch, None).unwrap();
        let vocabulary = frozen.model().vocabulary();
        let values = logits.to_vec().unwrap();
        let mut sum = 0.0_f64;
        for range in batch.offsets().ranges() {
            for token in range.start..range.end - 1 {
                let row = &values[token * vocabulary..(token + 1) * vocabulary];
                let log_sum = row.iter().map(|logit| f64::from(*logit).exp()).sum::<f64>().ln();
                sum += log_sum - f64::from(row[batch.token_ids()[token + 1] as usize]);
            }
        }
        let (ours, frozen) = (f64::from(loss(&model)[0]), sum / f64::from(predicted));
        assert!((ours - frozen).abs() < 1e-4 * frozen, "{name}: {ours} against {frozen}");
    }
}

#[test]
fn a_beginning_is_a_function_of_the_seed() {
    let folder = fixture_folder("llama_gqa");
    let first = |seed| {
        let model = TrainableLanguageModel::initial(&folder, seed, &Device::Host).unwrap();
        model.matrices()[0].array().unwrap().values().to_vec()
    };
    assert_eq!(first(1), first(1));
    assert_ne!(first(1), first(2));
}

#[test]
fn what_cannot_be_trained_whole_says_so() {
    let message =
        |name: &str| TrainableLanguageModel::load(&fixture_folder(name), &Device::Host).err().unwrap().to_string();
    assert!(message("bert_mean").contains("is an encoder"));
    assert!(message("gpt2").contains("stores its weights transposed"));
}
