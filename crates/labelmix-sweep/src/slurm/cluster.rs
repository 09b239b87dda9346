//! Slurm's commands: sbatch, squeue, scontrol, as they stand on PATH.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use miette::Diagnostic;

use super::table::SlurmTable;

/// What Slurm would not do.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum SlurmError {
    /// A command cannot be run.
    #[error("{command}: {source}")]
    #[diagnostic(help("run this on a machine that submits to a Slurm cluster, where {command} is on PATH"))]
    NotThere {
        /// The command.
        command: &'static str,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// A command says no.
    #[error("{command}: {said}")]
    #[diagnostic(help(
        "mend [slurm] in the study, the profile or the options of this command; jobs that were submitted before stay in the \
         queue, and the same command submits the rest"
    ))]
    Refused {
        /// The command.
        command: &'static str,
        /// What it wrote to standard error.
        said: String,
    },
    /// A command says what nobody expects.
    #[error("{command} says {said:?}")]
    #[diagnostic(help("this version of Slurm is unknown to labelmix; 20.11 and later are known to work"))]
    NotUnderstood {
        /// The command.
        command: &'static str,
        /// What it wrote to standard output.
        said: String,
    },
}

/// A task of ours or anybody's in the queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct QueuedTask {
    /// The array's job id; the job's own if it is no array.
    pub(super) job: u64,
    /// The task's place in the array.
    pub(super) index: Option<usize>,
    /// Whether it runs; else it waits.
    pub(super) running: bool,
}

/// A job array, as sbatch is asked for it.
pub(super) struct Request<'a> {
    pub(super) table: &'a SlurmTable,
    pub(super) name: &'a str,
    pub(super) tasks: usize,
    /// Jobs that must have ended, one way or the other: the store says what came of them.
    pub(super) after: &'a [u64],
    /// Where the tasks' output goes, with Slurm's `%A` and `%a` in it.
    pub(super) output: &'a Path,
    pub(super) script: &'a Path,
    pub(super) arguments: &'a [PathBuf],
}

/// The most tasks that an array may have.
pub(super) fn max_tasks() -> Result<usize, SlurmError> {
    let said = run("scontrol", ["show", "config"])?;
    let value = said.lines().find_map(|line| {
        let (name, value) = line.split_once('=')?;
        (name.trim() == "MaxArraySize").then(|| value.trim().parse().ok())
    });
    // An index must be below MaxArraySize, so there are as many; where arrays are switched off, it is 0.
    match value.flatten() {
        Some(0) | None => Err(SlurmError::NotUnderstood {
            command: "scontrol show config",
            said: said.lines().find(|line| line.contains("MaxArraySize")).unwrap_or_default().to_owned(),
        }),
        Some(size) => Ok(size),
    }
}

/// The user's tasks that run or wait.
pub(super) fn queue() -> Result<Vec<QueuedTask>, SlurmError> {
    let said = run("squeue", ["--me", "--array", "--noheader", "--format=%F|%K|%T"])?;
    said.lines().filter(|line| !line.trim().is_empty()).map(queued_task).collect()
}

/// Submits an array, and says its job id.
pub(super) fn submit(request: &Request<'_>) -> Result<u64, SlurmError> {
    let mut arguments = vec![
        "--parsable".to_owned(),
        format!("--job-name={}", request.name),
        format!("--array=0-{}", request.tasks - 1),
        format!("--output={}", request.output.display()),
    ];
    if !request.after.is_empty() {
        let jobs: Vec<String> = request.after.iter().map(u64::to_string).collect();
        arguments.push(format!("--dependency=afterany:{}", jobs.join(":")));
    }
    arguments.extend(request.table.arguments());
    let files = [request.script.as_os_str()].into_iter().chain(request.arguments.iter().map(|path| path.as_os_str()));
    let said = run("sbatch", arguments.iter().map(OsStr::new).chain(files))?;
    // `--parsable` says the job id, and the cluster's name behind a semicolon where there are several.
    let id = said.trim().split(';').next().unwrap_or_default();
    id.parse().map_err(|_| SlurmError::NotUnderstood { command: "sbatch", said: said.trim().to_owned() })
}

/// Puts a running task, named `JOB_TASK`, back into the queue: Slurm ends it and starts it again.
///
/// # Errors
/// If scontrol cannot be asked or says no.
pub fn requeue(job: &str) -> Result<(), SlurmError> {
    run("scontrol", ["requeue", job]).map(drop)
}

fn queued_task(line: &str) -> Result<QueuedTask, SlurmError> {
    let not_understood = || SlurmError::NotUnderstood { command: "squeue", said: line.to_owned() };
    let mut fields = line.trim().split('|');
    let mut field = || fields.next().ok_or_else(not_understood);
    let job = field()?.parse().map_err(|_| not_understood())?;
    // A job that is no array has "N/A" here.
    let index = field()?.parse().ok();
    let running = matches!(field()?, "RUNNING" | "COMPLETING" | "CONFIGURING" | "STAGE_OUT" | "SIGNALING");
    Ok(QueuedTask { job, index, running })
}

fn run(command: &'static str, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Result<String, SlurmError> {
    let output =
        Command::new(command).args(arguments).output().map_err(|source| SlurmError::NotThere { command, source })?;
    if !output.status.success() {
        return Err(SlurmError::Refused { command, said: String::from_utf8_lossy(&output.stderr).trim().to_owned() });
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_queue() {
        let task = |line: &str| queued_task(line).unwrap();
        assert_eq!(task("12|3|PENDING"), QueuedTask { job: 12, index: Some(3), running: false });
        assert_eq!(task("12|N/A|RUNNING"), QueuedTask { job: 12, index: None, running: true });
        assert!(matches!(queued_task("nonsense"), Err(SlurmError::NotUnderstood { command: "squeue", .. })));
    }
}
