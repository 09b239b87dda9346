//! Labels for sale: which example is the first, second, … to be labelled weakly or by the expert.

use std::collections::{HashMap, HashSet};

use crate::example::{Example, ExampleId};
use crate::order::SeededOrder;

/// The training examples of one seed, in the order in which their labels are bought: indices into the training examples.
///
/// One permutation, which depends on the seed and the examples' ids alone, orders both kinds: gold labels are bought from
/// its front, weak labels from its back; those of a later [round](crate::Round) after all earlier ones. So a bigger allocation
/// contains every smaller one, and buying more changes nothing of it. Weak labels of examples that have gold labels too come
/// last of their round: how far they go beside some gold labels is for each allocation to say
/// ([`weak_beside`](Self::weak_beside)), since no example is sold twice. An example whose gold label was bought in a later
/// round than its weak one is the exception: both were paid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pools {
    gold: Vec<usize>,
    weak: Vec<usize>,
    /// For every number of gold labels, how many weak ones there are beside them.
    weak_beside: Vec<usize>,
    gold_candidates: usize,
    weak_candidates: Vec<usize>,
}

/// Which examples a method that looks at labels or texts beyond those it buys takes from which kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Boundary {
    /// The first so many with a gold label belong to the gold pool for such methods; all others divide the examples by what
    /// they buy.
    ForChoosing(usize),
    /// The first so many are the gold pool, whoever buys: no more gold labels are for sale, and none of their weak labels.
    Fixed(usize),
}

impl Pools {
    /// The pools of `seed`.
    pub fn new(train: &[Example], seed: u64, boundary: Boundary) -> Self {
        let permutation = order_of_sale(train.iter().map(|example| example.id), seed);
        let sold = |index: &usize| train[*index].for_sale;
        let mut gold: Vec<usize> = permutation.iter().copied().filter(|index| sold(index).gold.is_some()).collect();
        gold.sort_by_key(|index| sold(index).gold);
        let mut weak: Vec<usize> = permutation.into_iter().rev().filter(|index| sold(index).weak.is_some()).collect();
        // Whether the gold label was there when the weak one was bought. One that balancing took off sale, maybe until a later
        // round, counts too: else weak labels of its class would come first.
        let had_gold = |index: &usize| {
            let Example { gold, rounds: [gold_round, _], .. } = &train[*index];
            gold.is_some() && Some(*gold_round) <= sold(index).weak
        };
        weak.sort_by_key(|index| (sold(index).weak, had_gold(index)));

        let (Boundary::ForChoosing(size) | Boundary::Fixed(size)) = boundary;
        let gold_candidates = size.min(gold.len());
        let in_gold_pool: HashSet<usize> = gold[..gold_candidates].iter().copied().collect();
        let weak_candidates: Vec<usize> = weak.iter().copied().filter(|index| !in_gold_pool.contains(index)).collect();
        if let Boundary::Fixed(_) = boundary {
            gold.truncate(gold_candidates);
            weak.clone_from(&weak_candidates);
        }

        let is_either = |index: &usize| sold(index).gold.is_some_and(|gold| Some(gold) <= sold(index).weak);
        let either = weak.iter().enumerate().filter(|(_, index)| is_either(index));
        let places: HashMap<usize, usize> = either.map(|(place, index)| (*index, place)).collect();
        let mut beside = weak.len();
        let mut weak_beside = vec![beside];
        weak_beside.extend(gold.iter().map(|index| {
            beside = beside.min(places.get(index).copied().unwrap_or(beside));
            beside
        }));
        Self { gold, weak, weak_beside, gold_candidates, weak_candidates }
    }

    /// The first `count` examples to get a gold label, or `None` if fewer are for sale.
    pub fn gold(&self, count: usize) -> Option<&[usize]> {
        self.gold.get(..count)
    }

    /// The first `count` examples to get a weak label, or `None` if fewer are for sale.
    pub fn weak(&self, count: usize) -> Option<&[usize]> {
        self.weak.get(..count)
    }

    /// How many gold labels are for sale.
    pub fn gold_size(&self) -> usize {
        self.gold.len()
    }

    /// How many weak labels are for sale where no gold ones are bought.
    pub fn weak_size(&self) -> usize {
        self.weak.len()
    }

    /// How many weak labels are for sale beside the first `n_gold` gold ones; those beside all of them if there are fewer.
    pub fn weak_beside(&self, n_gold: usize) -> usize {
        self.weak_beside[n_gold.min(self.gold.len())]
    }

    /// The examples whose gold labels a method may choose from, in the order of sale.
    pub fn gold_candidates(&self) -> &[usize] {
        &self.gold[..self.gold_candidates]
    }

    /// The examples whose weak labels a method may choose from, in the order of sale; none of them is among the gold candidates.
    pub fn weak_candidates(&self) -> &[usize] {
        &self.weak_candidates
    }
}

