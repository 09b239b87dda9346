//! What callers ask for: a list, a file, a snapshot; and when the cache answers in the Hub's place.
//!
//! A branch or tag may move, so the Hub is asked once what commit it points to now. Everything below a commit is fixed:
//! what the cache has of it is never asked for again. If the Hub gives no answer, the commit of last time serves, with
//! a warning; if it may not be asked, without.

use std::fmt;
use std::path::PathBuf;

use crate::cache::{CachedRevision, RepositoryCache, is_safe_name};
use crate::client::{Client, Failure, Persistence, not_a_hub};
use crate::download::{Stop, download};
use crate::error::HubError;
use crate::explain::{Question, not_cached};
use crate::listing::{ListedFile, Tree};
use crate::progress::Progress;
use crate::repository::Repository;
use crate::settings::{Access, Settings, SettingsError};

/// Access to the Hub and its cache. One serves any number of repositories and threads.
pub struct Hub {
    client: Client,
    settings: Settings,
}

/// A repository's files at a commit.
#[derive(Debug, Clone)]
pub struct Listing {
    pub commit: String,
    pub files: Vec<ListedFile>,
    /// What the user should know of where this comes from.
    pub warnings: Vec<Warning>,
}

/// One file in the cache.
#[derive(Debug, Clone)]
pub struct CachedFile {
    pub path: PathBuf,
    /// The commit it belongs to.
    pub commit: String,
    /// What the user should know of where this comes from.
    pub warnings: Vec<Warning>,
}

/// Files of one commit in the cache.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// The folder that they are in, under their paths in the repository. It may hold more than was asked for, and does
    /// not exist if nothing ever was.
    pub folder: PathBuf,
    pub commit: String,
    /// The files that were asked for, in order.
    pub files: Vec<String>,
    /// What the user should know of where this comes from.
    pub warnings: Vec<Warning>,
}

/// Something that is as it should be, as far as can be told. Displayed as a sentence for the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Warning {
    /// The Hub gave no answer, and the cache's commit was used.
    NotAsked {
        /// Name and revision.
        repository: String,
        commit: String,
        /// Why there was no answer.
        reason: String,
    },
    /// The cache does not know the commit's list of files: those it has were used.
    Unlisted {
        /// Name and revision.
        repository: String,
        /// How many were used.
        files: usize,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAsked { repository, commit, reason } => {
                let commit = commit.get(..8).unwrap_or(commit);
                write!(f, "`{repository}` is used as it is in the cache, at commit {commit}: {reason}")
            }
            Self::Unlisted { repository, files } => write!(
                f,
                "the cache does not say whether it has all of `{repository}`: what it has is used (files: {files})"
            ),
        }
    }
}

/// The part of a cached revision that a caller wants.
struct Wanted {
    commit: String,
    present: Vec<String>,
    missing: Vec<String>,
    listed: bool,
}

impl Wanted {
    fn new(revision: &CachedRevision, wanted: &dyn Fn(&str) -> bool) -> Self {
        let there = |file: &String| revision.present.binary_search(file).is_ok();
        let listed = revision.listed.as_ref().map(|files| files.iter().map(|file| file.path.clone()).collect());
        let files: Vec<String> = listed.unwrap_or_else(|| revision.present.clone());
        let (present, missing) = files.into_iter().filter(|file| wanted(file)).partition(there);
        Self { commit: revision.commit.clone(), present, missing, listed: revision.listed.is_some() }
    }

    /// Whether nothing is missing, as far as can be told.
    fn is_whole(&self) -> bool {
        self.missing.is_empty() && (self.listed || !self.present.is_empty())
    }
}

impl Hub {
    /// A Hub to be asked as the settings say.
    ///
    /// # Errors
    ///
    /// An endpoint, a token or a file of certificates that cannot be one. Nothing is asked yet.
    pub fn new(settings: Settings) -> Result<Self, SettingsError> {
        settings.check()?;
        Ok(Self { client: Client::new(&settings)?, settings })
    }

