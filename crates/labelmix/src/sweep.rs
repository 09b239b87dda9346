//! `labelmix sweep`: do what a study asks and print the answer.

use std::fmt::Write;
use std::io::{self, IsTerminal};
use std::path::Path;
use std::time::Duration;

use indicatif::HumanDuration;
use labelmix_econ::MeasuredRun;
use labelmix_models::ByteSize;
use labelmix_report::{Answer, Colours, OwnShares, Style, count, render};
use labelmix_sweep::{
    Calibration, Estimate, ExecuteOptions, Execution, Inputs, LabelerProgress, PrepareOptions, RunRecord, StageFailure,
    Store, Study, Sweep, WeakLabeling, available_memory, estimate, execute, measured_runs,
};

use crate::arguments::{Executor, SweepArguments};
use crate::diagnosis::{Failure, SignalError, Status, print_data, print_diagnostic, print_interrupted, print_json};
use crate::kept::kept_sweep_with;
use crate::model::{Parts, checkpoint_of, device, labeler_checkpoint_of};
use crate::observers::{Observers, WatchFiles};
use crate::progress::{MessageBar, SweepProgress};
use crate::signals::Signals;
use crate::slurm::{self, Submission};
use crate::task::files_of;

pub(crate) fn run(arguments: &SweepArguments) -> Result<Status, Failure> {
    let study = Study::read(&arguments.study)?;
    let store = arguments.store.clone().unwrap_or_else(|| study.default_store());
    let options = PrepareOptions {
        device: device(&arguments.device)?,
        jobs: arguments.jobs.map(usize::from),
        memory: Some(arguments.memory.map_or_else(available_memory, |memory| memory.0)),
    };
    if arguments.dry_run {
        return dry_run(study, &store, &options, arguments.json);
    }
    let store = Store::open(&store)?;
    if arguments.slurm.executor == Executor::Slurm {
        match slurm::submit(&study, &store, &options, arguments)? {
            Submission::Made => return Ok(Status::Done),
            Submission::Interrupted => return Ok(print_interrupted()),
            // What is left to do is to say what came out.
            Submission::NothingLeft => {}
        }
    }
    let files = WatchFiles::open(&arguments.watch, &study.name)?;
    let manner = Manner {
        keep_every: Duration::from_secs(arguments.checkpoint_every),
        retry_failed: arguments.retry_failed,
        files: &files,
    };
    let swept = sweep(study, &store, &options, manner)?;
    if let Some(Finished { answer, .. }) = &swept.finished {
        let data = if arguments.json { answer.to_json() } else { render(answer, terminal_style()) };
        print_data(&data)?;
    }
    let status = swept.status();
    // Not before: events or curves that cannot be written hide no answer.
    files.check()?;
    Ok(status)
}

/// Says what there is to do.
fn dry_run(study: Study, store: &Path, options: &PrepareOptions, json: bool) -> Result<Status, Failure> {
    let store = Store::to_look_at(store);
    let sweep = kept_sweep_with(study, &store, options)?;
    anstream::eprintln!("{}", sweep.summary());
    let estimate = estimate(&sweep, &store)?;
    if json {
        print_json(&estimate)?;
    } else {
        print_data(&in_words(&estimate))?;
    }
    Ok(Status::Done)
}

fn in_words(estimate: &Estimate) -> String {
    let Estimate { runs, unshared_stages, stages, in_store, missing, jobs, seconds, memory_bytes, calibration } =
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
pub(crate) struct Manner<'a> {
    pub(crate) keep_every: Duration,
    pub(crate) retry_failed: bool,
    pub(crate) files: &'a WatchFiles,
}

impl<'a> Manner<'a> {
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

/// A sweep with what its finished runs say.
pub(crate) struct Finished {
    pub(crate) sweep: Sweep,
    pub(crate) records: Vec<RunRecord>,
    /// The same runs with the test items that each got right.
    pub(crate) runs: Vec<MeasuredRun>,
    pub(crate) answer: Answer,
}

impl Finished {
    pub(crate) fn of(sweep: Sweep, store: &Store, records: Vec<RunRecord>) -> Result<Self, Failure> {
        let runs = measured_runs(&sweep, store)?;
        let answer = Answer::new(
            &sweep.study().name,
            sweep.prices(),
            sweep.points(),
            sweep.not_affordable(),
            &records,
            sweep.summary().data.train.weak_accuracy,
        );
        let own_shares = sweep.summary().data.test.own_shares().map(|(_, share)| {
            let test: Vec<bool> = sweep.test().iter().filter_map(|example| example.gold).collect();
            OwnShares::new(share, &test, &runs, sweep.prices())
        });
        let answer = answer.with_regimes(runs.clone()).with_own_shares(own_shares);
        Ok(Self { sweep, records, runs, answer })
    }
}

impl Swept {
    fn interrupted() -> Self {
        Self { finished: None, failures: Vec::new() }
    }

    /// Prints the failures, if there are any, or that the sweep was interrupted.
    pub(crate) fn status(&self) -> Status {
        if !self.failures.is_empty() {
            anstream::eprintln!();
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

/// A study with its data and model, its weak labels made if a labeler makes them and they are not in the store; `None` if
/// that was interrupted.
pub(crate) fn prepared(
    study: Study,
    store: &Store,
    options: &PrepareOptions,
    execution: &ExecuteOptions,
    signals: &Signals,
) -> Result<Option<Sweep>, Failure> {
    let inputs = Inputs { task_files: files_of(&study)?, model_folder: checkpoint_of(&study, Parts::All)? };
    let labeler_folder = labeler_checkpoint_of(&study)?;
    let labeling_progress = MessageBar::new();
    let observe = |progress: LabelerProgress<'_>| {
        signals.catch();
        labeling_progress.labeling(progress);
    };
    let labeling = WeakLabeling::made(store, labeler_folder.as_deref(), &observe).with(execution);
    let sweep = Sweep::prepare(study, inputs, options, &labeling);
    labeling_progress.clear();
    match sweep {
        Err(error) if error.is_interruption() => Ok(None),
        sweep => {
            let sweep = sweep?;
            anstream::eprintln!("{}", sweep.summary());
            Ok(Some(sweep))
        }
    }
}

/// Does what a study asks, and shows the progress.
pub(crate) fn sweep(
    study: Study,
    store: &Store,
    options: &PrepareOptions,
    manner: Manner<'_>,
) -> Result<Swept, Failure> {
    let signals = Signals::handle().map_err(SignalError)?;
    let Manner { keep_every, retry_failed, files } = manner;
    let execution = ExecuteOptions { interrupt: signals.interrupt().clone(), keep_every, retry_failed, only: None };
    let Some(sweep) = prepared(study, store, options, &execution, signals)? else { return Ok(Swept::interrupted()) };
    let progress = SweepProgress::new();
    signals.catch();
    let executed = execute(&sweep, store, &execution, &Observers { progress: &progress, files });
    signals.release();
    progress.clear();
    let executed = executed?;
    files.ended(&executed);
    let Execution { records, failures, interrupted } = executed;
    if interrupted {
        return Ok(Swept { finished: None, failures });
    }
    Ok(Swept { finished: Some(Finished::of(sweep, store, records)?), failures })
}

/// Colours where a person looks at a terminal and has not asked for none (`NO_COLOR`).
pub(crate) fn terminal_style() -> Style {
    let colourful = io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    Style { colours: if colourful { Colours::On } else { Colours::Off }, width: None }
}
