//! The cache's folders and files, as Python's `huggingface_hub` lays them out:
//!
//! ```text
//! models--org--name/
//!   blobs/<etag>                    contents, named after what the Hub calls them (a SHA-256 for large files)
//!   blobs/<etag>.incomplete         a download that is under way or broke off
//!   refs/<revision>                 the commit that a branch or tag pointed to
//!   snapshots/<commit>/<file>       a relative link to the content
//!   trees/<commit>.json             the list of the commit's files
//! .locks/models--org--name/<etag>.lock
//! ```
//!
//! Every file appears by being renamed into its place, so a reader without a lock never sees half of one. The locks
//! are the same advisory locks that Python takes; they keep two downloads of one content from each other.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::iter;
use std::path::{Path, PathBuf};

use labelmix_files::{unique, write_whole};

use crate::error::HubError;
use crate::listing::{ListedFile, Tree};
use crate::repository::Repository;
use crate::settings::{Links, Settings};

/// One repository's part of the cache.
#[derive(Debug)]
pub(crate) struct RepositoryCache {
    folder: PathBuf,
    locks: PathBuf,
    links: Links,
}

/// What the cache has of a revision.
#[derive(Debug)]
pub(crate) struct CachedRevision {
    pub(crate) commit: String,
    /// The commit's list of files; `None` where nobody asked for it, as when Python fetched files one by one.
    pub(crate) listed: Option<Vec<ListedFile>>,
    /// The files that are there.
    pub(crate) present: Vec<String>,
}

/// The right to write one content. Dropping it gives the right back.
#[derive(Debug)]
pub(crate) struct ContentLock {
    // Closing the file ends the lock.
    _file: File,
    /// Whether the lock keeps others out. Some network file systems know no locks.
    pub(crate) excludes: bool,
}

impl RepositoryCache {
    pub(crate) fn new(settings: &Settings, repository: &Repository) -> Self {
        let folder = repository.folder();
        Self {
            locks: settings.cache.join(".locks").join(&folder),
            folder: settings.cache.join(folder),
            links: settings.links,
        }
    }

    pub(crate) fn snapshot(&self, commit: &str) -> PathBuf {
        self.folder.join("snapshots").join(commit)
    }

    /// A file of a commit, if it is cached. A link to a content that is gone does not count.
    pub(crate) fn file(&self, commit: &str, file: &str) -> Option<PathBuf> {
        let path = self.snapshot(commit).join(file);
        path.exists().then_some(path)
    }

    /// The commit that the revision had when it was last asked for.
    pub(crate) fn commit(&self, repository: &Repository) -> Option<String> {
        if let Some(commit) = repository.commit() {
            return Some(commit.to_owned());
        }
        let commit = fs::read_to_string(self.reference(repository.revision())).ok()?;
        let commit = commit.trim();
        commit.bytes().all(|byte| byte.is_ascii_alphanumeric()).then(|| commit.to_owned())
    }

    /// What is here of the revision; `None` if nothing is.
    pub(crate) fn revision(&self, repository: &Repository) -> Option<CachedRevision> {
        let commit = self.commit(repository)?;
        let listed = self.listed(&commit);
        let present = files_below(&self.snapshot(&commit));
        (listed.is_some() || !present.is_empty()).then_some(CachedRevision { commit, listed, present })
    }

    /// The list of a commit's files, if it was ever asked for.
    pub(crate) fn listed(&self, commit: &str) -> Option<Vec<ListedFile>> {
        Tree::files_from_cache(&fs::read(self.tree(commit)).ok()?)
    }

    /// The revisions that are here, with the number of their files, for whoever asked for something else.
    pub(crate) fn revisions(&self) -> Vec<(String, usize)> {
        let references = self.folder.join("refs");
        let mut revisions: Vec<(String, usize)> = files_below(&references)
            .into_iter()
            // Python and this crate write beside the place, too.
            .filter(|revision| Path::new(revision).extension().is_none_or(|extension| extension != "tmp"))
            .filter_map(|revision| {
                let commit = fs::read_to_string(references.join(&revision)).ok()?;
                Some((revision, files_below(&self.snapshot(commit.trim())).len()))
            })
            .collect();
        revisions.sort();
        revisions
    }

