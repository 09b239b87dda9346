//! Why stages failed: kept until they succeed.

use std::fs;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::error::{Result, StoreError};
use crate::files::{entries, read_json, remove, write_json};
use crate::key::StageKey;
use crate::store::Store;

/// Why a stage failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureRecord {
    pub key: StageKey,
    /// The stage in words.
    pub stage: String,
    /// The study that it failed in.
    pub study: String,
    /// The error and its causes, outermost first.
    pub log: Vec<String>,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// Whether the same stage is bound to fail again: what determines it is all in its key.
    pub repeats: bool,
}

impl Store {
    fn failure_file(&self, key: &StageKey) -> PathBuf {
        self.root.join("failures").join(format!("{key}.json"))
    }

    /// Why a stage failed, if it did and has not succeeded since.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn failure(&self, key: &StageKey) -> Result<Option<FailureRecord>> {
        match read_json(&self.failure_file(key)) {
            // A record that cannot be read is none.
            Err(StoreError::Damaged { .. }) => Ok(None),
            read => read,
        }
    }

    /// All failures that are kept.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn failures(&self) -> Result<Vec<FailureRecord>> {
        let mut failures = Vec::new();
        for (_, path) in entries(&self.root.join("failures"))? {
            match read_json(&path) {
                Err(StoreError::Damaged { .. }) => {}
                read => failures.extend(read?),
            }
        }
        Ok(failures)
    }

    /// Keeps why a stage failed.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write_failure(&self, failure: &FailureRecord) -> Result<()> {
        let path = self.failure_file(&failure.key);
        let folder = path.parent().expect("it lies in a folder");
        fs::create_dir_all(folder).map_err(StoreError::io(folder))?;
        write_json(&path, failure)
    }

    /// Forgets a failure, now that the stage has succeeded.
    pub(crate) fn remove_failure(&self, key: &StageKey) -> Result<()> {
        remove(&self.failure_file(key))
    }
}
