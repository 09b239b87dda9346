//! A service, a question, and a place for answers.

use std::path::PathBuf;
use std::time::Duration;

use labelmix_data::PromptTemplate;
use labelmix_http::{Connections, Retries, Secret};
use labelmix_llm::{Bought, Error, Purchase, Question, Service};
use labelmix_loopback::{Answer, LoopbackModel, chat};
use labelmix_study::{LlmTable, Rates};
use miette::Diagnostic;
use serde_json::Value as Json;
use tempfile::TempDir;

pub(crate) const KEY: &str = "sk-only-for-this-service";
pub(crate) const RATES: Rates = Rates { input: 1.0, cached: None, output: 10.0 };

/// A service, a question, and a place for answers.
pub(crate) struct Scene {
    pub(crate) served: LoopbackModel,
    pub(crate) service: Service,
    pub(crate) question: Question,
    pub(crate) folder: TempDir,
    pub(crate) max_usd: Option<f64>,
    pub(crate) batch: bool,
}

impl Scene {
    pub(crate) fn new(respond: impl Fn(&Json) -> Answer + Send + Sync + 'static) -> Self {
        Self::at(LoopbackModel::start(respond))
    }

    pub(crate) fn at(served: LoopbackModel) -> Self {
        let retries = Retries {
            attempts: 3,
            first_delay: Duration::from_millis(1),
            longest_delay: Duration::from_millis(5),
            ..Retries::default()
        };
        let service = Service {
            base_url: served.base_url(),
            key: Secret::new(KEY),
            connections: Connections::new(|_| None),
            retries,
            concurrency: 4,
        };
        let prompt = PromptTemplate {
            before_text: "Review: ".to_owned(),
            before_target: "\nSentiment:".to_owned(),
            targets: [" negative", " positive"].map(str::to_owned),
            ..PromptTemplate::default()
        };
        let table: LlmTable = toml::from_str("base_url = 'http://127.0.0.1/v1'\nmodel = 'm'").unwrap();
        let question = Question::of(&table, prompt, Vec::new());
        Self { served, service, question, folder: tempfile::tempdir().unwrap(), max_usd: None, batch: false }
    }

    pub(crate) fn answers(&self) -> PathBuf {
        self.folder.path().join("answers.jsonl")
    }

    pub(crate) fn buy(&self, texts: &[&str]) -> Result<Bought, Error> {
        self.buy_while(texts, &|| false)
    }

    pub(crate) fn buy_while(&self, texts: &[&str], interrupted: &(dyn Fn() -> bool + Sync)) -> Result<Bought, Error> {
        let answers = self.answers();
        let (question, max_usd, batch) = (&self.question, self.max_usd, self.batch);
        let purchase = Purchase { question, rates: RATES, max_usd, answers: &answers, batch, texts };
        let bought = purchase.make(&self.service, interrupted, &|_| ());
        let told = format!("{bought:?} {}", std::fs::read_to_string(&answers).unwrap_or_default());
        assert!(!told.contains(KEY), "the key is nobody's business: {told}");
        bought
    }

    /// An error and its remedy, with the port taken out.
    pub(crate) fn refusal(&self, texts: &[&str]) -> String {
        let error = self.buy(texts).unwrap_err();
        let help = error.help().map_or(String::new(), |help| help.to_string());
        let told = format!("{error}\nhelp: {help}");
        assert!(!told.contains(KEY), "the key is nobody's business: {told}");
        told.replace(&self.served.base_url(), "[base_url]")
    }
}

/// The text of a request.
pub(crate) fn text(request: &Json) -> String {
    let content = match request["prompt"].as_str() {
        Some(prompt) => prompt,
        None => request["messages"].as_array().unwrap().last().unwrap()["content"].as_str().unwrap(),
    };
    let after = content.rsplit_once("Review: ").unwrap().1;
    after.split_once("\nSentiment:").unwrap().0.to_owned()
}

/// Positive with probability .8 for texts that hold "good", else with .1.
pub(crate) fn judged(request: &Json) -> Answer {
    let yes = if text(request).contains("good") { 0.8 } else { 0.1 };
    let word = if yes > 0.5 { "positive" } else { "negative" };
    Answer::json(&chat(word, &[("positive", yes / 2.0), (" Positive", yes / 2.0), ("negative", 1.0 - yes)]))
}

pub(crate) const TEXTS: [&str; 4] = ["a good film", "a bad film", "good again", "so-so"];

pub(crate) fn rounded(bought: &Bought) -> Vec<Option<f64>> {
    bought.labels.iter().map(|label| label.map(|label| (f64::from(label) * 1e4).round() / 1e4)).collect()
}
