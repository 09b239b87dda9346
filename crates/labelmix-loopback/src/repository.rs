//! What is served: repositories with their commits, files and who may have them.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use sha2::{Digest, Sha256};

/// Which half of the Hub a repository lives in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Model,
    Dataset,
}

/// Who may have a repository's files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Access {
    Public,
    /// With one of these tokens; everybody else is told that there is no such repository.
    Private(Vec<String>),
    /// With one of these tokens; everybody may see that it is there.
    Gated(Vec<String>),
}

#[derive(Debug, Clone)]
pub(crate) struct ServedFile {
    pub(crate) bytes: Arc<[u8]>,
    pub(crate) sha256: String,
    pub(crate) large: bool,
}

impl ServedFile {
    fn new(bytes: Vec<u8>, large: bool) -> Self {
        Self { sha256: hex(&Sha256::digest(&bytes)), bytes: bytes.into(), large }
    }

    /// The id that git would give the file (for a large one, its pointer): 40 digits that depend on the content. They
    /// are not git's own SHA-1, which no client can tell.
    pub(crate) fn blob_id(&self) -> String {
        hex(&Sha256::digest(format!("blob {} {}", self.large, self.sha256)))[..40].to_owned()
    }

    /// What the Hub uses as the file's `ETag`.
    pub(crate) fn etag(&self) -> String {
        if self.large { self.sha256.clone() } else { self.blob_id() }
    }
}

/// A repository to serve: one revision with its files. [`crate::LoopbackHub::add`] takes it.
#[derive(Debug, Clone)]
pub struct ServedRepository {
    pub(crate) kind: Kind,
    pub(crate) name: String,
    pub(crate) revision: String,
    pub(crate) access: Access,
    pub(crate) files: BTreeMap<String, ServedFile>,
}

impl ServedRepository {
    /// A public model without files, at revision `main`.
    pub fn model(name: &str) -> Self {
        Self::new(Kind::Model, name)
    }

    /// A public dataset without files, at revision `main`.
    pub fn dataset(name: &str) -> Self {
        Self::new(Kind::Dataset, name)
    }

    fn new(kind: Kind, name: &str) -> Self {
        Self {
            kind,
            name: name.to_owned(),
            revision: "main".to_owned(),
            access: Access::Public,
            files: BTreeMap::new(),
        }
    }

    /// Puts the files at another revision: a branch or tag, which may hold slashes.
    pub fn revision(self, revision: &str) -> Self {
        Self { revision: revision.to_owned(), ..self }
    }

    /// Adds a file that git keeps: the Hub serves it itself.
    pub fn file(mut self, path: &str, bytes: impl Into<Vec<u8>>) -> Self {
        self.files.insert(path.to_owned(), ServedFile::new(bytes.into(), false));
        self
    }

    /// Adds a file that git's large file storage keeps: the storage host serves it, and its `ETag` is its SHA-256.
    pub fn large_file(mut self, path: &str, bytes: impl Into<Vec<u8>>) -> Self {
        self.files.insert(path.to_owned(), ServedFile::new(bytes.into(), true));
        self
    }

    /// Adds every file of a folder, those with a name for weights or tables as large ones.
    ///
    /// # Panics
    ///
    /// If the folder or one of its files cannot be read.
    pub fn folder(self, folder: &Path) -> Self {
        self.folder_below(folder, "")
    }

    fn folder_below(mut self, folder: &Path, prefix: &str) -> Self {
        const LARGE: [&str; 4] = ["safetensors", "bin", "parquet", "gz"];
        let entries = fs::read_dir(folder).unwrap_or_else(|reason| panic!("{}: {reason}", folder.display()));
        for entry in entries {
            let path = entry.unwrap_or_else(|reason| panic!("{}: {reason}", folder.display())).path();
            let name = path.file_name().expect("an entry of a folder has a name").to_string_lossy();
            let served = format!("{prefix}{name}");
            if path.is_dir() {
                self = self.folder_below(&path, &format!("{served}/"));
            } else {
                let bytes = fs::read(&path).unwrap_or_else(|reason| panic!("{}: {reason}", path.display()));
                let large = path.extension().is_some_and(|extension| LARGE.iter().any(|large| extension == *large));
                self.files.insert(served, ServedFile::new(bytes, large));
            }
        }
        self
    }

    /// Hides the repository from everybody without one of these tokens.
    pub fn private(self, tokens: &[&str]) -> Self {
        Self { access: Access::Private(owned(tokens)), ..self }
    }

    /// Gives the files only to those who accepted its conditions: the owners of these tokens.
    pub fn gated(self, tokens: &[&str]) -> Self {
        Self { access: Access::Gated(owned(tokens)), ..self }
    }

    /// 40 digits that depend on the name and on all contents, as a commit's do.
    fn commit(&self) -> String {
        let mut digest = Sha256::new();
        digest.update(&self.name);
        for (path, file) in &self.files {
            digest.update(format!("\n{} {path}", file.etag()));
        }
        hex(&digest.finalize())[..40].to_owned()
    }
}

/// A repository with all that was added to it.
#[derive(Debug)]
pub(crate) struct Repository {
    pub(crate) kind: Kind,
    pub(crate) name: String,
    pub(crate) access: Access,
    pub(crate) revisions: BTreeMap<String, String>,
    pub(crate) commits: BTreeMap<String, BTreeMap<String, ServedFile>>,
}

impl Repository {
    /// The commit of a revision, which may be a commit itself.
    pub(crate) fn commit(&self, revision: &str) -> Option<&str> {
        match self.revisions.get(revision) {
            Some(commit) => Some(commit),
            None => self.commits.get_key_value(revision).map(|(commit, _)| commit.as_str()),
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Repositories(Vec<Repository>);

impl Repositories {
    pub(crate) fn add(&mut self, added: ServedRepository) -> String {
        let commit = added.commit();
        let place = self.0.iter().position(|known| known.kind == added.kind && known.name == added.name);
        let place = place.unwrap_or_else(|| {
            self.0.push(Repository {
                kind: added.kind,
                name: added.name,
                access: Access::Public,
                revisions: BTreeMap::new(),
                commits: BTreeMap::new(),
            });
            self.0.len() - 1
        });
        let repository = &mut self.0[place];
        repository.access = added.access;
        repository.revisions.insert(added.revision, commit.clone());
        repository.commits.insert(commit.clone(), added.files);
        commit
    }

    pub(crate) fn remove(&mut self, name: &str) {
        self.0.retain(|repository| repository.name != name);
    }

    pub(crate) fn find(&self, kind: Kind, name: &str) -> Option<&Repository> {
        self.0.iter().find(|repository| repository.kind == kind && repository.name == name)
    }

    /// A large file by its SHA-256, which is all that the storage host knows of it.
    pub(crate) fn large_file(&self, sha256: &str) -> Option<&ServedFile> {
        let files = self.0.iter().flat_map(|repository| repository.commits.values()).flat_map(BTreeMap::values);
        files.into_iter().find(|file| file.large && file.sha256 == sha256)
    }
}

fn owned(tokens: &[&str]) -> Vec<String> {
    tokens.iter().map(|&token| token.to_owned()).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut digits, byte| {
        write!(digits, "{byte:02x}").expect("a string takes everything");
        digits
    })
}
