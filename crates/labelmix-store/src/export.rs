//! A study's results for elsewhere: a smaller store of its own, or records line by line.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use labelmix_files::{Unfinished, clear_leftovers};
use serde::Serialize;

use crate::contents::{KeptRun, Kind};
use crate::error::{Result, StoreError};
use crate::files::{entries, write_whole};
use crate::key::StageKey;
use crate::record::RunRecord;
use crate::store::Store;

/// What was exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Exported {
    pub runs: usize,
    /// Stages: none where only records were written.
    pub stages: usize,
}

/// A line of the records.
#[derive(Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    record: &'a RunRecord,
    stages: &'a [StageKey],
}

impl Store {
    /// Copies a study's finished runs and their stages into a new folder, which is a store of its own.
    ///
    /// # Errors
    /// If the study has no finished run, the folder is there already, or cannot be written.
    pub fn export_folder(&self, study: &str, out: &Path) -> Result<Exported> {
        let runs = self.runs_of(study)?;
        if out.exists() {
            return Err(StoreError::Taken { path: out.to_owned() });
        }
        clear_leftovers(out);
        let unfinished = Unfinished::folder(out).map_err(StoreError::io(out))?;
        let exported = self.write_export(study, &runs, unfinished.path())?;
        unfinished.put().map_err(StoreError::io(out))?;
        Ok(exported)
    }

    fn write_export(&self, study: &str, runs: &[KeptRun], out: &Path) -> Result<Exported> {
        let other = Self::open(out)?;
        let keys: BTreeSet<&StageKey> = runs.iter().flat_map(|kept| &kept.run.stages).collect();
        for key in &keys {
            copy(&self.stage_folder(key), &other.stage_folder(key))?;
        }
        for kept in runs {
            copy(&kept.folder, &other.run_folder(study, &kept.run.record.run))?;
        }
        if let Some(plan) = self.plans()?.into_iter().find(|plan| plan.study == study) {
            other.write_plan(&plan)?;
            if let Some(found) = plan.question.and_then(|question| question.found)
                && let Some(test) = self.test_set(&found.test_set)?
            {
                other.write_test_set(&test)?;
            }
        }
        Ok(Exported { runs: runs.len(), stages: keys.len() })
    }

    /// Writes the records of a study's finished runs, a line of JSON each.
    ///
    /// # Errors
    /// If the study has no finished run, or the file cannot be written.
    pub fn export_records(&self, study: &str, out: &Path) -> Result<Exported> {
        let runs = self.runs_of(study)?;
        let mut lines = Vec::new();
        for kept in &runs {
            let line = Line { record: &kept.run.record, stages: &kept.run.stages };
            serde_json::to_writer(&mut lines, &line).expect("records become JSON");
            lines.push(b'\n');
        }
        if out.exists() {
            return Err(StoreError::Taken { path: out.to_owned() });
        }
        clear_leftovers(out);
        write_whole(out, &lines)?;
        Ok(Exported { runs: runs.len(), stages: 0 })
    }

    fn runs_of(&self, study: &str) -> Result<Vec<KeptRun>> {
        let mut runs = self.kept_runs()?;
        let mut names: Vec<String> = runs.iter().map(|kept| kept.study.clone()).collect();
        names.dedup();
        runs.retain(|kept| kept.study == study);
        if runs.is_empty() {
            let help = if names.is_empty() {
                format!("there is no finished run in its {}/: run `labelmix sweep` first", Kind::Runs.name())
            } else {
                format!("the studies with finished runs are {}", names.join(", "))
            };
            return Err(StoreError::NotInStore {
                path: self.root.clone(),
                what: "finished run of the study",
                name: study.into(),
                help,
            });
        }
        Ok(runs)
    }
}

/// Copies a folder of files.
fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).map_err(StoreError::io(to))?;
    for (name, path) in entries(from)? {
        let to = to.join(name);
        fs::copy(&path, &to).map_err(StoreError::io(&to))?;
    }
    Ok(())
}