    /// The files of a repository at its revision.
    ///
    /// # Errors
    ///
    /// A repository or revision that is not there or not for this user; no answer and no list in the cache.
    pub fn list(&self, repository: &Repository, progress: &dyn Progress) -> Result<Listing, HubError> {
        let cache = RepositoryCache::new(&self.settings, repository);
        let revision = cache.revision(repository);
        let is_listed = revision.as_ref().is_some_and(|revision| revision.listed.is_some());
        let mut cached = revision.map(|revision| listing_of(repository, revision));
        if self.is_offline() {
            return cached.ok_or_else(|| not_cached(&cache, repository, &[]));
        }
        match self.tree(&cache, repository, persistence(is_listed), progress) {
            Ok(tree) => Ok(Listing { commit: tree.commit, files: tree.files, warnings: Vec::new() }),
            Err(failure) => match cached.take_if(|_| failure.may_pass()) {
                Some(mut cached) => {
                    cached.warnings.insert(0, not_asked(repository, &cached.commit, &failure));
                    Ok(cached)
                }
                None => Err(self.question(&cache, repository, None).explain(failure)),
            },
        }
    }

    /// One file of a repository at its revision.
    ///
    /// # Errors
    ///
    /// A repository, revision or file that is not there or not for this user; a download that fails; no answer and no
    /// such file in the cache; a cache that cannot be written to.
    pub fn file(&self, repository: &Repository, file: &str, progress: &dyn Progress) -> Result<CachedFile, HubError> {
        check_name(repository, file)?;
        let cache = RepositoryCache::new(&self.settings, repository);
        let cached = cache.commit(repository).and_then(|commit| Some((cache.file(&commit, file)?, commit)));
        let found = |(path, commit), warnings| CachedFile { path, commit, warnings };
        let cached = match cached {
            Some(cached) if self.is_offline() || repository.commit().is_some() => return Ok(found(cached, Vec::new())),
            None if self.is_offline() => return Err(not_cached(&cache, repository, &[file.to_owned()])),
            cached => cached,
        };
        let address = repository.file_path(repository.revision(), file);
        let facts = match self.client.facts(&address, persistence(cached.is_some()), progress) {
            Ok(facts) => facts,
            Err(failure) => match cached.filter(|_| failure.may_pass()) {
                Some(cached) => {
                    let warning = not_asked(repository, &cached.1, &failure);
                    return Ok(found(cached, vec![warning]));
                }
                None => return Err(self.question(&cache, repository, Some(file)).explain(failure)),
            },
        };
        let path = match cache.file(&facts.commit, file) {
            Some(path) => path,
            None => download(&self.client, &cache, repository, file, &facts, progress)
                .map_err(|stop| self.stopped(&cache, repository, file, facts.size, stop))?,
        };
        cache.remember(repository, &facts.commit);
        Ok(found((path, facts.commit), Vec::new()))
    }

    /// The files that `wanted` says yes to, of a repository at its revision.
    ///
    /// # Errors
    ///
    /// A repository or revision that is not there or not for this user; a download that fails; no answer and files
    /// that the cache lacks; a cache that cannot be written to. What was downloaded before the error is kept.
    pub fn snapshot(
        &self,
        repository: &Repository,
        wanted: &dyn Fn(&str) -> bool,
        progress: &dyn Progress,
    ) -> Result<Snapshot, HubError> {
        let cache = RepositoryCache::new(&self.settings, repository);
        let revision = cache.revision(repository);
        let cached = revision.as_ref().map(|revision| Wanted::new(revision, wanted));
        let whole = cached.as_ref().filter(|cached| cached.is_whole());
        if let Some(cached) = whole
            && (self.is_offline() || (repository.commit().is_some() && cached.listed))
        {
            return Ok(from_cache(&cache, repository, cached, None));
        }
        if self.is_offline() {
            let missing = cached.map(|cached| cached.missing).unwrap_or_default();
            return Err(not_cached(&cache, repository, &missing));
        }
        let persistence = persistence(whole.is_some_and(|cached| cached.listed));
        let tree = match self.tree(&cache, repository, persistence, progress) {
            Ok(tree) => tree,
            Err(failure) => {
                return match whole.filter(|_| failure.may_pass()) {
                    Some(cached) => Ok(from_cache(&cache, repository, cached, Some(&failure))),
                    None => Err(self.question(&cache, repository, None).explain(failure)),
                };
            }
        };
        let mut files: Vec<String> = tree.files.into_iter().map(|file| file.path).filter(|file| wanted(file)).collect();
        files.sort();
        for file in &files {
            check_name(repository, file)?;
            if cache.file(&tree.commit, file).is_none() {
                self.fetch(&cache, repository, &tree.commit, file, progress)?;
            }
        }
        // Last, so that an interrupted update leaves the revision at the commit that is whole.
        cache.remember(repository, &tree.commit);
        Ok(Snapshot { folder: cache.snapshot(&tree.commit), commit: tree.commit, files, warnings: Vec::new() })
    }

