//! The threshold of classes, set after training.

use serde::{Deserialize, Serialize};

/// How log-odds are shifted after training, so that 0 divides the classes. The order of texts stays, and so does every trained
/// stage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Calibration {
    #[default]
    None,
    /// By one number: of texts of the pool that nobody labelled, so many have positive log-odds as there are of class 1.
    Prior,
}

/// What to add to log-odds so that this share of the texts with the scores `of` comes above 0; 0 for no texts.
pub fn prior_shift(mut of: Vec<f32>, prior: f64) -> f32 {
    of.sort_by(f32::total_cmp);
    let below = ((1.0 - prior) * of.len() as f64).round() as usize;
    match (of.get(below.wrapping_sub(1)), of.get(below)) {
        (Some(last), Some(first)) => -(last + first) / 2.0,
        // All on one side: as far as the outermost.
        (Some(outermost), None) | (None, Some(outermost)) => -outermost,
        (None, None) => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shift_makes_as_many_positive_as_the_prior_says() {
        let scores = vec![4.0, -1.0, 2.0, 3.0, 0.5, -3.0, 1.0, 6.0];
        for (prior, above) in [(0.5, 4), (0.25, 2), (0.75, 6), (0.125, 1)] {
            let shift = prior_shift(scores.clone(), prior);
            assert_eq!(scores.iter().filter(|score| **score + shift > 0.0).count(), above, "{prior}");
        }
        assert_eq!(prior_shift(scores.clone(), 0.5), -1.5, "half way between the neighbours");
        assert_eq!((prior_shift(scores.clone(), 0.0), prior_shift(scores, 1.0)), (-6.0, 3.0));
        assert_eq!(prior_shift(Vec::new(), 0.5), 0.0);
    }
}
