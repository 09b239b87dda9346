//! Slurm's commands: sbatch, squeue, scontrol, as they stand on PATH.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use miette::Diagnostic;

use labelmix_study::SlurmTable;

/// What Slurm would not do.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum SlurmError {
    /// A command cannot be run.
    #[error("{command}: {source}")]
    #[diagnostic(help("run this on a machine that submits to a Slurm cluster, where {command} is on PATH"))]
    NotThere {
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
        command: &'static str,
        /// What it wrote to standard error.
        said: String,
    },
    #[error("no line of what sbatch says is a job's number: {said:?}")]
    #[diagnostic(help(
        "the array may be in the queue all the same: look with `squeue --me`, and cancel it before the command is repeated; \
         `sbatch --parsable` has to print the number on a line of its own"
    ))]
    NoJobId {
        /// What it wrote to standard output.
        said: String,
    },
    /// A command says what nobody expects.
    #[error("{command} says {said:?}")]
    #[diagnostic(help("this version of Slurm is unknown to labelmix; 20.11 and later are known to work"))]
    NotUnderstood {
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
    said.lines().filter_map(|line| queued_task(line).transpose()).collect()
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
    submitted_job(&said).ok_or_else(|| SlurmError::NoJobId { said: said.trim().to_owned() })
}

/// The job id in what sbatch says: the last line that is one. `--parsable` says the number alone, with the cluster's name
/// behind a semicolon where there are several. Sites put a script of their own in sbatch's place, which greets and checks
/// on standard output, or leaves `--parsable` out.
fn submitted_job(said: &str) -> Option<u64> {
    let number = |line: &str| {
        let line = line.trim();
        let line =
            line.strip_prefix("Submitted batch job ").map_or(line, |rest| rest.split(' ').next().unwrap_or(rest));
        line.split(';').next()?.trim_end().parse().ok()
    };
    said.lines().rev().find_map(number)
}

/// Puts a running task, named `JOB_TASK`, back into the queue: Slurm ends it and starts it again.
///
/// # Errors
/// If scontrol cannot be asked or says no.
pub fn requeue(job: &str) -> Result<(), SlurmError> {
    run("scontrol", ["requeue", job]).map(drop)
}

/// The task of a line of the queue. A line that does not begin with a job's number and a bar is a site's greeting.
fn queued_task(line: &str) -> Result<Option<QueuedTask>, SlurmError> {
    let Some((job, rest)) = line.trim().split_once('|') else { return Ok(None) };
    let Ok(job) = job.trim().parse() else { return Ok(None) };
    let Some((index, state)) = rest.split_once('|') else {
        return Err(SlurmError::NotUnderstood { command: "squeue", said: line.to_owned() });
    };
    // A job that is no array has "N/A" here.
    let index = index.parse().ok();
    let state = state.split('|').next().unwrap_or_default();
    let running = matches!(state, "RUNNING" | "COMPLETING" | "CONFIGURING" | "STAGE_OUT" | "SIGNALING");
    Ok(Some(QueuedTask { job, index, running }))
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
        let known = |job, index, running| Some(QueuedTask { job, index, running });
        assert_eq!(task("12|3|PENDING"), known(12, Some(3), false));
        assert_eq!(task("12|N/A|RUNNING\r"), known(12, None, true));
        for greeting in ["", "  ", "Welcome to the cluster", "| news | none |", "---|---", "3 nodes are down"] {
            assert_eq!(task(greeting), None, "{greeting:?}");
        }
        assert!(matches!(queued_task("12|3"), Err(SlurmError::NotUnderstood { command: "squeue", .. })));
    }

    #[test]
    fn the_job_id_among_what_a_site_says() {
        for said in [
            "4001\n",
            "4001;cluster\n",
            "  4001  \r\n",
            "--- Welcome ---\nchecking 12 nodes ... OK\n2026\n4001\n",
            "4001;cluster two\nHave a nice day\n\n",
            "Submitted batch job 4001\n",
            "Welcome\nSubmitted batch job 4001 on cluster two\n",
        ] {
            assert_eq!(submitted_job(said), Some(4001), "{said:?}");
        }
        for said in ["", "Welcome\n", "job 4001\n", "-1\n", "4001.5\n"] {
            assert_eq!(submitted_job(said), None, "{said:?}");
        }
    }
}
