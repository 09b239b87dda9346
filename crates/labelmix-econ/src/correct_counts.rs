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
    /// How many are drawn.
    drawn: usize,
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
        Self { planes, items, drawn: items }
    }

    /// Once each item that is not drawn; every item where all are.
    pub(crate) fn left_out(&self) -> Self {
        let mut plane: Vec<u64> = (0..self.items.div_ceil(64))
            .map(|word| !self.planes.iter().fold(0, |drawn, plane| drawn | plane[word]))
            .collect();
        if let (Some(last), beyond @ 1..) = (plane.last_mut(), self.items % 64) {
            *last &= (1 << beyond) - 1;
        }
        let drawn = plane.iter().map(|word| word.count_ones() as usize).sum();
        if drawn == 0 { self.each_once() } else { Self { planes: vec![plane], items: self.items, drawn } }
    }

    /// Every item once.
    fn each_once(&self) -> Self {
        let plane = vec![u64::MAX; self.items.div_ceil(64)];
        Self { planes: vec![plane], items: self.items, drawn: self.items }
    }

    /// How often each item is drawn, one by one.
    pub(crate) fn multiplicities(&self) -> Vec<u32> {
        let bit = |item: usize, plane: &Vec<u64>| (plane[item / 64] >> (item % 64) & 1) as u32;
        let times = |item| (0u32..).zip(&self.planes).map(|(power, plane)| bit(item, plane) << power).sum();
        (0..self.items).map(times).collect()
    }
}

/// The share of the drawn items that a run gets right.
pub(crate) fn weighted_correct(correct: &CorrectItems, weights: &ItemWeights) -> f64 {
    let count: u64 =
        (0u32..).zip(&weights.planes).map(|(power, plane)| common_bits(correct.words(), plane) << power).sum();
    count as f64 / weights.drawn as f64
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
            let times = |item| drawn.iter().filter(|&&drawn| drawn == item).count() as u32;
            prop_assert_eq!(weights.multiplicities(), (0..items).map(times).collect::<Vec<u32>>());
            let left_out = weights.left_out();
            let not_drawn: Vec<u32> = (0..items).map(|item| u32::from(times(item) == 0)).collect();
            if not_drawn.contains(&1) {
                let right = (0..items).filter(|&item| not_drawn[item] == 1 && truths[item]).count();
                let share = right as f64 / f64::from(not_drawn.iter().sum::<u32>());
                prop_assert_eq!(weighted_correct(&CorrectItems::new(&truths), &left_out), share);
                prop_assert_eq!(left_out.multiplicities(), not_drawn);
            } else {
                prop_assert_eq!(left_out.multiplicities(), vec![1; items]);
            }
            prop_assert_eq!(weighted_correct(&CorrectItems::new(&truths), &weights), right);
        }
    }
}
