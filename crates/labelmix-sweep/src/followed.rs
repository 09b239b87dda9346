//! The finished runs of a study as they come: each is read once, checked, and kept in memory. For who looks on while a
//! sweep writes: what is damaged is told and left out.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

use labelmix_data::{Example, ExampleId, SplitFiles};
use labelmix_econ::{CorrectItems, MeasuredRun, Outcome};

use crate::error::{Error, Result};
use crate::key::StageKey;
use crate::onlooker::Stamp;
use crate::record::RunRecord;
use crate::store::{Damage, RunFile, StageOutcome, Store, StudyPlan};
use crate::study::Study;
use crate::tested_run::TestedRun;
use crate::weak_labels::LabelsKey;

/// The finished runs of a study, as far as they have been read.
pub struct FollowedRuns {
    store: Store,
    study: String,
    known: BTreeMap<String, (Stamp, Followed)>,
    /// Runs share stages, and the test set.
    stages: HashMap<StageKey, Arc<StageOutcome>>,
    test_sets: HashSet<Arc<[ExampleId]>>,
}

#[derive(Clone)]
enum Followed {
    Run(Arc<FollowedRun>),
    Damaged(Damage),
}

/// A finished run with what its predictions say.
#[derive(Clone, Debug)]
pub struct FollowedRun {
    /// Its configuration and record.
    pub file: RunFile,
    /// Its stages, first to last.
    pub stages: Vec<Arc<StageOutcome>>,
    /// The test texts.
    pub ids: Arc<[ExampleId]>,
    /// The log-odds of class 1 of each.
    pub log_odds: Vec<f32>,
}

impl FollowedRuns {
    /// Of a study of this store.
    #[must_use]
    pub fn new(store: Store, study: &str) -> Self {
        Self {
            store,
            study: study.to_owned(),
            known: BTreeMap::new(),
            stages: HashMap::new(),
            test_sets: HashSet::new(),
        }
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
            |(name, _, stamp)| !matches!(self.known.get(*name), Some((known, Followed::Run(_))) if known == stamp),
        );
        for (place, (name, folder, stamp)) in new.iter().enumerate() {
            observe(place, new.len());
            let read = match TestedRun::read(folder) {
                Ok(run) => Followed::Run(Arc::new(self.shared(run))),
                // It went away meanwhile.
                Err(Error::NoSuchRun { .. }) => continue,
                Err(Error::Damaged { path, reason }) => Followed::Damaged(Damage { path, reason }),
                Err(error) => return Err(error),
            };
            let same = match (self.known.get(*name).map(|(_, known)| known), &read) {
                (Some(Followed::Run(known)), Followed::Run(read)) => known.file == read.file,
                (Some(Followed::Damaged(known)), Followed::Damaged(read)) => known == read,
                _ => false,
            };
            changed |= !same;
            self.known.insert((*name).clone(), (*stamp, read));
        }
        Ok(changed)
    }

    /// A run with what others have too in one place.
    fn shared(&mut self, run: TestedRun) -> FollowedRun {
        let TestedRun { file, stages, predicted, .. } = run;
        let stages = stages
            .into_iter()
            .map(|stage| Arc::clone(self.stages.entry(stage.key.clone()).or_insert_with(|| Arc::new(stage))));
        let stages = stages.collect();
        let ids = match self.test_sets.get(&predicted.ids[..]) {
            Some(ids) => Arc::clone(ids),
            None => Arc::from(predicted.ids),
        };
        self.test_sets.insert(Arc::clone(&ids));
        FollowedRun { file, stages, ids, log_odds: predicted.log_odds }
    }

    /// The runs that have been read: of this plan, in its order, or all by name. A run whose stages are not those of the
    /// plan is of an earlier version of the study.
    #[must_use]
    pub fn runs(&self, plan: Option<&StudyPlan>) -> Vec<Arc<FollowedRun>> {
        let run = |name: &str| match self.known.get(name) {
            Some((_, Followed::Run(run))) => Some(Arc::clone(run)),
            _ => None,
        };
        match plan {
            Some(plan) => {
                let planned = plan.runs.iter();
                planned
                    .filter_map(|planned| run(&planned.run).filter(|run| run.file.stages == planned.stages))
                    .collect()
            }
            None => self.known.keys().filter_map(|name| run(name)).collect(),
        }
    }

    /// What is damaged of the others.
    #[must_use]
    pub fn damaged(&self) -> Vec<Damage> {
        let damaged = self.known.values().filter_map(|(_, known)| match known {
            Followed::Damaged(damage) => Some(damage.clone()),
            Followed::Run(_) => None,
        });
        damaged.collect()
    }
}

impl FollowedRun {
    /// The run as the economics reads it, with the test items that it got right. `test` holds its test texts, in their
    /// order; `None` if they are not those that it was judged by.
    #[must_use]
    pub fn measured_on(&self, test: &[Example]) -> Option<MeasuredRun> {
        let same = test.len() == self.ids.len() && test.iter().zip(&*self.ids).all(|(example, id)| example.id == *id);
        if !same {
            return None;
        }
        let outcome = items_right(&self.log_odds, test);
        let record = &self.file.record;
        let as_recorded = outcome.accuracy().total_cmp(&record.metrics.accuracy).is_eq();
        as_recorded.then(|| MeasuredRun { outcome, ..record.measured() })
    }
}

impl RunRecord {
    /// The run as the economics reads it where nobody knows which items are right, only how many.
    #[must_use]
    pub fn measured(&self) -> MeasuredRun {
        MeasuredRun {
            task: self.task.clone(),
            method: self.method.clone(),
            allocation: self.allocation,
            seed: self.seed,
            outcome: Outcome::Accuracy { accuracy: self.metrics.accuracy, n_test: self.metrics.n_test },
            gpu_hours: None,
        }
    }
}

/// Which test items these log-odds get right.
pub(crate) fn items_right(log_odds: &[f32], test: &[Example]) -> Outcome {
    let judged = log_odds.iter().zip(test);
    let correct: Vec<bool> = judged.map(|(score, example)| example.gold == Some(*score > 0.0)).collect();
    Outcome::Items(CorrectItems::new(&correct))
}

/// The test texts of a study with their labels, without its model: `labels` names the weak labels of the store, if a
/// labeler made them.
///
/// # Errors
/// If the data cannot be read, or the labels are damaged.
pub fn test_texts(
    study: &Study,
    task_files: &SplitFiles,
    store: &Store,
    labels: Option<&LabelsKey>,
) -> Result<Vec<Example>> {
    let mut test = study.load_data(task_files)?.test;
    if let Some(key) = labels
        && let Some(kept) = store.test_labels(key)?
    {
        for example in &mut test {
            example.weak = kept.get(&example.id).copied();
        }
    }
    Ok(test)
}

/// These of the examples, in this order; `None` if some are not there.
#[must_use]
pub fn examples_in_order(examples: &[Example], ids: &[ExampleId]) -> Option<Vec<Example>> {
    let by_id: HashMap<ExampleId, &Example> = examples.iter().map(|example| (example.id, example)).collect();
    ids.iter().map(|id| by_id.get(id).map(|example| (*example).clone())).collect()
}
