//! The page of a report, served while a sweep runs: how far the sweep is, what failed, and results as they come.
//!
//! [`Server`] looks at a store and never touches it. Two threads read and compute while somebody has a page open
//! (`looking`, `results`); what they find is on a `server_state`, from which requests are answered at once. Requests come
//! through `access`: only by names that are this server's, only from its own pages, and with its token where it can be
//! reached from elsewhere. A path is looked up among the studies that the store has (`route`) and never names a file.
//! HTTP is hyper's; `connections` bounds how many there are and how long they last.

mod access;
mod answer;
mod connections;
mod error;
mod poller;
mod progress;
mod question;
mod results;
mod route;
mod server;
mod state;
mod token;

pub use error::ServeError;
pub use results::TaskFiles;
pub use server::{Server, Settings};
pub use token::Token;
