//! The page, from the outside: its formulas against the Rust ones, and in a real browser.

#![expect(clippy::unwrap_used, reason = "these files are all test, including the functions beside the tests")]

mod in_browser;
mod large;
mod model;
mod simulated;
