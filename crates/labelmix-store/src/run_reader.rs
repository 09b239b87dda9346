//! Finished runs as they come, for who looks on while a sweep writes.

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

use crate::error::{Result, StoreError};
use crate::files::Stamp;
use crate::finished::{FinishedRun, Shared};
use crate::manifest::Damage;
use crate::plans::{PlannedRun, StudyPlan};
use crate::store::Store;

/// The finished runs of a study as they come: each is read once, checked, and kept in memory. For who looks on while a
/// sweep writes: what is damaged is told and left out.
pub struct RunReader {
    store: Store,
    study: String,
    known: BTreeMap<String, (Stamp, ReadRun)>,
    shared: Shared,
}

#[derive(Clone)]
enum ReadRun {
    Run(Arc<FinishedRun>),
    Damaged(Damage),
}

impl RunReader {
    /// Of a study of this store.
    pub fn new(store: Store, study: &str) -> Self {
        Self { store, study: study.to_owned(), known: BTreeMap::new(), shared: Shared::default() }
    }

    /// Reads the runs that are new, or were damaged when they were last looked at; `observe` hears how many of how many
    /// have been read. Whether anything is different from before.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn follow(&mut self, observe: &dyn Fn(usize, usize)) -> Result<bool> {
        let folders = self.store.run_folders(&self.study)?;
        // A run without a record is not finished.
        let finished: Vec<(&String, &PathBuf, Stamp)> = folders
            .iter()
            .filter_map(|(name, folder)| Some((name, folder, Stamp::of(&Store::run_file(folder))?)))
            .collect();
        let names: HashSet<&String> = finished.iter().map(|(name, ..)| *name).collect();
        let before = self.known.len();
        self.known.retain(|name, _| names.contains(name));
        let mut changed = self.known.len() < before;
        let mut new = finished;
        new.retain(
            |(name, _, stamp)| !matches!(self.known.get(*name), Some((known, ReadRun::Run(_))) if known == stamp),
        );
        for (place, (name, folder, stamp)) in new.iter().enumerate() {
            observe(place, new.len());
            let read = match FinishedRun::read_shared(folder, &mut self.shared) {
                Ok(run) => ReadRun::Run(Arc::new(run)),
                // It went away meanwhile.
                Err(StoreError::NoSuchRun { .. }) => continue,
                Err(StoreError::Damaged { path, reason }) => ReadRun::Damaged(Damage { path, reason }),
                Err(error) => return Err(error),
            };
            let same = match (self.known.get(*name).map(|(_, known)| known), &read) {
                (Some(ReadRun::Run(known)), ReadRun::Run(read)) => known.file == read.file,
                (Some(ReadRun::Damaged(known)), ReadRun::Damaged(read)) => known == read,
                _ => false,
            };
            changed |= !same;
            self.known.insert((*name).clone(), (*stamp, read));
        }
        Ok(changed)
    }

    /// The runs that have been read: of this plan, in its order, or all by name. A run whose stages are not those of the
    /// plan is of an earlier version of the study.
    pub fn runs(&self, plan: Option<&StudyPlan>) -> Vec<Arc<FinishedRun>> {
        let run = |name: &str| match self.known.get(name) {
            Some((_, ReadRun::Run(run))) => Some(Arc::clone(run)),
            _ => None,
        };
        match plan {
            Some(plan) => {
                let of_plan = |planned: &PlannedRun| run(&planned.run).filter(|run| run.file.stages == planned.stages);
                plan.runs.iter().filter_map(of_plan).collect()
            }
            None => self.known.keys().filter_map(|name| run(name)).collect(),
        }
    }

    /// What is damaged of the others.
    pub fn damaged(&self) -> Vec<Damage> {
        let damaged = self.known.values().filter_map(|(_, known)| match known {
            ReadRun::Damaged(damage) => Some(damage.clone()),
            ReadRun::Run(_) => None,
        });
        damaged.collect()
    }
}
