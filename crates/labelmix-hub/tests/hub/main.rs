//! The crate's behaviour from its public face, against a Hub on this machine.

#![expect(clippy::unwrap_used, reason = "clippy.toml allows it in test functions, not in the functions they call")]

mod broken_connections;
mod environment;
mod fetching;
mod names;
mod offline;
mod refusals;
mod scratch;
mod sharing;
mod tokens;
