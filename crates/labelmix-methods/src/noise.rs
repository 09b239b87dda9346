//! Labels that are wrong at known rates: how a loss is corrected for them, and how the rates are estimated.
//!
//! With y the class, ỹ the label, r = P(ỹ = 1 | y = 0) and s = P(ỹ = 1 | y = 1), a classifier that says p = P(y = 1) sees
//! the label 1 with probability q = s·p + r·(1 − p).

use labelmix_stats::probability;
use serde::{Deserialize, Serialize};

use crate::stage::StageExample;

/// How often labels are wrong, by class.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ErrorRates {
    /// P(label 1 | class 0).
    pub of_class_0: f64,
    /// P(label 0 | class 1).
    pub of_class_1: f64,
}

/// How a loss is corrected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LossCorrection {
    /// Cross-entropy between the labels and what the classifier and the rates make of them, q (Patrini et al. 2017).
    #[default]
    Forward,
    /// Cross-entropy against (ỹ − r)/(s − r), which over the labels' errors is on average the cross-entropy against the
    /// class (Natarajan et al. 2013).
    Backward,
    /// None: labels are taken as they are.
    None,
}

/// A correction: the rates, and what is done with them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Correction {
    /// How often labels are wrong.
    pub rates: ErrorRates,
    pub kind: LossCorrection,
}

/// Error rates are kept between these: labels that are never wrong, or tell nothing, cannot be divided by.
const RATES: [f64; 2] = [0.01, 0.45];
/// The weight, in examples, of the belief that both classes are mislabelled as often as all are together.
const PRIOR_EXAMPLES: f64 = 4.0;

impl ErrorRates {
    /// The rates from pairs of P(class 1) and P(label 1), one for each example; either may be 0 or 1. With few examples
    /// of a class its rate is drawn to that of both: as if there were four more, of the overall rate. Without examples
    /// one label in five is taken to be wrong.
    pub fn estimated(pairs: impl IntoIterator<Item = (f64, f64)>) -> Self {
        let (mut wrong, mut of_class) = ([0.0; 2], [0.0; 2]);
        for (class, label) in pairs {
            of_class[0] += 1.0 - class;
            wrong[0] += (1.0 - class) * label;
            of_class[1] += class;
            wrong[1] += class * (1.0 - label);
        }
        let overall = (wrong[0] + wrong[1] + 0.2 * PRIOR_EXAMPLES) / (of_class[0] + of_class[1] + PRIOR_EXAMPLES);
        let rate = |class: usize| {
            let rate = (wrong[class] + overall * PRIOR_EXAMPLES) / (of_class[class] + PRIOR_EXAMPLES);
            rate.clamp(RATES[0], RATES[1])
        };
        Self { of_class_0: rate(0), of_class_1: rate(1) }
    }

    /// P(class 1 | label) for a classifier that says P(class 1) = p without the label. A soft label is a mixture of both.
    pub fn posterior(self, p: f64, label: f64) -> f64 {
        let (r, s) = (self.of_class_0, 1.0 - self.of_class_1);
        let of_label_1 = s * p / (s * p + r * (1.0 - p));
        let of_label_0 = (1.0 - s) * p / ((1.0 - s) * p + (1.0 - r) * (1.0 - p));
        label * of_label_1 + (1.0 - label) * of_label_0
    }
}

impl Correction {
    /// Whether targets depend on what the model predicts.
    pub fn reads_predictions(self) -> bool {
        self.kind == LossCorrection::Forward
    }

    /// The target of a label where the model predicts these log-odds: the cross-entropy's gradient against it is the
    /// corrected loss's.
    ///
    /// Forward, that is the posterior of the class: with L = −ỹ·ln q − (1 − ỹ)·ln(1 − q), dL/dz = p − P(y = 1 | ỹ), the
    /// identity behind EM. So a constant target stands for the loss.
    pub fn target(self, log_odds: f32, label: f32) -> f32 {
        let label = f64::from(label);
        let target = match self.kind {
            LossCorrection::Forward => self.rates.posterior(probability(f64::from(log_odds)), label),
            LossCorrection::Backward => {
                let (r, s) = (self.rates.of_class_0, 1.0 - self.rates.of_class_1);
                (label - r) / (s - r)
            }
            LossCorrection::None => label,
        };
        target as f32
    }
}

