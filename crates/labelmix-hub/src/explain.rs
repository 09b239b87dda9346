//! From what a server answered to what the user reads.

use labelmix_http::{host, origin};

use crate::cache::RepositoryCache;
use crate::client::{Client, Failure, Refusal};
use crate::error::HubError;
use crate::repository::Repository;

/// What was asked for when it failed.
pub(crate) struct Question<'a> {
    pub(crate) client: &'a Client,
    pub(crate) cache: &'a RepositoryCache,
    pub(crate) repository: &'a Repository,
    /// The file, where it was about one.
    pub(crate) file: Option<&'a str>,
}

impl Question<'_> {
    pub(crate) fn explain(&self, failure: Failure) -> HubError {
        match failure {
            Failure::NoAnswer { host, reason } => HubError::Unreachable {
                advice: format!(
                    "check the network, HTTPS_PROXY if it has a proxy, SSL_CERT_FILE if it has certificates of its own; {}",
                    cached(self.cache, self.repository)
                ),
                host,
                reason,
            },
            Failure::NotAHub { address, what } => HubError::NotAHub { address, what },
            Failure::Refused(refusal) => self.explain_refusal(refusal),
        }
    }

    /// The code says more than the status: the Hub answers 401 for a repository that is not there as well.
    fn explain_refusal(&self, refusal: Refusal) -> HubError {
        let kind = self.repository.kind();
        let name = self.repository.name().to_owned();
        match (refusal.code.as_deref(), refusal.status, self.file) {
            (Some("GatedRepo"), _, _) => HubError::Gated { kind, name, advice: self.gate_advice() },
            (Some("RevisionNotFound"), _, _) => HubError::RevisionNotFound {
                kind,
                name,
                revision: self.repository.revision().to_owned(),
                page: self.page(),
            },
            (Some("EntryNotFound"), _, Some(file)) | (None, 404, Some(file)) if self.is_from_hub(&refusal) => {
                HubError::FileNotFound {
                    kind,
                    repository: self.repository.to_string(),
                    file: file.to_owned(),
                    page: format!("{}/tree/{}", self.page(), self.repository.revision()),
                }
            }
            (Some("RepoNotFound"), _, _) | (None, 404, None) => HubError::RepositoryNotFound {
                kind,
                name,
                endpoint: self.client.endpoint().to_owned(),
                advice: self.name_advice(),
            },
            (_, 401 | 403, _) if self.is_from_hub(&refusal) => HubError::NotAuthorised {
                kind,
                name,
                endpoint: self.client.endpoint().to_owned(),
                reason: refusal.message.unwrap_or_else(|| format!("status {}", refusal.status)),
                advice: self.token_advice(),
            },
            (_, 429, _) => HubError::RateLimited {
                host: host(&refusal.address),
                wait_seconds: refusal.retry_after.map(|delay| delay.as_secs()),
            },
            _ => HubError::ServerError { status: refusal.status, address: refusal.address, message: refusal.message },
        }
    }

    fn is_from_hub(&self, refusal: &Refusal) -> bool {
        origin(&refusal.address) == origin(self.client.endpoint())
    }

    fn page(&self) -> String {
        format!("{}/{}", self.client.endpoint(), self.repository.page())
    }

    fn tokens(&self) -> String {
        format!("{}/settings/tokens", self.client.endpoint())
    }

    fn name_advice(&self) -> String {
        if self.client.has_token() {
            "check the name; if the repository is private, your token must belong to someone who may see it".to_owned()
        } else {
            format!("check the name; if the repository is private, set HF_TOKEN to a token from {}", self.tokens())
        }
    }

    fn token_advice(&self) -> String {
        if self.client.has_token() {
            format!(
                "your token (HF_TOKEN, or the one that `hf auth login` stored) is not accepted for this: make one that \
                 may read it at {}",
                self.tokens()
            )
        } else {
            format!("set HF_TOKEN to a token from {}", self.tokens())
        }
    }

    fn gate_advice(&self) -> String {
        let page = self.page();
        if self.client.has_token() {
            format!(
                "accept the conditions at {page} with the account of your token, wait if the owner decides by hand, \
                 and see that the token may read gated repositories ({})",
                self.tokens()
            )
        } else {
            format!(
                "accept the conditions at {page}, then set HF_TOKEN to a token of the same account from {}",
                self.tokens()
            )
        }
    }
}

/// What the cache lacks where the Hub may not be asked.
pub(crate) fn not_cached(cache: &RepositoryCache, repository: &Repository, missing: &[String]) -> HubError {
    HubError::NotCached {
        kind: repository.kind(),
        repository: repository.to_string(),
        what: named(missing),
        advice: format!(
            "{}; unset the variable and run again with a network, or copy the cache of a machine that has it",
            cached(cache, repository)
        ),
    }
}

/// The first few of some files.
fn named(files: &[String]) -> String {
    const NAMED: usize = 3;
    let mut names: Vec<String> = files.iter().take(NAMED).map(|file| format!("`{file}`")).collect();
    match files.len().saturating_sub(NAMED) {
        0 if names.is_empty() => return "the files".to_owned(),
        0 => {}
        more => names.push(format!("{more} more")),
    }
    let last = names.pop().unwrap_or_default();
    if names.is_empty() { last } else { format!("{} and {last}", names.join(", ")) }
}

/// What the cache has of a repository, for whoever wanted something else of it.
fn cached(cache: &RepositoryCache, repository: &Repository) -> String {
    let revisions: Vec<String> = cache
        .revisions()
        .into_iter()
        .map(|(revision, files)| format!("`{revision}` ({files} {})", if files == 1 { "file" } else { "files" }))
        .collect();
    let name = repository.name();
    if revisions.is_empty() {
        format!("the cache has nothing of `{name}`")
    } else {
        format!("the cache has these revisions of `{name}`: {}", revisions.join(", "))
    }
}
