//! Accuracy where the classifier's own threshold is off but its ranking is good.

use serde::{Deserialize, Serialize};

use crate::auroc::Ranking;
use crate::bootstrap::{Bootstrap, BootstrapInterval};
use crate::confusion::ConfusionMatrix;

/// The accuracy at a threshold that was chosen from the data.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CalibratedAccuracy {
    /// Class 1 is predicted where the log-odds exceed this. Negative infinity where every label is 1.
    pub threshold: f64,
    /// The share of items on their label's side of the threshold.
    pub accuracy: f64,
}

/// The accuracy at the quantile of the log-odds that matches the label mean: with k positive
/// labels, the k items of the largest log-odds are predicted positive. Items that tie at the threshold are predicted
/// negative, so fewer than k may be positive.
///
/// `None` without items, or where a value is not a number.
///
/// # Panics
/// If the two slices differ in length.
pub fn calibrated_accuracy(log_odds: &[f64], labels: &[bool]) -> Option<CalibratedAccuracy> {
    assert_eq!(log_odds.len(), labels.len(), "one label per score");
    if log_odds.iter().any(|score| score.is_nan()) {
        return None;
    }
    let negatives = labels.iter().filter(|label| !**label).count();
    let threshold = if negatives == 0 {
        f64::NEG_INFINITY
    } else {
        // The largest of the scores to be predicted negative.
        *log_odds.to_vec().select_nth_unstable_by(negatives - 1, f64::total_cmp).1
    };
    let accuracy = ConfusionMatrix::at_threshold(log_odds, labels, threshold)?.accuracy()?;
    Some(CalibratedAccuracy { threshold, accuracy })
}

/// The percentile interval of [`calibrated_accuracy`] over resamples of the items, in each of which the threshold is chosen
/// anew. The scores are sorted once, and a resample costs O(n).
///
/// `None` where the accuracy is undefined.
///
/// # Panics
/// If the two slices differ in length, or the bootstrap's level is not between 0 and 1.
pub fn calibrated_accuracy_interval(
    log_odds: &[f64],
    labels: &[bool],
    bootstrap: &Bootstrap,
) -> Option<BootstrapInterval> {
    let ranking = Ranking::new(log_odds, labels)?;
    // Multiplicities are drawn for ranks: see `auroc_interval`.
    bootstrap.interval(log_odds.len(), |multiplicities| {
        let right = ranking.right_when_calibrated(multiplicities);
        (!multiplicities.is_empty()).then(|| right as f64 / multiplicities.len() as f64)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_shifted_but_perfect_ranking_is_perfect() {
        let found = calibrated_accuracy(&[5.0, 4.0, 3.0, 2.0], &[true, true, false, false]).unwrap();
        assert_eq!(found, CalibratedAccuracy { threshold: 3.0, accuracy: 1.0 });
    }

    #[test]
    fn one_class_is_predicted_everywhere() {
        assert_eq!(calibrated_accuracy(&[1.0, 2.0], &[true, true]).unwrap().accuracy, 1.0);
        assert_eq!(calibrated_accuracy(&[1.0, 2.0], &[false, false]).unwrap().accuracy, 1.0);
    }

    #[test]
    fn ties_at_the_threshold_are_negative() {
        let found = calibrated_accuracy(&[1.0, 1.0, 1.0, 0.0], &[true, false, true, false]).unwrap();
        assert_eq!(found, CalibratedAccuracy { threshold: 1.0, accuracy: 0.5 });
    }

    #[test]
    fn undefined_without_items_and_for_nan() {
        assert_eq!(calibrated_accuracy(&[], &[]), None);
        assert_eq!(calibrated_accuracy(&[f64::NAN], &[true]), None);
    }

    #[test]
    fn the_interval_is_about_as_wide_as_that_of_a_share() {
        // 80% of the items are ranked right, in both classes: ± 1.96·√(0.8·0.2/1000) = ± 0.025, and less, since a threshold
        // that is chosen anew takes out how many positives a resample has.
        let labels: Vec<bool> = (0..1000).map(|item| item % 2 == 0).collect();
        let log_odds: Vec<f64> = labels
            .iter()
            .enumerate()
            .map(|(item, label)| if *label == (item % 10 >= 2) { 1.0 } else { -1.0 } + f64::from(item as u16) * 1e-6)
            .collect();
        let found = calibrated_accuracy_interval(&log_odds, &labels, &Bootstrap::new(4)).unwrap();
        let width = found.interval.high - found.interval.low;
        assert!((0.03..0.056).contains(&width), "{found:?}");
        let accuracy = calibrated_accuracy(&log_odds, &labels).unwrap().accuracy;
        assert!(found.interval.low < accuracy && accuracy < found.interval.high, "{found:?} for {accuracy}");
        assert_eq!(calibrated_accuracy_interval(&[], &[], &Bootstrap::new(0)), None);
        assert_eq!(calibrated_accuracy_interval(&[f64::NAN], &[true], &Bootstrap::new(0)), None);
    }

    proptest! {
        #[test]
        fn a_resample_is_a_sample(items in prop::collection::vec((-4i8..4, any::<bool>(), 0u32..4), 1..40)) {
            let scores: Vec<f64> = items.iter().map(|(score, ..)| f64::from(*score)).collect();
            let labels: Vec<bool> = items.iter().map(|(_, label, _)| *label).collect();
            let ranking = Ranking::new(&scores, &labels).unwrap();
            let by_rank: Vec<u32> = ranking.items().map(|item| items[item].2).collect();
            let right = ranking.right_when_calibrated(&by_rank);
            let repeated = items.iter().flat_map(|(score, label, times)| {
                std::iter::repeat_n((f64::from(*score), *label), *times as usize)
            });
            let (scores, labels): (Vec<f64>, Vec<bool>) = repeated.unzip();
            let expected = calibrated_accuracy(&scores, &labels).map(|found| found.accuracy);
            prop_assert_eq!((!labels.is_empty()).then(|| right as f64 / labels.len() as f64), expected);
        }

        #[test]
        fn does_not_see_a_shift(
            items in prop::collection::vec((-50i8..50, any::<bool>()), 1..60),
            shift in -40i8..40,
        ) {
            let scores: Vec<f64> = items.iter().map(|(score, _)| f64::from(*score)).collect();
            let shifted: Vec<f64> = scores.iter().map(|score| score + f64::from(shift)).collect();
            let labels: Vec<bool> = items.iter().map(|(_, label)| *label).collect();
            let found = calibrated_accuracy(&scores, &labels).unwrap();
            prop_assert_eq!(calibrated_accuracy(&shifted, &labels).unwrap().accuracy, found.accuracy);
            let positive = scores.iter().filter(|score| **score > found.threshold).count();
            prop_assert!(positive <= labels.iter().filter(|label| **label).count());
        }
    }
}
