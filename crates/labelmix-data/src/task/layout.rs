//! Which files of a dataset are which split: by their names, as the Hugging Face Hub has them.
//!
//! - `data/train-00000-of-00002.parquet`, with or without a folder for each configuration in `data`'s place;
//! - `config/train/0000.parquet`, the Hub's own conversions, and `config/partial-train/0000.parquet` where only
//!   the beginning of a large dataset was converted;
//! - `train.jsonl`, also in a folder for each configuration.

use std::collections::BTreeSet;

use super::error::TaskError;

/// Endings of compressed files, behind those of their formats.
const COMPRESSIONS: [&str; 4] = [".gz", ".zst", ".xz", ".bz2"];

/// A file of a dataset, by its name.
#[derive(Debug, PartialEq, Eq)]
struct DataFile<'a> {
    path: &'a str,
    extension: &'a str,
    config: Option<&'a str>,
    split: &'a str,
    /// Of how many files it is one, where its name says so.
    shards: Option<usize>,
}

/// The files of a split, sorted. `listing` has the paths of all files, with `/` between folders and files; `data` is
/// what messages call the dataset.
pub(super) fn files_of_split<'a>(
    data: &str,
    listing: impl IntoIterator<Item = &'a str>,
    formats: &'static [&'static str],
    config: Option<&str>,
    split: &str,
) -> Result<Vec<String>, TaskError> {
    let mut files: Vec<DataFile> = listing.into_iter().filter_map(|path| DataFile::parse(path, formats)).collect();
    if files.is_empty() {
        let formats = if formats.len() == 1 { "Parquet" } else { "Parquet, JSON Lines, CSV or other table" };
        return Err(TaskError::NoDataFiles { data: data.to_owned(), formats });
    }
    let found = found_config(data, &files, config)?;
    let data = found.map_or_else(|| data.to_owned(), |config| format!("{data} (configuration `{config}`)"));
    files.retain(|file| file.config == found);
    let present: BTreeSet<String> = files.iter().map(|file| file.split.to_owned()).collect();
    files.retain(|file| file.split == split);
    files.sort_by_key(|file| file.path);
    let Some(first) = files.first() else {
        let present = present.into_iter().collect();
        return Err(TaskError::NoSuchSplit { data, split: split.to_owned(), present });
    };
    let paths = || files.iter().map(|file| file.path.to_owned()).collect();
    if files.iter().any(|file| file.extension != first.extension || file.shards != first.shards) {
        return Err(TaskError::AmbiguousSplit { data, split: split.to_owned(), files: paths() });
    }
    match first.shards {
        Some(shards) if shards != files.len() => {
            Err(TaskError::MissingShards { data, split: split.to_owned(), found: files.len(), shards })
        }
        _ => Ok(paths()),
    }
}

/// The configuration to take the files of: the one that is asked for, or the only one there is. Files in no
/// configuration's folder are the only configuration of datasets that never had a second one, whatever its name.
fn found_config<'a>(data: &str, files: &[DataFile<'a>], wanted: Option<&str>) -> Result<Option<&'a str>, TaskError> {
    let configs: BTreeSet<Option<&str>> = files.iter().map(|file| file.config).collect();
    let wanted_or_default = Some(wanted.unwrap_or("default"));
    if let Some(config) = configs.iter().find(|config| **config == wanted_or_default) {
        return Ok(*config);
    }
    let mut all = configs.iter().copied();
    match (all.next(), all.next()) {
        (Some(None), None) => Ok(None),
        (Some(None), Some(_)) if wanted.is_none() => Ok(None),
        (Some(only), None) if wanted.is_none() => Ok(only),
        _ => Err(TaskError::NoSuchConfig {
            data: data.to_owned(),
            config: wanted.map(str::to_owned),
            present: configs.into_iter().map(|config| config.unwrap_or("default").to_owned()).collect(),
        }),
    }
}

impl<'a> DataFile<'a> {
    /// What a path says; `None` for files of other kinds.
    fn parse(path: &'a str, formats: &[&str]) -> Option<Self> {
        let mut folders: Vec<&str> = path.split('/').collect();
        let name = folders.pop()?;
        let name = COMPRESSIONS.iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(name);
        let (stem, extension) = name.rsplit_once('.')?;
        if !formats.contains(&extension) || folders.iter().any(|folder| folder.starts_with('.')) {
            return None;
        }
        let (split, shards) = match shard(stem) {
            Some((split, shards)) => (split, Some(shards)),
            None if stem.bytes().all(|byte| byte.is_ascii_digit()) => {
                let folder = folders.pop()?;
                (folder.strip_prefix("partial-").unwrap_or(folder), None)
            }
            None => (stem, None),
        };
        let config = folders.into_iter().rfind(|folder| *folder != "data");
        Some(Self { path, extension, config, split, shards })
    }
}

/// `train-00000-of-00002`, possibly with a hash behind it: the split, and how many files it has.
fn shard(stem: &str) -> Option<(&str, usize)> {
    let (before, after) = stem.rsplit_once("-of-")?;
    let (split, number) = before.rsplit_once('-')?;
    let shards = after.split('-').next()?;
    number.parse::<usize>().ok()?;
    Some((split, shards.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(path: &str) -> (Option<&str>, &str, Option<usize>) {
        let file = DataFile::parse(path, &["parquet", "jsonl"]).unwrap();
        (file.config, file.split, file.shards)
    }

    #[test]
    fn every_layout_of_the_hub() {
        assert_eq!(parsed("data/train-00000-of-00001.parquet"), (None, "train", Some(1)));
        assert_eq!(parsed("data/train-00003-of-00004-a09b74b3ef9c3b56.parquet"), (None, "train", Some(4)));
        assert_eq!(parsed("cola/validation-00000-of-00001.parquet"), (Some("cola"), "validation", Some(1)));
        assert_eq!(parsed("plain_text/train_r2-00000-of-00001.parquet"), (Some("plain_text"), "train_r2", Some(1)));
        assert_eq!(parsed("default/train/0000.parquet"), (Some("default"), "train", None));
        assert_eq!(parsed("default/partial-train/0001.parquet"), (Some("default"), "train", None));
        assert_eq!(parsed("train.jsonl"), (None, "train", None));
        assert_eq!(parsed("all/dev.jsonl"), (Some("all"), "dev", None));
        assert_eq!(parsed("data/en/held-out.jsonl"), (Some("en"), "held-out", None));
        assert_eq!(parsed("data/train.jsonl.gz"), (None, "train", None));
    }

    #[test]
    fn other_files_are_none() {
        for path in ["README.md", "train.json", "0000.parquet", ".cache/train.parquet", "train"] {
            assert_eq!(DataFile::parse(path, &["parquet", "jsonl"]), None, "{path}");
        }
    }
}
