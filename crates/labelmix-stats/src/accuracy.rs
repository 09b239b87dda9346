//! How sure an accuracy is: the Wilson score interval of a proportion.

use serde::{Deserialize, Serialize};

/// The two-sided 95% quantile of the standard normal distribution: `wilson_interval`'s usual `z`.
pub const Z_95: f64 = 1.959_963_984_540_054;

/// A confidence interval, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

/// The Wilson score interval of the proportion `successes / trials`, at `z` standard deviations ([`Z_95`] for
/// 95%), as in `proportion_confint(successes, trials, method="wilson")` of statsmodels.
///
/// Unlike the normal approximation it stays inside [0, 1] and keeps its coverage near both ends, where the
/// accuracies of good classifiers are. Without trials nothing is known, and the interval is [0, 1].
///
/// # Panics
/// If there are more successes than trials.
pub fn wilson_interval(successes: usize, trials: usize, z: f64) -> Interval {
    assert!(successes <= trials, "{successes} successes in {trials} trials");
    if trials == 0 {
        return Interval { low: 0.0, high: 1.0 };
    }
    let n = trials as f64;
    let p = successes as f64 / n;
    let z2 = z * z;
    let center = (p + z2 / (2.0 * n)) / (1.0 + z2 / n);
    let half_width = z * (p * (1.0 - p) / n + z2 / (4.0 * n * n)).sqrt() / (1.0 + z2 / n);
    // Rounding must not put the ends on the wrong side of the share itself, which they meet at 0 and at 1.
    Interval { low: (center - half_width).clamp(0.0, p), high: (center + half_width).clamp(p, 1.0) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_ends_meet_the_share_where_all_trials_end_alike() {
        for trials in 1..200 {
            assert_eq!(wilson_interval(0, trials, Z_95).low, 0.0);
            assert_eq!(wilson_interval(trials, trials, Z_95).high, 1.0);
        }
    }

    #[test]
    fn knows_nothing_without_trials() {
        let interval = wilson_interval(0, 0, Z_95);
        assert_eq!((interval.low, interval.high), (0.0, 1.0));
    }

    proptest! {
        #[test]
        fn holds_the_proportion_and_mirrors((successes, trials) in (1usize..5000).prop_flat_map(|n| (0..=n, Just(n)))) {
            let interval = wilson_interval(successes, trials, Z_95);
            let proportion = successes as f64 / trials as f64;
            prop_assert!(0.0 <= interval.low && interval.low <= proportion + 1e-12);
            prop_assert!(proportion - 1e-12 <= interval.high && interval.high <= 1.0);

            let failures = wilson_interval(trials - successes, trials, Z_95);
            prop_assert!((failures.low - (1.0 - interval.high)).abs() < 1e-12);
            prop_assert!((failures.high - (1.0 - interval.low)).abs() < 1e-12);
        }
    }
}
