//! What nothing refers to any more.
//!
//! Only what labelmix names so is ever garbage: keys of 32 hexadecimal digits, in folders of a store that says that it is one.
//! Nothing is reached through a link.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::Serialize;

use crate::claims::{Claiming, Watch};
use crate::contents::Kind;
use crate::error::{Result, StoreError};
use labelmix_files::{is_abandoned, is_process_tag, is_unfinished, process_tag, remove_if_abandoned};

use crate::files::{entries, remove, size};
use crate::key::StageKey;
use crate::labels::LABELER;
use crate::store::Store;
use crate::test_sets::TestSetKey;

/// Files that are written beside their place are there for moments: after this time their process is gone.
const STALE: Duration = Duration::from_hours(1);

/// Something that can go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Garbage {
    /// The folder or file.
    pub path: PathBuf,
    /// Its size in bytes.
    pub bytes: u64,
    /// Why it can go.
    pub why: WhyGarbage,
}

/// Why something can go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum WhyGarbage {
    /// No run of any study, finished or planned, needs it any more.
    Unreferenced,
    /// A process was killed that wrote this, or held it.
    Unfinished,
    /// It was found damaged and set aside.
    Damaged,
}

impl WhyGarbage {
    /// In words.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Unreferenced => "no run of any study refers to it",
            Self::Unfinished => "left by a process that was killed",
            Self::Damaged => "damaged, and set aside",
        }
    }
}

/// Whether a file was left so long ago that nobody writes it any more, wherever that may be.
fn is_stale(path: &Path, now: SystemTime) -> bool {
    let age = fs::metadata(path).and_then(|file| file.modified()).map(|time| now.duration_since(time));
    matches!(age, Ok(Ok(age)) if age > STALE)
}

impl Store {
    /// What can go: stages that no run refers to, neither a finished one nor one of the last sweep of a study; what killed
    /// processes left, as far as nobody goes on from it; and what was set aside. Weak labels stay: they cost most, and are
    /// few.
    ///
    /// # Errors
    /// If the store does not say that it is one, or a record or plan cannot be read: what it refers to would be lost.
    pub fn garbage(&self) -> Result<Vec<Garbage>> {
        if !self.is_marked()? {
            return Err(StoreError::NoMarker { path: self.root.clone() });
        }
        let wanted = self.wanted_stages()?;
        let mut garbage = Vec::new();
        let mut add = |path: PathBuf, why| garbage.push(Garbage { bytes: size(&path), path, why });
        for (key, folder) in own_entries(&self.stages())? {
            if StageKey::is_key(&key) && !wanted.contains(&key) {
                add(folder, WhyGarbage::Unreferenced);
            }
        }
        let features = own_entries(&self.root.join(Kind::Features.name()))?;
        if let Some(models) = if features.is_empty() { None } else { self.features_of(&wanted)? } {
            for (_, folder) in features {
                if matches!(Self::read_feature_part(&folder), Ok(Some(part)) if !models.contains(&part.of)) {
                    add(folder, WhyGarbage::Unreferenced);
                }
            }
        }
        let now = self.now();
        let held: HashSet<String> = self.held_claims(now)?.into_iter().map(|claim| claim.name).collect();
        for (file, path) in own_entries(&self.unfinished())? {
            let (name, tag) = file.split_once('.').unwrap_or((&file, ""));
            if (StageKey::is_key(name) || name == "probe") && is_process_tag(tag) && !held.contains(name) {
                add(path, WhyGarbage::Unfinished);
            }
        }
        for (key, path) in own_entries(&self.root.join("claims"))? {
            if StageKey::is_key(&key) && !held.contains(&key) {
                add(path, WhyGarbage::Unfinished);
            }
        }
        for (folder, ending) in [("checkpoints", "safetensors"), ("failures", "json")] {
            for (file, path) in own_entries(&self.root.join(folder))? {
                let Some((key, end)) = file.split_once('.') else { continue };
                let (labels, key) = match key.strip_prefix(LABELER) {
                    Some(labels) => (true, labels),
                    None => (false, key),
                };
                if !StageKey::is_key(key) || !(end == ending || end.starts_with(&format!("{ending}."))) {
                    continue;
                }
                let needed = if labels {
                    !self.root.join(Kind::Labelers.name()).join(key).exists()
                } else {
                    wanted.contains(key) && !self.stages().join(key).exists()
                };
                if !needed && !held.contains(key) {
                    add(path, WhyGarbage::Unreferenced);
                }
            }
        }
        let tested: HashSet<TestSetKey> =
            self.plans()?.into_iter().filter_map(|plan| plan.question?.found.map(|found| found.test_set)).collect();
        for key in self.test_set_keys()?.into_iter().filter(|key| !tested.contains(key)) {
            let file = self.test_set_file(&key);
            if own_entries(&self.test_sets())?.iter().any(|(_, path)| *path == file) {
                add(file, WhyGarbage::Unreferenced);
            }
        }
        for path in self.beside_records(now)? {
            add(path, WhyGarbage::Unfinished);
        }
        for (_, folder) in own_entries(&self.root.join(Kind::Damaged.name()))? {
            if folder.join("damage.json").is_file() {
                add(folder, WhyGarbage::Damaged);
            }
        }
        Ok(garbage)
    }

