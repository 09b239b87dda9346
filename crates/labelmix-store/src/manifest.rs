//! The manifest of a folder: size and BLAKE3 hash of every file, so that damage is found and not computed with.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{Result, StoreError};
use crate::files::{entries, read_json, write_json};
use crate::store::{OUTCOME_FILE, Store};

pub(crate) const MANIFEST_FILE: &str = "manifest.json";

/// The files of a folder, by name.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Manifest {
    files: BTreeMap<String, FileFacts>,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct FileFacts {
    bytes: u64,
    blake3: String,
}

/// How closely a folder is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scrutiny {
    /// That all files are there with their sizes, and that what is text is unchanged.
    Texts,
    /// That every byte is unchanged.
    Everything,
}

/// What is wrong with a folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Damage {
    /// The file that is damaged.
    pub path: PathBuf,
    /// In what way.
    pub reason: String,
}

impl Damage {
    /// Of a file that is not there.
    pub(crate) fn missing(path: PathBuf) -> Self {
        Self { path, reason: "it is missing".to_owned() }
    }

    /// Of a file with another checksum.
    pub(crate) fn changed(path: PathBuf) -> Self {
        Self { path, reason: "its content is not what was written (the checksum differs)".to_owned() }
    }
}

impl From<Damage> for StoreError {
    fn from(Damage { path, reason }: Damage) -> Self {
        Self::Damaged { path, reason }
    }
}

/// Passes if every byte of what a stage or a labeler left in a folder is what was written.
///
/// # Errors
/// If something is missing or damaged.
pub fn check_folder(folder: &Path) -> Result<()> {
    damage(folder, Scrutiny::Everything)?.map_or(Ok(()), |damage| Err(damage.into()))
}

/// Writes the manifest of a finished folder. `written` are files that have to be among its own.
pub(crate) fn write_manifest(folder: &Path, written: &[String]) -> Result<()> {
    let mut files = BTreeMap::new();
    if let Some(path) = written.iter().map(|name| folder.join(name)).find(|path| !path.exists()) {
        return Err(StoreError::Damaged { path, reason: "it went away before its stage was finished".to_owned() });
    }
    for (name, path) in entries(folder)? {
        files.insert(name, facts(&path).map_err(StoreError::io(&path))?);
    }
    write_json(&folder.join(MANIFEST_FILE), &Manifest { files })
}

fn facts(path: &Path) -> io::Result<FileFacts> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(File::open(path)?)?;
    Ok(FileFacts { bytes: hasher.count(), blake3: hasher.finalize().to_hex().to_string() })
}

/// What is wrong with a folder, if something is. Folders from before there were manifests are held against nothing but
/// that their outcome can be read.
///
/// # Errors
/// If a file that is there cannot be read.
pub(crate) fn damage(folder: &Path, scrutiny: Scrutiny) -> Result<Option<Damage>> {
    let at = |path: PathBuf, reason: String| Ok(Some(Damage { path, reason }));
    let manifest = match read_json::<Manifest>(&folder.join(MANIFEST_FILE)) {
        Ok(Some(manifest)) => manifest,
        Ok(None) => {
            return match read_json::<serde_json::Value>(&folder.join(OUTCOME_FILE)) {
                Ok(Some(_)) => Ok(None),
                Ok(None) => Ok(Some(Damage::missing(folder.join(OUTCOME_FILE)))),
                Err(StoreError::Damaged { path, reason }) => at(path, reason),
                Err(error) => Err(error),
            };
        }
        Err(StoreError::Damaged { path, reason }) => return at(path, reason),
        Err(error) => return Err(error),
    };
    if !manifest.files.contains_key(OUTCOME_FILE) {
        return at(folder.join(MANIFEST_FILE), format!("it does not name {OUTCOME_FILE}"));
    }
    for (name, written) in &manifest.files {
        if Path::new(name).file_name() != Some(name.as_ref()) {
            return at(folder.join(MANIFEST_FILE), format!("it names {name:?}, which is no file of the folder"));
        }
        let path = folder.join(name);
        let bytes = match std::fs::metadata(&path) {
            Ok(metadata) => metadata.len(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Some(Damage::missing(path))),
            Err(source) => return Err(StoreError::Io { path, source }),
        };
        if bytes != written.bytes {
            return at(path, format!("it has {bytes} bytes, where {} were written", written.bytes));
        }
        let is_text = matches!(path.extension().and_then(|ending| ending.to_str()), Some("json" | "jsonl"));
        if is_text || scrutiny == Scrutiny::Everything {
            let found = facts(&path).map_err(StoreError::io(&path))?;
            if found != *written {
                return Ok(Some(Damage::changed(path)));
            }
        }
    }
    Ok(None)
}

