//! Why there is no server.

use std::io;
use std::net::{IpAddr, SocketAddr};

use miette::Diagnostic;

/// Why a page cannot be served.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum ServeError {
    #[error("--address {address}: other machines can reach it")]
    #[diagnostic(help(
        "add --expose to serve there, behind a token; or leave --address out and reach 127.0.0.1 through `ssh -L`"
    ))]
    NotExposed { address: IpAddr },
    #[error("--host {name}: this is no name of a host")]
    #[diagnostic(help("give a name or an address, and its port if it is another one: example.org, localhost:9000"))]
    Host { name: String },
    /// A token that can be guessed, or not be put into an address.
    #[error("{place}: the token {reason}")]
    #[diagnostic(help(
        "a token has 16 or more of the characters A-Z a-z 0-9 - _ . ~, such as `openssl rand -hex 16` makes"
    ))]
    Token {
        /// Where it comes from.
        place: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A file of a token that cannot be read.
    #[error("{place}: {source}")]
    #[diagnostic(help("name a file that holds the token alone"))]
    TokenFile {
        place: String,
        /// What the operating system says.
        source: io::Error,
    },
    /// A place where nothing can listen.
    #[error("cannot listen at {address}: {source}")]
    #[diagnostic(help("choose another --port; 0 takes any that is free"))]
    Listen {
        address: SocketAddr,
        /// What the operating system says.
        source: io::Error,
    },
    #[error("the system does not let a server start: {reason}")]
    #[diagnostic(code(internal))]
    System {
        /// What it says.
        reason: String,
    },
}
