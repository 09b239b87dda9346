//! Averages over seeds and tasks, and how far the values stray from them.

/// The arithmetic mean; `None` of no values.
pub fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// The sample standard deviation, with n − 1 in the denominator; `None` of fewer than two values, whose spread
/// is unknown and not zero.
pub fn sample_standard_deviation(values: &[f64]) -> Option<f64> {
    if values.len() < 2 {
        return None;
    }
    let mean = mean(values)?;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    Some((squares / (values.len() - 1) as f64).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn averages() {
        assert_eq!(mean(&[]), None);
        assert_eq!(mean(&[1.0, 2.0, 6.0]), Some(3.0));
    }

    #[test]
    fn divides_by_one_less_than_the_count() {
        // Deviations -2, -1, 3: squares sum to 14; 14 / 2 = 7.
        assert_eq!(sample_standard_deviation(&[1.0, 2.0, 6.0]), Some(7f64.sqrt()));
        assert_eq!(sample_standard_deviation(&[0.5, 0.5]), Some(0.0));
    }

    #[test]
    fn one_value_has_no_deviation() {
        assert_eq!(sample_standard_deviation(&[0.7]), None);
    }
}
