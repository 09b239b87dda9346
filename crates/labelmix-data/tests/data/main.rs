//! The crate's behaviour from its public face: files in, examples and pools or an error out.

#![expect(clippy::unwrap_used, reason = "clippy.toml allows it in test functions, not in the functions they call")]

mod annotation;
mod bad_input;
mod cleaning;
mod formats;
mod scratch;
mod sst2_priced;
mod tables;
mod tasks;
mod text_files;
mod writing;
