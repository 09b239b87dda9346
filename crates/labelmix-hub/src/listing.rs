//! The files of a repository at a commit: from the Hub's answer, and as the cache remembers them.
//!
//! The cache's form is Python's, `trees/<commit>.json`. It is what tells a whole snapshot from an interrupted one when
//! the Hub cannot be asked.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Python's number for its form of the file. Another number is another form, and counts as no file.
const FORMAT_VERSION: u32 = 1;

/// A file of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedFile {
    /// Its path in the repository, with `/` between folders.
    pub path: String,
    /// Its size in bytes. Unknown where a Hub does not tell it, and in a cache without a list.
    pub size_bytes: Option<u64>,
}

/// The files of a repository at a commit.
#[derive(Debug, Clone)]
pub(crate) struct Tree {
    pub(crate) commit: String,
    pub(crate) files: Vec<ListedFile>,
    /// The form in which the cache keeps it; `None` where the Hub did not tell what Python needs to know.
    pub(crate) cached_form: Option<Vec<u8>>,
}

#[derive(Deserialize)]
struct Answer {
    sha: String,
    siblings: Vec<Sibling>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Sibling {
    rfilename: String,
    size: Option<u64>,
    blob_id: Option<String>,
    lfs: Option<LargeFile>,
}

#[derive(Deserialize)]
struct LargeFile {
    sha256: String,
    size: u64,
}

#[derive(Serialize, Deserialize)]
struct CachedTree {
    format_version: u32,
    files: BTreeMap<String, CachedFile>,
}

#[derive(Serialize, Deserialize)]
struct CachedFile {
    size: u64,
    blob_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lfs_sha256: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lfs_size: Option<u64>,
}

impl Tree {
    /// Reads the Hub's answer about a revision.
    pub(crate) fn from_answer(answer: &[u8]) -> Result<Self, serde_json::Error> {
        let Answer { sha, siblings } = serde_json::from_slice(answer)?;
        let cached: Option<BTreeMap<String, CachedFile>> = siblings.iter().map(cached_file).collect();
        let cached_form = cached.map(|files| {
            serde_json::to_vec_pretty(&CachedTree { format_version: FORMAT_VERSION, files })
                .expect("names and numbers make JSON")
        });
        let files = siblings.into_iter().map(|file| ListedFile { path: file.rfilename, size_bytes: file.size });
        Ok(Self { commit: sha, files: files.collect(), cached_form })
    }

    /// Reads what the cache remembers; `None` for another version's form and for a damaged file, which is only asked
    /// for again.
    pub(crate) fn files_from_cache(cached: &[u8]) -> Option<Vec<ListedFile>> {
        let tree: CachedTree = serde_json::from_slice(cached).ok()?;
        let files = tree.files.into_iter().map(|(path, file)| ListedFile { path, size_bytes: Some(file.size) });
        (tree.format_version == FORMAT_VERSION).then(|| files.collect())
    }
}

fn cached_file(sibling: &Sibling) -> Option<(String, CachedFile)> {
    let file = CachedFile {
        size: sibling.size?,
        blob_id: sibling.blob_id.clone()?,
        lfs_sha256: sibling.lfs.as_ref().map(|large| large.sha256.clone()),
        lfs_size: sibling.lfs.as_ref().map(|large| large.size),
    };
    Some((sibling.rfilename.clone(), file))
}
