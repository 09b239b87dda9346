//! Losses against PyTorch and few-shot scores against transformers; `fixtures/make_*.py` made the references.

#![expect(clippy::unwrap_used, reason = "this file is all test, including the functions beside the tests")]

use std::path::{Path, PathBuf};

use labelmix_data::{ExampleId, PromptTemplate};
use labelmix_methods::{Recipe, ShotOrder};
use labelmix_models::{LanguageModel, LoadOptions, Model, TokenBatch, Tokenizer};
use labelmix_nn::{Array, Parameter, soft_cross_entropy};
use labelmix_train::{
    Backend, Interrupt, NativeBackend, Prompt, PromptEncoder, Reading, Shots, answers, log_confidence_targets,
    lora_settings, start_with_words,
};
use serde::Deserialize;
use serde::de::DeserializeOwned;

fn here(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn fixture<T: DeserializeOwned>(name: &str) -> T {
    serde_json::from_str(&std::fs::read_to_string(here("tests/fixtures").join(name)).unwrap()).unwrap()
}

#[derive(Deserialize)]
struct Batch {
    step: usize,
    logits: Vec<f32>,
    labels: Vec<f32>,
    loss: f32,
    gradient: Vec<f32>,
}

#[test]
fn the_log_confidence_loss_and_its_gradient_are_pytorchs() {
    let batches: Vec<Batch> = fixture("log_confidence.json");
    assert_eq!(batches.len(), 32);
    for (number, batch) in batches.iter().enumerate() {
        let examples = batch.labels.len();
        let log_odds: Vec<f32> = batch.logits.chunks_exact(2).map(|pair| pair[1] - pair[0]).collect();
        let targets = log_confidence_targets(&log_odds, &batch.labels, batch.step);
        let logits = Parameter::new("logits", Array::new(batch.logits.clone(), &[examples, 2]));
        let loss = soft_cross_entropy(logits.value(), &targets, examples as f32).unwrap();
        assert!((loss.to_vec().unwrap()[0] - batch.loss).abs() < 1e-6, "batch {number}");
        let gradients = loss.backward().unwrap();
        for (ours, reference) in gradients.of(logits.value()).unwrap().iter().zip(&batch.gradient) {
            assert!((ours - reference).abs() < 1e-6, "batch {number}: {ours} against {reference}");
        }
    }
}

#[derive(Deserialize)]
struct FewShot {
    shots: Vec<(String, u8)>,
    targets: [u32; 2],
    queries: Vec<Query>,
}

#[derive(Deserialize)]
struct Query {
    text: String,
    token_ids: Vec<u32>,
    score: f32,
}

fn assert_scores(model: &NativeBackend, prompts: &[Prompt], reference: &FewShot) {
    // Whatever is read at once.
    for batch_tokens in [1, 16, 1024] {
        let reading = Reading { batch_tokens, interrupt: &Interrupt::default() };
        let scores = model.next_token_scores(prompts, reference.targets, reading).unwrap();
        for (score, query) in scores.iter().zip(&reference.queries) {
            assert!((score - query.score).abs() < 1e-4, "{}: {score} against {}", query.text, query.score);
        }
    }
}

fn model(folder: &Path) -> Model {
    Model::load(folder, &LoadOptions::default()).unwrap()
}

fn backend(folder: &Path) -> NativeBackend {
    NativeBackend::new(&model(folder), None).unwrap()
}

#[test]
fn few_shot_scores_of_a_random_qwen2_are_transformers() {
    let reference: FewShot = fixture("few_shot_qwen2.json");
    let model = backend(&here("../labelmix-models/tests/fixtures/qwen2"));
    let ids = reference.queries.iter().map(|query| &query.token_ids);
    let shared = ids.clone().map(Vec::len).min().unwrap() - 6;
    let prompt = |ids: &Vec<u32>| {
        // Shots of five tokens each: what all prompts share, in whole shots.
        let (before, query) = ids.split_at(shared / 5 * 5);
        Prompt { before: before.to_vec(), query: query.to_vec(), lost: 0 }
    };
    assert_scores(&model, &ids.map(prompt).collect::<Vec<_>>(), &reference);
}

#[test]
fn few_shot_scores_of_stories260k_are_transformers() {
    let folder = here("../../../shared/data/stories260K");
    if !folder.exists() {
        eprintln!("skipped: {} is not there", folder.display());
        return;
    }
    let reference: FewShot = fixture("few_shot_stories260k.json");
    let tokenizer = Tokenizer::load(&folder).unwrap();
    let encoder = PromptEncoder::new(PromptTemplate::default(), &tokenizer).unwrap();
    assert_eq!(encoder.targets(), reference.targets);
    let prompts = |seed| -> Vec<Prompt> {
        let examples = reference.shots.iter().map(|(text, class)| (&**text, *class == 1));
        let shots = Shots::new(&encoder, examples, ShotOrder::OneForAll, seed).unwrap();
        let prompt = |query: &Query| shots.before(ExampleId::of(&query.text), &encoder.query(&query.text).unwrap());
        reference.queries.iter().map(prompt).collect()
    };
    // Some seed shuffles the shots into the reference's order; then every token is the same.
    let same = |prompts: &Vec<Prompt>| {
        prompts.iter().zip(&reference.queries).all(|(prompt, query)| prompt.token_ids() == query.token_ids)
    };
    let prompts = (0..500).map(prompts).find(same).expect("one of 500 shuffles of four shots is any of the 24 orders");
    assert_scores(&backend(&folder), &prompts, &reference);
}

#[test]
fn a_head_of_words_says_what_the_language_model_would() {
    // Transformers' scores of a random Qwen2 with a head of its own.
    let folder = here("../labelmix-models/tests/fixtures/qwen2");
    let reference: FewShot = fixture("few_shot_qwen2.json");
    let texts: Vec<&[u32]> = reference.queries.iter().map(|query| &*query.token_ids).collect();
    for (score, query) in words_scores(&folder, &texts, reference.targets).iter().zip(&reference.queries) {
        assert!((score - query.score).abs() < 1e-4, "{}: {score} against {}", query.text, query.score);
    }
    // And where the head is the word embedding.
    let folder = here("../labelmix-models/tests/fixtures/llama_mha_tied");
    let texts: [&[u32]; 3] = [&[1, 5, 9], &[7], &[3, 3, 8, 2, 6]];
    let prompts = texts.map(|text| Prompt { before: Vec::new(), query: text.to_vec(), lost: 0 });
    let reading = Reading { batch_tokens: 1024, interrupt: &Interrupt::default() };
    let asked = backend(&folder).next_token_scores(&prompts, [4, 11], reading).unwrap();
    for (score, asked) in words_scores(&folder, &texts, [4, 11]).iter().zip(&asked) {
        assert!((score - asked).abs() < 1e-5, "{score} against {asked}");
    }
    assert!(asked.iter().any(|score| score.abs() > 1e-3));
}

/// The log-odds of a classifier that nothing was trained of, but whose head starts as words.
fn words_scores(folder: &Path, texts: &[&[u32]], targets: [u32; 2]) -> Vec<f32> {
    let model = backend(folder);
    let mut adapter = model.initial_adapter(lora_settings(&Recipe::default()), 3).unwrap();
    start_with_words(&mut adapter, &model, targets).unwrap();
    model.log_odds(&adapter, texts, Reading { batch_tokens: 1024, interrupt: &Interrupt::default() }).unwrap()
}

#[test]
fn answers_are_the_likeliest_tokens_one_after_the_other() {
    let folder = here("../labelmix-models/tests/fixtures/qwen2");
    let model = LanguageModel::new(&model(&folder)).unwrap();
    let backend = backend(&folder);
    let reading = Reading { batch_tokens: 4, interrupt: &Interrupt::default() };
    let texts = vec![vec![5, 9, 2], vec![7], vec![3, 3, 8, 2]];
    let answered = answers(&backend, &texts, 3, reading).unwrap();
    for (text, answer) in texts.iter().zip(&answered) {
        let mut so_far = text.clone();
        for token in answer {
            let logits = model.last_logits(&TokenBatch::new([&*so_far]), None).unwrap().to_vec().unwrap();
            let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            assert_eq!(logits[*token as usize], largest);
            so_far.push(*token);
        }
    }
    assert_eq!(answers(&backend, &texts, 0, reading).unwrap(), vec![Vec::<u32>::new(); 3]);
}
