//! Which mistakes a classifier makes, at a threshold.

use serde::{Deserialize, Serialize};

use crate::accuracy::{Interval, Z_95, wilson_interval};

/// Counts of items by prediction and label. Shares are `None` where they would divide by zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfusionMatrix {
    /// Predicted 1, labelled 1.
    pub true_positives: usize,
    /// Predicted 1, labelled 0.
    pub false_positives: usize,
    /// Predicted 0, labelled 0.
    pub true_negatives: usize,
    /// Predicted 0, labelled 1.
    pub false_negatives: usize,
}

impl ConfusionMatrix {
    /// Counts predictions against labels: class 1 is predicted where the score exceeds the threshold, so that
    /// log-odds of exactly 0, at threshold 0, count as class 0. `None` where a score is not a number.
    ///
    /// # Panics
    /// If the two slices differ in length.
    pub fn at_threshold(scores: &[f64], labels: &[bool], threshold: f64) -> Option<Self> {
        assert_eq!(scores.len(), labels.len(), "one label per score");
        if scores.iter().any(|score| score.is_nan()) {
            return None;
        }
        let mut counts = [[0; 2]; 2];
        for (score, label) in scores.iter().zip(labels) {
            counts[usize::from(*score > threshold)][usize::from(*label)] += 1;
        }
        let [[true_negatives, false_negatives], [false_positives, true_positives]] = counts;
        Some(Self { true_positives, false_positives, true_negatives, false_negatives })
    }

    /// The number of items.
    pub fn total(&self) -> usize {
        self.correct() + self.false_positives + self.false_negatives
    }

    /// The number of items predicted right.
    pub fn correct(&self) -> usize {
        self.true_positives + self.true_negatives
    }

    /// The share of items predicted right.
    pub fn accuracy(&self) -> Option<f64> {
        share(self.correct(), self.total())
    }

    /// The accuracy's 95% Wilson interval.
    pub fn accuracy_interval(&self) -> Interval {
        wilson_interval(self.correct(), self.total(), Z_95)
    }

    /// The share of positives predicted 1 (recall, the true-positive rate).
    pub fn sensitivity(&self) -> Option<f64> {
        share(self.true_positives, self.true_positives + self.false_negatives)
    }

    /// The share of negatives predicted 0 (the true-negative rate).
    pub fn specificity(&self) -> Option<f64> {
        share(self.true_negatives, self.true_negatives + self.false_positives)
    }

    /// The share of positives among the items predicted 1.
    pub fn precision(&self) -> Option<f64> {
        share(self.true_positives, self.true_positives + self.false_positives)
    }
}

fn share(part: usize, whole: usize) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_shares() {
        let scores = [2.0, 1.0, 0.0, -1.0, 3.0];
        let matrix = ConfusionMatrix::at_threshold(&scores, &[true, false, true, false, true], 0.0).unwrap();
        let expected = ConfusionMatrix { true_positives: 2, false_positives: 1, true_negatives: 1, false_negatives: 1 };
        assert_eq!(matrix, expected);
        assert_eq!(matrix.accuracy(), Some(0.6));
        assert_eq!(matrix.sensitivity(), Some(2.0 / 3.0));
        assert_eq!(matrix.specificity(), Some(0.5));
        assert_eq!(matrix.precision(), Some(2.0 / 3.0));
        assert!(matrix.accuracy_interval().low < 0.6 && matrix.accuracy_interval().high > 0.6);
    }

    #[test]
    fn undefined_shares_are_none() {
        let nothing = ConfusionMatrix::at_threshold(&[], &[], 0.0).unwrap();
        assert_eq!((nothing.accuracy(), nothing.precision()), (None, None));
        let negatives = ConfusionMatrix::at_threshold(&[-1.0], &[false], 0.0).unwrap();
        assert_eq!((negatives.sensitivity(), negatives.specificity()), (None, Some(1.0)));
        assert_eq!(ConfusionMatrix::at_threshold(&[f64::NAN], &[true], 0.0), None);
    }
}
