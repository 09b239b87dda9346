//! Randomness that a seed and a purpose determine: streams for resampling, and draws for single items.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// The stream of random numbers for one purpose. Streams of different names or seeds are independent, and the same
/// on every platform.
pub fn stream(seed: u64, purpose: &str) -> ChaCha8Rng {
    ChaCha8Rng::from_seed(purpose_key(seed, purpose))
}

/// A random number for every item, which depends on the seed, the purpose and the item's id alone: not on what other
/// items there are, nor on their order.
pub(crate) struct ItemDraws {
    key: [u8; 32],
}

impl ItemDraws {
    pub(crate) fn new(seed: u64, purpose: &'static str) -> Self {
        Self { key: purpose_key(seed, purpose) }
    }

    /// 64 random bits.
    pub(crate) fn bits(&self, id: u64) -> u64 {
        let hash = blake3::keyed_hash(&self.key, &id.to_le_bytes());
        let (first, _) = hash.as_bytes().split_first_chunk().expect("a hash has 32 bytes");
        u64::from_le_bytes(*first)
    }

    /// A number in [0, 1), a multiple of 2⁻⁵³.
    pub(crate) fn uniform(&self, id: u64) -> f64 {
        (self.bits(id) >> 11) as f64 / (1u64 << 53) as f64
    }

    /// The numbers 0.. of the items in a random order of their ids; items of equal id keep their order.
    pub(crate) fn order(&self, ids: &[u64]) -> Vec<usize> {
        let mut items: Vec<usize> = (0..ids.len()).collect();
        items.sort_by_cached_key(|&item| (self.bits(ids[item]), ids[item]));
        items
    }
}

fn purpose_key(seed: u64, purpose: &str) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_derive_key("labelmix random stream");
    hasher.update(&seed.to_le_bytes());
    hasher.update(purpose.as_bytes());
    *hasher.finalize().as_bytes()
}
