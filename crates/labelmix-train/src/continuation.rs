//! Training that stops when it is asked to and goes on later as if nothing had been.
//!
//! What is kept is what steps change: the adapter, the optimizer's moments, what the watch remembers (the best checkpoint
//! among it), the losses since the last evaluation, and the number of steps. The order of the data and the learning rate
//! follow from the seed and the number of steps, so they are computed again and not kept.

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use labelmix_models::KeptTensors;
use labelmix_nn::Array;
use serde::{Deserialize, Serialize};

use crate::backend::Learner;
use crate::error::Result;
use crate::interrupt::Interrupt;
use crate::optimizer_state::OptimizerState;
use crate::trainer::CheckpointWatch;

/// Raised when the meaning of a kept state changes: older ones are then begun anew.
const SCHEMA: &str = "labelmix training 1";

/// How a training goes on: where its state is kept, how often, and who may interrupt it.
#[derive(Clone, Copy)]
pub struct Continuation<'a> {
    /// The file of its state; without one it begins anew every time.
    pub file: Option<&'a Path>,
    /// The time between two states.
    pub every: Duration,
    /// Who may interrupt it. Its state is kept then too.
    pub interrupt: &'a Interrupt,
}

impl<'a> Continuation<'a> {
    /// Of a training that is not kept; `interrupt` may still stop it.
    pub fn none(interrupt: &'a Interrupt) -> Self {
        Self { file: None, every: Duration::MAX, interrupt }
    }

    /// Takes the state away, once the training's outcome is kept.
    ///
    /// # Errors
    /// If it is there and cannot be removed.
    pub fn forget(&self) -> io::Result<()> {
        match self.file.map(std::fs::remove_file) {
            Some(Err(error)) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

/// How far a training is, besides its tensors.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Position {
    pub(crate) step: usize,
    /// Whether the evaluation after them was made, if one was due.
    pub(crate) evaluated: bool,
    /// The losses of the steps since the last evaluation.
    pub(crate) losses: Vec<f64>,
}

/// The text about the tensors.
#[derive(Serialize, Deserialize)]
struct About {
    schema: String,
    position: Position,
    watch: serde_json::Value,
}

/// Keeps the states of a training, every now and then.
pub(crate) struct Keeper<'a> {
    continuation: Continuation<'a>,
    last: Instant,
}

impl<'a> Keeper<'a> {
    pub(crate) fn new(continuation: Continuation<'a>) -> Self {
        Self { continuation, last: Instant::now() }
    }

    /// Whether it is time to keep a state.
    pub(crate) fn is_due(&self) -> bool {
        self.continuation.file.is_some() && self.last.elapsed() >= self.continuation.every
    }

    /// Keeps a state. A disk that is full or a folder that is gone is no reason to lose the training too: it goes on.
    pub(crate) fn keep(
        &mut self,
        position: &Position,
        learner: &dyn Learner,
        watch: &impl CheckpointWatch,
    ) -> Result<()> {
        let Some(file) = self.continuation.file else { return Ok(()) };
        let mut arrays = Vec::new();
        let watch = watch.state(&mut arrays);
        let about = About { schema: SCHEMA.to_owned(), position: position.clone(), watch };
        let mut tensors = KeptTensors::about(serde_json::to_string(&about).expect("numbers can be written"));
        add_snapshot(&mut tensors, "adapter", &learner.snapshot()?);
        learner.optimizer()?.add_to(&mut tensors, OPTIMIZER);
        for (name, snapshot) in arrays {
            add_snapshot(&mut tensors, name, snapshot);
        }
        let _ = tensors.write(file);
        self.last = Instant::now();
        Ok(())
    }

    /// Returns to the state that was kept, if one was that can be read; the position.
    pub(crate) fn restore(
        &self,
        learner: &mut dyn Learner,
        watch: &mut impl CheckpointWatch,
    ) -> Result<Option<Position>> {
        let Some(tensors) = self.continuation.file.and_then(|file| KeptTensors::read(file).ok()) else {
            return Ok(None);
        };
        let now = learner.snapshot()?;
        let mut parts = || -> io::Result<_> {
            let about: About = serde_json::from_str(tensors.text())?;
            if about.schema != SCHEMA {
                return Err(io::ErrorKind::Unsupported.into());
            }
            let snapshot = |name: &str| snapshot_like(&tensors, name, &now);
            let (values, optimizer) = (snapshot("adapter")?, OptimizerState::among(&tensors, OPTIMIZER)?);
            watch.set_state(about.watch, &snapshot)?;
            Ok((about.position, values, optimizer))
        };
        // A state that does not fit is of another version: the training begins anew.
        let Ok((position, values, optimizer)) = parts() else { return Ok(None) };
        learner.restore(&values)?;
        learner.set_optimizer(&optimizer)?;
        Ok(Some(position))
    }
}

/// What the names of the optimizer's tensors begin with.
const OPTIMIZER: &str = "optimizer/";

fn add_snapshot(tensors: &mut KeptTensors, name: &str, snapshot: &[Array]) {
    for (place, array) in snapshot.iter().enumerate() {
        tensors.add(format!("{name}/{place}"), array.clone());
    }
}

/// A snapshot with the shapes of another.
fn snapshot_like(tensors: &KeptTensors, name: &str, like: &[Array]) -> io::Result<Vec<Array>> {
    let array = |(place, like): (usize, &Array)| {
        let array = tensors.get(&format!("{name}/{place}"))?;
        if array.shape() == like.shape() { Ok(array.clone()) } else { Err(io::ErrorKind::InvalidData.into()) }
    };
    like.iter().enumerate().map(array).collect()
}
