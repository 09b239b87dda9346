//! The thread that looks at the store: every two seconds while somebody has a page open, and rarely otherwise.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use labelmix_sweep::{Onlooker, SeenStudy};

use crate::board::{Board, StudyState};
use crate::seen::Progress;

const LOOK_EVERY: Duration = Duration::from_secs(2);
const LOOK_RARELY: Duration = Duration::from_mins(1);
/// So many times what a look took pass until the next: on a slow file system too, the store is mostly left alone.
const REST: u32 = 9;

/// Looks once, and says how long the store is to be left alone after that while somebody has a page open. `named` are
/// studies that are there whether the store knows them or not.
pub(crate) fn look(board: &Board, onlooker: &mut Onlooker, named: &[String]) -> Duration {
    let began = Instant::now();
    let seen = onlooker.look();
    let rest = LOOK_EVERY.max(began.elapsed() * REST);
    match seen {
        Ok(studies) => take_note(board, studies, named),
        Err(error) => {
            let mut state = board.lock();
            state.problem = Some(error.to_string());
            state.looked = true;
        }
    }
    board.changed();
    rest
}

/// Looks again and again until the board ends, for the first time after `rest`.
pub(crate) fn look_on(board: &Board, mut onlooker: Onlooker, named: &[String], mut rest: Duration) {
    loop {
        let looked = Instant::now();
        let mut state = board.lock();
        loop {
            if state.ended {
                return;
            }
            let wanted = if state.is_open() { rest } else { LOOK_RARELY };
            let Some(left) = wanted.checked_sub(looked.elapsed()).filter(|left| !left.is_zero()) else { break };
            state = board.wait(state, left);
        }
        drop(state);
        rest = look(board, &mut onlooker, named);
    }
}

/// Puts what was seen on the board. Studies that are gone go; results of the others stay.
pub(crate) fn take_note(board: &Board, mut seen: BTreeMap<String, SeenStudy>, named: &[String]) {
    for study in named {
        let problem = Some("it has not been swept into this store yet".to_owned());
        seen.entry(study.clone()).or_insert(SeenStudy { plan: None, status: None, problem });
    }
    let mut state = board.lock();
    state.studies.retain(|study, _| seen.contains_key(study));
    for (study, SeenStudy { plan, status, problem }) in seen {
        let known = state.studies.entry(study).or_default();
        let StudyState { plan: known_plan, progress, problem: known_problem, .. } = known;
        (*known_plan, *progress, *known_problem) = (plan, status.as_ref().map(Progress::from), problem);
    }
    state.looked = true;
    state.problem = None;
}
