//! How good predictions are.

use labelmix_stats::{Interval, Z_95, auroc, wilson_interval};
use serde::{Deserialize, Serialize};

/// What a classifier says of texts: a logit for each text and class, `[texts, classes]`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scores {
    pub classes: usize,
    /// The logits, text by text.
    pub logits: Vec<f32>,
}

impl Scores {
    /// Of two classes, from the log-odds of class 1.
    pub fn of_log_odds(log_odds: Vec<f32>) -> Self {
        Self { classes: 2, logits: log_odds.into_iter().flat_map(|score| [0.0, score]).collect() }
    }

    /// The log-odds of class 1 against class 0.
    ///
    /// # Panics
    /// If there are fewer than two classes.
    pub fn log_odds(&self) -> Vec<f32> {
        self.logits.chunks_exact(self.classes).map(|logits| logits[1] - logits[0]).collect()
    }
}

/// The mean log-odds of each text by several classifiers, of which there is at least one.
pub fn mean_log_odds(classifiers: &[Vec<f32>]) -> Vec<f32> {
    let texts = classifiers.first().map_or(0, Vec::len);
    let mean = |text: usize| {
        let sum: f64 = classifiers.iter().map(|scores| f64::from(scores[text])).sum();
        (sum / classifiers.len() as f64) as f32
    };
    (0..texts).map(mean).collect()
}

/// Accuracy and ranking on the test set.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct TestMetrics {
    /// The number of test examples.
    pub n_test: usize,
    /// The share of examples on the right side of zero log-odds.
    pub accuracy: f64,
    /// The lower end of the accuracy's 95% Wilson interval.
    pub accuracy_low: f64,
    /// The upper end of the accuracy's 95% Wilson interval.
    pub accuracy_high: f64,
    /// Area under the ROC curve.
    pub auroc: Option<f64>,
}

/// Measures predictions against gold labels. Log-odds of exactly zero count as class 0.
pub fn test_metrics(log_odds: &[f32], gold: &[bool]) -> TestMetrics {
    let right = log_odds.iter().zip(gold).filter(|(score, gold)| (**score > 0.0) == **gold).count();
    let Interval { low, high } = wilson_interval(right, gold.len(), Z_95);
    let scores: Vec<f64> = log_odds.iter().map(|score| f64::from(*score)).collect();
    TestMetrics {
        n_test: gold.len(),
        accuracy: right as f64 / gold.len() as f64,
        accuracy_low: low,
        accuracy_high: high,
        auroc: auroc(&scores, gold),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mean_of_three_classifiers() {
        let classifiers = [vec![1.0, -4.0], vec![2.0, 0.5], vec![6.0, 0.5]];
        assert_eq!(mean_log_odds(&classifiers), [3.0, -1.0]);
        assert_eq!(mean_log_odds(&classifiers[..1]), classifiers[0]);
    }

    #[test]
    fn log_odds_go_in_and_out_and_more_classes_are_compared_in_pairs() {
        assert_eq!(Scores::of_log_odds(vec![0.3, -2.0]).log_odds(), [0.3, -2.0]);
        assert_eq!(Scores { classes: 3, logits: vec![1.0, 3.0, 9.0, 0.5, 0.0, 9.0] }.log_odds(), [2.0, -0.5]);
    }

    #[test]
    fn metrics_of_a_small_test_set() {
        let metrics = test_metrics(&[1.0, -1.0, 0.5, -0.5], &[true, false, false, false]);
        assert_eq!(metrics.accuracy, 0.75);
        assert_eq!(metrics.auroc, Some(1.0));
        assert!(metrics.accuracy_low < 0.75 && metrics.accuracy_high > 0.75);
    }
}
