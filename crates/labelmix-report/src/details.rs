//! What is kept of a sweep's runs beyond their accuracies: how their stages went, what they bought, what they said of
//! each test text.

use std::collections::HashMap;

use labelmix_econ::LedgerTotals;
use labelmix_store::{FinishedStudy, RunFile, StageKey, StageOutcome};
use labelmix_study::Study;

use crate::PromptedMethod;

/// The details of a sweep's finished runs.
#[derive(Clone, Debug, Default)]
pub struct Details {
    /// The stages of finished runs, each once.
    pub stages: Vec<StageOutcome>,
    pub runs: HashMap<String, RunDetails>,
    /// The test set.
    pub test: Vec<TestText>,
    /// The methods that have a prompt, and what they are held against.
    pub prompted: Vec<PromptedMethod>,
}

/// The details of one run.
#[derive(Clone, Debug)]
pub struct RunDetails {
    /// Its stages in order, by their places in [`Details::stages`].
    pub stages: Vec<usize>,
    /// What it bought, in numbers.
    pub ledger: Option<LedgerTotals>,
    /// The log-odds of class 1 of every test text.
    pub log_odds: Vec<f32>,
}

/// A test text with its labels.
#[derive(Clone, Debug)]
pub struct TestText {
    pub text: String,
    /// The gold label.
    pub gold: Option<bool>,
    /// The weak label, if there is one: the probability of class 1.
    pub weak: Option<f32>,
}

impl Details {
    /// Of a study's finished runs.
    pub fn of(finished: &FinishedStudy) -> Self {
        let mut details = Self::default();
        let mut places: HashMap<&StageKey, usize> = HashMap::new();
        for run in &finished.runs {
            let stages = run.stages.iter().map(|stage| {
                *places.entry(&stage.key).or_insert_with(|| {
                    details.stages.push(StageOutcome::clone(stage));
                    details.stages.len() - 1
                })
            });
            let stages = stages.collect();
            let RunFile { record, labels, .. } = &run.file;
            let log_odds = if finished.test.is_empty() { Vec::new() } else { run.log_odds.clone() };
            details.runs.insert(record.run.clone(), RunDetails { stages, ledger: labels.clone(), log_odds });
        }
        let texts = finished.test.iter();
        details.test.extend(texts.map(|example| TestText {
            text: example.text.clone(),
            gold: example.gold,
            weak: example.weak,
        }));
        details
    }

    /// With those of the study's methods that have a prompt.
    pub fn with_prompted(self, study: &Study) -> Self {
        Self { prompted: PromptedMethod::of(study), ..self }
    }
}
