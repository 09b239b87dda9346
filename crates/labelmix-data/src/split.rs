//! A stage's own validation set, taken from the labels it bought.

use crate::example::weak_class;
use crate::order::SeededOrder;

/// The smallest validation set: one example of each class, so that there is a pair to rank.
const MINIMUM: usize = 2;

/// A stage's labels, divided into those it learns from and those it stops by: indices into its labels, rising.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValidationSplit {
    /// The labels to train on; empty only if there are no labels.
    pub train: Vec<usize>,
    /// The labels to validate on; possibly empty.
    pub validation: Vec<usize>,
}

/// Sets `fraction` of the labels apart for validation, at least 2, each class in proportion
/// (a soft label's class is the side of one half it is on).
///
/// Training comes first: the last example of a class is never taken from it, so a class of one stays there, and
/// a class of more gives one at least. With few labels the validation set is therefore smaller than 2: of one
/// label, or of one of each class, it is empty; of two labels of one class, or three of both, it is a single
/// one.
///
/// # Panics
/// If `fraction` is not between 0 and 1.
pub fn validation_split(labels: &[f32], fraction: f64, seed: u64) -> ValidationSplit {
    assert!((0.0..=1.0).contains(&fraction), "a validation fraction of {fraction}");
    let order = SeededOrder::new("labelmix-data 1 validation split", seed);
    let members = [false, true].map(|class| {
        let mut members: Vec<usize> = (0..labels.len()).filter(|&index| weak_class(labels[index]) == class).collect();
        members.sort_by_cached_key(|&index| order.place(index as u64));
        members
    });
    let counts = validation_counts(members.each_ref().map(Vec::len), fraction);

    let mut split = ValidationSplit { train: Vec::new(), validation: Vec::new() };
    for (members, count) in members.iter().zip(counts) {
        let (validation, train) = members.split_at(count);
        split.validation.extend(validation);
        split.train.extend(train);
    }
    split.train.sort_unstable();
    split.validation.sort_unstable();
    split
}

/// How many of each class are validated on, from how many there are.
fn validation_counts(members: [usize; 2], fraction: f64) -> [usize; 2] {
    let total = members[0] + members[1];
    let most = members.map(|count| count.saturating_sub(1));
    let least = most.map(|count| count.min(1));
    let wanted = ((fraction * total as f64).round() as usize).max(MINIMUM).min(most[0] + most[1]);

    let share = wanted as f64 * members[1] as f64 / total.max(1) as f64;
    let ones = (share.round() as usize).clamp(least[1], most[1]);
    // What one class cannot give the other does; `wanted` is within the sums of both bounds.
    let zeros = wanted.saturating_sub(ones).clamp(least[0], most[0]);
    [zeros, wanted - zeros]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sizes(labels: &[f32]) -> (usize, usize) {
        let split = validation_split(labels, 0.2, 0);
        (split.train.len(), split.validation.len())
    }

    #[test]
    fn takes_a_fifth_of_each_class() {
        let labels: Vec<f32> = (0..100).map(|n| if n < 30 { 0.9 } else { 0.2 }).collect();
        let split = validation_split(&labels, 0.2, 0);
        let ones = split.validation.iter().filter(|&&index| index < 30).count();
        assert_eq!((split.validation.len(), ones), (20, 6));
    }

    #[test]
    fn few_labels_leave_training_an_example_of_each_class() {
        assert_eq!(sizes(&[]), (0, 0));
        assert_eq!(sizes(&[1.0]), (1, 0));
        assert_eq!(sizes(&[0.0, 1.0]), (2, 0));
        assert_eq!(sizes(&[1.0, 1.0]), (1, 1));
        assert_eq!(sizes(&[0.0, 1.0, 1.0]), (2, 1));
        assert_eq!(sizes(&[1.0, 1.0, 1.0]), (1, 2));
        assert_eq!(sizes(&[0.0, 0.0, 1.0, 1.0]), (2, 2));
    }

    #[test]
    fn a_small_class_of_two_is_validated_too() {
        let mut labels = vec![0.1; 20];
        labels.extend([0.9, 0.9]);
        let split = validation_split(&labels, 0.1, 3);
        assert!(split.validation.iter().any(|&index| index >= 20));
        assert!(split.train.iter().any(|&index| index >= 20));
    }

    proptest! {
        #[test]
        fn divides_the_labels(
            labels in prop::collection::vec(0.0f32..=1.0, 0..80), fraction in 0.0f64..=1.0, seed: u64,
        ) {
            let split = validation_split(&labels, fraction, seed);
            let mut all = [split.train.clone(), split.validation.clone()].concat();
            all.sort_unstable();
            prop_assert_eq!(all, (0..labels.len()).collect::<Vec<_>>());

            for class in [false, true] {
                let count = |part: &[usize]| part.iter().filter(|&&i| (labels[i] >= 0.5) == class).count();
                let (trained, validated) = (count(&split.train), count(&split.validation));
                prop_assert!(trained + validated == 0 || trained > 0);
                prop_assert!(trained + validated < 2 || validated > 0);
            }
        }

        #[test]
        fn is_stratified(zeros in 5usize..100, ones in 5usize..100, seed: u64) {
            let labels = [vec![0.0; zeros], vec![1.0; ones]].concat();
            let split = validation_split(&labels, 0.2, seed);
            let validated = split.validation.iter().filter(|&&index| index >= zeros).count();
            prop_assert!((validated as f64 - 0.2 * ones as f64).abs() <= 1.0);
        }
    }
}
