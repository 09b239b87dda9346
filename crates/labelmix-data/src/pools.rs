//! Labels for sale: which example is the first, second, … to be labelled weakly or by the expert.

use crate::example::{Example, ExampleId};
use crate::order::SeededOrder;

/// The training examples of one seed, in the order in which their labels are bought: two disjoint pools of
/// indices into the training examples.
///
/// One permutation, which depends on the seed and the examples' ids alone, orders both pools: gold labels are
/// bought from its front, weak labels from its back. So a bigger allocation contains every smaller one; and a
/// larger gold pool moves nothing, but only takes examples out of the weak pool, from its far end if all have
/// both labels: the first `w` weak labels are the same for every gold pool that does not reach into them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pools {
    gold: Vec<usize>,
    weak: Vec<usize>,
}

impl Pools {
    /// The pools of `seed`, with a gold pool of `gold_pool` examples (fewer if fewer have a gold label), usually
    /// the most that any allocation of a sweep asks for.
    ///
    /// The gold pool is the first `gold_pool` examples of the permutation that have a gold label, those without a
    /// weak label among them, in their random places: an expert's labels are not sold by what else is known. The
    /// weak pool is every other example that has a weak label, so that none is wasted.
    #[must_use]
    pub fn new(train: &[Example], seed: u64, gold_pool: usize) -> Self {
        let mut gold = Vec::new();
        let mut weak = Vec::new();
        for index in order_of_sale(train.iter().map(|example| example.id), seed) {
            if train[index].gold.is_some() && gold.len() < gold_pool {
                gold.push(index);
            } else if train[index].weak.is_some() {
                weak.push(index);
            }
        }
        weak.reverse();
        Self { gold, weak }
    }

    /// The first `count` examples to get a gold label, or `None` if the pool holds fewer.
    #[must_use]
    pub fn gold(&self, count: usize) -> Option<&[usize]> {
        self.gold.get(..count)
    }

    /// The first `count` examples to get a weak label, or `None` if the pool holds fewer.
    #[must_use]
    pub fn weak(&self, count: usize) -> Option<&[usize]> {
        self.weak.get(..count)
    }

    /// How many gold labels are for sale.
    #[must_use]
    pub fn gold_size(&self) -> usize {
        self.gold.len()
    }

    /// How many weak labels are for sale.
    #[must_use]
    pub fn weak_size(&self) -> usize {
        self.weak.len()
    }
}

