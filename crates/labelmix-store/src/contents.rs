//! What is in a store: lists with sizes, single items, and whether they are whole.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::error::{Result, StoreError};
use crate::files::{entries, read_json, size};
use crate::key::StageKey;
use crate::labels::LabelsOutcome;
use crate::manifest::{Damage, Scrutiny, damage};
use crate::plans::{PlannedRun, StudyPlan};
use crate::record::RunRecord;
use crate::run_file::RunFile;
use crate::store::{LEDGER_FILE, RUN_FILE, StageOutcome, Store};

/// Everything in a store, in numbers.
#[derive(Clone, Debug, Serialize)]
pub struct Contents {
    pub studies: Vec<StudyContents>,
    /// By kind, each that has something.
    pub items: Vec<Item>,
}

/// What a store holds of a study.
#[derive(Clone, Debug, Serialize)]
pub struct StudyContents {
    /// The study's name.
    pub study: String,
    /// Runs that its last sweep consists of; none if it is not known (of stores from before it was kept).
    pub planned_runs: Option<usize>,
    /// Finished runs, those of earlier versions of the study among them.
    pub finished_runs: usize,
    /// Distinct stages that these runs are made of, finished or planned.
    pub stages: usize,
    /// How many of these are there.
    pub finished_stages: usize,
    /// The size of those, in bytes. Studies that share stages each count them.
    pub bytes: u64,
}

/// All folders of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Item {
    pub kind: Kind,
    pub count: usize,
    /// Their size in bytes.
    pub bytes: u64,
}

/// A kind of what a store holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    Stages,
    /// Weak labels that labelers made.
    Labelers,
    /// What language models behind web services answered.
    Answers,
    /// What a model makes of texts, for probes.
    Features,
    Runs,
    TestSets,
    /// Folders that are being written, or were when a process was killed.
    Unfinished,
    /// Folders that were found damaged.
    Damaged,
}

impl Kind {
    /// All kinds, in the order in which they are listed.
    const ALL: [Self; 8] = [
        Self::Stages,
        Self::Labelers,
        Self::Answers,
        Self::Features,
        Self::Runs,
        Self::TestSets,
        Self::Unfinished,
        Self::Damaged,
    ];

    /// The name of its folder.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stages => "stages",
            Self::Labelers => "labelers",
            Self::Answers => "answers",
            Self::Features => "features",
            Self::Runs => "runs",
            Self::TestSets => "test_sets",
            Self::Unfinished => "unfinished",
            Self::Damaged => "damaged",
        }
    }
}

/// One item of a store.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Shown {
    Stage {
        folder: PathBuf,
        /// Its size in bytes.
        bytes: u64,
        /// What it was and how it went.
        outcome: Box<StageOutcome>,
    },
    Labels {
        folder: PathBuf,
        /// Their size in bytes.
        bytes: u64,
        /// How they were made.
        outcome: Box<LabelsOutcome>,
    },
    Run {
        folder: PathBuf,
        study: String,
        /// What came out.
        run: Box<RunFile>,
    },
}

/// A run that is kept, with its study's name and its folder.
pub(crate) struct KeptRun {
    pub(crate) study: String,
    pub(crate) folder: PathBuf,
    pub(crate) run: RunFile,
}

