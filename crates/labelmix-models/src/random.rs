//! Random streams: one seed, one named stream per purpose.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// The stream of random numbers for one purpose. Streams of different names or seeds are independent, and the same
/// on every platform.
#[must_use]
pub fn stream(seed: u64, purpose: &str) -> ChaCha8Rng {
    let mut hasher = blake3::Hasher::new_derive_key("labelmix random stream");
    hasher.update(&seed.to_le_bytes());
    hasher.update(purpose.as_bytes());
    ChaCha8Rng::from_seed(*hasher.finalize().as_bytes())
}
