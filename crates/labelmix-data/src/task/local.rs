//! Datasets on this machine: folders with files for each split, and what Hugging Face's `save_to_disk` writes.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::error::TaskError;
use super::layout::files_of_split;

/// How deep a folder is searched: configuration, split, and one more.
const MAX_DEPTH: usize = 3;

/// The files of a split in a folder.
pub(super) fn files_in_folder(folder: &Path, config: Option<&str>, split: &str) -> Result<Vec<PathBuf>, TaskError> {
    let name = folder.display().to_string();
    if let Some(dict) = read_json::<DatasetDict>(&folder.join("dataset_dict.json"))? {
        if !dict.splits.iter().any(|present| present == split) {
            return Err(TaskError::NoSuchSplit { data: name, split: split.to_owned(), present: dict.splits });
        }
        return saved_files(&folder.join(split));
    }
    if let Some(state) = read_json::<SavedState>(&folder.join(STATE_FILE))? {
        // A dataset that was saved alone is one split; it does not always say which.
        return match state.split {
            Some(present) if present != split => {
                Err(TaskError::NoSuchSplit { data: name, split: split.to_owned(), present: vec![present] })
            }
            _ => saved_files(folder),
        };
    }
    let mut listing = Vec::new();
    list(folder, "", MAX_DEPTH, &mut listing)?;
    let formats = &["parquet", "jsonl", "ndjson", "json", "csv", "tsv", "arrow", "feather", "xlsx"];
    listing.retain(|path| !path.rsplit('/').next().is_some_and(|name| DESCRIPTIONS.contains(&name)));
    let files = files_of_split(&name, listing.iter().map(String::as_str), formats, config, split)?;
    Ok(files.into_iter().map(|file| folder.join(file)).collect())
}

/// Adds the paths of a folder's files to `listing`, relative to the folder in which the search began.
fn list(folder: &Path, prefix: &str, depth: usize, listing: &mut Vec<String>) -> Result<(), TaskError> {
    let unreadable =
        |reason: std::io::Error| TaskError::Unreadable { file: folder.to_path_buf(), reason: reason.to_string() };
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            continue;
        };
        let relative = format!("{prefix}{name}");
        if !path.is_dir() {
            listing.push(relative);
        } else if depth > 0 {
            list(&path, &format!("{relative}/"), depth - 1, listing)?;
        }
    }
    Ok(())
}

/// Files that describe a dataset and hold no rows.
const DESCRIPTIONS: [&str; 4] = ["dataset_info.json", "dataset_infos.json", "dataset_dict.json", STATE_FILE];

/// `dataset_dict.json` of `save_to_disk`: the splits, each in a folder of its name.
#[derive(Deserialize)]
struct DatasetDict {
    splits: Vec<String>,
}

/// What `save_to_disk` writes beside a split's files.
const STATE_FILE: &str = "state.json";

/// `state.json` of `save_to_disk`: the split's files, in their order.
#[derive(Deserialize)]
struct SavedState {
    #[serde(rename = "_data_files")]
    data_files: Vec<SavedFile>,
    #[serde(rename = "_split")]
    split: Option<String>,
}

#[derive(Deserialize)]
struct SavedFile {
    filename: String,
}

fn saved_files(folder: &Path) -> Result<Vec<PathBuf>, TaskError> {
    let state: SavedState = read_json(&folder.join(STATE_FILE))?.ok_or_else(|| TaskError::Unreadable {
        file: folder.join(STATE_FILE),
        reason: "there is no such file, though `save_to_disk` writes one for each split".to_owned(),
    })?;
    Ok(state.data_files.into_iter().map(|file| folder.join(file.filename)).collect())
}

/// A JSON file; `None` where there is none.
fn read_json<T: for<'de> Deserialize<'de>>(file: &Path) -> Result<Option<T>, TaskError> {
    let unreadable = |reason: String| TaskError::Unreadable { file: file.to_path_buf(), reason };
    match std::fs::read(file) {
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|error| unreadable(error.to_string())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unreadable(error.to_string())),
    }
}
