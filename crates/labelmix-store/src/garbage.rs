//! What nothing refers to any more.

use std::collections::HashSet;
use std::path::PathBuf;

use serde::Serialize;

use crate::contents::Kind;
use crate::error::Result;
use crate::files::{entries, remove, size};
use crate::key::StageKey;
use crate::labels::LABELER;
use crate::store::Store;
use crate::test_sets::TestSetKey;

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
    #[must_use]
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Unreferenced => "no run of any study refers to it",
            Self::Unfinished => "left by a process that was killed",
            Self::Damaged => "damaged, and set aside",
        }
    }
}

impl Store {
    /// What can go: stages that no run refers to, neither a finished one nor one of the last sweep of a study; what killed
    /// processes left, as far as nobody goes on from it; and what was set aside. Weak labels stay: they cost most, and are
    /// few.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn garbage(&self) -> Result<Vec<Garbage>> {
        let wanted = self.wanted_stages()?;
        let mut garbage = Vec::new();
        let mut add = |path: PathBuf, why| garbage.push(Garbage { bytes: size(&path), path, why });
        for (key, folder) in entries(&self.stages())? {
            if !wanted.contains(&key) {
                add(folder, WhyGarbage::Unreferenced);
            }
        }
        let held: HashSet<String> = self.held_claims(self.now())?.into_iter().map(|claim| claim.name).collect();
        let name = |file: &str| file.split('.').next().unwrap_or_default().to_owned();
        for (file, path) in entries(&self.unfinished())? {
            if !held.contains(&name(&file)) {
                add(path, WhyGarbage::Unfinished);
            }
        }
        for (file, path) in entries(&self.root.join("claims"))? {
            if !held.contains(&name(&file)) {
                add(path, WhyGarbage::Unfinished);
            }
        }
        for folder in ["checkpoints", "failures"] {
            for (file, path) in entries(&self.root.join(folder))? {
                let key = name(&file);
                let needed = match key.strip_prefix(LABELER) {
                    Some(labels) => !self.root.join(Kind::Labelers.name()).join(labels).exists(),
                    None => wanted.contains(&key) && !self.stages().join(&key).exists(),
                };
                if !needed && !held.contains(&key) {
                    add(path, WhyGarbage::Unreferenced);
                }
            }
        }
        let tested: HashSet<TestSetKey> =
            self.plans()?.into_iter().filter_map(|plan| plan.question?.found.map(|found| found.test_set)).collect();
        for key in self.test_set_keys()?.into_iter().filter(|key| !tested.contains(key)) {
            add(self.test_set_file(&key), WhyGarbage::Unreferenced);
        }
        for (_, folder) in entries(&self.root.join(Kind::Damaged.name()))? {
            add(folder, WhyGarbage::Damaged);
        }
        Ok(garbage)
    }

    /// The keys of the stages of all runs.
    fn wanted_stages(&self) -> Result<HashSet<String>> {
        let kept = self.kept_runs()?.into_iter().flat_map(|kept| kept.run.stages);
        let planned = self.plans()?.into_iter().flat_map(|plan| plan.runs).flat_map(|run| run.stages);
        Ok(kept.chain(planned).map(|key: StageKey| key.to_string()).collect())
    }

    /// Takes garbage away.
    ///
    /// # Errors
    /// At the first that cannot be removed.
    pub fn delete(&self, garbage: &[Garbage]) -> Result<()> {
        garbage.iter().try_for_each(|item| remove(&item.path))
    }
}
