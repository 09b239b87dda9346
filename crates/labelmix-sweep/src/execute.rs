//! The local executor: does the stages that the store lacks, parents first, as many at a time as there are jobs.

use std::collections::{BinaryHeap, HashSet};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use labelmix_elicit::{Error as ElicitError, StageProgress};
use miette::Diagnostic;

use crate::error::{Error, Result};
use crate::graph::StageNode;
use crate::record::RunRecord;
use crate::stage_work::do_stage;
use crate::store::{RunFile, StageOutcome, Store};
use crate::sweep::Sweep;

/// What a caller hears of a sweep while it runs. Calls come from several threads.
pub trait Observer: Sync {
    /// `stages` stages are missing, and `jobs` of them are done at a time.
    fn begin(&self, stages: &[&StageNode], jobs: usize);
    /// A worker began a stage.
    fn stage_began(&self, worker: usize, stage: &StageNode);
    /// A worker made a step.
    fn stage_progressed(&self, worker: usize, progress: StageProgress);
    /// A worker finished a stage, and its outcome is kept.
    fn stage_finished(&self, worker: usize, outcome: &StageOutcome);
    /// A worker failed at a stage.
    fn stage_failed(&self, worker: usize, failure: &StageFailure);
}

/// A stage that could not be done. The stages that start from it are left out.
#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("{stage}")]
pub struct StageFailure {
    /// Which stage, in words.
    pub stage: String,
    /// Why.
    #[source]
    #[diagnostic_source]
    pub cause: StageError,
}

/// Why a stage could not be done.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum StageError {
    /// Training failed.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Training(#[from] ElicitError),
    /// Its inputs could not be read or its outcome not be kept.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Store(#[from] Error),
}

impl From<labelmix_models::Error> for StageError {
    fn from(error: labelmix_models::Error) -> Self {
        Self::Training(error.into())
    }
}

/// The records of all finished runs, in the graph's order, and the stages that failed.
#[derive(Debug)]
pub struct Execution {
    /// Finished runs.
    pub records: Vec<RunRecord>,
    /// Failed stages.
    pub failures: Vec<StageFailure>,
}

/// Does all stages that the store lacks. Results are kept as they come.
///
/// # Errors
/// If the store cannot be read or a run's record not be written. A stage that fails is no error here: it is among the
/// failures.
pub fn execute(sweep: &Sweep, store: &Store, observer: &dyn Observer) -> Result<Execution> {
    let nodes = sweep.graph().nodes();
    let mut done = HashSet::new();
    for (index, node) in nodes.iter().enumerate() {
        if store.outcome(&node.key)?.is_some() {
            done.insert(index);
        }
    }
    let missing: Vec<&StageNode> =
        nodes.iter().enumerate().filter(|(index, _)| !done.contains(index)).map(|(_, node)| node).collect();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let jobs = sweep.jobs().clamp(1, missing.len().max(1));
    if !missing.is_empty() {
        observer.begin(&missing, jobs);
    }
    let queue = Queue::new(sweep, &done);
    let threads_per_job = (cores / jobs).max(1);
    std::thread::scope(|scope| {
        for worker in 0..jobs.min(missing.len()) {
            let queue = &queue;
            scope.spawn(move || work(worker, threads_per_job, sweep, store, queue, observer));
        }
    });
    let failures = queue.into_failures();
    Ok(Execution { records: records(sweep, store)?, failures })
}

/// Stages that wait, and stages whose parents are done.
struct Queue {
    state: Mutex<QueueState>,
    changed: Condvar,
    dependents: Vec<Vec<usize>>,
}

struct QueueState {
    ready: BinaryHeap<Ready>,
    /// Stages that are neither done nor given up.
    outstanding: usize,
    failures: Vec<StageFailure>,
}

/// Orders what is ready: stages that others wait for first, then the largest, so that no long one is left for last.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Ready {
    dependents: usize,
    count: usize,
    index: usize,
}

impl Queue {
    fn new(sweep: &Sweep, done: &HashSet<usize>) -> Self {
        let nodes = sweep.graph().nodes();
        let dependents = sweep.graph().dependents();
        let ready = nodes
            .iter()
            .enumerate()
            .filter(|(index, node)| !done.contains(index) && node.parent.is_none_or(|parent| done.contains(&parent)))
            .map(|(index, node)| Ready { dependents: dependents[index].len(), count: node.plan.count, index })
            .collect();
        let state = QueueState { ready, outstanding: nodes.len() - done.len(), failures: Vec::new() };
        Self { state: Mutex::new(state), changed: Condvar::new(), dependents }
    }

