//! The thread that looks at the store: every two seconds while somebody has a page open, and rarely otherwise.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use labelmix_store::{StoreWatcher, WatchedStudy};

use crate::progress::Progress;
use crate::state::{ServerState, StudyState};

const LOOK_EVERY: Duration = Duration::from_secs(2);
const LOOK_RARELY: Duration = Duration::from_mins(1);
/// So many times what a look took pass until the next: on a slow file system too, the store is mostly left alone.
const REST: u32 = 9;

/// Looks once, and says how long the store is to be left alone after that while somebody has a page open. `named` are
/// studies that are there whether the store knows them or not.
pub(crate) fn look(server_state: &ServerState, watcher: &mut StoreWatcher, named: &[String]) -> Duration {
    let began = Instant::now();
    let seen = watcher.look();
    let rest = LOOK_EVERY.max(began.elapsed() * REST);
    match seen {
        Ok(studies) => take_note(server_state, studies, named),
        Err(error) => {
            let mut state = server_state.lock();
            state.problem = Some(error.to_string());
            state.looked = true;
        }
    }
    server_state.changed();
    rest
}

/// Looks again and again until the server state ends, for the first time after `rest`.
pub(crate) fn look_on(server_state: &ServerState, mut watcher: StoreWatcher, named: &[String], mut rest: Duration) {
    loop {
        let looked = Instant::now();
        let mut state = server_state.lock();
        loop {
            if state.ended {
                return;
            }
            let wanted = if state.is_open() { rest } else { LOOK_RARELY };
            let Some(left) = wanted.checked_sub(looked.elapsed()).filter(|left| !left.is_zero()) else { break };
            state = server_state.wait(state, left);
        }
        drop(state);
        rest = look(server_state, &mut watcher, named);
    }
}

/// Puts what was seen on the server state. Studies that are gone go; results of the others stay.
pub(crate) fn take_note(server_state: &ServerState, mut seen: BTreeMap<String, WatchedStudy>, named: &[String]) {
    for study in named {
        let problem = Some("it has not been swept into this store yet".to_owned());
        seen.entry(study.clone()).or_insert(WatchedStudy { plan: None, status: None, problem });
    }
    let mut state = server_state.lock();
    state.studies.retain(|study, _| seen.contains_key(study));
    for (study, WatchedStudy { plan, status, problem }) in seen {
        let known = state.studies.entry(study).or_default();
        let StudyState { plan: known_plan, progress, problem: known_problem, .. } = known;
        (*known_plan, *progress, *known_problem) = (plan, status.as_ref().map(Progress::from), problem);
    }
    state.looked = true;
    state.problem = None;
}
