//! How far a study is, from the store alone: which stages are there, which are claimed, which failed.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, SystemTime};

use serde::Serialize;

use crate::asked::Asked;
use crate::claims::{Holder, SeenClaim};
use crate::error::Result;
use crate::failures::FailureRecord;
use crate::key::StageKey;
use crate::plans::{PlannedStage, StudyPlan};
use crate::store::Store;

/// How far a study is.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
    /// The study's name.
    pub study: String,
    pub runs: usize,
    /// Those of which all stages are done.
    pub finished_runs: usize,
    /// Those that no sweep has planned: their stages are not known, and not among the following.
    #[serde(skip_serializing_if = "is_zero")]
    pub not_swept: usize,
    /// Its distinct stages.
    pub stages: usize,
    /// Those that are done.
    pub finished: usize,
    /// Those that somebody is at.
    pub running: Vec<RunningStage>,
    /// Those that failed, and are not done and not being tried again.
    pub failed: Vec<FailureRecord>,
    /// Those that start from a failed one, directly or not.
    pub blocked: usize,
    pub waiting: usize,
    /// The time that is left, in seconds, if stages are finished as fast as the last ones were; none if nobody is at work,
    /// or too little is done to tell.
    pub seconds_left: Option<f64>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants a reference")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// A stage that somebody is at.
#[derive(Clone, Debug, Serialize)]
pub struct RunningStage {
    pub key: StageKey,
    pub stage: String,
    /// Who is at it, if that can be told.
    pub holder: Option<Holder>,
}

/// Finished stages from which the speed is told.
const LATEST: usize = 32;

impl Asked {
    /// How far the study is now.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn status(&self, store: &Store) -> Result<Status> {
        let now = SystemTime::now();
        let (claims, failures) = (store.held_claims(now)?, store.failures()?);
        let finished_at = |key: &StageKey| store.finished_at(key);
        let status = self.plan.status(&StageStates::new(&finished_at, claims, failures, now));
        Ok(Status { runs: status.runs + self.not_swept, not_swept: self.not_swept, ..status })
    }
}

/// What a store says of stages at one moment.
pub(crate) struct StageStates<'a> {
    /// When a stage's outcome was written, if it is there, by the clock of the file system.
    finished_at: &'a dyn Fn(&StageKey) -> Option<SystemTime>,
    /// What somebody is at, by the name of the claim.
    claims: HashMap<String, Option<Holder>>,
    failures: HashMap<StageKey, FailureRecord>,
    /// The time, by the same clock.
    now: SystemTime,
}

impl<'a> StageStates<'a> {
    pub(crate) fn new(
        finished_at: &'a dyn Fn(&StageKey) -> Option<SystemTime>,
        claims: Vec<SeenClaim>,
        failures: Vec<FailureRecord>,
        now: SystemTime,
    ) -> Self {
        let claims = claims.into_iter().map(|claim| (claim.name, claim.holder)).collect();
        let failures = failures.into_iter().map(|failure| (failure.key.clone(), failure)).collect();
        Self { finished_at, claims, failures, now }
    }
}

impl StudyPlan {
    /// How far a study of this plan is.
    pub(crate) fn status(&self, states: &StageStates<'_>) -> Status {
        let stages = &self.stages;
        let (mut running, mut failed, mut blocked, mut latest) = (Vec::new(), Vec::new(), 0, Vec::new());
        // What a stage needs comes before it, so it is known what became of that.
        let mut stuck = vec![false; stages.len()];
        let mut done = HashSet::new();
        let mut left = 0.0;
        for (index, PlannedStage { key, stage, needs, work }) in stages.iter().enumerate() {
            if let Some(time) = (states.finished_at)(key) {
                done.insert(key);
                latest.push((time, *work));
                continue;
            }
            if let Some(holder) = states.claims.get(&key.to_string()) {
                running.push(RunningStage { key: key.clone(), stage: stage.clone(), holder: holder.clone() });
            } else if let Some(failure) = states.failures.get(key) {
                stuck[index] = true;
                failed.push(failure.clone());
                continue;
            } else if needs.iter().any(|needed| stuck.get(*needed).copied().unwrap_or(false)) {
                stuck[index] = true;
                blocked += 1;
                continue;
            }
            left += work;
        }
        let finished = latest.len();
        latest.sort_by_key(|(time, _)| std::cmp::Reverse(*time));
        latest.truncate(LATEST);
        let seconds_left = latest.pop().filter(|_| !running.is_empty() && !latest.is_empty()).map(|(first, _)| {
            let work: f64 = latest.iter().map(|(_, work)| work).sum();
            left * states.now.duration_since(first).unwrap_or(Duration::ZERO).as_secs_f64() / work
        });
        Status {
            study: self.study.clone(),
            runs: self.runs.len(),
            finished_runs: self.runs.iter().filter(|run| run.stages.iter().all(|stage| done.contains(stage))).count(),
            not_swept: 0,
            stages: stages.len(),
            finished,
            waiting: stages.len() - finished - running.len() - failed.len() - blocked,
            running,
            failed,
            blocked,
            seconds_left,
        }
    }
}
