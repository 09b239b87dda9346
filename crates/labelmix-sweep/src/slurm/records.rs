//! What was submitted: written down beside the results, a line for each array.
//!
//! ```text
//! STORE/slurm/STUDY/submissions.jsonl    what was submitted: job id, and the stages of each task
//!                   task.sh              what a task runs
//!                   array-0001.jsonl     the stages of an array, a line for each task
//!                   logs/JOB_TASK.txt    what a task says
//! ```

use std::collections::HashMap;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use labelmix_store::{Asked, StageKey, Store, StoreError};
use serde::{Deserialize, Serialize};

use super::cluster::{QueuedTask, queue};
use crate::error::Result;

/// How many stages of a study are in the queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct QueueCounts {
    /// In tasks that run.
    pub running: usize,
    /// In tasks that wait.
    pub waiting: usize,
}

/// A job array that was submitted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SubmittedArray {
    /// Its job id.
    pub(super) job: u64,
    pub(super) tasks: Vec<Vec<StageKey>>,
}

/// Everything of a study that was submitted to Slurm from a store.
#[derive(Clone, Debug)]
pub(crate) struct Submissions {
    folder: PathBuf,
    arrays: Vec<SubmittedArray>,
}

impl Submissions {
    /// Reads what was submitted; nothing if nothing was.
    pub(crate) fn read(store: &Store, study: &str) -> Result<Self> {
        // Tasks may be started somewhere else.
        let folder = store.slurm_folder(study);
        let folder = std::path::absolute(&folder).unwrap_or(folder);
        let path = folder.join(SUBMISSIONS_FILE);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(StoreError::io(&path)(error).into()),
        };
        // A last line without its end was being written when the machine went down. Its job does no harm: stages are
        // claimed.
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let line = |line: &str| {
            serde_json::from_str(line)
                .map_err(|error| StoreError::Damaged { path: path.clone(), reason: format!("{line:?}: {error}") })
        };
        let arrays = whole.lines().map(line).collect::<std::result::Result<_, _>>()?;
        Ok(Self { folder, arrays })
    }

    /// Whether anything was submitted.
    pub(crate) fn is_empty(&self) -> bool {
        self.arrays.is_empty()
    }

    /// The folder in which they are written down.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// How many of these stages are in the queue.
    ///
    /// # Errors
    /// If squeue cannot be asked.
    pub(crate) fn count_queued<'k>(&self, stages: impl Iterator<Item = &'k StageKey>) -> Result<QueueCounts> {
        let queue = queue()?;
        let queued = self.queued(stages, &queue);
        let running = queued.values().filter(|task| task.running).count();
        Ok(QueueCounts { running, waiting: queued.len() - running })
    }

    /// Those of these stages whose tasks are in the queue, by their places, with the task.
    pub(super) fn queued<'k, 'q>(
        &self,
        stages: impl Iterator<Item = &'k StageKey>,
        queue: &'q [QueuedTask],
    ) -> HashMap<usize, &'q QueuedTask> {
        let ours: HashMap<u64, &SubmittedArray> = self.arrays.iter().map(|array| (array.job, array)).collect();
        let place: HashMap<&StageKey, usize> = stages.enumerate().map(|(index, key)| (key, index)).collect();
        let mut queued = HashMap::new();
        for task in queue {
            let keys = ours.get(&task.job).and_then(|array| array.tasks.get(task.index?));
            for key in keys.into_iter().flatten() {
                if let Some(index) = place.get(key) {
                    queued.insert(*index, task);
                }
            }
        }
        queued
    }

    /// Where the stages of the next array are written. The file of an array that was not submitted after all is replaced.
    pub(super) fn next_list(&self) -> PathBuf {
        self.folder.join(format!("array-{:04}.jsonl", self.arrays.len() + 1))
    }

    /// Writes down that an array is in the queue.
    pub(super) fn add(&mut self, array: SubmittedArray) -> Result<()> {
        let path = self.folder.join(SUBMISSIONS_FILE);
        let line = serde_json::to_string(&array).expect("numbers and keys become JSON") + "\n";
        let mut file = OpenOptions::new().create(true).append(true).open(&path).map_err(StoreError::io(&path))?;
        file.write_all(line.as_bytes()).and_then(|()| file.sync_data()).map_err(StoreError::io(&path))?;
        self.arrays.push(array);
        Ok(())
    }
}

const SUBMISSIONS_FILE: &str = "submissions.jsonl";

/// How many stages of a study are in a cluster's queue; none if nothing of it was ever submitted to one.
///
/// # Errors
/// If the queue cannot be asked.
pub fn queue_counts(asked: &Asked, store: &Store) -> Result<Option<QueueCounts>> {
    let submissions = Submissions::read(store, &asked.plan.study)?;
    if submissions.is_empty() {
        return Ok(None);
    }
    submissions.count_queued(asked.plan.stages.iter().map(|stage| &stage.key)).map(Some)
}