    fn lock(&self) -> MutexGuard<'_, QueueState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next stage to do; waits for one to become ready, `None` when there will be none.
    fn next(&self) -> Option<usize> {
        let mut state = self.lock();
        loop {
            if let Some(Ready { index, .. }) = state.ready.pop() {
                return Some(index);
            }
            if state.outstanding == 0 {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn finished(&self, index: usize, sweep: &Sweep) {
        let mut state = self.lock();
        state.outstanding -= 1;
        for &dependent in &self.dependents[index] {
            let count = sweep.graph().nodes()[dependent].plan.count;
            state.ready.push(Ready { dependents: self.dependents[dependent].len(), count, index: dependent });
        }
        drop(state);
        self.changed.notify_all();
    }

    fn failed(&self, index: usize, failure: StageFailure) {
        let mut given_up = vec![index];
        let mut next = 0;
        while let Some(&index) = given_up.get(next) {
            given_up.extend(&self.dependents[index]);
            next += 1;
        }
        let mut state = self.lock();
        state.outstanding -= given_up.len();
        state.failures.push(failure);
        drop(state);
        self.changed.notify_all();
    }

    fn into_failures(self) -> Vec<StageFailure> {
        self.state.into_inner().unwrap_or_else(PoisonError::into_inner).failures
    }
}

/// One worker: takes stages until there are none.
fn work(worker: usize, threads: usize, sweep: &Sweep, store: &Store, queue: &Queue, observer: &dyn Observer) {
    let pool = match rayon::ThreadPoolBuilder::new().num_threads(threads).use_current_thread().build() {
        Ok(pool) => pool,
        Err(error) => panic!("cannot start {threads} threads: {error}"),
    };
    while let Some(index) = queue.next() {
        let node = &sweep.graph().nodes()[index];
        observer.stage_began(worker, node);
        match pool.install(|| do_stage(sweep, store, node, |progress| observer.stage_progressed(worker, progress))) {
            Ok(outcome) => {
                observer.stage_finished(worker, &outcome);
                queue.finished(index, sweep);
            }
            Err(cause) => {
                let stage = format!("the stage on {}", node.in_words());
                let failure = StageFailure { stage, cause };
                observer.stage_failed(worker, &failure);
                queue.failed(index, failure);
            }
        }
    }
}

/// The records of all runs whose stages are in the store. Each is written to the store as well,
/// beside the ledger of its labels at the study's prices.
///
/// # Errors
/// If the store cannot be read or written.
pub fn records(sweep: &Sweep, store: &Store) -> Result<Vec<RunRecord>> {
    let study = sweep.study();
    let nodes = sweep.graph().nodes();
    let mut records = Vec::new();
    for run in sweep.graph().runs() {
        let stages = run.stages.iter().map(|index| store.outcome(&nodes[*index].key));
        let Some(outcomes) = stages.collect::<Result<Option<Vec<StageOutcome>>>>()? else { continue };
        let Some(outcome) = outcomes.last() else { continue };
        let ledger = sweep.ledger(run, &outcomes);
        let record = RunRecord {
            run: run.name.clone(),
            method: run.method.clone(),
            task: study.name.clone(),
            model: study.model.path.display().to_string(),
            seed: run.seed,
            allocation: run.allocation,
            cost_usd: Some(ledger.cost_usd()),
            metrics: outcome.metrics,
        };
        let file = RunFile {
            record: record.clone(),
            labels: Some(ledger.totals()),
            stages: run.stages.iter().map(|index| nodes[*index].key.clone()).collect(),
            study_file: study.file().map(|file| std::path::absolute(file).unwrap_or_else(|_| file.to_owned())),
            model_path: std::path::absolute(sweep.model_folder()).unwrap_or_else(|_| sweep.model_folder().to_owned()),
            weights: study.model.weights,
            matmul_precision: study.model.matmul_precision,
            pooling: sweep.model().pooling().name().to_owned(),
            recipe: study.recipe.clone(),
            method: sweep.method_table(run).cloned(),
        };
        store.write_run(&study.name, &file, &ledger)?;
        records.push(record);
    }
    Ok(records)
}
