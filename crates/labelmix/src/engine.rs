//! The engine that arguments and studies name, and `labelmix engine`.

mod check;
mod install;

use std::path::Path;

use labelmix_engine::{EngineOptions, WorkerOptions, WorkerProgram, python};
use labelmix_study::{EngineKind, EngineTable, Study, StudyError};
use miette::Diagnostic;

use crate::arguments::{EngineArguments, EngineCommand, EngineCommandArguments};
use crate::diagnosis::{Failure, Status};

/// A program of a study file that may not be run.
#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("[engine] of the study names a program, {program:?}, and nobody allowed to run it")]
#[diagnostic(help(
    "read what it is; then --allow-command (or LABELMIX_ALLOW_COMMAND=1) runs it. An interpreter can also be named outside of \
     the study: LABELMIX_PYTHON, or an active virtual environment"
))]
struct NotAllowed {
    program: String,
}

/// A device that the native engine does not run models on.
#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("--device {device}: the native engine runs models on the processor")]
#[diagnostic(help("leave --device out; or let PyTorch run them: --engine torch, or `kind` in the study's [engine]"))]
struct NotNative {
    device: String,
}

/// The engine's options, but for jobs and memory; what arguments say comes before what the study's table says.
pub(crate) fn engine_options(table: &EngineTable, arguments: &EngineArguments) -> Result<EngineOptions, Failure> {
    let kind = arguments.engine.unwrap_or(table.kind);
    let allowed =
        arguments.allow_command || std::env::var_os("LABELMIX_ALLOW_COMMAND").is_some_and(|value| value == "1");
    let named = |program: String| if allowed { Ok(()) } else { Err(NotAllowed { program }) };
    let program = match kind {
        EngineKind::Native => {
            return match &*arguments.device.device {
                "auto" | "cpu" => Ok(EngineOptions::default()),
                other => Err(NotNative { device: other.to_owned() }.into()),
            };
        }
        EngineKind::Torch => match table.python.as_ref() {
            Some(python) => {
                named(python.display().to_string())?;
                WorkerProgram::Torch(python.clone())
            }
            None => WorkerProgram::Torch(python()),
        },
        EngineKind::Command => {
            named(table.command.join(" "))?;
            WorkerProgram::Command(table.command.clone())
        }
    };
    let EngineTable { attention, gpus, sharding, timeout, .. } = table.clone();
    let device = arguments.device.device.clone();
    let worker = Some(WorkerOptions { program, device, attention, gpus, sharding, timeout, tell });
    Ok(EngineOptions { worker, ..EngineOptions::default() })
}

/// The study of a file, on the engine that arguments name if they name one.
pub(crate) fn study_on_engine(path: &Path, arguments: &EngineArguments) -> Result<Study, StudyError> {
    let mut study = Study::read(path)?;
    study.engine.kind = arguments.engine.unwrap_or(study.engine.kind);
    Ok(study)
}

/// What a worker has to say to the user.
fn tell(note: &str) {
    say!("engine: {note}");
}

pub(crate) fn run(arguments: &EngineCommandArguments) -> Result<Status, Failure> {
    match &arguments.command {
        EngineCommand::Torch(arguments) => install::run(arguments),
        EngineCommand::Check(arguments) => check::run(arguments),
    }
}
