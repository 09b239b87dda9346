//! Looking on: how far the studies of a store are, told for as long as somebody wants to know, and never a trace of it.
//!
//! Nothing is written, claimed or locked, so a store that may only be read will do, and no sweep notices. What cannot be
//! read is told and left out: sweeps write while this reads. Each look costs a listing of the store's stages and a glance
//! at the new ones.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use crate::claims::Watch;
use crate::error::{Result, StoreError};
use crate::files::Stamp;
use crate::key::StageKey;
use crate::plans::StudyPlan;
use crate::status::{StageStates, Status};
use crate::store::Store;

/// Somebody who looks at a store again and again.
pub struct StoreWatcher {
    store: Store,
    claims: Watch,
    plans: HashMap<PathBuf, (Stamp, ReadPlan)>,
    /// When stages were finished, by the file system's clock.
    finished: HashMap<StageKey, SystemTime>,
    /// The newest of these times, and when it was seen.
    newest: Option<(SystemTime, Instant)>,
}

/// A plan, or why it cannot be read.
type ReadPlan = std::result::Result<Arc<StudyPlan>, String>;

/// A study as it is seen.
#[derive(Clone, Debug)]
pub struct WatchedStudy {
    /// What its last sweep consists of; none if the store does not say.
    pub plan: Option<Arc<StudyPlan>>,
    /// How far that is.
    pub status: Option<Status>,
    /// Why the store does not say.
    pub problem: Option<String>,
}

impl StoreWatcher {
    /// Looks at this store, which need not be there yet.
    pub fn new(store: Store) -> Self {
        Self { store, claims: Watch::default(), plans: HashMap::new(), finished: HashMap::new(), newest: None }
    }

    /// The studies of which the store has a plan or a run, by name.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn look(&mut self) -> Result<BTreeMap<String, WatchedStudy>> {
        self.look_at_stages()?;
        let now = match self.newest {
            // Counted on from what the file system's clock said last: no two clocks are compared.
            Some((time, seen)) => time + seen.elapsed(),
            None => SystemTime::now(),
        };
        let finished_at = |key: &StageKey| self.finished.get(key).copied();
        let claims = self.store.beating_claims(&self.claims)?;
        let states = StageStates::new(&finished_at, claims, self.store.failures()?, now);

        let mut studies = BTreeMap::new();
        for study in self.store.studies_with_runs()? {
            studies.insert(study, WatchedStudy { plan: None, status: None, problem: None });
        }
        let files = self.store.plan_files()?;
        self.plans.retain(|path, _| files.contains(path));
        for path in files {
            let Some(stamp) = Stamp::of(&path) else { continue };
            let known = self.plans.get(&path).filter(|(known, _)| *known == stamp);
            let plan = match known {
                Some((_, plan)) => plan.clone(),
                None => match read_plan(&path) {
                    Some(plan) => plan,
                    None => continue,
                },
            };
            self.plans.insert(path.clone(), (stamp, plan.clone()));
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let seen = match plan {
                Ok(plan) => WatchedStudy { status: Some(plan.status(&states)), plan: Some(plan), problem: None },
                Err(problem) => WatchedStudy { plan: None, status: None, problem: Some(problem) },
            };
            studies.insert(name, seen);
        }
        Ok(studies)
    }

    /// Takes note of the stages that are there. One is there whole or not at all, and does not change.
    fn look_at_stages(&mut self) -> Result<()> {
        let keys: HashSet<StageKey> = self.store.stage_keys()?.into_iter().collect();
        self.finished.retain(|key, _| keys.contains(key));
        for key in keys {
            if !self.finished.contains_key(&key)
                && let Some(time) = self.store.finished_at(&key)
            {
                self.finished.insert(key, time);
                if self.newest.is_none_or(|(newest, _)| time > newest) {
                    self.newest = Some((time, Instant::now()));
                }
            }
        }
        Ok(())
    }
}

/// None if the file is gone.
fn read_plan(path: &Path) -> Option<ReadPlan> {
    match Store::read_plan(path) {
        Ok(plan) => plan.map(|plan| Ok(Arc::new(plan))),
        Err(StoreError::Damaged { path, reason }) => Some(Err(format!("{} is damaged: {reason}", path.display()))),
        Err(error) => Some(Err(error.to_string())),
    }
}
