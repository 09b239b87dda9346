//! The local executor: does the stages that the store lacks, parents first, as many at a time as there are jobs, beside
//! other processes that may work on the same store.

mod event;
mod queue;
mod read_ahead;
#[cfg(test)]
mod tests;

use std::collections::HashSet;

use labelmix_train::Continuation;

pub use self::event::{Observer, SweepEvent};
use self::queue::{End, GivenUp, Queue};
use crate::error::{Error, Result};
use crate::graph::{Run, StageNode};
use crate::options::ExecuteOptions;
use crate::piece::{Attempt, Piece, attempt, failure_record};
use crate::plan::keep_plan;
use crate::records::{WrittenRun, records, write_record};
use crate::stage_error::{StageError, StageFailure};
use crate::stage_work::do_stage;
use crate::survey::survey;
use crate::sweep::Sweep;
use crate::workload::Workload;
use labelmix_store::{Claim, RunRecord, Scrutiny, StageKey, StageOutcome, Store, StoreError, Watch};

/// The records of all finished runs, in the graph's order, and the stages that failed.
#[derive(Debug)]
pub struct Execution {
    /// Finished runs; none if the sweep was interrupted, or did some of its stages only.
    pub records: Vec<RunRecord>,
    pub failures: Vec<StageFailure>,
    /// How many of the runs train, and made no more than a handful of steps.
    pub hardly_trained: usize,
    /// Whether it was interrupted before all was done.
    pub interrupted: bool,
}

/// How often stages that were done and are damaged or gone at the end, by another's hand, are done anew.
const PASSES: usize = 4;

/// Does all stages that the store lacks. Results are kept as they come.
///
/// # Errors
/// If the store cannot be read, a run's record not be written, or the store take nothing more. A stage that fails is no
/// error here: it is among the failures.
pub fn execute(sweep: &Sweep, store: &Store, options: &ExecuteOptions, observer: &dyn Observer) -> Result<Execution> {
    keep_plan(sweep, store)?;
    let mut failures = Failures::default();
    for number in 1..=PASSES {
        let pass = Pass { sweep, store, options, observer, is_last: number == PASSES };
        let (new, end) = pass.run(&failures)?;
        let again = failures.add(new);
        match end {
            Some(End::Store(error)) => return Err(error),
            Some(End::Interrupted) => {
                return Ok(Execution {
                    records: Vec::new(),
                    failures: failures.list,
                    hardly_trained: 0,
                    interrupted: true,
                });
            }
            None if again || pass.lacks_something(&failures) => {}
            None => break,
        }
    }
    let mut kept = Vec::new();
    if options.only.is_none() {
        kept = records(sweep, store)?;
        // A run of a stage that failed has none.
        let is_done = |run: &&Run| !run.stages.iter().any(|stage| failures.given_up.contains(stage));
        let expected = sweep.graph().runs().iter().filter(is_done).count();
        if kept.len() < expected {
            return Err(Error::StagesGone { runs: expected - kept.len() });
        }
    }
    let hardly_trained = kept.iter().filter(|run| run.hardly_trained).count();
    let records = kept.into_iter().map(|run| run.record).collect();
    Ok(Execution { records, failures: failures.list, hardly_trained, interrupted: false })
}

/// Stages that failed in a sweep.
#[derive(Default)]
struct Failures {
    list: Vec<StageFailure>,
    /// Their places in the graph, with those of the stages that need them.
    given_up: HashSet<usize>,
}

impl Failures {
    /// Adds those of a pass; whether others only lack what they start from, which can be done anew.
    fn add(&mut self, new: GivenUp) -> bool {
        let mut again = false;
        for (failure, places) in new {
            if let Some(failure) = failure {
                self.list.push(failure);
                self.given_up.extend(places);
            } else {
                again = true;
            }
        }
        again
    }
}

