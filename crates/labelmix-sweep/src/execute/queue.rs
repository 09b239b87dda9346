//! The stages that wait, those that other processes are at, and what became of the others.

use std::collections::{BinaryHeap, HashSet};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use labelmix_train::Interrupt;

use crate::error::Error;
use crate::graph::StageGraph;
use crate::options::LOOK_EVERY;
use crate::stage_error::StageFailure;

/// Stages whose parents are done, and what became of the others.
pub(super) struct Queue<'a> {
    graph: &'a StageGraph,
    interrupt: &'a Interrupt,
    dependents: Vec<Vec<usize>>,
    /// Stages that are to be done and need one that is neither there nor to be done.
    without_start: Vec<usize>,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    ready: BinaryHeap<Ready>,
    /// For each stage, how many of those that it needs are not done.
    waits_for: Vec<usize>,
    /// Stages that are to be done here, and are neither done nor given up.
    open: HashSet<usize>,
    /// Stages that another process is at.
    elsewhere: Vec<usize>,
    /// Those of which this was told.
    told: HashSet<usize>,
    failures: GivenUp,
    /// Why no stage is begun any more, if none is.
    end: Option<End>,
}

/// Stages that were given up: each time why, if it is to be told, and which, as places in the graph.
pub(super) type GivenUp = Vec<(Option<StageFailure>, Vec<usize>)>;

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
        chosen: impl Fn(usize) -> bool,
        interrupt: &'a Interrupt,
    ) -> Self {
        let nodes = graph.nodes();
        let open: HashSet<usize> = (0..nodes.len()).filter(|index| !done.contains(index) && chosen(*index)).collect();
        let missing = |needed: &usize| !done.contains(needed);
        let waits_for: Vec<usize> = nodes.iter().map(|node| node.needs().filter(missing).count()).collect();
        let lacks = |index: &usize| nodes[*index].needs().any(|needed| missing(&needed) && !open.contains(&needed));
        let mut without_start: Vec<usize> = open.iter().copied().filter(lacks).collect();
        without_start.sort_unstable();
        let ready: Vec<usize> = open.iter().copied().filter(|index| waits_for[*index] == 0).collect();
        let state = State {
            ready: BinaryHeap::new(),
            waits_for,
            open,
            elsewhere: Vec::new(),
            told: HashSet::new(),
            failures: Vec::new(),
            end: None,
        };
        let queue = Self {
            graph,
            interrupt,
            dependents: graph.dependents(),
            without_start,
            state: Mutex::new(state),
            changed: Condvar::new(),
        };
        let ready: Vec<Ready> = ready.into_iter().map(|index| queue.ready(index)).collect();
        queue.lock().ready.extend(ready);
        queue
    }

    /// Stages that are to be done and need one that is neither there nor to be done.
    pub(super) fn without_start(&self) -> &[usize] {
        &self.without_start
    }

    fn ready(&self, index: usize) -> Ready {
        Ready { dependents: self.dependents[index].len(), count: self.graph.nodes()[index].plan.count(), index }
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
            if state.open.is_empty() || state.end.is_some() {
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
        state.open.remove(&index);
        for &dependent in &self.dependents[index] {
            state.waits_for[dependent] -= 1;
            // One that was done before is not done again, though what it started from was missing.
            if state.waits_for[dependent] == 0 && state.open.contains(&dependent) {
                state.ready.push(self.ready(dependent));
            }
        }
        drop(state);
        self.changed.notify_all();
    }

    /// Gives up a stage and all that need it.
    pub(super) fn failed(&self, index: usize, failure: Option<StageFailure>) {
        let mut state = self.lock();
        let (mut waiting, mut given_up) = (vec![index], Vec::new());
        while let Some(index) = waiting.pop() {
            // A stage may need several that fail, or the same one on several ways.
            if state.open.remove(&index) {
                waiting.extend(&self.dependents[index]);
                given_up.push(index);
            }
        }
        state.failures.push((failure, given_up));
        drop(state);
        self.changed.notify_all();
    }

    /// Begins no stage any more.
    pub(super) fn end(&self, end: End) {
        self.lock().end.get_or_insert(end);
        self.changed.notify_all();
    }

    /// What failed, and why the sweep ended early, if it did.
    pub(super) fn into_parts(self) -> (GivenUp, Option<End>) {
        let state = self.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        (state.failures, state.end)
    }
}

#[cfg(test)]
mod tests {
    use labelmix_econ::{Allocation, LabelKind};
    use labelmix_methods::{StageOptions, TrainPlan};

    use super::*;
    use crate::key::key_of_text;
    use crate::stage_error::StageError;

    /// Stage 0, and stages 1 and 2 that start from it.
    fn graph() -> StageGraph {
        let mut graph = StageGraph::default();
        for n_gold in [1, 2] {
            let stage = |kind, count| TrainPlan::new(kind, count, StageOptions::default());
            let plans = TrainPlan::sequence([stage(LabelKind::Weak, 9), stage(LabelKind::Gold, n_gold)]);
            graph.add_run("seq-sft", 0, Allocation { n_weak: 9, n_gold }, &plans, |parent, _, plan| {
                (key_of_text(&format!("{parent:?} {}", plan.count())), None)
            });
        }
        graph
    }

    fn failure(graph: &StageGraph, index: usize) -> StageFailure {
        StageFailure::of(&graph.nodes()[index], StageError::NothingToStartFrom)
    }

    #[test]
    fn a_start_that_was_lost_is_done_again_and_what_came_of_it_is_not() {
        let (graph, interrupt) = (graph(), Interrupt::default());
        let queue = Queue::new(&graph, &HashSet::from([1]), |_| true, &interrupt);
        assert_eq!(queue.next(), Some(0));
        queue.finished(0);
        assert_eq!(queue.next(), Some(2));
        queue.finished(2);
        assert_eq!(queue.next(), None);
    }

    #[test]
    fn a_failure_gives_up_what_needs_it_and_leaves_what_is_done() {
        let (graph, interrupt) = (graph(), Interrupt::default());
        let queue = Queue::new(&graph, &HashSet::from([1]), |_| true, &interrupt);
        assert_eq!(queue.next(), Some(0));
        queue.failed(0, Some(failure(&graph, 0)));
        assert_eq!(queue.next(), None);
        let (given_up, _) = queue.into_parts();
        assert_eq!((given_up.len(), &*given_up[0].1), (1, &[0, 2][..]));
    }

    #[test]
    fn a_part_of_the_stages_is_done_as_far_as_it_can_start() {
        let (graph, interrupt) = (graph(), Interrupt::default());
        let only = |wanted: &'static [usize]| move |index: usize| wanted.contains(&index);
        let queue = Queue::new(&graph, &HashSet::from([0]), only(&[2]), &interrupt);
        assert_eq!((queue.without_start(), queue.next()), (&[][..], Some(2)));
        queue.finished(2);
        assert_eq!(queue.next(), None);

        let queue = Queue::new(&graph, &HashSet::new(), only(&[1]), &interrupt);
        assert_eq!(queue.without_start(), [1]);
        queue.failed(1, Some(failure(&graph, 1)));
        assert_eq!(queue.next(), None);
    }
}
