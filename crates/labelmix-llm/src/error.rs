//! What goes wrong with asking a service.

use std::path::PathBuf;

use labelmix_http::CertificatesError;
use miette::Diagnostic;
use thiserror::Error;

/// What goes wrong with asking a service. None of it holds the key.
#[derive(Debug, Error, Diagnostic)]
pub enum Error {
    #[error("base_url = {url:?} is no address of a service")]
    #[diagnostic(help("write it as https://api.example.com/v1: without a user's name, a query or a fragment"))]
    NoAddress { url: String },

    #[error("the key in {variable} holds a character that no key has (it is not shown here)")]
    #[diagnostic(help("copy it again: letters, digits and signs, all on one line"))]
    MalformedKey { variable: String },

    #[error("the environment variable {variable} is not set, which api_key_env names")]
    #[diagnostic(help("set it to the service's key, or leave `api_key_env` out where the service needs none"))]
    NoKey { variable: String },

    #[error(transparent)]
    #[diagnostic(transparent)]
    Certificates(#[from] CertificatesError),

    #[error("{host} refuses the key: {reason}")]
    #[diagnostic(help(
        "`api_key_env` names the environment variable that holds the key; what was answered stays, and the same command goes on"
    ))]
    KeyRefused {
        host: String,
        /// The service's words.
        reason: String,
    },

    #[error("{host} says that there is no money or quota left: {reason}")]
    #[diagnostic(help("what was answered stays; once the account has some, the same command goes on"))]
    NoQuota {
        host: String,
        /// The service's words.
        reason: String,
    },

    #[error("{address} answers {status}: {reason}")]
    #[diagnostic(help(
        "`base_url`, `model` and `form` decide what is asked of whom; `extra` has further fields of requests"
    ))]
    Refused {
        address: String,
        status: u16,
        /// The service's words.
        reason: String,
    },

    #[error("{host} tells no probabilities of its words")]
    #[diagnostic(help(
        "take `confidence = \"votes\"` with `votes = 5`, which asks five times, \"stated\", which asks the model how sure it is, or \"none\""
    ))]
    NoProbabilities { host: String },

    #[error("{unanswered} of {texts} texts have no answer after {attempts} attempts each; the last failure: {reason}")]
    #[diagnostic(help("what was answered stays: the same command asks for the others again"))]
    Unanswered {
        unanswered: usize,
        texts: usize,
        attempts: u32,
        /// The service's words, or the operating system's.
        reason: String,
    },

    #[error(
        "${spent:.4} are spent and ${perhaps:.4} perhaps, for {answered} of {texts} texts: the next request may cost more than is \
         left of max_usd = {max_usd}"
    )]
    #[diagnostic(help(
        "what was answered stays: the same command goes on with a higher `max_usd`, or label fewer texts with `texts`"
    ))]
    Spent { spent: f64, perhaps: f64, answered: usize, texts: usize, max_usd: f64 },

    #[error("another process is asking the same question; its answers are kept in {}", path.display())]
    #[diagnostic(help("wait for it: what it was answered need not be asked again"))]
    AskedElsewhere { path: PathBuf },

    #[error("line {line} of {} is none of labelmix: {reason}", path.display())]
    #[diagnostic(help("its answers were paid: take the line out by hand, and those of the others stay"))]
    Damaged { path: PathBuf, line: usize, reason: String },

    #[error("answers cannot be kept in {}: {reason}", path.display())]
    #[diagnostic(help("nothing more is asked; once the folder can be written, the same command goes on"))]
    Unkept { path: PathBuf, reason: String },

    #[error("interrupted")]
    #[diagnostic(help("what was answered stays: the same command goes on where it was"))]
    Interrupted,
}
