//! What can go wrong between a repository and its files on this machine, and what to do about it.

use std::io;
use std::path::{Path, PathBuf};

use miette::Diagnostic;
use thiserror::Error;

use crate::repository::RepositoryKind;

/// A repository that could not be had. The message says what happened, the help what to do.
#[derive(Debug, Error, Diagnostic)]
pub enum HubError {
    #[error("there is no {kind} `{name}` at {endpoint}, or it is not shown to you")]
    RepositoryNotFound {
        /// What was asked for.
        kind: RepositoryKind,
        name: String,
        /// The Hub that was asked.
        endpoint: String,
        /// The remedy, which depends on whether a token was sent.
        #[help]
        advice: String,
    },

    /// The repository is there, its revision is not.
    #[error("the {kind} `{name}` has no revision `{revision}`")]
    #[diagnostic(help(
        "its branches and tags are named at {page}/tree/main; without @{revision} the main branch is used"
    ))]
    RevisionNotFound {
        /// What was asked for.
        kind: RepositoryKind,
        name: String,
        revision: String,
        /// The address of the repository's page.
        page: String,
    },

    /// The revision is there, the file is not.
    #[error("the {kind} `{repository}` has no file `{file}`")]
    #[diagnostic(help("its files are listed at {page}: check the name, capitals and folders included"))]
    FileNotFound {
        /// What was asked for.
        kind: RepositoryKind,
        /// Name and revision.
        repository: String,
        file: String,
        /// The address of the list of files.
        page: String,
    },

    #[error("{endpoint} does not let you have the {kind} `{name}`: {reason}")]
    NotAuthorised {
        /// What was asked for.
        kind: RepositoryKind,
        name: String,
        /// The Hub that was asked.
        endpoint: String,
        /// What the Hub says.
        reason: String,
        /// The remedy, which depends on whether a token was sent.
        #[help]
        advice: String,
    },

    #[error("the {kind} `{name}` is gated: its owner gives it to those who accept its conditions")]
    Gated {
        /// What was asked for.
        kind: RepositoryKind,
        name: String,
        /// The remedy, which depends on whether a token was sent.
        #[help]
        advice: String,
    },

    #[error("{host} has had too many requests from you (status 429){}", after(*wait_seconds))]
    #[diagnostic(help(
        "wait and run again: what was downloaded is kept. A token in HF_TOKEN gives a higher limit than none, and so \
         does sharing one cache (HF_HOME) between your machines"
    ))]
    RateLimited {
        host: String,
        /// How long it wants to be left alone, if it says so.
        wait_seconds: Option<u64>,
    },

    /// The server is broken, or refuses for a reason of its own.
    #[error("{address} answers with status {status}{}", said(message.as_deref()))]
    #[diagnostic(help(
        "the fault is on the server's side, or of what stands between (a proxy, a mirror named in HF_ENDPOINT): run \
         again later, see https://status.huggingface.co; what was downloaded is kept"
    ))]
    ServerError {
        /// The status of the last attempt.
        status: u16,
        /// What was asked for, without its query.
        address: String,
        /// What the server says, if it says anything.
        message: Option<String>,
    },

    #[error("{address} does not answer as a Hugging Face Hub: {what}")]
    #[diagnostic(help(
        "if HF_ENDPOINT is set, check that it is a Hub's address; otherwise a proxy or a login page of your network \
         may answer in the Hub's place"
    ))]
    NotAHub {
        /// What was asked for, without its query.
        address: String,
        /// What is wrong with the answer.
        what: String,
    },

    /// There is no answer, and the cache cannot help.
    #[error("{host} cannot be reached: {reason}")]
    Unreachable {
        host: String,
        /// What the network says.
        reason: String,
        /// The remedy, with what the cache has.
        #[help]
        advice: String,
    },

    #[error("the download of `{file}` broke off after {done_bytes} of {size_bytes} bytes: {reason}")]
    #[diagnostic(help(
        "run again: it goes on where it broke off. If it always breaks off there, a proxy or a mirror named in \
         HF_ENDPOINT may be the cause"
    ))]
    Dropped {
        file: String,
        /// Bytes that are kept.
        done_bytes: u64,
        /// Bytes of the whole file.
        size_bytes: u64,
        /// What the network says.
        reason: String,
    },

    #[error("`{file}` was damaged on its way: {what}")]
    #[diagnostic(help(
        "nothing of it is kept: run again. If it stays so, a proxy or a mirror named in HF_ENDPOINT alters what it \
         passes on"
    ))]
    Damaged { file: String, what: String },

    #[error("the cache lacks {what} of the {kind} `{repository}`, and HF_HUB_OFFLINE (or TRANSFORMERS_OFFLINE) is set")]
    NotCached {
        /// What was asked for.
        kind: RepositoryKind,
        /// Name and revision.
        repository: String,
        /// The files that it lacks.
        what: String,
        /// The remedy, with what is cached.
        #[help]
        advice: String,
    },

    #[error("there is no room for {}: {reason}", path.display())]
    #[diagnostic(help(
        "make room and run again, which goes on where it broke off; or set HF_HOME to a folder on a larger disk"
    ))]
    DiskFull {
        /// What was written.
        path: PathBuf,
        /// What the operating system says.
        reason: String,
    },

    #[error("the cache of the Hugging Face Hub cannot be used: {}: {reason}", path.display())]
    #[diagnostic(help("make the folder one that you may write to, or set HF_HOME to another one"))]
    CacheUnusable {
        /// What was written or read.
        path: PathBuf,
        /// What the operating system says.
        reason: String,
    },

    #[error("`{file}` in the {kind} `{repository}` is no name of a file below a folder")]
    #[diagnostic(help(
        "names are relative, with `/` between folders and without `..`; where the repository itself has such a name, \
         do not use it"
    ))]
    UnsafeName {
        /// What was asked for.
        kind: RepositoryKind,
        /// Name and revision.
        repository: String,
        file: String,
    },
}

impl HubError {
    /// What the file system refused.
    pub(crate) fn cache(path: &Path, reason: &io::Error) -> Self {
        let path = path.to_path_buf();
        match reason.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Self::DiskFull { path, reason: reason.to_string() }
            }
            _ => Self::CacheUnusable { path, reason: reason.to_string() },
        }
    }
}

fn after(wait_seconds: Option<u64>) -> String {
    wait_seconds.map(|seconds| format!(" and asks for a pause of {seconds} seconds")).unwrap_or_default()
}

fn said(message: Option<&str>) -> String {
    message.map(|message| format!(": {message}")).unwrap_or_default()
}