    /// The models whose features these stages read; none if that is not known, because some are not done.
    fn features_of(&self, stages: &HashSet<String>) -> Result<Option<HashSet<StageKey>>> {
        let mut models = HashSet::new();
        for key in stages {
            let Some(outcome) = self.outcome(&StageKey::of_folder(key.clone()))? else { return Ok(None) };
            models.extend(outcome.features);
        }
        Ok(Some(models))
    }

    /// Files that were being written beside their place when their process was killed.
    fn beside_records(&self, now: SystemTime) -> Result<Vec<PathBuf>> {
        let mut folders = ["studies", "failures", "test_sets"].map(|name| self.root.join(name)).to_vec();
        for (_, study) in own_entries(&self.root.join(Kind::Runs.name()))? {
            folders.extend(own_entries(&study)?.into_iter().map(|(_, run)| run));
        }
        let mut found = Vec::new();
        for folder in folders {
            for (name, path) in own_entries(&folder)? {
                if is_unfinished(&name) && (is_abandoned(&path) || is_stale(&path, now)) {
                    found.push(path);
                }
            }
        }
        Ok(found)
    }

    /// The keys of the stages of all runs.
    fn wanted_stages(&self) -> Result<HashSet<String>> {
        let kept = self.all_kept_runs()?.into_iter().flat_map(|kept| kept.run.stages);
        let planned = self.plans()?.into_iter().flat_map(|plan| plan.runs).flat_map(|run| run.stages);
        Ok(kept.chain(planned).map(|key: StageKey| key.to_string()).collect())
    }

    /// Takes garbage away, but for stages that somebody is at or wants by now; what was taken away.
    ///
    /// # Errors
    /// At the first that cannot be removed.
    pub fn delete(&self, garbage: &[Garbage]) -> Result<Vec<Garbage>> {
        let mut deleted = Vec::new();
        for item in garbage {
            let is_stage = item.path.parent() == Some(&self.stages());
            let name = item.path.file_name().unwrap_or_default().to_string_lossy();
            let gone = if is_stage {
                self.delete_stage(&item.path)?
            } else if is_unfinished(&name) && !is_stale(&item.path, self.now()) {
                remove_if_abandoned(&item.path)
            } else {
                remove(&item.path).map(|()| true)?
            };
            if gone {
                deleted.push(item.clone());
            }
        }
        Ok(deleted)
    }

    /// Takes a stage away as one who does it: under its claim, out of its place at once, and only if nobody has planned it
    /// meanwhile. (A sweep writes its plan before it looks which stages are there.)
    fn delete_stage(&self, folder: &Path) -> Result<bool> {
        let Some(key) = folder.file_name().and_then(|name| name.to_str()) else { return Ok(false) };
        let Claiming::Mine(claim) = self.claim(key, &Watch::default())? else { return Ok(false) };
        let limbo = self.unfinished().join(format!("{key}.{}", process_tag()));
        fs::rename(folder, &limbo).map_err(StoreError::io(folder))?;
        let wanted = self.wanted_stages().map(|wanted| wanted.contains(key));
        if wanted.as_ref().is_ok_and(|wanted| !wanted) {
            remove(&limbo)?;
            claim.fulfilled();
            return Ok(true);
        }
        fs::rename(&limbo, folder).map_err(StoreError::io(folder))?;
        claim.fulfilled();
        wanted.map(|_| false)
    }
}

/// The entries of a folder that lie in it: none if the folder is a link, and none that is one.
fn own_entries(folder: &Path) -> Result<Vec<(String, PathBuf)>> {
    let is_link = |path: &Path| fs::symlink_metadata(path).is_ok_and(|file| file.is_symlink());
    if is_link(folder) {
        return Ok(Vec::new());
    }
    let mut entries = entries(folder)?;
    entries.retain(|(_, path)| !is_link(path));
    Ok(entries)
}