/// The one permutation of a seed: the places of these ids in the order from whose front gold labels are bought, and weak
/// ones from whose back.
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
    fn what_balancing_takes_off_sale_does_not_decide_whose_weak_labels_come_first() {
        let mut train: Vec<Example> =
            (0..300).map(|number| Example::new(format!("text {number}"), Some(number % 3 > 0), Some(0.5))).collect();
        let all = Pools::new(&train, 0, ALL);
        // A surplus of class 1.
        for example in train.iter_mut().skip(200).filter(|example| example.gold == Some(true)) {
            example.for_sale.gold = None;
        }
        let balanced = Pools::new(&train, 0, ALL);
        assert!(balanced.gold_size() < all.gold_size());
        assert_eq!(balanced.weak(300), all.weak(300));
    }

    #[test]
    fn an_order_once_published_stays() {
        let train: Vec<_> = (0..8).map(|n| Example::new(format!("text {n}"), Some(true), Some(1.0))).collect();
        let pools = Pools::new(&train, 0, Boundary::ForChoosing(3));
        assert_eq!(pools.gold_candidates(), [5, 0, 3]);
        assert_eq!(pools.weak_candidates(), [7, 6, 1, 2, 4]);
        assert_eq!((pools.gold(3).unwrap(), pools.weak(5).unwrap()), (&[5, 0, 3][..], &[7, 6, 1, 2, 4][..]));
        assert_eq!((0..=8).map(|n_gold| pools.weak_beside(n_gold)).collect::<Vec<_>>(), [8, 7, 6, 5, 4, 3, 2, 1, 0]);
    }

    #[test]
    fn texts_without_a_gold_label_are_the_first_to_be_sold_weakly() {
        let train: Vec<_> =
            (0..9).map(|n| Example::new(format!("text {n}"), (n % 3 == 0).then_some(true), Some(1.0))).collect();
        let pools = Pools::new(&train, 0, Boundary::ForChoosing(9));
        assert_eq!((pools.gold_size(), pools.weak_size(), pools.weak_beside(3)), (3, 9, 6));
        assert!(pools.weak(6).unwrap().iter().all(|index| train[*index].gold.is_none()));
        let fixed = Pools::new(&train, 0, Boundary::Fixed(1));
        assert_eq!((fixed.gold_size(), fixed.weak_size(), fixed.weak_beside(1)), (1, 8, 8));
    }

    #[test]
    fn a_seed_has_its_own_order() {
        let train: Vec<_> = (0..100).map(|n| Example::new(format!("text {n}"), Some(true), None)).collect();
        let orders: HashSet<_> = (0..20).map(|seed| Pools::new(&train, seed, ALL).gold).collect();
        assert_eq!(orders.len(), 20);
    }

    const ALL: Boundary = Boundary::ForChoosing(usize::MAX);

    proptest! {
        /// What an allocation buys is disjoint, and as much as can be.
        #[test]
        fn no_example_is_sold_twice(train in examples(), seed: u64, n_gold in 0usize..70) {
            let pools = Pools::new(&train, seed, ALL);
            let n_gold = n_gold.min(pools.gold_size());
            let gold: HashSet<_> = pools.gold(n_gold).unwrap().iter().collect();
            let n_weak = pools.weak_beside(n_gold);
            let weak: HashSet<_> = pools.weak(n_weak).unwrap().iter().collect();
            prop_assert_eq!(weak.len(), n_weak);
            prop_assert!(gold.is_disjoint(&weak));
            prop_assert!(n_weak == pools.weak_size() || gold.contains(&pools.weak[n_weak]));
            prop_assert!(gold.iter().all(|index| train[**index].gold.is_some()));
            prop_assert!(weak.iter().all(|index| train[**index].weak.is_some()));
        }

        #[test]
        fn candidates_are_disjoint_and_waste_nothing(train in examples(), seed: u64, size in 0usize..70) {
            let pools = Pools::new(&train, seed, Boundary::ForChoosing(size));
            let gold: HashSet<_> = pools.gold_candidates().iter().collect();
            let weak: HashSet<_> = pools.weak_candidates().iter().collect();
            prop_assert!(gold.is_disjoint(&weak));
            let with_gold = train.iter().filter(|example| example.gold.is_some()).count();
            prop_assert_eq!(gold.len(), size.min(with_gold));
            for (index, example) in train.iter().enumerate() {
                prop_assert!(gold.contains(&index) || weak.contains(&index) || example.weak.is_none());
            }
        }

        /// Labels bought in a later round are sold after all others, and move none of them.
        #[test]
        fn buying_more_changes_nothing(
            train in examples(), seed: u64, bought in prop::collection::vec(any::<(bool, bool)>(), 60),
        ) {
            let before = Pools::new(&train, seed, ALL);
            let mut later = train.clone();
            for (example, (gold, weak)) in later.iter_mut().zip(bought) {
                if gold && example.gold.is_none() {
                    (example.gold, example.rounds[0], example.for_sale.gold) = (Some(true), 1, Some(1));
                }
                if weak && example.weak.is_none() {
                    (example.weak, example.rounds[1], example.for_sale.weak) = (Some(0.5), 1, Some(1));
                }
            }
            let after = Pools::new(&later, seed, ALL);
            prop_assert_eq!(after.gold(before.gold_size()).unwrap(), &before.gold[..]);
            prop_assert_eq!(after.weak(before.weak_size()).unwrap(), &before.weak[..]);
            for n_gold in 0..=before.gold_size() {
                prop_assert!(after.weak_beside(n_gold) >= before.weak_beside(n_gold));
            }
        }

        #[test]
        fn do_not_depend_on_the_order_of_the_examples(train in examples().prop_shuffle(), seed: u64, size in 0usize..40) {
            let mut sorted = train.clone();
            sorted.sort_by_key(|example| example.id);
            let boundary = Boundary::Fixed(size);
            let (shuffled_pools, pools) = (Pools::new(&train, seed, boundary), Pools::new(&sorted, seed, boundary));
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
            let (all, without) = (Pools::new(&train, seed, ALL), Pools::new(&rest, seed, ALL));
            for (all, without) in [(&all.gold, &without.gold), (&all.weak, &without.weak)] {
                let mut expected = texts(&train, all);
                expected.retain(|text| *text != gone.text);
                prop_assert_eq!(texts(&rest, without), expected);
            }
        }
    }
}
