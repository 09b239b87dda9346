//! What the options of a stage change, and what they leave alone.

#![expect(clippy::unwrap_used, reason = "this file is all test, including the functions beside the tests")]

use std::path::Path;

use labelmix_methods::{Loss, Recipe, Schedule, StageExample, StageOptions, Trains};
use labelmix_models::{Adapter, LoadOptions, Model, TextLimit, Tokenizer};
use labelmix_train::{Backend, NativeBackend, OptimizerState, StageRequest, StageResult, lora_settings, train_stage};

/// The example's model, and the token ids and weak labels of some rows.
struct Reviews {
    model: NativeBackend,
    rows: Vec<(Vec<u32>, f32)>,
}

impl Reviews {
    fn new() -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/reviews");
        let checkpoint = folder.join("checkpoint");
        let model = NativeBackend::new(&Model::load(&checkpoint, &LoadOptions::default()).unwrap(), None).unwrap();
        let tokenizer = Tokenizer::load(&checkpoint).unwrap();
        let rows = std::fs::read_to_string(folder.join("train.jsonl")).unwrap();
        let row = |line: &str| {
            let row: serde_json::Value = serde_json::from_str(line).unwrap();
            let label = if row["gold"] == 1 { 0.875 } else { 0.25 };
            (tokenizer.encode(row["text"].as_str().unwrap(), TextLimit::Refuse).unwrap(), label)
        };
        Self { model, rows: rows.lines().take(40).map(row).collect() }
    }

    fn start(&self) -> Adapter {
        self.model.initial_adapter(lora_settings(&recipe()), 3).unwrap()
    }

    fn stage(&self, recipe: &Recipe, options: StageOptions, optimizer: Option<&OptimizerState>) -> StageResult {
        let examples = [self.rows.iter().map(|(token_ids, target)| StageExample::new(token_ids, *target)).collect()];
        let (model, start) = (&self.model, self.start());
        let request =
            StageRequest { model, start, examples: &examples, recipe, options, optimizer, shots: None, seed: 3 };
        train_stage(request, |_| ()).unwrap()
    }
}

fn recipe() -> Recipe {
    Recipe { total_examples: 320, learning_rate: 5e-3, ..Recipe::default() }
}

/// The values of the LoRA factors and of the head.
fn body_and_head(adapter: &Adapter) -> [Vec<f32>; 2] {
    let values = |of_body: bool| {
        let parameters = adapter.parameters().iter().filter(|parameter| parameter.name().contains(".lora_") == of_body);
        parameters.flat_map(|parameter| parameter.array().unwrap().values().to_vec()).collect()
    };
    [values(true), values(false)]
}

#[test]
fn what_does_not_train_does_not_change() {
    let reviews = Reviews::new();
    let [body, head] = body_and_head(&reviews.start());
    // The last checkpoint: the best could be the one after the first step, whose learning rate is zero.
    let recipe = Recipe { schedule: Schedule::ByCount, ..recipe() };
    let trained = |trains| {
        body_and_head(&reviews.stage(&recipe, StageOptions { trains, ..StageOptions::default() }, None).adapter)
    };
    let [head_body, head_head] = trained(Trains::Head);
    assert!(head_body == body && head_head != head);
    let [body_body, body_head] = trained(Trains::Body);
    assert!(body_body != body && body_head == head);
    let [all_body, all_head] = trained(Trains::All);
    assert!(all_body != body && all_head != head);
}

#[test]
fn a_head_that_starts_anew_is_normal_with_its_deviation() {
    let reviews = Reviews::new();
    let options = StageOptions { trains: Trains::Body, reinitialise_head: true, ..StageOptions::default() };
    let [_, head] = body_and_head(&reviews.stage(&recipe(), options, None).adapter);
    assert_ne!(head, body_and_head(&reviews.start())[1]);
    // 128 draws of deviation 0.01/√64: four standard errors are a quarter of it.
    let deviation = (head.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>() / head.len() as f64).sqrt();
    assert!((deviation / (0.01 / 8.0) - 1.0).abs() < 0.25, "{deviation}");
    assert_eq!(head, body_and_head(&reviews.stage(&recipe(), options, None).adapter)[1]);
}