impl Store {
    /// Moves a damaged folder or file out of the way, to a folder in `damaged/`, with a note of what is wrong with it.
    ///
    /// # Errors
    /// If the store cannot be read or written.
    pub fn set_aside(&self, what: &Path, damage: &Damage) -> Result<()> {
        let damaged = self.root.join("damaged");
        std::fs::create_dir_all(&damaged).map_err(StoreError::io(&damaged))?;
        let name = what.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        let mut place = damaged.join(&name);
        let mut number = 1;
        while place.exists() {
            number += 1;
            place = damaged.join(format!("{name}.{number}"));
        }
        if !what.exists() {
            return Ok(());
        }
        // The note comes first: a folder in `damaged/` that has none is not ours to delete.
        let note = |folder: &Path| write_json(&folder.join("damage.json"), damage);
        let moved = if what.is_dir() {
            note(what).and_then(|()| std::fs::rename(what, &place).map_err(StoreError::io(what)))
        } else {
            std::fs::create_dir(&place).map_err(StoreError::io(&place))?;
            note(&place).and_then(|()| std::fs::rename(what, place.join(&name)).map_err(StoreError::io(what)))
        };
        match moved {
            // Another process has done it.
            Err(StoreError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(()),
            moved => moved,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("outcome.json"), "{}").unwrap();
        fs::write(folder.path().join("adapter_model.safetensors"), vec![7; 100]).unwrap();
        write_manifest(folder.path(), &[]).unwrap();
        folder
    }

    fn reason(folder: &Path, scrutiny: Scrutiny) -> Option<String> {
        let damage = damage(folder, scrutiny).unwrap()?;
        Some(format!("{}: {}", damage.path.file_name().unwrap().display(), damage.reason))
    }

    #[test]
    fn damage_is_found_and_named() {
        let sound = folder();
        assert_eq!(reason(sound.path(), Scrutiny::Everything), None);
        let adapter = |content: &[u8], scrutiny| {
            let folder = folder();
            fs::write(folder.path().join("adapter_model.safetensors"), content).unwrap();
            reason(folder.path(), scrutiny)
        };
        let mut flipped = vec![7; 100];
        flipped[50] ^= 16;
        assert_eq!(adapter(&flipped, Scrutiny::Texts), None);
        insta::assert_snapshot!(adapter(&flipped, Scrutiny::Everything).unwrap(), @"adapter_model.safetensors: its content is not what was written (the checksum differs)");
        insta::assert_snapshot!(adapter(&[7; 99], Scrutiny::Texts).unwrap(), @"adapter_model.safetensors: it has 99 bytes, where 100 were written");
        let outcome = |content: &str| {
            let folder = folder();
            fs::write(folder.path().join("outcome.json"), content).unwrap();
            reason(folder.path(), Scrutiny::Texts)
        };
        insta::assert_snapshot!(outcome("[]").unwrap(), @"outcome.json: its content is not what was written (the checksum differs)");
        for name in ["outcome.json", "adapter_model.safetensors"] {
            let folder = folder();
            fs::remove_file(folder.path().join(name)).unwrap();
            assert_eq!(reason(folder.path(), Scrutiny::Texts), Some(format!("{name}: it is missing")));
        }
    }

    #[test]
    fn folders_from_before_there_were_manifests_stay_readable() {
        let folder = folder();
        fs::remove_file(folder.path().join(MANIFEST_FILE)).unwrap();
        assert_eq!(reason(folder.path(), Scrutiny::Everything), None);
        fs::write(folder.path().join("outcome.json"), "{").unwrap();
        assert!(reason(folder.path(), Scrutiny::Texts).unwrap().starts_with("outcome.json: EOF"));
    }
}
