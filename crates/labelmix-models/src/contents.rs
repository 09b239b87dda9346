//! What a checkpoint is made of, as bytes: what its key in a store is made of.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::checkpoint::Weights;
use crate::error::{Error, Result};
use crate::folder::ModelFolder;

/// A checkpoint's configuration and weights, opened.
pub(crate) struct Contents {
    pub(crate) folder: PathBuf,
    pub(crate) weights: Weights,
    hash: OnceLock<[u8; 32]>,
}

impl Contents {
    pub(crate) fn new(folder: PathBuf, weights: Weights) -> Self {
        Self { folder, weights, hash: OnceLock::new() }
    }

    /// Opens the checkpoint in `folder`, whatever its architecture.
    pub(crate) fn open(folder: &Path) -> Result<Self> {
        let found = ModelFolder::find(folder)?;
        let config = found.config()?;
        if found.adapter.is_some() {
            return Err(config.unsupported(
                "the folder holds an adapter, and only the native engine merges adapters",
                "merge it in Python (`model.merge_and_unload()`), or sweep with the native engine",
            ));
        }
        Ok(Self::new(found.checkpoint.clone(), Weights::open(&found.checkpoint, "")?))
    }

    /// A hash of the configuration and the weights, computed when it is first asked for.
    pub(crate) fn hash(&self) -> Result<[u8; 32]> {
        match self.hash.get() {
            Some(hash) => Ok(*hash),
            None => self.hashed().map(|hash| *self.hash.get_or_init(|| hash)),
        }
    }

    /// Passes if the files that the weights lie in are still those that were opened.
    pub(crate) fn check_unchanged(&self) -> Result<()> {
        let Some((path, is_shorter)) = self.weights.changed() else { return Ok(()) };
        // Who only touched it did no harm.
        if !is_shorter && self.hash.get() == Some(&self.hashed()?) {
            return Ok(());
        }
        Err(Error::Changed { path: path.to_owned() })
    }

    fn hashed(&self) -> Result<[u8; 32]> {
        let path = self.folder.join("config.json");
        let mut hasher = blake3::Hasher::new();
        hasher.update(&std::fs::read(&path).map_err(|source| Error::Read { path, source })?);
        self.weights.hash_into(&mut hasher);
        Ok(*hasher.finalize().as_bytes())
    }
}
