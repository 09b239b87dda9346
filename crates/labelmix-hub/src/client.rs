//! Requests to the Hub: which address gets the token, where redirects lead, what a refusal says, and when to try again.
//!
//! Redirects are followed here and not by the HTTP client, because the Hub puts what it knows of a file (its commit,
//! size and hash) on the redirect itself, and because the token must stay with the endpoint: a storage host gets an
//! address that is signed for one file and must not see more.

use std::io::Read;
use std::thread;
use std::time::Duration;

use labelmix_http::{Retries, Secret, header, host, may_pass, origin, retry_after, without_query};
use ureq::http::{HeaderMap, Response};
use ureq::{Agent, Body};

use crate::progress::Progress;
use crate::redirect::target;
use crate::settings::{Settings, SettingsError};

/// Enough for the lists of the largest repositories (some hundred thousand files), and no more than a machine has.
const LARGEST_DOCUMENT: u64 = 256 * 1024 * 1024;

/// As many redirects as a browser follows.
const MOST_REDIRECTS: usize = 20;

pub(crate) struct Client {
    agent: Agent,
    endpoint: String,
    origin: String,
    token: Option<Secret>,
    retries: Retries,
}

/// A request that did not give what it asked for.
#[derive(Debug, Clone)]
pub(crate) enum Failure {
    /// No answer, or one that broke off.
    NoAnswer { host: String, reason: String },
    /// A status that is no success.
    Refused(Refusal),
    /// An answer that no Hub gives.
    NotAHub { address: String, what: String },
}

#[derive(Debug, Clone)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    /// The address without its query.
    pub(crate) address: String,
    /// The Hub's `X-Error-Code`; none from another host, whose words mean something else.
    pub(crate) code: Option<String>,
    /// The Hub's `X-Error-Message`.
    pub(crate) message: Option<String>,
    /// How long the server wants to be left alone.
    pub(crate) retry_after: Option<Duration>,
}

impl Failure {
    /// Whether it may pass, so that trying again makes sense and an answer from the cache will do.
    pub(crate) fn may_pass(&self) -> bool {
        match self {
            Self::NoAnswer { .. } => true,
            Self::Refused(refusal) => may_pass(refusal.status),
            Self::NotAHub { .. } => false,
        }
    }

    /// In few words, for progress and warnings.
    pub(crate) fn summary(&self) -> String {
        match self {
            Self::NoAnswer { host, reason } => format!("{host}: {reason}"),
            Self::Refused(refusal) => format!("{} answers {}", host(&refusal.address), refusal.status),
            Self::NotAHub { address, what } => format!("{address}: {what}"),
        }
    }
}

/// Whether a failure that may pass is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Persistence {
    /// Once: the cache can answer instead, and at once.
    Once,
    /// As often as the settings say.
    Patient,
}

/// What the Hub says of a file without sending it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FileFacts {
    pub(crate) commit: String,
    /// The name of the content in the cache.
    pub(crate) etag: String,
    pub(crate) size: u64,
}

impl Client {
    pub(crate) fn new(settings: &Settings) -> Result<Self, SettingsError> {
        Ok(Self {
            agent: settings.connections.to(&settings.endpoint)?,
            origin: origin(&settings.endpoint).expect("the settings were checked"),
            endpoint: settings.endpoint.trim_end_matches('/').to_owned(),
            token: settings.token.clone(),
            retries: settings.retries,
        })
    }

    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    pub(crate) fn has_token(&self) -> bool {
        self.token.is_some()
    }

    /// A document of the API.
    pub(crate) fn document(
        &self,
        path: &str,
        persistence: Persistence,
        progress: &dyn Progress,
    ) -> Result<Vec<u8>, Failure> {
        self.persist(persistence, progress, || {
            let address = format!("{}/{path}", self.endpoint);
            let (answer, address) = self.follow(&address, None)?;
            let mut document = Vec::new();
            let read = answer.into_body().into_reader().take(LARGEST_DOCUMENT).read_to_end(&mut document);
            read.map_err(|reason| no_answer(&address, &reason))?;
            Ok(document)
        })
    }

    /// What the Hub says of a file.
    pub(crate) fn facts(
        &self,
        path: &str,
        persistence: Persistence,
        progress: &dyn Progress,
    ) -> Result<FileFacts, Failure> {
        self.persist(persistence, progress, || self.facts_once(format!("{}/{path}", self.endpoint)))
    }

    /// What is known first holds: the Hub's redirect says the truth about the file, and the storage host behind it has
    /// an `ETag` of its own.
    fn facts_once(&self, mut address: String) -> Result<FileFacts, Failure> {
        let (mut commit, mut etag, mut size) = (None, None, None);
        for _ in 0..MOST_REDIRECTS {
            let answer = self.step(Method::Head, &address, None)?;
            let next = redirect(&answer, &address)?;
            let leaves = next.as_deref().is_some_and(|next| !self.is_endpoint(next));
            let headers = answer.headers();
            let header = |name| text(headers, name);
            commit = commit.or_else(|| header("x-repo-commit"));
            etag = etag.or_else(|| header("x-linked-etag"));
            size = size.or_else(|| header("x-linked-size"));
            if next.is_none() || leaves {
                etag = etag.or_else(|| header("etag"));
            }
            if next.is_none() {
                size = size.or_else(|| header("content-length"));
            }
            if let (Some(commit), Some(etag), Some(size)) = (&commit, &etag, &size) {
                return facts(&address, commit, etag, size);
            }
            match next {
                Some(next) => address = next,
                None => return Err(not_a_hub(&address, "the answer lacks the file's commit, hash or size")),
            }
        }
        Err(not_a_hub(&address, "there is no end to the redirects"))
    }

