//! `labelmix sweep`: do what a study asks and print the answer.

use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

use indicatif::HumanDuration;
use labelmix_engine::{Calibration, EngineOptions, available_memory};
use labelmix_models::ByteSize;
use labelmix_report::{Answer, count, render};
use labelmix_store::{StageKey, Store};
use labelmix_study::Study;
use labelmix_sweep::{
    Error as SweepError, ExecuteOptions, Execution, Inputs, LabelerProgress, StageFailure, Sweep, WeakLabeling,
    WorkEstimate, estimate, execute,
};

use crate::arguments::{Executor, SweepArguments};
use crate::diagnosis::{Failure, SignalError, Status, print_data, print_diagnostic, print_interrupted, print_json};
use crate::engine::{engine_options, study_on_engine};
use crate::kept::{Finished, kept_sweep};
use crate::model::{Parts, checkpoint_of, labeler_checkpoint_of};
use crate::observers::{Observers, WatchFiles};
use crate::progress::{MessageBar, SweepProgress};
use crate::signals::Signals;
use crate::slurm::{self, Submission};
use crate::style::terminal_style;
use crate::task::files_of;

pub(crate) fn run(arguments: &SweepArguments) -> Result<Status, Failure> {
    let study = study_on_engine(&arguments.study, &arguments.engine)?;
    let store = arguments.store.clone().unwrap_or_else(|| study.default_store());
    let options = EngineOptions {
        jobs: arguments.jobs.map(usize::from),
        memory: Some(arguments.memory.map_or_else(available_memory, |memory| memory.0)),
        ..engine_options(&study.engine(), &arguments.engine)?
    };
    if arguments.dry_run {
        return dry_run(study, &store, &options, arguments.json);
    }
    let store = match Store::open(&store) {
        Ok(store) => store,
        Err(error) => {
            let finished = nothing_to_do(study, &store, &options)?.ok_or(error)?;
            return print_answer(&finished.answer, arguments.json).map(|()| Status::Done);
        }
    };
    if arguments.slurm.executor == Executor::Slurm {
        match slurm::submit(&study, &store, &options, arguments)? {
            Submission::Made => return Ok(Status::Done),
            Submission::Interrupted => return Ok(print_interrupted()),
            // What is left to do is to say what came out.
            Submission::NothingLeft => {}
        }
    }
    let files = WatchFiles::open(&arguments.watch, &study.name)?;
    let settings = SweepSettings {
        keep_every: Duration::from_secs(arguments.checkpoint_every),
        retry_failed: arguments.retry_failed,
        files: &files,
    };
    let swept = sweep(study, &store, &options, settings)?;
    if let Some(Finished { answer, .. }) = &swept.finished {
        print_answer(answer, arguments.json)?;
    }
    let status = swept.status();
    // Not before: events or curves that cannot be written hide no answer.
    files.check()?;
    Ok(status)
}

fn print_answer(answer: &Answer, json: bool) -> Result<(), Failure> {
    print_data(&if json { answer.to_json() } else { render(answer, terminal_style()) })
}

/// What came out, from a store that cannot be written to, if there is nothing left to do.
fn nothing_to_do(study: Study, store: &Path, options: &EngineOptions) -> Result<Option<Finished>, Failure> {
    let Ok(store) = Store::open_to_read(store) else { return Ok(None) };
    let sweep = kept_sweep(study.clone(), &store, options)?;
    say!("{}", sweep.summary());
    for stage in sweep.graph().nodes() {
        if store.outcome(&stage.key)?.is_none() {
            return Ok(None);
        }
    }
    Finished::read(study, &store).map(Some)
}

/// Says what there is to do.
fn dry_run(study: Study, store: &Path, options: &EngineOptions, json: bool) -> Result<Status, Failure> {
    let store = Store::to_look_at(store);
    let sweep = kept_sweep(study, &store, options)?;
    say!("{}", sweep.summary());
    let estimate = estimate(&sweep, &store)?;
    if json {
        print_json(&estimate)?;
    } else {
        print_data(&in_words(&estimate))?;
    }
    Ok(Status::Done)
}

fn in_words(estimate: &WorkEstimate) -> String {
    let WorkEstimate { runs, unshared_stages, stages, in_store, missing, jobs, seconds, memory_bytes, calibration } =
        *estimate;
    let shared = unshared_stages - stages;
    let mut out = format!(
        "runs     {}\nstages   {} distinct; sharing saves {}\nstore    has {} of them; {} to do\n",
        count(runs),
        count(stages),
        count(shared),
        count(in_store),
        count(missing)
    );
    // Writing to a string cannot fail.
    if let (Some(seconds), Some(Calibration { train_seconds, read_seconds })) = (seconds, calibration) {
        let time = HumanDuration(Duration::from_secs_f64(seconds));
        let _ = writeln!(out, "time     about {time}, {jobs} at a time");
        let (train, read) = (1e3 * train_seconds, 1e3 * read_seconds);
        let _ = writeln!(out, "         (a trial: {train:.2} ms to train on a text, {read:.2} ms to read one)");
    }
    let _ = writeln!(out, "memory   at most {}", ByteSize(memory_bytes));
    out
}

