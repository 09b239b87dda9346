//! A Slurm cluster as the executor of a sweep: `labelmix sweep --executor slurm`, and what its tasks run.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::Duration;

use labelmix_engine::{EngineOptions, available_memory};
use labelmix_store::Store;
use labelmix_study::{EngineKind, Overrides, SlurmTable, Study};
use labelmix_sweep::{ExecuteOptions, Submitted, execute, requeue, submit_labeler, submit_missing, task_stages};
use miette::Diagnostic;
use serde_json::json;

use crate::arguments::{EngineArguments, SlurmArguments, SlurmTaskArguments, SweepArguments};
use crate::diagnosis::{Failure, SignalError, Status, print_data, print_diagnostic, print_interrupted, print_json};
use crate::engine::{engine_options, study_on_engine};
use crate::observers::{Observers, WatchFiles};
use crate::progress::SweepProgress;
use crate::signals::Signals;
use crate::sweep::{Prepared, TrainLabeler, prepared};

/// A profile or options that make no sense.
#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("{place}: {reason}")]
#[diagnostic(help("{help}"))]
struct ClusterOptionError {
    place: String,
    reason: String,
    help: String,
}

/// This program does not know where it lies.
#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("cannot tell where labelmix itself is, which the cluster's tasks are to run: {0}")]
#[diagnostic(help("run labelmix by its full path"))]
struct SelfError(std::io::Error);

/// A task that nobody numbered.
#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("this is no task of a job array: SLURM_ARRAY_TASK_ID is not a number")]
#[diagnostic(help("tasks are started by Slurm; `labelmix sweep STUDY --executor slurm` submits them"))]
struct NoTask;

/// What a submission came to.
pub(crate) enum Submission {
    /// Stages were submitted, or wait in the queue already.
    Made,
    /// Everything is in the store.
    NothingLeft,
    /// It was interrupted while weak labels were made.
    Interrupted,
}

/// Submits what is missing, and says so.
pub(crate) fn submit(
    study: &Study,
    store: &Store,
    options: &EngineOptions,
    arguments: &SweepArguments,
) -> Result<Submission, Failure> {
    let table = table(study, &arguments.slurm)?;
    let signals = Signals::handle().map_err(SignalError)?;
    let execution = ExecuteOptions { interrupt: signals.interrupt().clone(), ..ExecuteOptions::default() };
    let command = task_command(store, arguments)?;
    let prepared = prepared(study.clone(), store, options, &execution, TrainLabeler::Elsewhere, signals)?;
    signals.release();
    let (submitted, of_labeler) = match &prepared {
        Prepared::Interrupted => return Ok(Submission::Interrupted),
        Prepared::Ready(sweep) => {
            let progress = SweepProgress::new();
            let submitted = submit_missing(sweep, store, &table, &command, &progress)?;
            progress.clear();
            (submitted, false)
        }
        Prepared::NeedsLabels(key) => {
            (submit_labeler(study, key, store, &table, &command, arguments.retry_failed)?, true)
        }
    };
    let Submitted { jobs, stages, done, queued, logs } = &submitted;
    if *stages + *queued == 0 {
        return Ok(Submission::NothingLeft);
    }
    if arguments.json {
        print_json(&json!({"jobs": jobs, "submitted_stages": stages, "queued_stages": queued, "done_stages": done}))?;
    } else {
        let ids: Vec<String> = jobs.iter().map(u64::to_string).collect();
        let now = match (of_labeler, &ids[..]) {
            (true, []) => "the labeler is already in the queue".to_owned(),
            (true, ids) => format!("the labeler is submitted as job {}", ids.join(", ")),
            (false, []) => "nothing to submit".to_owned(),
            (false, [id]) => format!("{stages} stages submitted as job {id}"),
            (false, ids) => format!("{stages} stages submitted as jobs {}", ids.join(", ")),
        };
        let then = if of_labeler {
            "the stages can be submitted when its labels are there".to_owned()
        } else {
            format!("{queued} were in the queue, {done} are done")
        };
        print_data(&format!("{now}; {then}\n"))?;
    }
    say!("what tasks say: {}", logs.display());
    say!(
        "`labelmix status {}` tells how far they are; the same command submits what is missing then, and prints the answer \
         when nothing is",
        arguments.study.display()
    );
    Ok(Submission::Made)
}

/// What is asked of the cluster: the profile, or else the study's table, with what the command line says differently.
fn table(study: &Study, arguments: &SlurmArguments) -> Result<SlurmTable, ClusterOptionError> {
    let (table, place) = match (&arguments.slurm_profile, &study.slurm) {
        (Some(path), _) => (read_profile(path)?, path.display().to_string()),
        (None, Some(table)) => (table.clone(), "[slurm] and the command line".to_owned()),
        (None, None) => (SlurmTable::default(), "the command line".to_owned()),
    };
    let table = table.overridden_by(Overrides {
        partition: arguments.partition.clone(),
        account: arguments.account.clone(),
        gres: arguments.gres.clone(),
        time: arguments.time.clone(),
        options: arguments.slurm_option.clone(),
    });
    table.check().map_err(|(reason, help)| ClusterOptionError { place, reason, help })?;
    Ok(table)
}