    /// A file's bytes from this one on. One attempt: the caller knows what a next one would ask for.
    pub(crate) fn bytes(&self, path: &str, from: u64) -> Result<(Response<Body>, String), Failure> {
        self.follow(&format!("{}/{path}", self.endpoint), (from > 0).then_some(from))
    }

    /// Asks, and asks again, until there is an answer or no hope.
    fn persist<T>(
        &self,
        persistence: Persistence,
        progress: &dyn Progress,
        mut ask: impl FnMut() -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let mut patience = self.patience();
        loop {
            match ask() {
                Err(failure) if persistence == Persistence::Patient => patience.wait(failure, progress)?,
                other => return other,
            }
        }
    }

    pub(crate) fn patience(&self) -> Patience {
        Patience { retries: self.retries, failures: 0 }
    }

    fn follow(&self, address: &str, from: Option<u64>) -> Result<(Response<Body>, String), Failure> {
        let mut address = address.to_owned();
        for _ in 0..MOST_REDIRECTS {
            let answer = self.step(Method::Get, &address, from)?;
            match redirect(&answer, &address)? {
                Some(next) => address = next,
                None => return Ok((answer, address)),
            }
        }
        Err(not_a_hub(&address, "there is no end to the redirects"))
    }

    /// One request, no redirects. Whatever is neither a success nor a redirect is a failure.
    fn step(&self, method: Method, address: &str, from: Option<u64>) -> Result<Response<Body>, Failure> {
        let mut request = match method {
            Method::Head => self.agent.head(address),
            Method::Get => self.agent.get(address),
        };
        if let Some(token) = &self.token
            && self.is_endpoint(address)
        {
            request = request.header("Authorization", token.authorization());
        }
        if let Some(from) = from {
            request = request.header("Range", format!("bytes={from}-"));
        }
        let answer = request.call().map_err(|error| match error {
            // Without the client's word that it comes from the operating system.
            ureq::Error::Io(reason) => no_answer(address, &reason),
            reason => no_answer(address, &reason),
        })?;
        match answer.status().as_u16() {
            200..=399 => Ok(answer),
            status => Err(Failure::Refused(self.refusal(status, address, answer.headers()))),
        }
    }

    fn refusal(&self, status: u16, address: &str, headers: &HeaderMap) -> Refusal {
        let from_hub = |name| self.is_endpoint(address).then(|| text(headers, name)).flatten();
        Refusal {
            status,
            address: without_query(address).to_owned(),
            code: from_hub("x-error-code"),
            message: from_hub("x-error-message"),
            retry_after: retry_after(status, headers),
        }
    }

    fn is_endpoint(&self, address: &str) -> bool {
        origin(address).is_some_and(|origin| origin == self.origin)
    }
}

#[derive(Clone, Copy)]
enum Method {
    Head,
    Get,
}

/// How many failures in a row there were, and what the next one means.
pub(crate) struct Patience {
    retries: Retries,
    failures: u32,
}

impl Patience {
    /// Waits for the next attempt, or gives the failure back if there is none.
    pub(crate) fn wait(&mut self, failure: Failure, progress: &dyn Progress) -> Result<(), Failure> {
        self.failures += 1;
        if !failure.may_pass() {
            return Err(failure);
        }
        let asked_for = match &failure {
            Failure::Refused(refusal) => refusal.retry_after,
            _ => None,
        };
        let Some(delay) = self.retries.delay(self.failures, asked_for) else { return Err(failure) };
        progress.waiting(&failure.summary(), delay);
        thread::sleep(delay);
        Ok(())
    }

    /// Something was gained: the failures before it no longer count.
    pub(crate) fn renew(&mut self) {
        self.failures = 0;
    }
}

/// Where the answer sends its asker, if it does.
fn redirect(answer: &Response<Body>, address: &str) -> Result<Option<String>, Failure> {
    if !answer.status().is_redirection() {
        return Ok(None);
    }
    let location = text(answer.headers(), "location");
    let target = location.and_then(|location| target(address, &location));
    target.map(Some).ok_or_else(|| not_a_hub(address, "a redirect leads nowhere"))
}

fn facts(address: &str, commit: &str, etag: &str, size: &str) -> Result<FileFacts, Failure> {
    let etag = etag.strip_prefix("W/").unwrap_or(etag).trim_matches('"');
    // Both become names of files.
    for name in [commit, etag] {
        let safe = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if name.is_empty() || name.starts_with('.') || !name.bytes().all(safe) {
            return Err(not_a_hub(address, &format!("`{name}` is neither a commit nor a hash")));
        }
    }
    let size = size.parse().map_err(|_| not_a_hub(address, &format!("`{size}` is not the size of a file")))?;
    Ok(FileFacts { commit: commit.to_owned(), etag: etag.to_owned(), size })
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    header(headers, name).map(str::to_owned)
}

pub(crate) fn no_answer(address: &str, reason: &(impl ToString + ?Sized)) -> Failure {
    Failure::NoAnswer { host: host(address), reason: reason.to_string() }
}

pub(crate) fn not_a_hub(address: &str, what: &str) -> Failure {
    Failure::NotAHub { address: without_query(address).to_owned(), what: what.to_owned() }
}
