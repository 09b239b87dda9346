//! How well scores rank the positives above the negatives.

/// The area under the ROC curve: the share of (positive, negative) pairs in which the positive has the larger
/// score, ties counting half. In O(n log n); agrees with scikit-learn's `roc_auc_score`.
///
/// `None` where it is undefined: all labels of one class, or a score that is not a number.
///
/// # Panics
/// If the two slices differ in length.
#[must_use]
pub fn auroc(scores: &[f64], labels: &[bool]) -> Option<f64> {
    assert_eq!(scores.len(), labels.len(), "one label per score");
    if scores.iter().any(|score| score.is_nan()) {
        return None;
    }
    let mut by_score: Vec<(f64, bool)> = scores.iter().copied().zip(labels.iter().copied()).collect();
    by_score.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));

    // Pairs are counted in halves, as integers, so that no order of summation can change the result.
    let mut half_wins = 0u64;
    let (mut positives, mut negatives) = (0u64, 0u64);
    // In sorted neighbours "not smaller" is "equal", of 0.0 and -0.0 too.
    for tied in by_score.chunk_by(|a, b| a.0 >= b.0) {
        let tied_positives = tied.iter().filter(|(_, label)| *label).count() as u64;
        let tied_negatives = tied.len() as u64 - tied_positives;
        half_wins += tied_positives * (2 * negatives + tied_negatives);
        positives += tied_positives;
        negatives += tied_negatives;
    }
    (positives > 0 && negatives > 0).then(|| half_wins as f64 / (2.0 * positives as f64 * negatives as f64))
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering;

    use super::*;
    use proptest::prelude::*;

    /// The definition: every pair, one by one.
    fn auroc_by_pairs(scores: &[f64], labels: &[bool]) -> Option<f64> {
        let of_class = |class: bool| {
            let members = labels.iter().zip(scores).filter(move |(l, _)| **l == class);
            members.map(|(_, score)| *score)
        };
        let mut pairs = 0.0;
        let mut wins = 0.0;
        for positive in of_class(true) {
            for negative in of_class(false) {
                pairs += 1.0;
                wins += match positive.total_cmp(&negative) {
                    Ordering::Less => 0.0,
                    Ordering::Equal => 0.5,
                    Ordering::Greater => 1.0,
                };
            }
        }
        (pairs > 0.0).then(|| wins / pairs)
    }

    #[test]
    fn ranks_the_textbook_case() {
        // scikit-learn's own example: roc_auc_score([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]) == 0.75
        let scores = [0.1, 0.4, 0.35, 0.8];
        assert_eq!(auroc(&scores, &[false, false, true, true]), Some(0.75));
    }

    #[test]
    fn is_a_half_for_a_constant_score() {
        assert_eq!(auroc(&[0.0, -0.0, 0.0], &[true, false, false]), Some(0.5));
    }

    #[test]
    fn is_undefined_for_one_class_and_for_nan() {
        assert_eq!(auroc(&[], &[]), None);
        assert_eq!(auroc(&[0.1, 0.2], &[true, true]), None);
        assert_eq!(auroc(&[0.1, f64::NAN], &[true, false]), None);
    }

    proptest! {
        /// Few distinct scores, so that ties are common.
        #[test]
        fn equals_the_definition(items in prop::collection::vec((-4i8..4, any::<bool>()), 0..60)) {
            let scores: Vec<f64> = items.iter().map(|(score, _)| f64::from(*score) / 2.0).collect();
            let labels: Vec<bool> = items.iter().map(|(_, label)| *label).collect();
            match (auroc(&scores, &labels), auroc_by_pairs(&scores, &labels)) {
                (Some(fast), Some(slow)) => prop_assert!((fast - slow).abs() < 1e-12),
                (fast, slow) => prop_assert_eq!(fast, slow),
            }
        }
    }
}
