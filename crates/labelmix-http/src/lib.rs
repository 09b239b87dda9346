//! What clients of a web service have in common: how they connect, the secret that shows who asks, and their patience.

mod address;
mod connections;
mod patience;
mod secret;

pub use address::{host, is_http, origin, without_query};
pub use connections::{CertificatesError, Connections};
pub use patience::{Retries, header, may_pass, retry_after};
pub use secret::Secret;
