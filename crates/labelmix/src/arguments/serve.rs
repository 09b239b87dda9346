//! The arguments of `labelmix serve`.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use clap::Args;

/// Serve the report page live while a sweep runs: progress, failures, and results as they come
///
/// Prints the address to open, and serves until Ctrl-C. The store is only read: a sweep that runs on it, here or on
/// another machine, does not notice. Pages are computed while somebody has them open.
#[derive(Debug, Args)]
pub(crate) struct ServeArguments {
    /// The store's folder; or a study file, whose store is then served
    #[arg(value_name = "STORE|STUDY")]
    pub(crate) store_or_study: PathBuf,
    /// Files of studies whose place the store does not know, because they were moved or swept on another machine: for
    /// test texts
    #[arg(value_name = "STUDY")]
    pub(crate) studies: Vec<PathBuf>,
    /// Where a study's results are kept, if the first argument is a study [default: labelmix-store beside it]
    #[arg(long, value_name = "DIR")]
    pub(crate) store: Option<PathBuf>,
    /// The port; 0 takes any that is free
    #[arg(long, value_name = "PORT", default_value_t = 8731)]
    pub(crate) port: u16,
    /// The address to listen at; one that other machines can reach needs --expose
    #[arg(long, value_name = "ADDRESS", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    pub(crate) address: IpAddr,
    /// Serve other machines too, to who has the token: a random one, which is part of the address that is printed
    #[arg(long)]
    pub(crate) expose: bool,
    /// A name by which browsers reach the server, beside its address: behind a tunnel or a proxy. One that is not this
    /// machine's needs the token
    #[arg(long, value_name = "NAME[:PORT]")]
    pub(crate) host: Vec<String>,
    /// A file with a token of your own, which is then always asked for; the variable `LABELMIX_SERVE_TOKEN` may hold one
    /// instead
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
}
