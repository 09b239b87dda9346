//! Losses against PyTorch and few-shot scores against transformers; `fixtures/make_*.py` made the references.

#![expect(clippy::unwrap_used, reason = "this file is all test, including the functions beside the tests")]

use std::path::{Path, PathBuf};

use labelmix_data::ExampleId;
use labelmix_elicit::{Prompt, PromptEncoder, PromptTemplate, ShotOrder, Shots, ask, log_confidence_targets};
use labelmix_models::{LanguageModel, LoadOptions, Model, Tokenizer};
use labelmix_nn::{Array, Parameter, soft_cross_entropy};
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

fn assert_scores(model: &LanguageModel, prompts: &[Prompt], reference: &FewShot) {
    // Whatever is read at once.
    for batch_tokens in [1, 16, 1024] {
        let scores = ask(model, prompts, reference.targets, batch_tokens).unwrap();
        for (score, query) in scores.iter().zip(&reference.queries) {
            assert!((score - query.score).abs() < 1e-4, "{}: {score} against {}", query.text, query.score);
        }
    }
}

fn language_model(folder: &Path) -> LanguageModel {
    LanguageModel::new(&Model::load(folder, &LoadOptions::default()).unwrap()).unwrap()
}

#[test]
fn few_shot_scores_of_a_random_qwen2_are_transformers() {
    let reference: FewShot = fixture("few_shot_qwen2.json");
    let model = language_model(&here("../labelmix-models/tests/fixtures/qwen2"));
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
    assert_scores(&language_model(&folder), &prompts, &reference);
}