fn read_profile(path: &Path) -> Result<SlurmTable, ClusterOptionError> {
    let problem = |reason: String| ClusterOptionError {
        place: path.display().to_string(),
        reason,
        help: "a profile has the keys of a study's [slurm] table: partition, gres, time, options and so on".to_owned(),
    };
    let text = std::fs::read_to_string(path).map_err(|error| problem(error.to_string()))?;
    toml::from_str(&text).map_err(|error| problem(error.message().to_owned()))
}

/// The command line of a task, but for the file that says which stages are its own.
fn task_command(store: &Store, arguments: &SweepArguments) -> Result<Vec<String>, SelfError> {
    let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).display().to_string();
    let program = std::env::current_exe().map_err(SelfError)?;
    let mut command = vec![absolute(&program), "slurm-task".to_owned(), absolute(&arguments.study)];
    command.extend(["--store".to_owned(), absolute(store.root())]);
    let EngineArguments { device, engine, allow_command } = &arguments.engine;
    command.extend(["--device".to_owned(), device.device.clone()]);
    if let Some((name, _)) = EngineKind::ALL.iter().find(|(_, kind)| Some(*kind) == *engine) {
        command.extend(["--engine".to_owned(), (*name).to_owned()]);
    }
    if *allow_command {
        command.push("--allow-command".to_owned());
    }
    command.extend(["--checkpoint-every".to_owned(), arguments.checkpoint_every.to_string()]);
    if let Some(memory) = arguments.memory {
        command.extend(["--memory".to_owned(), memory.0.to_string()]);
    }
    if arguments.retry_failed {
        command.push("--retry-failed".to_owned());
    }
    for (option, path) in [("--events", &arguments.watch.events), ("--tensorboard", &arguments.watch.tensorboard)] {
        command.extend(path.iter().flat_map(|path| [option.to_owned(), absolute(path)]));
    }
    Ok(command)
}

/// Does the stages of a task that the store lacks. When Slurm warns that the time runs out, what is being trained keeps its
/// state and the task goes back to the queue.
pub(crate) fn do_task(arguments: &SlurmTaskArguments) -> Result<Status, Failure> {
    let number = |name: &str| std::env::var(name).ok()?.parse::<usize>().ok();
    let task = number("SLURM_ARRAY_TASK_ID").ok_or(NoTask)?;
    let stages = task_stages(&arguments.tasks, task)?;
    let signals = Signals::handle().map_err(SignalError)?;
    let warned = signals.heed_warning().map_err(SignalError)?;
    let study = study_on_engine(&arguments.study, &arguments.engine)?;
    let store = Store::open(&arguments.store)?;
    let files = WatchFiles::open(&arguments.watch, &study.name)?;
    let execution = ExecuteOptions {
        interrupt: signals.interrupt().clone(),
        keep_every: Duration::from_secs(arguments.checkpoint_every),
        retry_failed: arguments.retry_failed,
        only: Some(stages.into_iter().collect()),
    };
    let options = EngineOptions {
        // A task is one place in the queue: its stages follow each other.
        jobs: Some(1),
        memory: Some(arguments.memory.map_or_else(available_memory, |memory| memory.0)),
        ..engine_options(&study.engine(), &arguments.engine)?
    };
    signals.catch();
    let executed = match prepared(study, &store, &options, &execution, TrainLabeler::Here, signals)? {
        Prepared::Ready(sweep) => {
            let progress = SweepProgress::new();
            let executed = execute(&sweep, &store, &execution, &Observers { progress: &progress, files: &files });
            progress.clear();
            Some(executed?)
        }
        Prepared::Interrupted | Prepared::NeedsLabels(_) => None,
    };
    signals.release();
    let status = match executed {
        Some(executed) if !executed.interrupted => {
            for failure in &executed.failures {
                print_diagnostic(failure);
            }
            if executed.failures.is_empty() { Status::Done } else { Status::SomeStagesFailed }
        }
        _ => {
            if warned.load(Ordering::Relaxed) {
                let job = number("SLURM_ARRAY_JOB_ID").ok_or(NoTask)?;
                say!("the time runs out: task {task} of job {job} goes back to the queue");
                requeue(&format!("{job}_{task}"))?;
            }
            print_interrupted()
        }
    };
    // Not before: a task whose curves cannot be written goes back to the queue all the same.
    files.check()?;
    Ok(status)
}
