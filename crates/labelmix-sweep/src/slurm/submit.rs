//! Submitting what is missing.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use labelmix_store::{StageKey, Store, StoreError, write_whole};
use labelmix_study::{SlurmTable, Study};

use super::arrays::plan_arrays;
use super::cluster::{Request, max_tasks, queue, submit};
use super::records::{Submissions, SubmittedArray};
use crate::error::{Error, Result};
use crate::execute::Observer;
use crate::piece::check_failed_before;
use crate::plan::keep_plan;
use crate::survey::survey;
use crate::sweep::Sweep;

/// What became of the stages of a sweep.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Submitted {
    /// The job ids of the arrays that were submitted now.
    pub jobs: Vec<u64>,
    /// Stages that were submitted now.
    pub stages: usize,
    /// Stages that are in the store.
    pub done: usize,
    /// Stages that were in the queue already.
    pub queued: usize,
    /// Where the tasks' logs go.
    pub logs: PathBuf,
}

/// Submits the stages of a sweep that are neither in the store nor in the queue. `command` does the stages of a task: to
/// it are added `--tasks`, with the file of the array's tasks. Every array that sbatch takes is written down at once.
/// `observer` hears of stages that were damaged.
///
/// # Errors
/// If the store cannot be read or written, or Slurm says no.
pub fn submit_missing(
    sweep: &Sweep,
    store: &Store,
    table: &SlurmTable,
    command: &[String],
    observer: &dyn Observer,
) -> Result<Submitted> {
    let graph = sweep.graph();
    let study = &sweep.study().name;
    let submissions = Submissions::read(store, study)?;
    keep_plan(sweep, store)?;
    let done = survey(graph, store, observer)?;
    let queue = queue()?;
    let waiting: HashMap<usize, u64> = submissions
        .queued(graph.nodes().iter().map(|node| &node.key), &queue)
        .into_iter()
        .map(|(index, task)| (index, task.job))
        .collect();
    let arrays = plan_arrays(graph, &done, &waiting, table.stages_per_task, max_tasks()?);
    let mut submitter = Submitter::new(submissions, study, table, command)?;
    submitter.submitted.done = done.len();
    submitter.submitted.queued = waiting.keys().filter(|index| !done.contains(index)).count();
    for array in &arrays {
        let keys = |task: &Vec<usize>| task.iter().map(|index| graph.nodes()[*index].key.clone()).collect();
        let before = array.after_arrays.iter().map(|place| submitter.submitted.jobs[*place]);
        let after: Vec<u64> = before.chain(array.after_jobs.iter().copied()).collect();
        submitter.submit(array.tasks.iter().map(keys).collect(), &after)?;
    }
    Ok(submitter.submitted)
}

/// Submits the making of weak labels that the store lacks, as a job of one task, unless it is in the queue. The stages that
/// need them have no keys before.
///
/// # Errors
/// If they failed before and would fail again, the store cannot be read or written, or Slurm says no.
pub fn submit_labeler(
    study: &Study,
    key: &StageKey,
    store: &Store,
    table: &SlurmTable,
    command: &[String],
    retry_failed: bool,
) -> Result<Submitted> {
    check_failed_before(key, store, retry_failed).map_err(Error::labeler)?;
    let submissions = Submissions::read(store, &study.name)?;
    let is_queued = !submissions.queued(std::iter::once(key), &queue()?).is_empty();
    let mut submitter = Submitter::new(submissions, &study.name, table, command)?;
    if is_queued {
        submitter.submitted.queued = 1;
    } else {
        submitter.submit(vec![vec![key.clone()]], &[])?;
    }
    Ok(submitter.submitted)
}

/// Submits arrays of a study, and writes them down.
struct Submitter<'a> {
    submissions: Submissions,
    table: &'a SlurmTable,
    name: String,
    script: PathBuf,
    submitted: Submitted,
}

impl<'a> Submitter<'a> {
    fn new(submissions: Submissions, study: &str, table: &'a SlurmTable, command: &[String]) -> Result<Self> {
        let logs = submissions.folder().join("logs");
        fs::create_dir_all(&logs).map_err(StoreError::io(&logs))?;
        let script = submissions.folder().join("task.sh");
        write_whole(&script, task_script(table, command).as_bytes())?;
        let submitted = Submitted { logs, ..Submitted::default() };
        Ok(Self { submissions, table, name: format!("labelmix-{study}"), script, submitted })
    }

    fn submit(&mut self, tasks: Vec<Vec<StageKey>>, after: &[u64]) -> Result<()> {
        let list = self.submissions.next_list();
        write_task_list(&list, &tasks)?;
        let request = Request {
            table: self.table,
            name: &self.name,
            tasks: tasks.len(),
            after,
            output: &self.submitted.logs.join("%A_%a.txt"),
            script: &self.script,
            arguments: &[list],
        };
        let job = submit(&request)?;
        self.submitted.stages += tasks.iter().map(Vec::len).sum::<usize>();
        self.submitted.jobs.push(job);
        self.submissions.add(SubmittedArray { job, tasks })
    }
}

/// The stages of an array's task.
///
/// # Errors
/// If the file cannot be read, or has no such task.
pub fn task_stages(list: &Path, task: usize) -> Result<Vec<StageKey>> {
    let text = fs::read_to_string(list).map_err(StoreError::io(list))?;
    let damaged = |reason: String| StoreError::Damaged { path: list.to_owned(), reason };
    let line = text.lines().nth(task).ok_or_else(|| damaged(format!("it has no task {task}")))?;
    Ok(serde_json::from_str(line).map_err(|error| damaged(format!("task {task}: {error}")))?)
}

fn write_task_list(path: &Path, tasks: &[Vec<StageKey>]) -> Result<()> {
    let line = |task: &Vec<StageKey>| serde_json::to_string(task).expect("keys become JSON") + "\n";
    Ok(write_whole(path, tasks.iter().map(line).collect::<String>().as_bytes())?)
}

/// What every task runs. `exec` leaves labelmix as the process to which Slurm sends its warning.
fn task_script(table: &SlurmTable, command: &[String]) -> String {
    let command: Vec<String> = command.iter().map(|word| quoted(word)).collect();
    let start = format!("exec {} --tasks \"$1\"", command.join(" "));
    let lines = ["#!/bin/bash"].into_iter().chain(table.setup.iter().map(String::as_str)).chain([&*start]);
    lines.flat_map(|line| [line, "\n"]).collect()
}

/// A word for a POSIX shell.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::key_of_text;

    #[test]
    fn a_script_whose_words_no_shell_takes_apart() {
        let table = SlurmTable { setup: vec!["module load cuda".to_owned()], ..SlurmTable::default() };
        let command = ["/opt/my labelmix", "--study", "it's.toml"].map(str::to_owned);
        insta::assert_snapshot!(task_script(&table, &command), @r#"
        #!/bin/bash
        module load cuda
        exec '/opt/my labelmix' '--study' 'it'\''s.toml' --tasks "$1"
        "#);
    }

    #[test]
    fn the_stages_of_a_task() {
        let folder = tempfile::tempdir().unwrap();
        let list = folder.path().join("array-0001.jsonl");
        let key = |name: &str| key_of_text(name);
        write_task_list(&list, &[vec![key("a"), key("b")], vec![key("c")]]).unwrap();
        assert_eq!(task_stages(&list, 1).unwrap(), [key("c")]);
        assert!(task_stages(&list, 2).unwrap_err().to_string().ends_with("it has no task 2"));
    }
}
