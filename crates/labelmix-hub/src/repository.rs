//! The name of a repository on the Hub: what it holds, whose it is, at which revision.

use std::fmt;
use std::path::Path;

use miette::Diagnostic;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use thiserror::Error;

/// The revision that is meant when none is named.
const MAIN: &str = "main";

/// What a path segment may hold unencoded: RFC 3986's unreserved characters.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The same for a path of several segments.
const PATH: &AsciiSet = &SEGMENT.remove(b'/');

/// What a repository holds. The Hub keeps models and datasets apart: one of each may have the same name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RepositoryKind {
    Model,
    Dataset,
}

impl RepositoryKind {
    /// `models` or `datasets`, as the Hub's API and the cache's folders say it.
    pub(crate) fn plural(self) -> &'static str {
        match self {
            Self::Model => "models",
            Self::Dataset => "datasets",
        }
    }
}

impl fmt::Display for RepositoryKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Model => "model",
            Self::Dataset => "dataset",
        })
    }
}

/// A repository of the Hub at a revision. Displayed as it is parsed: `org/name`, or `org/name@revision`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Repository {
    kind: RepositoryKind,
    name: String,
    revision: Option<String>,
}

/// A text that is no repository's name.
#[derive(Debug, Clone, PartialEq, Eq, Error, Diagnostic)]
#[error("`{text}` is not the name of a {kind} on the Hugging Face Hub: {fault}")]
pub struct RepositoryNameError {
    pub text: String,
    /// What it should have named.
    pub kind: RepositoryKind,
    fault: String,
    #[help]
    advice: &'static str,
}

const NAME_ADVICE: &str = "write org/name as at the top of the repository's page, with @revision behind it for another \
                           branch, tag or commit than main; a folder on this machine must exist under the name given";
const REVISION_ADVICE: &str = "behind the @ comes a branch, a tag or a commit, as in org/name@main; leave the @ out for \
                               the main branch";

impl Repository {
    /// Parses `org/name` or the older `name`, with or without `@revision`.
    ///
    /// # Errors
    ///
    /// What the Hub would not take for a name, or git for a revision.
    pub fn parse(kind: RepositoryKind, text: &str) -> Result<Self, RepositoryNameError> {
        let error = |fault: String, advice| RepositoryNameError { text: text.to_owned(), kind, fault, advice };
        let (name, revision) = match text.split_once('@') {
            Some((name, revision)) => (name, Some(revision)),
            None => (text, None),
        };
        if let Some(fault) = name_fault(name) {
            return Err(error(fault, NAME_ADVICE));
        }
        if let Some(fault) = revision.and_then(revision_fault) {
            return Err(error(fault, REVISION_ADVICE));
        }
        Ok(Self { kind, name: name.to_owned(), revision: revision.map(str::to_owned) })
    }

    /// Parses the name of a model. See [`Self::parse`].
    ///
    /// # Errors
    ///
    /// As for [`Self::parse`].
    pub fn model(text: &str) -> Result<Self, RepositoryNameError> {
        Self::parse(RepositoryKind::Model, text)
    }

    /// Parses the name of a dataset. See [`Self::parse`].
    ///
    /// # Errors
    ///
    /// As for [`Self::parse`].
    pub fn dataset(text: &str) -> Result<Self, RepositoryNameError> {
        Self::parse(RepositoryKind::Dataset, text)
    }

    /// The model whose files lie in a folder of the cache, at their commit; `None` for any other folder.
    pub fn of_snapshot(folder: &Path) -> Option<Self> {
        let [commit, snapshots, name] = {
            let mut parts = folder.ancestors().map(|part| part.file_name()?.to_str());
            [parts.next()??, parts.next()??, parts.next()??]
        };
        let name = name.strip_prefix("models--").filter(|_| snapshots == "snapshots")?.replace("--", "/");
        Self::model(&format!("{name}@{commit}")).ok().filter(|repository| repository.commit().is_some())
    }

    /// What it holds.
    pub fn kind(&self) -> RepositoryKind {
        self.kind
    }

    /// `org/name`, or `name` alone.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The branch, tag or commit; `main` where none was named.
    pub fn revision(&self) -> &str {
        self.revision.as_deref().unwrap_or(MAIN)
    }