#[test]
fn an_optimizer_that_carries_on_goes_elsewhere() {
    let reviews = Reviews::new();
    let options = StageOptions { carry_optimizer: true, ..StageOptions::default() };
    let before = reviews.stage(&recipe(), StageOptions::default(), None).optimizer;
    let carried = reviews.stage(&recipe(), options, Some(&before));
    let fresh = reviews.stage(&recipe(), options, None);
    assert_ne!(body_and_head(&carried.adapter), body_and_head(&fresh.adapter));
    // Through a file and back, the same bytes.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("optimizer.safetensors");
    before.save(&path).unwrap();
    let again = reviews.stage(&recipe(), options, Some(&OptimizerState::load(&path).unwrap()));
    assert_eq!(body_and_head(&carried.adapter), body_and_head(&again.adapter));
}

#[test]
fn kl_is_cross_entropy_less_the_labels_entropy_with_the_same_gradients() {
    let reviews = Reviews::new();
    let stage = |loss| reviews.stage(&recipe(), StageOptions { loss, ..StageOptions::default() }, None);
    let (xent, kl) = (stage(Loss::Xent), stage(Loss::Kl));
    assert_eq!(body_and_head(&xent.adapter), body_and_head(&kl.adapter));
    // −p ln p − (1−p) ln(1−p) of 0.25 and of 0.875.
    let entropies = [0.562_335_144_618_808_2, 0.376_770_161_256_436_7];
    for (xent, kl) in xent.history.validation.iter().zip(&kl.history.validation) {
        let less = xent.training_loss - kl.training_loss;
        assert!(less > entropies[1] && less < entropies[0], "{less}");
    }
}

#[test]
fn log_confidence_looks_at_the_whole_batch_however_it_is_cut() {
    let reviews = Reviews::new();
    let options = StageOptions { loss: Loss::LogConfidence, ..StageOptions::default() };
    let losses = |micro_batch_tokens, options| -> Vec<f64> {
        let history = reviews.stage(&Recipe { micro_batch_tokens, ..recipe() }, options, None).history;
        history.validation.iter().map(|point| point.training_loss).collect()
    };
    let (whole, single) = (losses(4096, options), losses(1, options));
    let usual = losses(4096, StageOptions::default());
    let distance = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - b).abs()).sum::<f64>();
    // A quantile of a batch of one is its only value: then every prediction would harden to class 0.
    assert!(distance(&whole, &single) < 0.1 * distance(&whole, &usual), "{whole:?} {single:?} {usual:?}");
}

#[test]
fn labels_of_each_kind_are_split_by_themselves_and_count_as_they_weigh() {
    let reviews = Reviews::new();
    let examples: Vec<StageExample<'_>> =
        reviews.rows.iter().map(|(token_ids, target)| StageExample::new(token_ids, *target)).collect();
    let (own, others) = examples.split_at(10);
    // All of an epoch in one step, which starts from log-odds near zero: every label's loss is near ln 2.
    let recipe = Recipe { batch_size: 64, ..recipe() };
    let stage = |weight: f32| {
        let weighted = others.iter().map(|example| StageExample { weight, ..*example }).collect();
        let examples = [own.to_vec(), weighted];
        let (model, start, options) = (&reviews.model, reviews.start(), StageOptions::default());
        let request = StageRequest {
            model,
            start,
            examples: &examples,
            recipe: &recipe,
            options,
            optimizer: None,
            shots: None,
            seed: 3,
        };
        train_stage(request, |_| ()).unwrap()
    };
    let history = stage(0.25).history;
    assert_eq!((history.n_train, history.n_validation), (8 + 24, 2 + 6));
    let expected = std::f64::consts::LN_2 * (8.0 + 0.25 * 24.0) / 32.0;
    assert!((history.validation[0].training_loss - expected).abs() < 0.02, "{:?}", history.validation[0]);
    assert_ne!(body_and_head(&stage(0.25).adapter), body_and_head(&stage(1.0).adapter));
}