/// How a sweep is carried out, as far as its command says.
#[derive(Clone, Copy)]
pub(crate) struct SweepSettings<'a> {
    pub(crate) keep_every: Duration,
    pub(crate) retry_failed: bool,
    pub(crate) files: &'a WatchFiles,
}

impl<'a> SweepSettings<'a> {
    /// The usual one.
    pub(crate) fn usual(files: &'a WatchFiles) -> Self {
        let ExecuteOptions { keep_every, retry_failed, .. } = ExecuteOptions::default();
        Self { keep_every, retry_failed, files }
    }
}

/// What came of a study.
pub(crate) struct Swept {
    /// None if the sweep was interrupted.
    pub(crate) finished: Option<Finished>,
    pub(crate) failures: Vec<StageFailure>,
}

impl Swept {
    fn interrupted() -> Self {
        Self { finished: None, failures: Vec::new() }
    }

    /// Prints the failures, if there are any, or that the sweep was interrupted.
    pub(crate) fn status(&self) -> Status {
        if !self.failures.is_empty() {
            say!();
        }
        for failure in &self.failures {
            print_diagnostic(failure);
        }
        if self.finished.is_none() {
            return print_interrupted();
        }
        if self.failures.is_empty() { Status::Done } else { Status::SomeStagesFailed }
    }
}

/// Where a labeler is trained whose weak labels are not in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TrainLabeler {
    Here,
    Elsewhere,
}

/// What became of the preparation of a sweep.
pub(crate) enum Prepared {
    Ready(Box<Sweep>),
    /// Its labeler is to be trained elsewhere; the key of its labels.
    NeedsLabels(StageKey),
    /// While weak labels were made.
    Interrupted,
}

/// A study with its data and model, and with the weak labels of its labeler if it has one.
pub(crate) fn prepared(
    study: Study,
    store: &Store,
    options: &EngineOptions,
    execution: &ExecuteOptions,
    train: TrainLabeler,
    signals: &Signals,
) -> Result<Prepared, Failure> {
    let inputs = Inputs { task_files: files_of(&study)?, model_folder: checkpoint_of(&study, Parts::All)? };
    let labeler_folder = labeler_checkpoint_of(&study)?;
    let labeling_progress = MessageBar::new();
    let observe = |progress: LabelerProgress<'_>| {
        signals.catch();
        labeling_progress.labeling(progress);
    };
    let mut labeling = WeakLabeling::made(store, labeler_folder.as_deref(), &observe).with(execution);
    if train == TrainLabeler::Elsewhere {
        labeling = labeling.unless_trained(&study);
    }
    let sweep = Sweep::prepare(study, inputs, options, &labeling);
    labeling_progress.clear();
    match sweep {
        Err(error) if error.is_interruption() => Ok(Prepared::Interrupted),
        Err(SweepError::NoWeakLabels { key, .. }) => Ok(Prepared::NeedsLabels(key)),
        sweep => {
            let sweep = sweep?;
            say!("{}", sweep.summary());
            Ok(Prepared::Ready(Box::new(sweep)))
        }
    }
}

/// Says how many runs ended before they were trained.
fn warn_of_hardly_trained(hardly: usize, runs: usize) {
    if hardly > 0 {
        say!(
            "{} of {} runs ended after a handful of steps and are hardly trained: what they know shows in AUROC, not in accuracy.\n\
             `schedule = \"robust\"` in [recipe] trains longer and moves their threshold; `calibration = \"prior\"` moves it alone",
            count(hardly),
            count(runs)
        );
    }
}

/// Does what a study asks, and shows the progress.
pub(crate) fn sweep(
    study: Study,
    store: &Store,
    options: &EngineOptions,
    settings: SweepSettings<'_>,
) -> Result<Swept, Failure> {
    let signals = Signals::handle().map_err(SignalError)?;
    let SweepSettings { keep_every, retry_failed, files } = settings;
    let execution = ExecuteOptions { interrupt: signals.interrupt().clone(), keep_every, retry_failed, only: None };
    let Prepared::Ready(sweep) = prepared(study, store, options, &execution, TrainLabeler::Here, signals)? else {
        return Ok(Swept::interrupted());
    };
    let progress = SweepProgress::new();
    signals.catch();
    let executed = execute(&sweep, store, &execution, &Observers { progress: &progress, files });
    signals.release();
    progress.clear();
    let executed = executed?;
    files.ended(&executed);
    let Execution { records, failures, hardly_trained, interrupted } = executed;
    if interrupted {
        return Ok(Swept { finished: None, failures });
    }
    warn_of_hardly_trained(hardly_trained, records.len());
    Ok(Swept { finished: Some(Finished::read(sweep.study().clone(), store)?), failures })
}
