//! What a weak labeler takes from a dataset, gold labels of its own, and what it gives: weak labels.

use crate::dataset::Dataset;
use crate::example::Example;
use crate::order::SeededOrder;
use crate::split::ValidationSplit;

/// The training examples that a labeler learns from and those that it is validated on, by their indices, rising. Only
/// examples with a gold label that are `eligible` (by index) are taken.
///
/// An order that depends on the seed and the examples' ids alone decides: the first `n_train` of it, at most half, are
/// trained on, and the next `n_validation` validated on, at most all that are left. It is not the order in which
/// labels are sold, so a labeler takes nothing away from the beginning of a pool.
pub fn labeler_split(
    examples: &[Example],
    eligible: impl Fn(usize) -> bool,
    n_train: usize,
    n_validation: usize,
    seed: u64,
) -> ValidationSplit {
    let order = SeededOrder::new("labelmix-data 1 examples of a weak labeler", seed);
    let mut indices: Vec<usize> =
        (0..examples.len()).filter(|&index| examples[index].gold.is_some() && eligible(index)).collect();
    indices.sort_by_cached_key(|&index| order.place(examples[index].id.number()));
    let n_train = n_train.min(indices.len() / 2);
    let mut validation = indices.split_off(n_train);
    validation.truncate(n_validation);
    indices.sort_unstable();
    validation.sort_unstable();
    ValidationSplit { train: indices, validation }
}

impl Dataset {
    /// Replaces the weak labels of all examples, in their order, and counts them anew in the summary.
    ///
    /// # Panics
    /// If there is not one label, or `None`, for each example.
    pub fn set_weak_labels(&mut self, train: &[Option<f32>], test: &[Option<f32>]) {
        let splits =
            [(&mut self.train, &mut self.summary.train, train), (&mut self.test, &mut self.summary.test, test)];
        for (examples, summary, labels) in splits {
            assert_eq!(examples.len(), labels.len(), "one weak label, or none, for each example");
            for (example, label) in examples.iter_mut().zip(labels) {
                example.weak = *label;
                example.rounds[1] = 0;
                example.votes = Box::default();
            }
            summary.count(examples);
        }
        self.offer_anew();
        self.summary.weak_file = None;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn examples(count: usize) -> Vec<Example> {
        let gold = |number: usize| (!number.is_multiple_of(7)).then_some(number.is_multiple_of(2));
        (0..count).map(|number| Example::new(format!("text {number}"), gold(number), Some(0.5))).collect()
    }

    #[test]
    fn half_of_the_gold_labels_at_most_are_trained_on() {
        let split = labeler_split(&examples(70), |_| true, 1000, 1000, 0);
        assert_eq!((split.train.len(), split.validation.len()), (30, 30));
        let split = labeler_split(&examples(70), |_| true, 10, 5, 0);
        assert_eq!((split.train.len(), split.validation.len()), (10, 5));
        assert_eq!(labeler_split(&[], |_| true, 10, 5, 0), ValidationSplit { train: vec![], validation: vec![] });
    }

    proptest! {
        #[test]
        fn the_parts_are_disjoint_nested_and_blind_to_order(
            n_train in 0usize..40, n_validation in 0usize..40, seed: u64, turn in 0usize..60,
        ) {
            let examples = examples(60);
            let split = labeler_split(&examples, |index| index != 3, n_train, n_validation, seed);
            let ids = |examples: &[Example], indices: &[usize]| -> BTreeSet<_> {
                indices.iter().map(|index| examples[*index].id).collect()
            };
            let (train, validation) = (ids(&examples, &split.train), ids(&examples, &split.validation));
            prop_assert!(train.is_disjoint(&validation));
            let all = || split.train.iter().chain(&split.validation);
            prop_assert!(all().all(|&index| index != 3 && examples[index].gold.is_some()));

            let larger = labeler_split(&examples, |index| index != 3, n_train + 1, 0, seed);
            prop_assert!(train.is_subset(&ids(&examples, &larger.train)));

            let mut turned = examples.clone();
            turned.rotate_left(turn);
            let excluded = (60 + 3 - turn) % 60;
            let again = labeler_split(&turned, |index| index != excluded, n_train, n_validation, seed);
            prop_assert_eq!((train, validation), (ids(&turned, &again.train), ids(&turned, &again.validation)));
        }
    }
}