/// One pass over a sweep: does what is missing.
#[derive(Clone, Copy)]
struct Pass<'a> {
    sweep: &'a Sweep,
    store: &'a Store,
    options: &'a ExecuteOptions,
    observer: &'a dyn Observer,
    is_last: bool,
}

impl Pass<'_> {
    fn is_wanted(&self, index: usize, failures: &Failures) -> bool {
        let node = &self.sweep.graph().nodes()[index];
        !failures.given_up.contains(&index) && self.options.only.as_ref().is_none_or(|only| only.contains(&node.key))
    }

    /// Whether a stage that has been done is there no more.
    fn lacks_something(&self, failures: &Failures) -> bool {
        let mut nodes = self.sweep.graph().nodes().iter().enumerate();
        nodes.any(|(index, node)| self.is_wanted(index, failures) && !self.store.has_outcome(&node.key))
    }

    fn run(&self, before: &Failures) -> Result<(GivenUp, Option<End>)> {
        let Self { sweep, store, options, observer, is_last } = *self;
        let nodes = sweep.graph().nodes();
        let done = survey(sweep.graph(), store, observer)?;
        let wanted = |index: usize| self.is_wanted(index, before);
        let missing: Vec<&StageNode> = (0..nodes.len())
            .filter(|index| !done.contains(index) && wanted(*index))
            .map(|index| &nodes[index])
            .collect();
        let jobs = sweep.engine.slots().clamp(1, missing.len().max(1));
        if !missing.is_empty() {
            let (recipe, n_test) = (&sweep.study().recipe, sweep.data.test.len());
            let work: Vec<f64> = missing.iter().map(|stage| Workload::of(stage, recipe, n_test).readings()).collect();
            observer.hear(&SweepEvent::Began { stages: &missing, work: &work, jobs });
        }
        let mut runs_ending = vec![Vec::new(); nodes.len()];
        for (index, run) in sweep.graph().runs().iter().enumerate() {
            runs_ending[run.last_stage()].push(index);
        }
        if let Some(end) = sweep.read_ahead(store, &missing, options, observer)? {
            return Ok((Vec::new(), Some(end)));
        }
        let queue = Queue::new(sweep.graph(), &done, wanted, &options.interrupt);
        let watch = Watch::default();
        let context = Context { sweep, store, options, observer, queue: &queue, watch, runs_ending, is_last };
        for &index in context.queue.without_start() {
            context.give_up(None, index, StageFailure::of(&nodes[index], StageError::NothingToStartFrom));
        }
        std::thread::scope(|scope| {
            for worker in 0..jobs.min(missing.len()) {
                let context = &context;
                scope.spawn(move || context.work(worker, threads_per_job(jobs)));
            }
        });
        drop(context);
        Ok(queue.into_parts())
    }
}

/// The threads of each of so many jobs.
pub(crate) fn threads_per_job(jobs: usize) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    (cores / jobs).max(1)
}

/// A pool of so many threads, this one among them: a pool of one never enters a queue.
pub(crate) fn pool_of(threads: usize) -> rayon::ThreadPool {
    match rayon::ThreadPoolBuilder::new().num_threads(threads).use_current_thread().build() {
        Ok(pool) => pool,
        Err(error) => panic!("cannot start {threads} threads: {error}"),
    }
}

/// What all workers of a sweep share.
struct Context<'a> {
    sweep: &'a Sweep,
    store: &'a Store,
    options: &'a ExecuteOptions,
    observer: &'a dyn Observer,
    queue: &'a Queue<'a>,
    watch: Watch,
    /// For each stage, the runs of which it is the last.
    runs_ending: Vec<Vec<usize>>,
    is_last: bool,
}

