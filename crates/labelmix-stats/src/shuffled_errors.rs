//! Weak labels as good as the given ones, whose mistakes have nothing to do with the text.

use crate::error::{Result, StatsError};
use crate::random::ItemDraws;
use crate::scores::is_probability;

/// Deals the errors eᵢ = |weakᵢ − goldᵢ| out to the items anew and applies each toward the wrong side: e where gold is
/// 0, 1 − e where it is 1. The errors are the same numbers, and as many hardened labels (1 where
/// weak > ½) are right, but which ones are right can no longer be learned from the text.
///
/// Two details make "the same" exact. Errors are rounded to multiples of 2⁻⁵³, of which both e and 1 − e are doubles.
/// And errors of exactly ½, which hardening counts as class 0, stay with as many items of each class as before.
///
/// Who gets which error depends on the seed, on the items' ids and on the errors, not on the items' order.
///
/// # Errors
/// If a weak label is not a probability.
///
/// # Panics
/// If the slices differ in length.
pub fn shuffled_errors(weak: &[f64], gold: &[bool], ids: &[u64], seed: u64) -> Result<Vec<f64>> {
    assert!(weak.len() == gold.len() && weak.len() == ids.len(), "one gold label and one id per weak label");
    if let Some(item) = weak.iter().position(|weak| !is_probability(*weak)) {
        return Err(StatsError::NotAProbability { quantity: "the weak label", item, value: weak[item] });
    }
    let errors: Vec<f64> = weak.iter().zip(gold).map(|(weak, gold)| error(*weak, *gold)).collect();
    // How many items of class 0 and of class 1 have an error of ½.
    let mut ties = [0usize; 2];
    for (error, gold) in errors.iter().zip(gold) {
        ties[usize::from(*gold)] += usize::from(*error == 0.5);
    }
    let mut shuffled = vec![None; weak.len()];
    for item in ItemDraws::new(seed, "shuffled ties").order(ids) {
        let left = &mut ties[usize::from(gold[item])];
        if *left > 0 {
            *left -= 1;
            shuffled[item] = Some(0.5);
        }
    }
    // Sorted errors dealt to items in random order: a random permutation. The order is a new one; in the old one the
    // items that took no tie stand late, and more so in the class with more ties.
    let mut rest: Vec<f64> = errors.into_iter().filter(|error| *error != 0.5).collect();
    rest.sort_unstable_by(f64::total_cmp);
    let mut rest = rest.into_iter();
    for item in ItemDraws::new(seed, "shuffled errors").order(ids) {
        if shuffled[item].is_none() {
            shuffled[item] = rest.next();
        }
    }
    let dealt = shuffled.into_iter().map(|error| error.expect("there are as many errors as items"));
    Ok(dealt.zip(gold).map(|(error, gold)| if *gold { 1.0 - error } else { error }).collect())
}

