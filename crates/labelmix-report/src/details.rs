//! What is kept of a sweep's runs beyond their accuracies: how their stages went, what they bought, what they said of
//! each test text.

use std::collections::HashMap;

use labelmix_econ::LedgerTotals;
use labelmix_sweep::{Error, Run, RunRecord, StageOutcome, Store, Sweep};

use crate::PromptedMethod;

/// The details of a sweep's finished runs.
#[derive(Clone, Debug, Default)]
pub struct Details {
    /// The stages of finished runs, each once.
    pub stages: Vec<StageOutcome>,
    /// The runs, by name.
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
    /// The text.
    pub text: String,
    /// The gold label.
    pub gold: Option<bool>,
    /// The weak label, if there is one: the probability of class 1.
    pub weak: Option<f32>,
}

impl Details {
    /// Reads what the store holds of these runs.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn read(sweep: &Sweep, store: &Store, records: &[RunRecord]) -> Result<Self, Error> {
        let mut stages = Vec::new();
        let mut place_of_node = HashMap::new();
        let mut runs = HashMap::new();
        let graph_runs: HashMap<&str, &Run> = sweep.graph().runs().iter().map(|run| (run.name.as_str(), run)).collect();
        for record in records {
            let Some(run) = graph_runs.get(record.run.as_str()) else { continue };
            let mut places = Vec::new();
            for &node in &run.stages {
                let place = if let Some(place) = place_of_node.get(&node) {
                    *place
                } else {
                    let Some(outcome) = store.outcome(&sweep.graph().nodes()[node].key)? else { continue };
                    stages.push(outcome);
                    place_of_node.insert(node, stages.len() - 1);
                    stages.len() - 1
                };
                places.push(place);
            }
            let key = &sweep.graph().nodes()[run.last_stage()].key;
            let log_odds = store.test_log_odds(key)?.map(|predicted| predicted.log_odds).unwrap_or_default();
            let (file, _) = Store::read_run(&store.run_folder(&sweep.study().name, &record.run))?;
            runs.insert(record.run.clone(), RunDetails { stages: places, ledger: file.labels, log_odds });
        }
        let test = sweep.test().iter();
        let test = test.map(|example| TestText { text: example.text.clone(), gold: example.gold, weak: example.weak });
        Ok(Self { stages, runs, test: test.collect(), prompted: PromptedMethod::of(sweep.study()) })
    }
}
