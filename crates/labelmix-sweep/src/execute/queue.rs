//! The stages that wait, those that other processes are at, and what became of the others.

use std::collections::{BinaryHeap, HashSet};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use labelmix_elicit::Interrupt;

use super::event::StageFailure;
use crate::error::Error;
use crate::graph::{StageGraph, StageNode};

/// How often a process that has nothing else to do looks after the stages that others are at, and after interruptions.
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Stages whose parents are done, and what became of the others.
pub(super) struct Queue<'a> {
    graph: &'a StageGraph,
    interrupt: &'a Interrupt,
    dependents: Vec<Vec<usize>>,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    ready: BinaryHeap<Ready>,
    /// For each stage, how many of those that it needs are not done.
    waits_for: Vec<usize>,
    /// Stages that will not be done here.
    given_up: HashSet<usize>,
    /// Stages that another process is at.
    elsewhere: Vec<usize>,
    /// Those of which this was told.
    told: HashSet<usize>,
    /// Stages that are neither done nor given up.
    outstanding: usize,
    failures: Vec<StageFailure>,
    /// Why no stage is begun any more, if none is.
    end: Option<End>,
}

/// Why a sweep ends before all of its stages are done.
pub(super) enum End {
    /// It was asked to.
    Interrupted,
    /// Nothing can be kept.
    Store(Error),
}

/// Orders what is ready: stages that others wait for first, then the largest, so that no long one is left for last.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Ready {
    dependents: usize,
    count: usize,
    index: usize,
}

impl<'a> Queue<'a> {
    /// Of a graph of which some stages are done, and others are for others to do.
    pub(super) fn new(
        graph: &'a StageGraph,
        done: &HashSet<usize>,
        chosen: impl Fn(&StageNode) -> bool,
        interrupt: &'a Interrupt,
    ) -> Self {
        let waits_for: Vec<usize> =
            graph.nodes().iter().map(|node| node.needs().filter(|needed| !done.contains(needed)).count()).collect();
        let given_up: HashSet<usize> =
            (0..waits_for.len()).filter(|index| !done.contains(index) && !chosen(&graph.nodes()[*index])).collect();
        let missing = |index: &usize| !done.contains(index) && !given_up.contains(index);
        let ready: Vec<usize> = (0..waits_for.len()).filter(|index| missing(index) && waits_for[*index] == 0).collect();
        let outstanding = (0..waits_for.len()).filter(missing).count();
        let state = State {
            ready: BinaryHeap::new(),
            waits_for,
            given_up,
            elsewhere: Vec::new(),
            told: HashSet::new(),
            outstanding,
            failures: Vec::new(),
            end: None,
        };
        let queue = Self {
            graph,
            interrupt,
            dependents: graph.dependents(),
            state: Mutex::new(state),
            changed: Condvar::new(),
        };
        let ready: Vec<Ready> = ready.into_iter().map(|index| queue.ready(index)).collect();
        queue.lock().ready.extend(ready);
        queue
    }

    /// Stages that are to be done and need one that is neither there nor to be done.
    pub(super) fn without_start(&self) -> Vec<usize> {
        let state = self.lock();
        let lacks = |index: &usize| {
            state.waits_for[*index] > 0
                && !state.given_up.contains(index)
                && self.graph.nodes()[*index].needs().any(|needed| state.given_up.contains(&needed))
        };
        (0..state.waits_for.len()).filter(lacks).collect()
    }

    fn ready(&self, index: usize) -> Ready {
        Ready { dependents: self.dependents[index].len(), count: self.graph.nodes()[index].plan.count, index }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next stage to try; waits for one to become ready, `None` when there will be none.
    pub(super) fn next(&self) -> Option<usize> {
        let mut state = self.lock();
        loop {
            if self.interrupt.is_requested() {
                state.end.get_or_insert(End::Interrupted);
            }
            if state.outstanding == 0 || state.end.is_some() {
                return None;
            }
            if let Some(Ready { index, .. }) = state.ready.pop() {
                return Some(index);
            }
            let (guard, waited) = self.changed.wait_timeout(state, LOOK_EVERY).unwrap_or_else(PoisonError::into_inner);
            state = guard;
            if waited.timed_out() {
                let elsewhere = std::mem::take(&mut state.elsewhere);
                state.ready.extend(elsewhere.into_iter().map(|index| self.ready(index)));
            }
        }
    }

    /// Puts a stage back that another process is at; whether this is new.
    pub(super) fn elsewhere(&self, index: usize) -> bool {
        let mut state = self.lock();
        state.elsewhere.push(index);
        state.told.insert(index)
    }

    pub(super) fn finished(&self, index: usize) {
        let mut state = self.lock();
        state.outstanding -= 1;
        for &dependent in &self.dependents[index] {
            state.waits_for[dependent] -= 1;
            if state.waits_for[dependent] == 0 && !state.given_up.contains(&dependent) {
                state.ready.push(self.ready(dependent));
            }
        }
        drop(state);
        self.changed.notify_all();
    }

    /// Gives up a stage and all that need it.
    pub(super) fn failed(&self, index: usize, failure: StageFailure) {
        let mut state = self.lock();
        let mut waiting = vec![index];
        while let Some(index) = waiting.pop() {
            // A stage may need several that fail, or the same one on several ways.
            if state.given_up.insert(index) {
                state.outstanding -= 1;
                waiting.extend(&self.dependents[index]);
            }
        }
        state.failures.push(failure);
        drop(state);
        self.changed.notify_all();
    }

    /// Begins no stage any more.
    pub(super) fn end(&self, end: End) {
        self.lock().end.get_or_insert(end);
        self.changed.notify_all();
    }

    /// What failed, and why the sweep ended early, if it did.
    pub(super) fn into_parts(self) -> (Vec<StageFailure>, Option<End>) {
        let state = self.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        (state.failures, state.end)
    }
}
