//! The page, from the outside: its formulas against the Rust ones, and in a real browser.

mod browser;
mod in_browser;
mod large;
mod model;
mod simulated;
