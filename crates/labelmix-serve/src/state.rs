//! What is known at this moment: written by the threads that read and compute, read by requests, which so never wait for
//! a disk or a surface. And what is asked for: nothing is read or computed for pages that nobody has open.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hyper::body::Bytes;
use labelmix_store::StudyPlan;

use crate::progress::{Doing, Progress};

/// For how long after a request a page counts as open: longer than the pages' slowest look.
const OPEN_FOR: Duration = Duration::from_secs(30);

/// The place where the threads meet.
#[derive(Default)]
pub(crate) struct ServerState {
    state: Mutex<State>,
    changed: Condvar,
}

/// What is known of the store.
#[derive(Default)]
pub(crate) struct State {
    /// Whether it has been looked at.
    pub(crate) looked: bool,
    /// Why it cannot be read.
    pub(crate) problem: Option<String>,
    pub(crate) studies: BTreeMap<String, StudyState>,
    /// When somebody last asked for anything.
    asked: Option<Instant>,
    /// Whether everything is to end.
    pub(crate) ended: bool,
}

/// What is known of a study.
#[derive(Default)]
pub(crate) struct StudyState {
    pub(crate) plan: Option<Arc<StudyPlan>>,
    pub(crate) progress: Option<Progress>,
    /// Why nothing is known of its plan.
    pub(crate) problem: Option<String>,
    pub(crate) results: Option<Arc<Results>>,
    /// Why there are no newer ones.
    pub(crate) failure: Option<&'static str>,
    pub(crate) doing: Doing,
    asked: Option<Instant>,
}

/// A study's results, ready to be sent.
#[derive(Debug)]
pub(crate) struct Results {
    /// A hash of the data.
    pub(crate) version: String,
    pub(crate) runs: usize,
    pub(crate) data: Bytes,
    /// The page with this data, and its policy.
    pub(crate) html: Bytes,
    pub(crate) policy: String,
    /// What is not as it should be, in words.
    pub(crate) notes: Vec<String>,
}

impl ServerState {
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        // What a thread that panicked left is whole: it is written at one stroke.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note that somebody wants to know, of a study if it names one.
    pub(crate) fn ask(&self, study: Option<&str>) -> MutexGuard<'_, State> {
        let mut state = self.lock();
        let now = Some(Instant::now());
        state.asked = now;
        if let Some(study) = study.and_then(|study| state.studies.get_mut(study)) {
            study.asked = now;
        }
        self.changed.notify_all();
        state
    }

    /// Tells all who wait that something is different.
    pub(crate) fn changed(&self) {
        self.changed.notify_all();
    }

    /// Waits until something is different, or for so long.
    pub(crate) fn wait<'a>(&self, state: MutexGuard<'a, State>, longest: Duration) -> MutexGuard<'a, State> {
        let waited = self.changed.wait_timeout(state, longest);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }

    /// Ends everything that waits.
    pub(crate) fn end(&self) {
        self.lock().ended = true;
        self.changed.notify_all();
    }
}

impl State {
    /// Whether somebody has a page open.
    pub(crate) fn is_open(&self) -> bool {
        is_recent(self.asked)
    }

    /// The studies whose pages somebody has open.
    pub(crate) fn open_studies(&self) -> Vec<String> {
        let open = self.studies.iter().filter(|(_, study)| is_recent(study.asked));
        open.map(|(name, _)| name.clone()).collect()
    }
}

fn is_recent(asked: Option<Instant>) -> bool {
    asked.is_some_and(|asked| asked.elapsed() < OPEN_FOR)
}