impl Store {
    /// What the store holds.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn contents(&self) -> Result<Contents> {
        let mut sizes: BTreeMap<String, u64> = BTreeMap::new();
        for (key, folder) in entries(&self.stages())? {
            sizes.insert(key, size(&folder));
        }
        let mut wanted: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let mut finished: BTreeMap<String, usize> = BTreeMap::new();
        let mut planned: BTreeMap<String, usize> = BTreeMap::new();
        for plan in self.plans()? {
            planned.insert(plan.study.clone(), plan.runs.len());
            let keys = plan.runs.iter().flat_map(|run| run.stages.iter().map(StageKey::to_string));
            wanted.entry(plan.study).or_default().extend(keys);
        }
        for kept in self.kept_runs()? {
            *finished.entry(kept.study.clone()).or_default() += 1;
            wanted.entry(kept.study).or_default().extend(kept.run.stages.iter().map(StageKey::to_string));
        }
        let study = |(study, keys): (String, BTreeSet<String>)| {
            let there: Vec<u64> = keys.iter().filter_map(|key| sizes.get(key).copied()).collect();
            StudyContents {
                planned_runs: planned.get(&study).copied(),
                finished_runs: finished.get(&study).copied().unwrap_or(0),
                stages: keys.len(),
                finished_stages: there.len(),
                bytes: there.iter().sum(),
                study,
            }
        };
        let mut items = Vec::new();
        for kind in Kind::ALL {
            let folder = self.root.join(kind.name());
            let count = match kind {
                Kind::Runs => finished.values().sum(),
                _ => entries(&folder)?.len(),
            };
            if count > 0 {
                items.push(Item { kind, count, bytes: size(&folder) });
            }
        }
        Ok(Contents { studies: wanted.into_iter().map(study).collect(), items })
    }

    /// The stage, the weak labels or the run of this name: the beginning of a key, at least four digits and no other's; or
    /// a run's name, with its study's before it (`study/run`) if several studies have one of that name.
    ///
    /// # Errors
    /// If there is none or more than one, or it is damaged.
    pub fn show(&self, name: &str) -> Result<Shown> {
        let not_found =
            |what, help: String| StoreError::NotInStore { path: self.root.clone(), what, name: name.into(), help };
        let is_key = name.len() >= 4 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
        for kind in [Kind::Stages, Kind::Labelers].into_iter().filter(|_| is_key) {
            let mut found = entries(&self.root.join(kind.name()))?;
            found.retain(|(key, _)| key.starts_with(name));
            let (_, folder) = match found.len() {
                0 => continue,
                1 => found.swap_remove(0),
                number => {
                    return Err(not_found("single item", format!("{number} keys begin like this; give more digits")));
                }
            };
            if let Some(damage) = damage(&folder, Scrutiny::Texts)? {
                return Err(damage.into());
            }
            let (path, bytes) = (folder.join(crate::store::OUTCOME_FILE), size(&folder));
            let gone = || not_found("finished item", "it was there a moment ago".to_owned());
            return Ok(match kind {
                Kind::Labelers => Shown::Labels { folder, bytes, outcome: read_json(&path)?.ok_or_else(gone)? },
                _ => Shown::Stage { folder, bytes, outcome: read_json(&path)?.ok_or_else(gone)? },
            });
        }
        let mut runs = self.kept_runs()?;
        runs.retain(|kept| kept.run.record.run == name || format!("{}/{}", kept.study, kept.run.record.run) == name);
        match runs.len() {
            0 => Err(not_found(
                "stage, weak labels or run",
                "give a run's name, such as `labelmix sweep --json` lists, or the key of a stage".to_owned(),
            )),
            1 => {
                let KeptRun { study, folder, run } = runs.swap_remove(0);
                Ok(Shown::Run { folder, study, run: Box::new(run) })
            }
            _ => Err(not_found("single run", format!("several studies have it: give STUDY/{name}"))),
        }
    }

    /// Reads every stage, all weak labels and features, byte by byte, and says what is damaged. `observe` hears how many of how many
    /// folders have been read.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn verify(&self, mut observe: impl FnMut(usize, usize)) -> Result<(usize, Vec<Damage>)> {
        let folders = self.kept_folders()?;
        let mut damages = Vec::new();
        // What is damaged is noted; anything else that goes wrong ends the reading.
        let note = |damages: &mut Vec<Damage>, checked: Result<()>| match checked {
            Err(StoreError::Damaged { path, reason }) => {
                damages.push(Damage { path, reason });
                Ok(())
            }
            checked => checked,
        };
        match self.missing_files() {
            Ok(missing) => damages.extend(missing),
            Err(error) => note(&mut damages, Err(error))?,
        }
        let without_manifest: HashSet<PathBuf> =
            damages.iter().filter_map(|damage| damage.path.parent().map(Path::to_owned)).collect();
        for (done, (_, folder)) in folders.iter().enumerate() {
            if !without_manifest.contains(folder) {
                damages.extend(damage(folder, Scrutiny::Everything)?);
            }
            observe(done + 1, folders.len());
        }
        let mut studies_of_today = BTreeSet::new();
        for run in self.read_kept_runs()? {
            if let Ok(KeptRun { study, run: RunFile { ledger_blake3: Some(_), .. }, .. }) = &run {
                studies_of_today.insert(study.clone());
            }
            note(&mut damages, run.and_then(|kept| self.check_run(&kept)))?;
        }
        let plans = studies_of_today.iter().map(|study| self.plan_file(study));
        damages.extend(plans.filter(|plan| !plan.exists()).map(Damage::missing));
        for path in self.plan_files()? {
            note(&mut damages, Self::read_plan(&path).and_then(|plan| self.check_plan(&path, plan)))?;
        }
        for test in self.all_test_sets()? {
            note(&mut damages, test.map(drop))?;
        }
        Ok((folders.len(), damages))
    }

    /// The folders of all stages, weak labels and features, by their keys.
    pub(crate) fn kept_folders(&self) -> Result<Vec<(String, PathBuf)>> {
        let mut folders = Vec::new();
        for kind in [Kind::Stages, Kind::Labelers, Kind::Features] {
            folders.extend(entries(&self.root.join(kind.name()))?);
        }
        Ok(folders)
    }

    /// Passes if what a run's record refers to is there: its ledger, as it was written, and its stages.
    fn check_run(&self, KeptRun { folder, run, .. }: &KeptRun) -> Result<()> {
        if let Some(hash) = &run.ledger_blake3 {
            let path = folder.join(LEDGER_FILE);
            match std::fs::read(&path) {
                Ok(ledger) if blake3::hash(&ledger).to_hex().as_str() == hash => {}
                Ok(_) => return Err(Damage::changed(path).into()),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(Damage::missing(path).into()),
                Err(source) => return Err(StoreError::Io { path, source }),
            }
        }
        match run.stages.iter().map(|key| self.stage_folder(key)).find(|folder| !folder.exists()) {
            Some(gone) => {
                let reason = format!("its stage {} is missing", gone.display());
                Err(StoreError::Damaged { path: folder.join(RUN_FILE), reason })
            }
            None => Ok(()),
        }
    }

    /// Passes if what a plan refers to is there: its test set, and the records of runs all of whose stages are.
    fn check_plan(&self, path: &Path, plan: Option<StudyPlan>) -> Result<()> {
        let Some(StudyPlan { study, runs, question, .. }) = plan else { return Ok(()) };
        let damaged = |path: PathBuf, reason: String| Err(StoreError::Damaged { path, reason });
        if let Some(found) = question.and_then(|question| question.found)
            && !self.has_test_set(&found.test_set)
        {
            let reason = format!("its test set {} is missing", self.test_set_file(&found.test_set).display());
            return damaged(path.to_owned(), reason);
        }
        let is_done = |run: &&PlannedRun| run.stages.iter().all(|stage| self.has_outcome(stage));
        let records = runs.iter().filter(is_done).map(|run| self.run_folder(&study, &run.run).join(RUN_FILE));
        match records.into_iter().find(|record| !record.exists()) {
            Some(record) => damaged(record, "it is missing, and all stages of its run are there".to_owned()),
            None => Ok(()),
        }
    }

    /// Moves what [`verify`](Self::verify) found to `damaged/`, so that the next sweep does it anew.
    ///
    /// # Errors
    /// If it cannot be moved.
    pub fn set_all_aside(&self, damages: &[Damage]) -> Result<()> {
        let kept = self.kept_folders()?.into_iter().map(|(_, folder)| folder);
        let runs = self.studies_with_runs()?.into_iter().map(|study| self.run_folders(&study));
        let runs = runs.collect::<Result<Vec<_>>>()?.into_iter().flatten().map(|(_, folder)| folder);
        let folders: HashSet<PathBuf> = kept.chain(runs).collect();
        for damage in damages {
            // A stage or a run goes as a whole; of anything else the file alone.
            let whole = damage.path.parent().filter(|folder| folders.contains(*folder));
            self.set_aside(whole.unwrap_or(&damage.path), damage)?;
        }
        Ok(())
    }

    /// The records of all runs that are kept and can be read, by study, in the order of their names.
    ///
    /// # Errors
    /// If there is none, or the store cannot be read.
    pub fn recorded_runs(&self) -> Result<Vec<(String, Vec<RunRecord>)>> {
        let runs = self.kept_runs()?;
        if runs.is_empty() {
            return Err(StoreError::NoRecordedRuns { path: self.root.clone() });
        }
        let studies = runs.chunk_by(|a, b| a.study == b.study);
        let records = |runs: &[KeptRun]| runs.iter().map(|kept| kept.run.record.clone()).collect();
        Ok(studies.map(|runs| (runs[0].study.clone(), records(runs))).collect())
    }

    pub(crate) fn studies_with_runs(&self) -> Result<Vec<String>> {
        Ok(entries(&self.root.join(Kind::Runs.name()))?.into_iter().map(|(study, _)| study).collect())
    }

    /// The folders of a study's runs, by name, finished or not.
    pub(crate) fn run_folders(&self, study: &str) -> Result<Vec<(String, PathBuf)>> {
        entries(&self.root.join(Kind::Runs.name()).join(study))
    }

    pub(crate) fn stage_keys(&self) -> Result<Vec<StageKey>> {
        Ok(entries(&self.stages())?.into_iter().map(|(key, _)| StageKey::of_folder(key)).collect())
    }

    /// All runs that are kept and can be read, by study and name; `verify` tells of the others.
    pub(crate) fn kept_runs(&self) -> Result<Vec<KeptRun>> {
        let runs = self.read_kept_runs()?.into_iter();
        runs.filter(|run| !matches!(run, Err(StoreError::Damaged { .. }))).collect()
    }

    /// The same, if all can be read.
    pub(crate) fn all_kept_runs(&self) -> Result<Vec<KeptRun>> {
        self.read_kept_runs()?.into_iter().collect()
    }

    fn read_kept_runs(&self) -> Result<Vec<Result<KeptRun>>> {
        let mut runs = Vec::new();
        for study in self.studies_with_runs()? {
            for (_, folder) in self.run_folders(&study)? {
                // One that is not there yet is none.
                if let Some(run) = Store::read_run_file(&folder).transpose() {
                    runs.push(run.map(|run| KeptRun { study: study.clone(), folder, run }));
                }
            }
        }
        Ok(runs)
    }
}