impl Context<'_> {
    /// One worker: takes stages until there are none.
    fn work(&self, worker: usize, threads: usize) {
        let pool = pool_of(threads);
        while let Some(index) = self.queue.next() {
            let node = &self.sweep.graph().nodes()[index];
            match self.attempt(worker, index, &pool) {
                Ok(()) => {}
                Err(error) if error.is_interruption() => self.queue.end(End::Interrupted),
                Err(error) => match error.into_full_store() {
                    Ok(error) => self.queue.end(End::Store(error)),
                    // The next pass makes anew what it starts from.
                    Err(cause) if cause.is_damaged_start() && !self.is_last => self.queue.failed(index, None),
                    Err(cause @ StageError::FailedBefore { .. }) => {
                        self.give_up(None, index, StageFailure::of(node, cause));
                    }
                    Err(cause) => {
                        let failure = StageFailure::of(node, cause);
                        let study = &self.sweep.study().name;
                        // A failure that cannot be recorded is still reported.
                        let _ =
                            self.store.write_failure(&failure_record(&node.key, &failure.stage, study, &failure.cause));
                        self.give_up(Some(worker), index, failure);
                    }
                },
            }
        }
    }

    fn give_up(&self, worker: Option<usize>, index: usize, failure: StageFailure) {
        let stage = &self.sweep.graph().nodes()[index];
        self.observer.hear(&SweepEvent::StageFailed { worker, stage, failure: &failure });
        self.queue.failed(index, Some(failure));
    }

    /// Does a stage, or puts it back if another process is at it.
    fn attempt(&self, worker: usize, index: usize, pool: &rayon::ThreadPool) -> std::result::Result<(), StageError> {
        let stage = &self.sweep.graph().nodes()[index];
        match attempt(&StagePiece { context: self, stage, worker, pool }, self.store, &self.watch, self.options)? {
            Attempt::Kept((outcome, claim)) => self.finish(None, index, &outcome, claim),
            Attempt::Made((outcome, claim)) => self.finish(Some(worker), index, &outcome, claim),
            Attempt::Elsewhere(holder) => {
                if self.queue.elsewhere(index) {
                    self.observer.hear(&SweepEvent::StageElsewhere { stage, holder: holder.as_ref() });
                }
                Ok(())
            }
        }
    }

    /// Takes note of a stage whose outcome is kept, and of the runs that end with it.
    fn finish(
        &self,
        worker: Option<usize>,
        index: usize,
        outcome: &StageOutcome,
        claim: Claim,
    ) -> std::result::Result<(), StageError> {
        let Self { sweep, store, observer, queue, .. } = *self;
        let stage = &sweep.graph().nodes()[index];
        store.remove_traces(&stage.key)?;
        claim.fulfilled();
        observer.hear(&SweepEvent::StageFinished { worker, stage, outcome });
        for run in &self.runs_ending[index] {
            if let Some(WrittenRun { record, .. }) = write_record(sweep, store, &sweep.graph().runs()[*run])? {
                observer.hear(&SweepEvent::RunFinished { record: &record });
            }
        }
        queue.finished(index);
        Ok(())
    }
}

/// A stage that a worker does.
struct StagePiece<'a> {
    context: &'a Context<'a>,
    stage: &'a StageNode,
    worker: usize,
    pool: &'a rayon::ThreadPool,
}

impl Piece for StagePiece<'_> {
    type Outcome = StageOutcome;

    fn key(&self) -> &StageKey {
        &self.stage.key
    }

    fn kept(&self, store: &Store) -> std::result::Result<Option<StageOutcome>, StoreError> {
        store.sound_outcome(&self.stage.key, Scrutiny::Texts)
    }

    fn make(&self, store: &Store, continuation: Continuation<'_>) -> std::result::Result<StageOutcome, StageError> {
        let Self { context: Context { sweep, observer, .. }, stage, worker, pool } = *self;
        observer.hear(&SweepEvent::StageBegan { worker, stage });
        let observe = |progress| observer.hear(&SweepEvent::StageProgressed { worker, stage, progress });
        pool.install(|| do_stage(sweep, store, stage, continuation, observe))
    }
}
