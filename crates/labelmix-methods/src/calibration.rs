//! The threshold of classes, set after training.

use labelmix_stats::probability;
use serde::{Deserialize, Serialize};

/// How log-odds are shifted after training, so that 0 divides the classes. The order of texts stays, and so does every trained
/// stage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Calibration {
    #[default]
    None,
    /// By one number, which brings the mean prediction of texts that say nothing to one half (Zhao et al. 2021).
    Contextual,
    /// By one number, which brings the mean prediction of texts of the pool to the share of class 1 as far as a sample of
    /// texts can tell.
    Prior,
}

/// Texts that say nothing of their class.
pub const CONTENT_FREE: [&str; 3] = ["N/A", "[MASK]", ""];

/// What to add to the log-odds of a classifier that gives these to texts that say nothing of their class: what brings their
/// mean probability to one half (Zhao et al. 2021, <https://arxiv.org/abs/2102.09690>, whose division of probabilities by
/// that of such texts is this for two classes).
pub fn contextual_shift(of: &[f32]) -> f32 {
    let mean = of.iter().map(|score| probability(f64::from(*score))).sum::<f64>() / of.len() as f64;
    let mean = mean.clamp(1e-12, 1.0 - 1e-12);
    -(mean / (1.0 - mean)).ln() as f32
}

/// What to add to the log-odds of a classifier that gives these to texts of which so many are expected to be of class 1: the
/// δ of largest posterior density, which minimises (Σ p(score + δ) − n·prior)² / (n·prior·(1 − prior)) + δ². The first part
/// is how far the mean prediction is from the prior, against how far a sample of n may be from it; the second takes the
/// displacement of log-odds for normal with deviation 1. So log-odds that are all small are moved as far as the prior says,
/// and those of a sure classifier, of whose threshold the share of class 1 in a sample says nothing, stay where they are.
/// 0 for no texts.
pub fn prior_shift(of: &[f32], prior: f64) -> f32 {
    let expected = of.len() as f64 * prior;
    let variance = expected * (1.0 - prior);
    if variance <= 0.0 {
        return 0.0;
    }
    let objective = |shift: f64| -> f64 {
        let sum: f64 = of.iter().map(|score| probability(f64::from(*score) + shift)).sum();
        (sum - expected).powi(2) / variance + shift * shift
    };
    // Beyond this the second part alone is larger than both are at 0. There may be several minima.
    let bound = objective(0.0).sqrt();
    let step = 2.0 * bound / f64::from(STEPS);
    let places = (0..=STEPS).map(|place| f64::from(place) * step - bound);
    let best = places.map(|shift| (objective(shift), shift)).min_by(|a, b| a.0.total_cmp(&b.0));
    let (_, mut middle) = best.expect("there are places");
    let mut width = step;
    while width > 1e-6 {
        // Of three places around the best one, the best again, ever closer.
        width /= 2.0;
        let around = [middle, middle - width, middle + width].map(|shift| (objective(shift), shift));
        middle = around.into_iter().fold((f64::INFINITY, middle), |best, at| if at.0 < best.0 { at } else { best }).1;
    }
    middle as f32
}

const STEPS: i32 = 400;

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(scores: &[f32], shift: f32) -> f64 {
        scores.iter().map(|score| probability(f64::from(score + shift))).sum::<f64>() / scores.len() as f64
    }

    #[test]
    fn small_log_odds_are_moved_as_far_as_the_prior_says() {
        let scores: Vec<f32> = (0..256).map(|place| 0.4 + place as f32 / 1000.0).collect();
        let shift = prior_shift(&scores, 0.5);
        assert!((f64::from(shift) + 0.5275).abs() < 0.02, "{shift}");
        assert!((shares(&scores, shift) - 0.5).abs() < 0.005);
        let shift = prior_shift(&scores, 0.25);
        assert!((shares(&scores, shift) - 0.25).abs() < 0.02, "{shift}");
    }

    #[test]
    fn log_odds_of_a_sure_classifier_stay() {
        let sure =
            |positive: usize| -> Vec<f32> { (0..256).map(|place| if place < positive { 8.0 } else { -8.0 }).collect() };
        // 140 of 256 are no more than a deviation and a half from one half.
        assert!(prior_shift(&sure(140), 0.5).abs() < 0.1);
        assert!(prior_shift(&sure(128), 0.5).abs() < 1e-3);
    }

    #[test]
    fn texts_that_say_nothing_are_brought_to_one_half() {
        let shift = contextual_shift(&[2.0, 2.0, 2.0]);
        assert!((shift + 2.0).abs() < 1e-6);
        // Their mean probability is 0.7, whose log-odds are 0.8473.
        let scores = [0.9f32, 0.5].map(|p: f32| (p / (1.0 - p)).ln());
        assert!((contextual_shift(&scores) + 0.847_298).abs() < 1e-5);
    }

    #[test]
    fn a_shift_computed_by_hand() {
        // One text at prior ½: (p − ½)² / ¼ + δ² with p = 1 / (1 + e^−(1 + δ)); its derivative is 0 where
        // 8 (p − ½) p (1 − p) + 2 δ = 0, at δ ≈ −0.17585.
        let shift = f64::from(prior_shift(&[1.0], 0.5));
        let p = probability(1.0 + shift);
        assert!((8.0 * (p - 0.5) * p * (1.0 - p) + 2.0 * shift).abs() < 1e-4, "{shift}");
        assert_eq!(prior_shift(&[], 0.5), 0.0);
        assert_eq!((prior_shift(&[1.0], 0.0), prior_shift(&[1.0], 1.0)), (0.0, 0.0));
    }
}
