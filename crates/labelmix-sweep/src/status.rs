//! How far a study is, from the store alone: which stages are there, which are claimed, which failed.

use std::collections::HashMap;
use std::time::Duration;

use labelmix_models::{Classifier, LoadOptions, Model, Tokenizer};
use serde::Serialize;

use crate::error::Result;
use crate::expansion::{Expansion, graph_of};
use crate::graph::StageGraph;
use crate::key::{SharedInputs, StageKey};
use crate::slurm::{QueueCounts, Submissions};
use crate::store::{FailureRecord, Holder, SeenClaim, Store};
use crate::study::{Study, TooLong};
use crate::sweep::{Inputs, PrepareOptions, rounding};
use crate::tokens::tokenize;
use crate::weak_labels::{WeakLabeling, set_weak_labels};
use crate::workload::Workload;

/// What there is to do for a study, without anything that it takes to do it.
pub struct Outlook {
    study: String,
    graph: StageGraph,
    /// Every stage's expected work.
    work: Vec<f64>,
}

/// How far a study is.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
    /// The study's name.
    pub study: String,
    /// Its runs.
    pub runs: usize,
    /// Those of which all stages are done.
    pub finished_runs: usize,
    /// Its distinct stages.
    pub stages: usize,
    /// Those that are done.
    pub finished: usize,
    /// Those that somebody is at.
    pub running: Vec<RunningStage>,
    /// Those that failed, and are not done and not being tried again.
    pub failed: Vec<FailureRecord>,
    /// Those that start from a failed one, directly or not.
    pub blocked: usize,
    /// All others.
    pub waiting: usize,
    /// The time that is left, in seconds, if stages are finished as fast as the last ones were; none if nobody is at work,
    /// or too little is done to tell.
    pub seconds_left: Option<f64>,
}

/// A stage that somebody is at.
#[derive(Clone, Debug, Serialize)]
pub struct RunningStage {
    /// The stage.
    pub key: StageKey,
    /// In words.
    pub stage: String,
    /// Who is at it, if that can be told.
    pub holder: Option<Holder>,
}

/// Finished stages from which the speed is told.
const LATEST: usize = 32;

impl Outlook {
    /// Expands a study. The weak labels of a labeler have to be in the store.
    ///
    /// # Errors
    /// As [`Sweep::prepare`](crate::Sweep::prepare), without the memory that training takes.
    pub fn of(study: &Study, inputs: &Inputs, options: &PrepareOptions, labeling: &WeakLabeling<'_>) -> Result<Self> {
        let prices = study.prices()?;
        let mut dataset = study.load_data(&inputs.task_files)?;
        set_weak_labels(study, &mut dataset, options, labeling)?;
        let tokenizer = Tokenizer::load(&inputs.model_folder)?;
        let (mut train, mut test) = (dataset.train, dataset.test);
        if study.model.too_long == TooLong::Drop {
            train = tokenize(train, &tokenizer, TooLong::Drop)?.0;
            test = tokenize(test, &tokenizer, TooLong::Drop)?.0;
        }
        let expansion = Expansion::of(study, &prices, &train)?;
        // As stored, weights are mapped and not read: only their hash is wanted.
        let model = Model::load(&inputs.model_folder, &LoadOptions::default())?;
        let model = Classifier::new(&model, study.model.pooling.map(Into::into))?;
        let rounding = rounding(&study.model.load_options(&options.device));
        let shared = SharedInputs::new(study, &model, &tokenizer, rounding, &test)?;
        let graph = graph_of(&expansion.chains(), &shared, &train);
        let work =
            graph.nodes().iter().map(|stage| Workload::of(stage, &study.recipe, test.len()).readings()).collect();
        Ok(Self { study: study.name.clone(), graph, work })
    }

    /// How many of its stages are in a cluster's queue; none if nothing of it was ever submitted to one.
    ///
    /// # Errors
    /// If the queue cannot be asked.
    pub fn queue(&self, store: &Store) -> Result<Option<QueueCounts>> {
        let submissions = Submissions::read(store, &self.study)?;
        if submissions.is_empty() { Ok(None) } else { submissions.count_queued(&self.graph).map(Some) }
    }

    /// How far the study is now.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn status(&self, store: &Store) -> Result<Status> {
        let nodes = self.graph.nodes();
        let mut claims: HashMap<String, SeenClaim> =
            store.held_claims()?.into_iter().map(|claim| (claim.name.clone(), claim)).collect();
        let mut failures: HashMap<StageKey, FailureRecord> =
            store.failures()?.into_iter().map(|failure| (failure.key.clone(), failure)).collect();
        let (mut running, mut failed, mut blocked, mut latest) = (Vec::new(), Vec::new(), 0, Vec::new());
        // Parents come first, so what becomes of a stage's parent is known.
        let (mut done, mut stuck) = (vec![false; nodes.len()], vec![false; nodes.len()]);
        let mut left = 0.0;
        for (index, node) in nodes.iter().enumerate() {
            if let Some(time) = store.finished_at(&node.key) {
                done[index] = true;
                latest.push((time, self.work[index]));
                continue;
            }
            if let Some(SeenClaim { holder, .. }) = claims.remove(&node.key.to_string()) {
                running.push(RunningStage { key: node.key.clone(), stage: node.in_words(), holder });
            } else if let Some(failure) = failures.remove(&node.key) {
                stuck[index] = true;
                failed.push(failure);
                continue;
            } else if node.needs().any(|needed| stuck[needed]) {
                stuck[index] = true;
                blocked += 1;
                continue;
            }
            left += self.work[index];
        }
        let finished = latest.len();
        latest.sort_by_key(|(time, _)| std::cmp::Reverse(*time));
        latest.truncate(LATEST);
        let seconds_left = latest.pop().filter(|_| !running.is_empty() && !latest.is_empty()).map(|(first, _)| {
            let work: f64 = latest.iter().map(|(_, work)| work).sum();
            left * store.now().duration_since(first).unwrap_or(Duration::ZERO).as_secs_f64() / work
        });
        Ok(Status {
            study: self.study.clone(),
            runs: self.graph.runs().len(),
            finished_runs: self.graph.runs().iter().filter(|run| run.stages.iter().all(|stage| done[*stage])).count(),
            stages: nodes.len(),
            finished,
            waiting: nodes.len() - finished - running.len() - failed.len() - blocked,
            running,
            failed,
            blocked,
            seconds_left,
        })
    }
}
