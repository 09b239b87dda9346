//! What is kept of a sweep's runs beyond their accuracies: how their stages went, what they bought, what they said of
//! each test text.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;

use labelmix_data::Example;
use labelmix_econ::LedgerTotals;
use labelmix_sweep::{Error, FollowedRun, Run, RunFile, RunRecord, StageKey, StageOutcome, Store, Sweep};

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
        let mut stages = Stages::default();
        let mut runs = HashMap::new();
        let graph_runs: HashMap<&str, &Run> = sweep.graph().runs().iter().map(|run| (run.name.as_str(), run)).collect();
        for record in records {
            let Some(run) = graph_runs.get(record.run.as_str()) else { continue };
            let mut places = Vec::new();
            for &node in &run.stages {
                let key = &sweep.graph().nodes()[node].key;
                places.extend(stages.place(key, || store.outcome(key))?);
            }
            let key = &sweep.graph().nodes()[run.last_stage()].key;
            let log_odds = store.test_log_odds(key)?.map(|predicted| predicted.log_odds).unwrap_or_default();
            let (file, _) = Store::read_run(&store.run_folder(&sweep.study().name, &record.run))?;
            runs.insert(record.run.clone(), RunDetails { stages: places, ledger: file.labels, log_odds });
        }
        let prompted = PromptedMethod::of(sweep.study());
        Ok(Self { stages: stages.outcomes, runs, test: texts(sweep.test()), prompted })
    }

    /// The same of runs that are followed, tested on these texts in this order.
    #[must_use]
    pub fn of(followed: &[Arc<FollowedRun>], test: &[Example]) -> Self {
        let mut stages = Stages::default();
        let mut runs = HashMap::new();
        for run in followed {
            let mut places = Vec::new();
            for stage in &run.stages {
                let there = || Ok::<_, Infallible>(Some(StageOutcome::clone(stage)));
                let Ok(place) = stages.place(&stage.key, there);
                places.extend(place);
            }
            let RunFile { record, labels, .. } = &run.file;
            let log_odds = if test.is_empty() { Vec::new() } else { run.log_odds.clone() };
            runs.insert(record.run.clone(), RunDetails { stages: places, ledger: labels.clone(), log_odds });
        }
        Self { stages: stages.outcomes, runs, test: texts(test), prompted: Vec::new() }
    }
}

/// Stages of runs, each once.
#[derive(Default)]
struct Stages {
    outcomes: Vec<StageOutcome>,
    places: HashMap<StageKey, usize>,
}

impl Stages {
    /// The place of a stage, which is read if it has none yet; `None` if there is no such stage.
    fn place<E>(
        &mut self,
        key: &StageKey,
        read: impl FnOnce() -> Result<Option<StageOutcome>, E>,
    ) -> Result<Option<usize>, E> {
        if let Some(place) = self.places.get(key) {
            return Ok(Some(*place));
        }
        let Some(outcome) = read()? else { return Ok(None) };
        self.outcomes.push(outcome);
        self.places.insert(key.clone(), self.outcomes.len() - 1);
        Ok(Some(self.outcomes.len() - 1))
    }
}

fn texts(test: &[Example]) -> Vec<TestText> {
    let text = |example: &Example| TestText { text: example.text.clone(), gold: example.gold, weak: example.weak };
    test.iter().map(text).collect()
}