    /// Remembers the revision's commit for a time without a network, as far as the cache may be written to: one that
    /// may only be read, as a department's is, gives its files without it.
    pub(crate) fn remember(&self, repository: &Repository, commit: &str) {
        let reference = self.reference(repository.revision());
        let known = fs::read_to_string(&reference).is_ok_and(|known| known.trim() == commit);
        if repository.revision() != commit && !known {
            let _ = self.write(&reference, commit.as_bytes());
        }
    }

    /// Remembers a commit's list of files, as far as the cache may be written to.
    pub(crate) fn remember_tree(&self, tree: &Tree) {
        let path = self.tree(&tree.commit);
        if let Some(form) = &tree.cached_form
            && !path.exists()
        {
            let _ = self.write(&path, form);
        }
    }

    pub(crate) fn content(&self, etag: &str) -> PathBuf {
        self.folder.join("blobs").join(etag)
    }

    /// Where a content is written until it is whole. Without a lock that excludes others it is a place of this
    /// download's own, which no later one can go on with.
    pub(crate) fn incomplete(&self, etag: &str, lock: &ContentLock) -> PathBuf {
        let own = if lock.excludes { String::new() } else { format!(".{}", unique()) };
        self.folder.join("blobs").join(format!("{etag}{own}.incomplete"))
    }

    /// Waits until nobody else writes this content; `queued` is told if somebody does.
    pub(crate) fn lock(&self, etag: &str, queued: impl FnOnce()) -> Result<ContentLock, HubError> {
        let path = self.locks.join(format!("{etag}.lock"));
        let lock = || {
            fs::create_dir_all(&self.locks)?;
            let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path)?;
            let locked = match file.try_lock() {
                Ok(()) => Ok(()),
                Err(TryLockError::Error(reason)) => Err(reason),
                Err(TryLockError::WouldBlock) => {
                    queued();
                    file.lock()
                }
            };
            let excludes = match locked {
                Ok(()) => true,
                Err(reason) if reason.kind() == io::ErrorKind::Unsupported => false,
                Err(reason) => return Err(reason),
            };
            Ok(ContentLock { _file: file, excludes })
        };
        lock().map_err(|reason| HubError::cache(&path, &reason))
    }

    /// Puts a content into a snapshot under its file's name.
    pub(crate) fn place(&self, etag: &str, commit: &str, file: &str) -> Result<PathBuf, HubError> {
        let content = self.content(etag);
        let path = self.snapshot(commit).join(file);
        let beside = self.folder.join("blobs").join(format!("{etag}.{}.link", unique()));
        let place = || {
            fs::create_dir_all(path.parent().unwrap_or(&path))?;
            // From snapshots/<commit>/<file>, up through the file's folders.
            let up = iter::repeat_n("..", file.matches('/').count() + 2);
            let link: PathBuf = up.chain(["blobs", etag]).collect();
            if self.links == Links::Copies || symbolic_link(&link, &beside).is_err() {
                fs::copy(&content, &beside)?;
            }
            fs::rename(&beside, &path)
        };
        place().map_err(|reason| HubError::cache(&path, &reason))?;
        Ok(path)
    }

    fn reference(&self, revision: &str) -> PathBuf {
        self.folder.join("refs").join(revision)
    }

    fn tree(&self, commit: &str) -> PathBuf {
        self.folder.join("trees").join(format!("{commit}.json"))
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        fs::create_dir_all(path.parent().unwrap_or(&self.folder))?;
        write_whole(path, bytes)
    }
}

#[cfg(unix)]
fn symbolic_link(target: &Path, link: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, link)
}

#[cfg(windows)]
fn symbolic_link(target: &Path, link: &Path) -> io::Result<()> {
    std::os::windows::fs::symlink_file(target, link)
}

/// Whether a file's name stays below the folder that it is put in, on every operating system.
pub(crate) fn is_safe_name(file: &str) -> bool {
    let safe_part = |part: &str| !matches!(part, "" | "." | "..") && !part.contains(['\\', ':', '\0']);
    file.split('/').all(safe_part)
}

/// The files below a folder, by their paths with `/`, in order. Links to nothing do not count.
fn files_below(folder: &Path) -> Vec<String> {
    let mut files = Vec::new();
    let mut folders = vec![(folder.to_path_buf(), String::new())];
    while let Some((folder, prefix)) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            if path.is_dir() {
                folders.push((path, format!("{name}/")));
            } else if path.is_file() {
                files.push(name);
            }
        }
    }
    files.sort();
    files
}
