//! Test sets, each once: texts with their labels, so that who reads results needs neither data nor model.

use std::fmt;
use std::fs;
use std::io;
use std::path::PathBuf;

use labelmix_data::{Example, ExampleId};
use serde::{Deserialize, Serialize};

use crate::error::{Result, StoreError};
use crate::files::write_whole;
use crate::key::{HashedParts, StageKey};
use crate::manifest::Damage;
use crate::store::Store;

/// The name of a test set: a hash of its file, 32 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "StageKey")]
pub struct TestSetKey(String);

impl From<StageKey> for TestSetKey {
    fn from(key: StageKey) -> Self {
        Self(key.to_string())
    }
}

impl fmt::Display for TestSetKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl TestSetKey {
    fn of(file: &[u8]) -> Self {
        let mut parts = HashedParts::new("labelmix-sweep 2026-11-29 test set");
        parts.add("file", file);
        Self(parts.finish())
    }
}

/// A line of the file.
#[derive(Serialize, Deserialize)]
struct KeptText {
    id: ExampleId,
    text: String,
    gold: Option<bool>,
    weak: Option<f32>,
}

impl Store {
    pub(crate) fn test_sets(&self) -> PathBuf {
        self.root.join("test_sets")
    }

    pub(crate) fn test_set_file(&self, key: &TestSetKey) -> PathBuf {
        self.test_sets().join(format!("{key}.jsonl"))
    }

    /// Keeps a test set, unless it is there; its name.
    ///
    /// # Errors
    /// If the store cannot be read or written.
    pub fn write_test_set(&self, examples: &[Example]) -> Result<TestSetKey> {
        let mut file = Vec::new();
        for Example { id, text, gold, weak, .. } in examples {
            let line = KeptText { id: *id, text: text.clone(), gold: *gold, weak: *weak };
            serde_json::to_writer(&mut file, &line).expect("texts and numbers become JSON");
            file.push(b'\n');
        }
        let key = TestSetKey::of(&file);
        let path = self.test_set_file(&key);
        // One that was damaged is mended.
        if fs::read(&path).ok().as_ref() != Some(&file) {
            let folder = self.test_sets();
            fs::create_dir_all(&folder).map_err(StoreError::io(&folder))?;
            write_whole(&path, &file)?;
        }
        Ok(key)
    }

    /// Whether a test set is there.
    pub fn has_test_set(&self, key: &TestSetKey) -> bool {
        self.test_set_file(key).exists()
    }

    /// The texts of a test set with their labels, if it is there.
    ///
    /// # Errors
    /// If it is there and damaged.
    pub fn test_set(&self, key: &TestSetKey) -> Result<Option<Vec<Example>>> {
        let path = self.test_set_file(key);
        let file = match fs::read(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(StoreError::Io { path, source }),
        };
        if TestSetKey::of(&file) != *key {
            return Err(Damage::changed(path).into());
        }
        let damaged = |error: serde_json::Error| StoreError::Damaged { path: path.clone(), reason: error.to_string() };
        let lines = file.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let example = |line| {
            let KeptText { id, text, gold, weak } = serde_json::from_slice(line).map_err(damaged)?;
            Ok(Example { id, ..Example::new(text, gold, weak) })
        };
        lines.map(example).collect::<Result<_>>().map(Some)
    }

    pub(crate) fn all_test_sets(&self) -> Result<impl Iterator<Item = Result<Vec<Example>>> + '_> {
        let keys = self.test_set_keys()?.into_iter();
        Ok(keys.filter_map(|key| self.test_set(&key).transpose()))
    }

    /// The names of the test sets that are there.
    pub(crate) fn test_set_keys(&self) -> Result<Vec<TestSetKey>> {
        let files = crate::files::entries(&self.test_sets())?.into_iter();
        Ok(files
            .filter_map(|(name, _)| {
                StageKey::try_from(name.strip_suffix(".jsonl")?.to_owned()).ok().map(TestSetKey::from)
            })
            .collect())
    }
}
