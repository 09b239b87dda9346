//! Purchases from services that behave as real ones do, well and badly.

#![expect(clippy::unwrap_used, reason = "clippy.toml allows it in test functions, not in the functions they call")]

mod batches;
mod one_by_one;
mod scene;
