//! How many items of a resample a run gets right: counting bits instead of adding weights.
//!
//! An item's multiplicity is written in binary, a plane of bits for each power of two, so that a weighted count is a
//! sum of a few counts of common bits: 64 items at a time.

use multiversion::multiversion;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::CorrectItems;

/// How often each test item is drawn in one resample.
pub(crate) struct ItemWeights {
    /// The multiplicities' bits, from the lowest power of two, `[plane][word]`.
    planes: Vec<Vec<u64>>,
    items: usize,
}

impl ItemWeights {
    /// Draws as many items as there are, with replacement.
    pub(crate) fn draw(items: usize, random: &mut ChaCha8Rng) -> Self {
        let mut planes: Vec<Vec<u64>> = Vec::new();
        for _ in 0..items {
            let item = random.random_range(0..items);
            let (word, mut carry) = (item / 64, 1u64 << (item % 64));
            for plane in &mut planes {
                let both = plane[word] & carry;
                plane[word] ^= carry;
                carry = both;
            }
            if carry != 0 {
                let mut plane = vec![0; items.div_ceil(64)];
                plane[word] = carry;
                planes.push(plane);
            }
        }
        Self { planes, items }
    }
}

/// The share of the drawn items that a run gets right.
pub(crate) fn weighted_correct(correct: &CorrectItems, weights: &ItemWeights) -> f64 {
    let count: u64 =
        (0u32..).zip(&weights.planes).map(|(power, plane)| common_bits(correct.words(), plane) << power).sum();
    count as f64 / weights.items as f64
}

// The x86-64 baseline has no instruction that counts bits.
#[multiversion(targets("x86_64+avx512f+avx512vpopcntdq", "x86_64+avx2+popcnt", "x86_64+popcnt"))]
fn common_bits(left: &[u64], right: &[u64]) -> u64 {
    left.iter().zip(right).map(|(left, right)| u64::from((left & right).count_ones())).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use labelmix_stats::stream;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn counts_what_adding_weights_counts(truths in prop::collection::vec(any::<bool>(), 1..300), seed: u64) {
            let items = truths.len();
            let weights = ItemWeights::draw(items, &mut stream(seed, "test"));
            let mut random = stream(seed, "test");
            let drawn: Vec<usize> = (0..items).map(|_| random.random_range(0..items)).collect();
            let right = drawn.iter().filter(|&&item| truths[item]).count() as f64 / items as f64;
            prop_assert_eq!(weighted_correct(&CorrectItems::new(&truths), &weights), right);
        }
    }
}
