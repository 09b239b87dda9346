//! What a sweep will take, before it starts: what the store has already, and the time of the rest, from a short trial of
//! the model on the study's own texts.

use labelmix_engine::Calibration;
use labelmix_store::{Scrutiny, Store, StoreError};
use serde::Serialize;

use crate::error::Result;
use crate::execute::{pool_of, threads_per_job};
use crate::graph::StageNode;
use crate::sweep::Sweep;
use crate::workload::Workload;

/// What is left to do, and what it will take.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct WorkEstimate {
    pub runs: usize,
    /// Stages that they would take if none were shared.
    pub unshared_stages: usize,
    pub stages: usize,
    /// Those that the store has, whole.
    pub in_store: usize,
    /// Those that have to be done.
    pub missing: usize,
    /// How many are done at a time.
    pub jobs: usize,
    /// The time that it will take, in seconds; none if nothing is missing.
    pub seconds: Option<f64>,
    /// The memory that it will take at its peak, in bytes.
    pub memory_bytes: u64,
    /// What was measured; none if nothing is missing.
    pub calibration: Option<Calibration>,
}

/// Counts what is missing, and tries how fast the model is. Nothing is written.
///
/// # Errors
/// If the store cannot be read, or the model not be run.
pub fn estimate(sweep: &Sweep, store: &Store) -> Result<WorkEstimate> {
    let nodes = sweep.graph().nodes();
    let mut missing: Vec<&StageNode> = Vec::new();
    let mut is_missing = vec![false; nodes.len()];
    for (index, node) in nodes.iter().enumerate() {
        match store.sound_outcome(&node.key, Scrutiny::Texts) {
            Ok(Some(_)) => {}
            Ok(None) | Err(StoreError::Damaged { .. }) => {
                is_missing[index] = true;
                missing.push(node);
            }
            Err(error) => return Err(error.into()),
        }
    }
    let jobs = sweep.engine.slots().clamp(1, missing.len().max(1));
    let (mut seconds, mut calibration) = (None, None);
    if !missing.is_empty() {
        let speed = std::thread::scope(|scope| {
            // In a thread of its own, because a pool makes the thread that it is made in its own.
            let trial = scope.spawn(|| pool_of(threads_per_job(jobs)).install(|| sweep.engine.calibrate()));
            trial.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })?;
        let (recipe, n_test) = (&sweep.study().recipe, sweep.data.test.len());
        let time = |stage: &StageNode| {
            let Workload { trained, read, texts } = Workload::of(stage, recipe, n_test);
            texts as f64 * (trained as f64 * speed.train_seconds + read as f64 * speed.read_seconds)
        };
        let unread = sweep.unread_texts(store, &missing)?;
        let unread: usize = unread.texts.iter().map(|(_, texts)| texts.len()).sum();
        let (mut total, mut longest) = (unread as f64 * speed.read_seconds, 0.0_f64);
        let mut chain = vec![0.0; nodes.len()];
        for (index, node) in nodes.iter().enumerate() {
            let own = if is_missing[index] { time(node) } else { 0.0 };
            chain[index] = own + node.needs().map(|needed| chain[needed]).fold(0.0, f64::max);
            total += own;
            longest = longest.max(chain[index]);
        }
        // No faster than all jobs together, nor than a run's stages one after the other.
        seconds = Some((total / jobs as f64).max(longest));
        calibration = Some(speed);
    }
    Ok(WorkEstimate {
        runs: sweep.graph().runs().len(),
        unshared_stages: sweep.summary().unshared_stages,
        stages: nodes.len(),
        in_store: nodes.len() - missing.len(),
        missing: missing.len(),
        jobs,
        seconds,
        memory_bytes: sweep.engine.memory_bytes(),
        calibration,
    })
}
