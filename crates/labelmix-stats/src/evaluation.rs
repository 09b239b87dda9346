//! Everything there is to say about one classifier's predictions of one set of labels.

use serde::{Deserialize, Serialize};

use crate::accuracy::{Interval, Z_95, wilson_interval};
use crate::auroc::{auroc, auroc_interval};
use crate::bootstrap::{Bootstrap, bootstrap_mean};
use crate::calibration::{Binning, calibration_curve, expected_calibration_error};
use crate::scores::{probability, softplus};
use crate::threshold::{calibrated_accuracy, calibrated_accuracy_interval};

/// Bins of equal width behind [`Evaluation::calibration_error`].
const CALIBRATION_BINS: usize = 10;

/// A number and its interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Measure {
    pub value: f64,
    /// Its interval; `None` where it is undefined.
    pub interval: Option<Interval>,
}

/// How good predictions are, with how sure that is. Intervals are over other test items from the same source.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// The number of items.
    pub items: usize,
    /// The share of items on their label's side of zero log-odds; exactly zero counts as class 0. With its Wilson interval.
    pub accuracy: Measure,
    /// The area under the ROC curve, with its bootstrap interval; `None` of labels of one class.
    pub auroc: Option<Measure>,
    /// The accuracy at the threshold that matches the share of positive labels ([`calibrated_accuracy`]), with its bootstrap
    /// interval, for which the threshold is chosen anew in every resample.
    pub calibrated_accuracy: Measure,
    /// That threshold, in log-odds.
    pub threshold: f64,
    /// The mean of −ln p(label), in nats, with its bootstrap interval.
    pub log_loss: Measure,
    /// The mean of (p − label)², with its bootstrap interval.
    pub brier_score: Measure,
    /// The expected calibration error over ten bins of equal width. No interval: the resampled error is larger than the
    /// error by about what the error is larger than the truth, so an interval around it would mislead.
    pub calibration_error: f64,
}

impl Evaluation {
    /// Judges log-odds of class 1 against labels.
    ///
    /// `None` without items, or where a value is not a number.
    ///
    /// # Panics
    /// If the two slices differ in length, or the bootstrap's level is not between 0 and 1.
    pub fn of(log_odds: &[f64], labels: &[bool], bootstrap: &Bootstrap) -> Option<Self> {
        let calibrated = calibrated_accuracy(log_odds, labels)?;
        let right = log_odds.iter().zip(labels).filter(|(score, label)| (**score > 0.0) == **label).count();
        let probabilities: Vec<f64> = log_odds.iter().map(|score| probability(*score)).collect();
        let scored = |loss: &dyn Fn(usize) -> f64| {
            let losses: Vec<f64> = (0..labels.len()).map(loss).collect();
            let value = losses.iter().sum::<f64>() / losses.len() as f64;
            Measure { value, interval: bootstrap_mean(&losses, bootstrap).map(|resampled| resampled.interval) }
        };
        let curve = calibration_curve(&probabilities, labels, CALIBRATION_BINS, Binning::EqualWidth)?;
        Some(Self {
            items: labels.len(),
            accuracy: Measure {
                value: right as f64 / labels.len() as f64,
                interval: Some(wilson_interval(right, labels.len(), Z_95)),
            },
            auroc: auroc(log_odds, labels).map(|value| Measure {
                value,
                interval: auroc_interval(log_odds, labels, bootstrap).map(|resampled| resampled.interval),
            }),
            calibrated_accuracy: Measure {
                value: calibrated.accuracy,
                interval: calibrated_accuracy_interval(log_odds, labels, bootstrap).map(|resampled| resampled.interval),
            },
            threshold: calibrated.threshold,
            log_loss: scored(&|item| softplus(if labels[item] { -log_odds[item] } else { log_odds[item] })),
            brier_score: scored(&|item| (probabilities[item] - f64::from(u8::from(labels[item]))).powi(2)),
            calibration_error: expected_calibration_error(&curve)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{brier_score, log_loss_of_log_odds};
    use proptest::prelude::*;

    #[test]
    fn undefined_without_items_and_for_nan() {
        assert_eq!(Evaluation::of(&[], &[], &Bootstrap::new(0)), None);
        assert_eq!(Evaluation::of(&[f64::NAN], &[true], &Bootstrap::new(0)), None);
    }

    #[test]
    fn one_class_has_no_auroc() {
        let found = Evaluation::of(&[1.0, -1.0], &[true, true], &Bootstrap::new(0)).unwrap();
        assert_eq!(found.auroc, None);
        assert_eq!((found.accuracy.value, found.calibrated_accuracy.value), (0.5, 1.0));
    }

    #[test]
    fn an_infinite_loss_has_no_interval() {
        let found = Evaluation::of(&[f64::NEG_INFINITY, 1.0], &[true, true], &Bootstrap::new(0)).unwrap();
        assert_eq!((found.log_loss.value, found.log_loss.interval), (f64::INFINITY, None));
        assert_eq!(found.items, 2);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn its_numbers_are_those_of_the_single_functions(
            items in prop::collection::vec((-40i8..40, any::<bool>()), 1..80),
            seed: u64,
        ) {
            let log_odds: Vec<f64> = items.iter().map(|(score, _)| f64::from(*score) / 8.0).collect();
            let labels: Vec<bool> = items.iter().map(|(_, label)| *label).collect();
            let probabilities: Vec<f64> = log_odds.iter().map(|score| probability(*score)).collect();
            let found = Evaluation::of(&log_odds, &labels, &Bootstrap::new(seed)).unwrap();
            prop_assert_eq!(Some(found.log_loss.value), log_loss_of_log_odds(&log_odds, &labels));
            prop_assert_eq!(Some(found.brier_score.value), brier_score(&probabilities, &labels));
            prop_assert_eq!(found.auroc.map(|measure| measure.value), auroc(&log_odds, &labels));
            let accuracy = found.accuracy.interval.unwrap();
            prop_assert!(accuracy.low <= found.accuracy.value && found.accuracy.value <= accuracy.high);
        }
    }
}