/// The one permutation of a seed: the places of these ids in the order from whose front gold labels are bought, and weak
/// ones from whose back.
#[must_use]
pub fn order_of_sale(ids: impl IntoIterator<Item = ExampleId>, seed: u64) -> Vec<usize> {
    let order = SeededOrder::new("labelmix-data 1 order of sale", seed);
    let places: Vec<(u64, u64)> = ids.into_iter().map(|id| order.place(id.number())).collect();
    let mut permutation: Vec<usize> = (0..places.len()).collect();
    permutation.sort_by_key(|&index| places[index]);
    permutation
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    /// Up to 60 examples with a gold label, a weak label or both.
    fn examples() -> impl Strategy<Value = Vec<Example>> {
        let labels = prop_oneof![Just((true, true)), Just((true, false)), Just((false, true))];
        prop::collection::vec(labels, 0..60).prop_map(|labels| {
            let example = |(number, (gold, weak)): (usize, (bool, bool))| {
                let text = format!("text {number}");
                Example::new(text, gold.then_some(number % 2 == 0), weak.then_some(0.5))
            };
            labels.into_iter().enumerate().map(example).collect()
        })
    }

    fn texts<'a>(train: &'a [Example], indices: &[usize]) -> Vec<&'a str> {
        indices.iter().map(|&index| train[index].text.as_str()).collect()
    }

    #[test]
    fn an_order_once_published_stays() {
        let train: Vec<_> = (0..8).map(|n| Example::new(format!("text {n}"), Some(true), Some(1.0))).collect();
        let pools = Pools::new(&train, 0, 3);
        assert_eq!((pools.gold.as_slice(), pools.weak.as_slice()), (&[5, 0, 3][..], &[7, 6, 1, 2, 4][..]));
    }

    #[test]
    fn a_seed_has_its_own_order() {
        let train: Vec<_> = (0..100).map(|n| Example::new(format!("text {n}"), Some(true), None)).collect();
        let orders: HashSet<_> = (0..20).map(|seed| Pools::new(&train, seed, 100).gold).collect();
        assert_eq!(orders.len(), 20);
    }

    proptest! {
        #[test]
        fn are_disjoint_and_waste_nothing(train in examples(), seed: u64, gold_pool in 0usize..70) {
            let pools = Pools::new(&train, seed, gold_pool);
            let gold: HashSet<_> = pools.gold.iter().collect();
            let weak: HashSet<_> = pools.weak.iter().collect();
            prop_assert!(gold.is_disjoint(&weak));
            prop_assert!(gold.iter().all(|&&index| train[index].gold.is_some()));
            prop_assert!(weak.iter().all(|&&index| train[index].weak.is_some()));

            let with_gold = train.iter().filter(|example| example.gold.is_some()).count();
            prop_assert_eq!(gold.len(), gold_pool.min(with_gold));
            for (index, example) in train.iter().enumerate() {
                let for_sale = gold.contains(&index) || weak.contains(&index);
                prop_assert!(for_sale || example.weak.is_none());
            }
        }

        #[test]
        fn a_larger_gold_pool_moves_nothing(
            train in examples(), seed: u64, smaller in 0usize..40, more in 0usize..40,
        ) {
            let before = Pools::new(&train, seed, smaller);
            let after = Pools::new(&train, seed, smaller + more);
            prop_assert_eq!(after.gold(before.gold_size()).unwrap(), &before.gold[..]);
            let mut left = before.weak.clone();
            left.retain(|index| !after.gold.contains(index));
            prop_assert_eq!(&after.weak, &left);
            if train.iter().all(|example| example.gold.is_some()) {
                prop_assert_eq!(&left[..], before.weak(left.len()).unwrap());
            }
        }

        #[test]
        fn do_not_depend_on_the_order_of_the_examples(train in examples().prop_shuffle(), seed: u64, gold_pool in 0usize..40) {
            let mut sorted = train.clone();
            sorted.sort_by_key(|example| example.id);
            let (shuffled_pools, pools) = (Pools::new(&train, seed, gold_pool), Pools::new(&sorted, seed, gold_pool));
            prop_assert_eq!(texts(&train, &shuffled_pools.gold), texts(&sorted, &pools.gold));
            prop_assert_eq!(texts(&train, &shuffled_pools.weak), texts(&sorted, &pools.weak));
        }

        /// Taking an example away leaves the others in their order.
        #[test]
        fn do_not_depend_on_the_other_examples(train in examples(), seed: u64, removed: prop::sample::Index) {
            prop_assume!(!train.is_empty());
            let removed = removed.index(train.len());
            let mut rest = train.clone();
            let gone = rest.remove(removed);
            let all = Pools::new(&train, seed, usize::MAX);
            let without = Pools::new(&rest, seed, usize::MAX);
            let mut expected = texts(&train, &all.gold);
            expected.retain(|text| *text != gone.text);
            prop_assert_eq!(texts(&rest, &without.gold), expected);
        }

        #[test]
        fn sell_no_more_than_they_hold(train in examples(), seed: u64, gold_pool in 0usize..70) {
            let pools = Pools::new(&train, seed, gold_pool);
            prop_assert_eq!(pools.gold(pools.gold_size()).map(<[usize]>::len), Some(pools.gold_size()));
            prop_assert_eq!(pools.gold(pools.gold_size() + 1), None);
            prop_assert_eq!(pools.weak(pools.weak_size() + 1), None);
        }
    }
}