    /// The same repository at another revision.
    ///
    /// # Errors
    ///
    /// What git would not take for a revision.
    pub fn at(&self, revision: &str) -> Result<Self, RepositoryNameError> {
        Self::parse(self.kind, &format!("{}@{revision}", self.name))
    }

    /// The revision, if it is a whole commit: then it means the same files for ever.
    pub(crate) fn commit(&self) -> Option<&str> {
        let revision = self.revision();
        (revision.len() == 40 && revision.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')))
            .then_some(revision)
    }

    /// The folder's name in the cache.
    pub(crate) fn folder(&self) -> String {
        format!("{}--{}", self.kind.plural(), self.name.replace('/', "--"))
    }

    /// The repository's page below the endpoint, which is also the beginning of its files' addresses.
    pub(crate) fn page(&self) -> String {
        match self.kind {
            RepositoryKind::Model => self.name.clone(),
            RepositoryKind::Dataset => format!("datasets/{}", self.name),
        }
    }

    /// Where the API tells the revision's commit and files, with their sizes.
    pub(crate) fn listing_path(&self) -> String {
        let revision = utf8_percent_encode(self.revision(), SEGMENT);
        format!("api/{}/{}/revision/{revision}?blobs=true", self.kind.plural(), self.name)
    }

    /// Where a file's bytes are, at any revision.
    pub(crate) fn file_path(&self, revision: &str, file: &str) -> String {
        let revision = utf8_percent_encode(revision, SEGMENT);
        format!("{}/resolve/{revision}/{}", self.page(), utf8_percent_encode(file, PATH))
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        match &self.revision {
            Some(revision) => write!(f, "@{revision}"),
            None => Ok(()),
        }
    }
}

/// What is wrong with a name. The rules are those that the Hub has for new repositories; they also make the name a
/// safe folder.
fn name_fault(name: &str) -> Option<String> {
    const LONGEST: usize = 96;
    let name_character = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() {
        return Some("it is empty".to_owned());
    }
    if name.contains("://") {
        return Some("it is an address".to_owned());
    }
    if name.matches('/').count() > 1 {
        return Some("it has more than one slash".to_owned());
    }
    if let Some(strange) = name.chars().find(|&c| c != '/' && !name_character(c)) {
        return Some(format!("it has a {strange:?}, where only letters, digits, `-`, `_` and `.` may be"));
    }
    if let Some(pair) = ["--", ".."].into_iter().find(|pair| name.contains(pair)) {
        return Some(format!("it has a `{pair}`"));
    }
    let at_edge = |part: &str| part.starts_with(['-', '.']) || part.ends_with(['-', '.']);
    for part in name.split('/') {
        if part.is_empty() {
            return Some("nothing stands on one side of the slash".to_owned());
        }
        if at_edge(part) {
            return Some(format!("`{part}` begins or ends with `-` or `.`"));
        }
        if part.len() > LONGEST {
            return Some(format!("a part of it is longer than {LONGEST} characters"));
        }
    }
    name.strip_suffix(".git").map(|_| "it ends with `.git`".to_owned())
}

/// What is wrong with a revision, by the rules of git-check-ref-format; they also make it a safe path below the
/// cache's folder of revisions.
fn revision_fault(revision: &str) -> Option<String> {
    if revision.is_empty() {
        return Some("nothing stands behind the @".to_owned());
    }
    let forbidden = |c: char| c.is_control() || c.is_whitespace() || "~^:?*[\\\"<>|".contains(c);
    if let Some(strange) = revision.chars().find(|&c| forbidden(c)) {
        return Some(format!("the revision has a {strange:?}"));
    }
    if let Some(pair) = ["..", "@{"].into_iter().find(|pair| revision.contains(pair)) {
        return Some(format!("the revision has a `{pair}`"));
    }
    for part in revision.split('/') {
        if part.is_empty() {
            return Some("a slash of the revision has nothing on one side".to_owned());
        }
        if part.starts_with('.') || part.ends_with('.') || part.strip_suffix(".lock").is_some() {
            return Some(format!("`{part}` begins or ends with `.`, or ends with `.lock`"));
        }
    }
    None
}
