//! What training makes small (Mallen & Belrose 2024).

use labelmix_methods::Loss;
use labelmix_nn::cross_entropy_of_log_odds;

/// The weight of the model's own predictions at the end of their warm-up.
const CONFIDENCE: f64 = 0.5;

/// Steps until then.
const CONFIDENCE_WARMUP: usize = 200;

/// Whether a batch's targets depend on what the model predicts for it.
pub(crate) fn reads_predictions(loss: Loss, batch: usize, step: usize) -> bool {
    loss == Loss::LogConfidence && batch >= Loss::FEWEST_FOR_THRESHOLD && step > 0
}

/// What is taken off the cross-entropy of an example with this label.
pub(crate) fn offset(loss: Loss, label: f32) -> f64 {
    if loss != Loss::Kl || label <= 0.0 || label >= 1.0 {
        return 0.0;
    }
    // The entropy of a label is its cross-entropy with itself, as log-odds.
    let label64 = f64::from(label);
    cross_entropy_of_log_odds((label64 / (1.0 - label64)).ln(), label)
}

/// The targets of log-confidence: `(1 − coef)·y + coef·h`, where coef rises to one half over 200 steps, and h hardens the
/// model's predictions: class 0 if and only if p(0) is at least the mean(y)-quantile of the batch's p(0). They are
/// constants: no gradient goes through the predictions. `step` counts the steps made before; the batch is not empty.
pub fn log_confidence_targets(log_odds: &[f32], labels: &[f32], step: usize) -> Vec<f32> {
    let coefficient = CONFIDENCE * (step as f64 / CONFIDENCE_WARMUP as f64).min(1.0);
    let class_0: Vec<f64> = log_odds.iter().map(|score| 1.0 / (1.0 + f64::from(*score).exp())).collect();
    let prior = labels.iter().map(|label| f64::from(*label)).sum::<f64>() / labels.len() as f64;
    let threshold = quantile(&class_0, prior);
    let target = |(probability, label): (&f64, &f32)| {
        let hardened = if *probability >= threshold { 0.0 } else { 1.0 };
        ((1.0 - coefficient) * f64::from(*label) + coefficient * hardened) as f32
    };
    class_0.iter().zip(labels).map(target).collect()
}

/// The quantile with linear interpolation between the two nearest values, as torch.quantile computes it.
fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = share.clamp(0.0, 1.0) * (sorted.len() - 1) as f64;
    let (below, above) = (sorted[rank.floor() as usize], sorted[rank.ceil() as usize]);
    below + (above - below) * rank.fract()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_interpolate() {
        let values = [0.4, 0.1, 0.3, 0.2];
        for (share, expected) in [(0.0, 0.1), (0.5, 0.25), (1.0, 0.4), (0.25, 0.175)] {
            assert!((quantile(&values, share) - expected).abs() < 1e-12, "{share}");
        }
    }

    #[test]
    fn targets_computed_by_hand() {
        // p(0) = .9, .6, .3, .2, so the median is .45: the first two harden to class 0.
        let log_odds: Vec<f32> = [0.9_f32, 0.6, 0.3, 0.2].iter().map(|p| ((1.0 - p) / p).ln()).collect();
        let labels = [0.0, 1.0, 0.25, 0.75];
        assert_eq!(log_confidence_targets(&log_odds, &labels, 0), labels);
        // Half way through the warm-up the predictions weigh a quarter.
        assert_eq!(log_confidence_targets(&log_odds, &labels, 100), [0.0, 0.75, 0.4375, 0.8125]);
        assert_eq!(log_confidence_targets(&log_odds, &labels, 200), [0.0, 0.5, 0.625, 0.875]);
        assert_eq!(log_confidence_targets(&log_odds, &labels, 1000), [0.0, 0.5, 0.625, 0.875]);
    }

    #[test]
    fn a_labels_entropy() {
        assert_eq!(offset(Loss::Kl, 1.0), 0.0);
        assert!((offset(Loss::Kl, 0.5) - 2.0_f64.ln()).abs() < 1e-12);
        assert!((offset(Loss::Kl, 0.25) - 0.562_335_144_618_808_2).abs() < 1e-12);
        assert_eq!(offset(Loss::Xent, 0.25), 0.0);
    }
}