/// |weak − gold|, rounded to a multiple of 2⁻⁵³.
fn error(weak: f64, gold: bool) -> f64 {
    const STEPS: f64 = (1u64 << 53) as f64;
    let error = if gold { 1.0 - weak } else { weak };
    (error * STEPS).round() / STEPS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auroc::auroc;
    use proptest::prelude::*;

    fn sorted_errors(weak: &[f64], gold: &[bool]) -> Vec<f64> {
        let mut errors: Vec<f64> = weak.iter().zip(gold).map(|(weak, gold)| error(*weak, *gold)).collect();
        errors.sort_unstable_by(f64::total_cmp);
        errors
    }

    fn right(weak: &[f64], gold: &[bool]) -> usize {
        weak.iter().zip(gold).filter(|(weak, gold)| (**weak > 0.5) == **gold).count()
    }

    #[test]
    fn mistakes_no_longer_follow_the_text() {
        // The weak labels are wrong exactly where the item's number is large.
        let items = 2000;
        let gold: Vec<bool> = (0..items).map(|item| item % 2 == 0).collect();
        let numbers: Vec<f64> = (0..items).map(f64::from).collect();
        let weak: Vec<f64> =
            gold.iter().zip(&numbers).map(|(gold, n)| if (*n < 1500.0) == *gold { 0.9 } else { 0.1 }).collect();
        let ids: Vec<u64> = (0..items as u64).collect();
        let learnable = |weak: &[f64]| {
            let wrong: Vec<bool> = weak.iter().zip(&gold).map(|(weak, gold)| (*weak > 0.5) != *gold).collect();
            auroc(&numbers, &wrong).unwrap()
        };
        assert_eq!(learnable(&weak), 1.0);
        let shuffled = shuffled_errors(&weak, &gold, &ids, 4).unwrap();
        assert!((learnable(&shuffled) - 0.5).abs() < 0.04, "{}", learnable(&shuffled));
        assert_ne!(shuffled, shuffled_errors(&weak, &gold, &ids, 5).unwrap());
    }

    #[test]
    fn ties_in_one_class_do_not_send_small_errors_to_the_other() {
        let items = 4000;
        let gold: Vec<bool> = (0..items).map(|item| item % 2 == 0).collect();
        // Half of the positives tie, and everything else has an error of 0.2 or 0.8.
        let weak: Vec<f64> = (0..items).map(|item| [0.5, 0.2, 0.8, 0.8][item % 4]).collect();
        let ids: Vec<u64> = (0..items as u64).collect();
        let shuffled = shuffled_errors(&weak, &gold, &ids, 6).unwrap();
        let wrong = |class: bool| {
            let members = shuffled.iter().zip(&gold).filter(|(_, gold)| **gold == class).map(|(weak, _)| *weak);
            let without_ties: Vec<f64> = members.filter(|weak| *weak != 0.5).collect();
            without_ties.iter().filter(|weak| (**weak > 0.5) != class).count() as f64 / without_ties.len() as f64
        };
        assert!((wrong(true) - wrong(false)).abs() < 0.06, "{} and {}", wrong(true), wrong(false));
    }

    #[test]
    fn refuses_what_is_no_probability() {
        let error = shuffled_errors(&[0.5, f64::NAN], &[true, true], &[0, 1], 0).unwrap_err();
        assert_eq!(error.to_string(), "the weak label of item 1 is NaN, not a probability");
    }

    proptest! {
        #[test]
        fn keeps_every_error_and_the_accuracy(
            items in prop::collection::vec(
                (prop_oneof![0.0f64..=1.0, Just(0.0), Just(0.5), Just(1.0), 0.0f64..1e-12], any::<bool>(), any::<u64>()),
                0..60,
            ),
            seed: u64,
        ) {
            let weak: Vec<f64> = items.iter().map(|(weak, ..)| *weak).collect();
            let gold: Vec<bool> = items.iter().map(|(_, gold, _)| *gold).collect();
            let ids: Vec<u64> = items.iter().map(|(.., id)| *id).collect();
            let shuffled = shuffled_errors(&weak, &gold, &ids, seed).unwrap();
            prop_assert_eq!(sorted_errors(&shuffled, &gold), sorted_errors(&weak, &gold));
            prop_assert_eq!(right(&shuffled, &gold), right(&weak, &gold));
        }

        #[test]
        fn the_files_order_does_not_matter(
            items in prop::collection::btree_map(any::<u64>(), (0.0f64..=1.0, any::<bool>()), 0..40),
            seed: u64,
        ) {
            let mut rows: Vec<(u64, f64, bool)> = items.into_iter().map(|(id, (weak, gold))| (id, weak, gold)).collect();
            let shuffle = |rows: &[(u64, f64, bool)]| {
                let weak: Vec<f64> = rows.iter().map(|row| row.1).collect();
                let gold: Vec<bool> = rows.iter().map(|row| row.2).collect();
                let ids: Vec<u64> = rows.iter().map(|row| row.0).collect();
                shuffled_errors(&weak, &gold, &ids, seed).unwrap()
            };
            let forward = shuffle(&rows);
            rows.reverse();
            let mut backward = shuffle(&rows);
            backward.reverse();
            prop_assert_eq!(forward, backward);
        }
    }
}
