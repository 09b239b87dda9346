//! Reading and writing the store's files: beside their place, then renamed; a reader never sees half of one.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Result, StoreError};
use crate::manifest::Damage;
use crate::store::OUTCOME_FILE;

/// Moves a folder with an outcome that was written beside its place to that place.
pub(crate) fn put(folder: &Path, place: &Path) -> Result<()> {
    match labelmix_files::put(folder, place) {
        // Another process was faster; the same key means the same bytes.
        Err(_) if place.join(OUTCOME_FILE).exists() => fs::remove_dir_all(folder).map_err(StoreError::io(folder)),
        put => put.map_err(StoreError::io(place)),
    }
}

/// Reads a JSON file; `None` if there is no such file.
///
/// # Errors
/// If it is there and damaged.
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(StoreError::Io { path: path.into(), source }),
    };
    serde_json::from_slice(&bytes)
        .map(Some)
        .map_err(|error| StoreError::Damaged { path: path.into(), reason: error.to_string() })
}

/// Writes a JSON file.
///
/// # Errors
/// If the store cannot be written.
///
/// # Panics
/// If the value has keys that are no text.
pub fn write_json(path: &Path, value: &impl Serialize) -> Result<()> {
    let mut bytes = serde_json::to_vec_pretty(value).expect("records have string keys");
    bytes.push(b'\n');
    write_whole(path, &bytes)
}

/// The last key of a record: the BLAKE3 hash of what the file would be without it.
const CHECKSUM: &str = "blake3";

/// Writes a JSON file that says by itself whether it is what was written.
pub(crate) fn write_record(path: &Path, value: &impl Serialize) -> Result<()> {
    let mut text = serde_json::to_string_pretty(value).expect("records have string keys");
    let hash = blake3::hash(text.as_bytes()).to_hex();
    let body = text.strip_suffix("\n}").expect("a record has keys").len();
    text.truncate(body);
    write_whole(path, format!("{text},\n  \"{CHECKSUM}\": \"{hash}\"\n}}\n").as_bytes())
}

/// Reads a record; `None` if there is no such file. One from before records had a checksum is taken as it is.
pub(crate) fn read_record<T: DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    let Some(text) = read_text(path)? else { return Ok(None) };
    let damaged = |reason: String| StoreError::Damaged { path: path.into(), reason };
    if let Some((body, hash)) = split_checksum(&text)
        && blake3::hash(format!("{body}\n}}").as_bytes()).to_hex().as_str() != hash
    {
        return Err(Damage::changed(path.into()).into());
    }
    serde_json::from_str(&text).map(Some).map_err(|error| damaged(error.to_string()))
}

fn split_checksum(text: &str) -> Option<(&str, &str)> {
    let (body, rest) = text.rsplit_once(&format!(",\n  \"{CHECKSUM}\": \""))?;
    Some((body, rest.strip_suffix("\"\n}\n")?))
}

fn read_text(path: &Path) -> Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            Err(StoreError::Damaged { path: path.into(), reason: error.to_string() })
        }
        Err(source) => Err(StoreError::Io { path: path.into(), source }),
    }
}

/// Writes a file of the store as a whole.
///
/// # Errors
/// If the store cannot be written.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    labelmix_files::write_whole(path, bytes).map_err(StoreError::io(path))
}

/// Takes a file or a folder away, if it is there.
pub(crate) fn remove(path: &Path) -> Result<()> {
    let is_folder = fs::symlink_metadata(path).is_ok_and(|file| file.is_dir());
    let removed = if is_folder { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match removed {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(StoreError::Io { path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}

/// The names and paths in a folder, sorted; none if there is no such folder. What others are writing is left out.
pub(crate) fn entries(folder: &Path) -> Result<Vec<(String, PathBuf)>> {
    let read = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        read => read.map_err(StoreError::io(folder))?,
    };
    let mut entries = Vec::new();
    for entry in read {
        let entry = entry.map_err(StoreError::io(folder))?;
        entries.push((entry.file_name().to_string_lossy().into_owned(), entry.path()));
    }
    entries.sort();
    Ok(entries)
}

/// The bytes of a file, or of all files in a folder and below. What goes away meanwhile counts nothing.
pub(crate) fn size(path: &Path) -> u64 {
    match fs::read_dir(path) {
        Ok(entries) => entries.flatten().map(|entry| size(&entry.path())).sum(),
        Err(_) => fs::metadata(path).map_or(0, |metadata| metadata.len()),
    }
}

/// By what a file is known to be the same as before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    bytes: u64,
    modified: Option<SystemTime>,
}

impl Stamp {
    /// None if there is no such file.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        let metadata = fs::metadata(path).ok()?;
        Some(Self { bytes: metadata.len(), modified: metadata.modified().ok() })
    }
}