/// What a batch is trained towards: its labels, or what their corrections make of them.
pub fn corrected_targets(log_odds: &[f32], batch: &[StageExample<'_>]) -> Vec<f32> {
    let target = |(score, example): (&f32, &StageExample<'_>)| match example.correction {
        None => example.target,
        Some(correction) => correction.target(*score, example.target),
    };
    log_odds.iter().zip(batch).map(target).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATES: ErrorRates = ErrorRates { of_class_0: 0.2, of_class_1: 0.1 };

    fn sigmoid(z: f64) -> f64 {
        1.0 / (1.0 + (-z).exp())
    }

    #[test]
    fn a_forward_corrections_target_has_the_gradient_of_the_corrected_loss() {
        let correction = Correction { rates: RATES, kind: LossCorrection::Forward };
        for label in [0.0, 1.0] {
            for z in [-3.0, -0.5, 0.0, 1.25, 4.0] {
                let loss = |z: f64| {
                    let q = 0.9 * sigmoid(z) + 0.2 * (1.0 - sigmoid(z));
                    -label * q.ln() - (1.0 - label) * (1.0 - q).ln()
                };
                let slope = (loss(z + 1e-5) - loss(z - 1e-5)) / 2e-5;
                let gradient = sigmoid(z) - f64::from(correction.target(z as f32, label as f32));
                assert!((slope - gradient).abs() < 1e-6, "{label} {z}: {slope} {gradient}");
            }
        }
        // By hand at p = 1/2: q = .55; P(1 | label 1) = .45/.55, P(1 | label 0) = .05/.45.
        assert!((correction.target(0.0, 1.0) - 0.818_181_8).abs() < 1e-6);
        assert!((correction.target(0.0, 0.0) - 0.111_111_1).abs() < 1e-6);
    }

    #[test]
    fn a_backward_corrections_loss_is_on_average_the_loss_of_the_class() {
        let correction = Correction { rates: RATES, kind: LossCorrection::Backward };
        let target = |label| f64::from(correction.target(0.0, label));
        // (0 − .2)/.7 and (1 − .2)/.7.
        assert!((target(0.0) + 2.0 / 7.0).abs() < 1e-6 && (target(1.0) - 8.0 / 7.0).abs() < 1e-6);
        // The cross-entropy is linear in the target, so means of targets are enough.
        assert!((0.8 * target(0.0) + 0.2 * target(1.0)).abs() < 1e-6, "class 0");
        assert!((0.1 * target(0.0) + 0.9 * target(1.0) - 1.0).abs() < 1e-6, "class 1");
    }

    #[test]
    fn rates_computed_by_hand() {
        // Of 100 of class 0 twenty are labelled 1, of 100 of class 1 ten are labelled 0: overall (30 + .8)/204.
        let count = |class: f64, label: f64, n: usize| std::iter::repeat_n((class, label), n);
        let pairs =
            count(0.0, 1.0, 20).chain(count(0.0, 0.0, 80)).chain(count(1.0, 0.0, 10)).chain(count(1.0, 1.0, 90));
        let rates = ErrorRates::estimated(pairs);
        let overall = 30.8 / 204.0;
        assert!((rates.of_class_0 - (20.0 + 4.0 * overall) / 104.0).abs() < 1e-12);
        assert!((rates.of_class_1 - (10.0 + 4.0 * overall) / 104.0).abs() < 1e-12);
        let unknown = ErrorRates::estimated([]);
        assert!((unknown.of_class_0 - 0.2).abs() < 1e-12 && (unknown.of_class_1 - 0.2).abs() < 1e-12);
        let certain = ErrorRates::estimated(count(0.0, 0.0, 10_000).chain(count(1.0, 0.0, 10_000)));
        assert_eq!([certain.of_class_0, certain.of_class_1], [0.01, 0.45]);
    }
}
