//! Proper scores of probabilistic predictions: how far predicted probabilities are from the labels.

/// Probabilities closer than this to 0 or 1 count as this close in [`log_loss`]: the relative precision of a double,
/// as in scikit-learn.
const CLIP: f64 = f64::EPSILON;

/// The probability of class 1 at the given log-odds, 1 / (1 + e^−x).
pub fn probability(log_odds: f64) -> f64 {
    1.0 / (1.0 + (-log_odds).exp())
}

/// The mean of −ln p(label) over the items, in nats, where `probabilities` are those of class 1. Probabilities are
/// clipped to [ε, 1 − ε] with ε = 2⁻⁵², as in `log_loss` of scikit-learn, so that a certain mistake costs 36 and not
/// infinity. Where log-odds are known, [`log_loss_of_log_odds`] is the better choice.
///
/// `None` without items, or where a value is not a probability.
///
/// # Panics
/// If the two slices differ in length.
pub fn log_loss(probabilities: &[f64], labels: &[bool]) -> Option<f64> {
    mean_score(probabilities, labels, is_probability, |probability, label| {
        let clipped = probability.clamp(CLIP, 1.0 - CLIP);
        if label { -clipped.ln() } else { -(-clipped).ln_1p() }
    })
}

/// The mean of −ln p(label) over the items, in nats, from the log-odds of class 1: ln(1 + e^−x) of a positive item,
/// ln(1 + e^x) of a negative one. Nothing is clipped.
///
/// `None` without items, or where a value is not a number.
///
/// # Panics
/// If the two slices differ in length.
pub fn log_loss_of_log_odds(log_odds: &[f64], labels: &[bool]) -> Option<f64> {
    mean_score(log_odds, labels, |x| !x.is_nan(), |x, label| softplus(if label { -x } else { x }))
}

/// The mean of (p − label)² over the items, where `probabilities` are those of class 1 (Brier 1950, the form for one
/// of two classes). Agrees with `brier_score_loss` of scikit-learn.
///
/// `None` without items, or where a value is not a probability.
///
/// # Panics
/// If the two slices differ in length.
pub fn brier_score(probabilities: &[f64], labels: &[bool]) -> Option<f64> {
    mean_score(probabilities, labels, is_probability, |probability, label| {
        (probability - f64::from(u8::from(label))).powi(2)
    })
}

pub(crate) fn is_probability(value: f64) -> bool {
    (0.0..=1.0).contains(&value)
}

/// ln(1 + e^x) without overflow.
pub(crate) fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

fn mean_score(
    predictions: &[f64],
    labels: &[bool],
    is_valid: impl Fn(f64) -> bool,
    score: impl Fn(f64, bool) -> f64,
) -> Option<f64> {
    assert_eq!(predictions.len(), labels.len(), "one label per prediction");
    if predictions.is_empty() || !predictions.iter().all(|prediction| is_valid(*prediction)) {
        return None;
    }
    let total: f64 = predictions.iter().zip(labels).map(|(prediction, label)| score(*prediction, *label)).sum();
    Some(total / predictions.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_of_a_coin_flip() {
        let labels = [true, false];
        assert_eq!(brier_score(&[0.5, 0.5], &labels), Some(0.25));
        assert!((log_loss(&[0.5, 0.5], &labels).unwrap() - 2f64.ln()).abs() < 1e-15);
        assert!((log_loss_of_log_odds(&[0.0, 0.0], &labels).unwrap() - 2f64.ln()).abs() < 1e-15);
    }

    #[test]
    fn certain_mistakes_are_finite_as_probabilities_and_exact_as_log_odds() {
        assert!((log_loss(&[0.0], &[true]).unwrap() - 36.043_653_389_117_15).abs() < 1e-12);
        assert_eq!(log_loss_of_log_odds(&[-1000.0], &[true]), Some(1000.0));
        assert_eq!(log_loss_of_log_odds(&[f64::INFINITY], &[true]), Some(0.0));
    }

    #[test]
    fn undefined_without_items_and_for_what_is_no_probability() {
        assert_eq!(log_loss(&[], &[]), None);
        assert_eq!(brier_score(&[], &[]), None);
        for bad in [-0.1, 1.1, f64::NAN] {
            assert_eq!(log_loss(&[bad], &[true]), None);
            assert_eq!(brier_score(&[bad], &[true]), None);
        }
        assert_eq!(log_loss_of_log_odds(&[f64::NAN], &[true]), None);
    }
}
