//! The marker of a store: it says that a folder is one, and of which format, so that nothing is deleted from a folder that only
//! looks like one.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::error::{Result, StoreError};
use crate::files::{read_json, write_json};
use crate::store::Store;

const MARKER_FILE: &str = "labelmix-store.json";

/// Raised when older versions of labelmix would misread what is kept.
const FORMAT: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Marker {
    format: u32,
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
        let path = self.marker_file();
        match read_json::<Marker>(&path)? {
            None => Ok(false),
            Some(Marker { format }) if format <= FORMAT => Ok(true),
            Some(Marker { format }) => Err(StoreError::NewerFormat { path, format }),
        }
    }

    /// Marks a store that is not marked yet.
    pub(crate) fn mark(&self) -> Result<()> {
        if self.is_marked()? { Ok(()) } else { write_json(&self.marker_file(), &Marker { format: FORMAT }) }
    }
}
