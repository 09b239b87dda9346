//! The marker of a store: it says that a folder is one, and of which format, so that nothing is deleted from a folder that only
//! looks like one.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::error::{Result, StoreError};
use crate::files::{read_json, write_json};
use crate::manifest::{Damage, MANIFEST_FILE};
use crate::store::Store;

const MARKER_FILE: &str = "labelmix-store.json";

/// Raised when older versions of labelmix would misread what is kept.
const FORMAT: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Marker {
    format: u32,
    /// Folders from before there were manifests, by their keys.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    without_manifest: BTreeSet<String>,
}

impl Store {
    fn marker_file(&self) -> PathBuf {
        self.root.join(MARKER_FILE)
    }

    /// Whether the store says that it is one; passes if it can be read.
    ///
    /// # Errors
    /// If it was written by a later version.
    pub(crate) fn is_marked(&self) -> Result<bool> {
        self.marker().map(|marker| marker.is_some())
    }

    fn marker(&self) -> Result<Option<Marker>> {
        let path = self.marker_file();
        match read_json::<Marker>(&path)? {
            Some(Marker { format, .. }) if format > FORMAT => Err(StoreError::NewerFormat { path, format }),
            marker => Ok(marker),
        }
    }

    /// Marks a store that is not marked yet.
    pub(crate) fn mark(&self) -> Result<()> {
        if self.is_marked()? {
            return Ok(());
        }
        let mut without_manifest = BTreeSet::new();
        for (key, folder) in self.kept_folders()? {
            if !folder.join(MANIFEST_FILE).exists() {
                without_manifest.insert(key);
            }
        }
        write_json(&self.marker_file(), &Marker { format: FORMAT, without_manifest })
    }

    /// What is missing that a store of today has: its marker, and the manifest of a folder that is not from before there were any.
    pub(crate) fn missing_files(&self) -> Result<Vec<Damage>> {
        let Some(marker) = self.marker()? else {
            let is_of_today = self.kept_runs()?.iter().any(|kept| kept.run.ledger_blake3.is_some());
            return Ok(if is_of_today { vec![Damage::missing(self.marker_file())] } else { Vec::new() });
        };
        let folders = self.kept_folders()?.into_iter();
        let manifests = folders.filter(|(key, _)| !marker.without_manifest.contains(key));
        let manifests = manifests.map(|(_, folder)| folder.join(MANIFEST_FILE));
        Ok(manifests.filter(|path| !path.exists()).map(Damage::missing).collect())
    }
}
