//! A Slurm cluster as the executor: stages become tasks of job arrays, children behind their parents.
//!
//! The cluster computes, the store decides. A task asks the store whether its stage is done and whether its parent is
//! there, and never trusts the queue for either: Slurm takes a dependency on a job that it has forgotten for one that
//! is met. What is submitted is written down beside the results, so that a second `sweep` submits what is missing and
//! not what waits already.

mod arrays;
mod cluster;
mod records;
mod submit;

pub use self::cluster::{SlurmError, requeue};
pub use self::records::{QueueCounts, queue_counts};
pub use self::submit::{Submitted, submit_labeler, submit_missing, task_stages};
