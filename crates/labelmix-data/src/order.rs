//! Orders that depend on a seed and on each item alone: the same item has the same place among the others
//! whatever else there is, wherever it stands in its file.

use crate::example::first_word;

/// A pseudo-random order of numbered items, one for each purpose and seed.
pub struct SeededOrder {
    key: [u8; 32],
}

impl SeededOrder {
    /// The order for a purpose. `purpose` is part of every result's meaning: two purposes must never share one,
    /// and changing one changes results.
    pub fn new(purpose: &'static str, seed: u64) -> Self {
        Self { key: blake3::derive_key(purpose, &seed.to_le_bytes()) }
    }

    /// The sorting key of an item. Its second half only decides between equal hashes.
    pub fn place(&self, item: u64) -> (u64, u64) {
        let hash = blake3::keyed_hash(&self.key, &item.to_le_bytes());
        (first_word(hash), item)
    }
}