    /// One file of a snapshot.
    fn fetch(
        &self,
        cache: &RepositoryCache,
        repository: &Repository,
        commit: &str,
        file: &str,
        progress: &dyn Progress,
    ) -> Result<(), HubError> {
        let address = repository.file_path(commit, file);
        let explain = |failure| self.question(cache, repository, Some(file)).explain(failure);
        let facts = self.client.facts(&address, Persistence::Patient, progress).map_err(explain)?;
        if facts.commit != commit {
            let what = format!("it gives `{file}` of commit {}, where {commit} was asked for", facts.commit);
            return Err(explain(not_a_hub(self.client.endpoint(), &what)));
        }
        download(&self.client, cache, repository, file, &facts, progress)
            .map_err(|stop| self.stopped(cache, repository, file, facts.size, stop))?;
        Ok(())
    }

    /// The revision's commit and files: from the cache for a commit, otherwise by one request.
    fn tree(
        &self,
        cache: &RepositoryCache,
        repository: &Repository,
        persistence: Persistence,
        progress: &dyn Progress,
    ) -> Result<Tree, Failure> {
        if let Some(commit) = repository.commit()
            && let Some(files) = cache.listed(commit)
        {
            return Ok(Tree { commit: commit.to_owned(), files, cached_form: None });
        }
        let path = repository.listing_path();
        let answer = self.client.document(&path, persistence, progress)?;
        let address = format!("{}/{path}", self.client.endpoint());
        let tree = Tree::from_answer(&answer).map_err(|reason| not_a_hub(&address, &reason.to_string()))?;
        if !is_safe_name(&tree.commit) || tree.commit.contains('/') {
            return Err(not_a_hub(&address, &format!("`{}` is no commit", tree.commit)));
        }
        cache.remember_tree(&tree);
        Ok(tree)
    }

    fn stopped(&self, cache: &RepositoryCache, repository: &Repository, file: &str, size: u64, stop: Stop) -> HubError {
        match stop {
            Stop::Error(error) => error,
            Stop::Network(Failure::NoAnswer { host, reason }, done) => HubError::Dropped {
                file: file.to_owned(),
                done_bytes: done,
                size_bytes: size,
                reason: format!("{host}: {reason}"),
            },
            Stop::Network(failure, _) => self.question(cache, repository, Some(file)).explain(failure),
        }
    }

    fn question<'a>(
        &'a self,
        cache: &'a RepositoryCache,
        repository: &'a Repository,
        file: Option<&'a str>,
    ) -> Question<'a> {
        Question { client: &self.client, cache, repository, file }
    }

    fn is_offline(&self) -> bool {
        self.settings.access == Access::Offline
    }
}

/// What the cache can say of a revision's files.
fn listing_of(repository: &Repository, revision: CachedRevision) -> Listing {
    let (files, warnings) = if let Some(files) = revision.listed {
        (files, Vec::new())
    } else {
        let warning = Warning::Unlisted { repository: repository.to_string(), files: revision.present.len() };
        let unsized_file = |path| ListedFile { path, size_bytes: None };
        (revision.present.into_iter().map(unsized_file).collect(), vec![warning])
    };
    Listing { commit: revision.commit, files, warnings }
}

/// With an answer at hand, one failure is enough.
fn persistence(cached: bool) -> Persistence {
    if cached { Persistence::Once } else { Persistence::Patient }
}

fn from_cache(
    cache: &RepositoryCache,
    repository: &Repository,
    cached: &Wanted,
    failure: Option<&Failure>,
) -> Snapshot {
    let mut warnings: Vec<Warning> =
        failure.map(|failure| not_asked(repository, &cached.commit, failure)).into_iter().collect();
    if !cached.listed {
        warnings.push(Warning::Unlisted { repository: repository.to_string(), files: cached.present.len() });
    }
    Snapshot {
        folder: cache.snapshot(&cached.commit),
        commit: cached.commit.clone(),
        files: cached.present.clone(),
        warnings,
    }
}

fn not_asked(repository: &Repository, commit: &str, failure: &Failure) -> Warning {
    Warning::NotAsked { repository: repository.to_string(), commit: commit.to_owned(), reason: failure.summary() }
}

fn check_name(repository: &Repository, file: &str) -> Result<(), HubError> {
    if is_safe_name(file) {
        return Ok(());
    }
    Err(HubError::UnsafeName { kind: repository.kind(), repository: repository.to_string(), file: file.to_owned() })
}
