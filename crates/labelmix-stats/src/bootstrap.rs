//! How much a statistic of a sample would vary over samples: the percentile bootstrap (Efron 1979).

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::accuracy::Interval;
use crate::random::stream;

/// How to resample. Equal settings draw the same multiplicities for every statistic of equally many items; the number of
/// threads changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Bootstrap {
    /// The number of resamples.
    pub resamples: usize,
    /// The share of resamples inside the interval, such as 0.95.
    pub level: f64,
    /// The seed of the resamples.
    pub seed: u64,
}

/// A percentile interval, and what it rests on.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct BootstrapInterval {
    /// The interval between the resampled statistic's percentiles, interpolated linearly.
    pub interval: Interval,
    /// The number of resamples in which the statistic was defined.
    pub resamples: usize,
    /// The number of resamples left out because the statistic was undefined in them.
    pub left_out: usize,
}

impl Bootstrap {
    /// 1,000 resamples and a 95% interval.
    pub fn new(seed: u64) -> Self {
        Self { resamples: 1000, level: 0.95, seed }
    }

    /// The percentile interval of a statistic of `items` items. The statistic is given every item's multiplicity in a
    /// resample, which sum to `items`; where it is undefined it says `None`, and the resample is left out and counted.
    ///
    /// `None` where the statistic is undefined in every resample.
    ///
    /// # Panics
    /// If `level` is not between 0 and 1.
    pub fn interval<F>(&self, items: usize, statistic: F) -> Option<BootstrapInterval>
    where
        F: Fn(&[u32]) -> Option<f64> + Sync,
    {
        self.interval_with(items, |multiplicities, _| statistic(multiplicities))
    }

    /// As [`Self::interval`], for statistics that resample something else besides the items.
    pub(crate) fn interval_with<F>(&self, items: usize, statistic: F) -> Option<BootstrapInterval>
    where
        F: Fn(&[u32], &mut ChaCha8Rng) -> Option<f64> + Sync,
    {
        let start = stream(self.seed, "bootstrap");
        let resample = |multiplicities: &mut Vec<u32>, number: u64| {
            let mut random = start.clone();
            random.set_stream(number);
            multiplicities.fill(0);
            for _ in 0..items {
                multiplicities[random.random_range(0..items)] += 1;
            }
            statistic(multiplicities, &mut random)
        };
        let numbers = (0..self.resamples as u64).into_par_iter();
        let statistics: Vec<Option<f64>> = numbers.map_init(|| vec![0; items], resample).collect();

        let mut defined: Vec<f64> = statistics.into_iter().flatten().collect();
        let resamples = defined.len();
        let interval = percentile_interval(&mut defined, self.level)?;
        Some(BootstrapInterval { interval, resamples, left_out: self.resamples - resamples })
    }
}

/// The percentile interval of the mean of the values. `None` without values, or where one is not finite.
pub(crate) fn bootstrap_mean(values: &[f64], bootstrap: &Bootstrap) -> Option<BootstrapInterval> {
    if values.is_empty() || !values.iter().all(|value| value.is_finite()) {
        return None;
    }
    bootstrap.interval(values.len(), |multiplicities| {
        let weighted = values.iter().zip(multiplicities).map(|(value, times)| value * f64::from(*times));
        Some(weighted.sum::<f64>() / values.len() as f64)
    })
}

/// The interval that leaves out (1 − level) / 2 of the values on either side, interpolated linearly. Sorts the values.
/// `None` without values.
///
/// # Panics
/// If the level is not between 0 and 1.
pub fn percentile_interval(values: &mut [f64], level: f64) -> Option<Interval> {
    assert!(level > 0.0 && level < 1.0, "a level between 0 and 1, not {level}");
    values.sort_unstable_by(f64::total_cmp);
    let last = values.len().checked_sub(1)?;
    let quantile = |share: f64| {
        let position = share * last as f64;
        let below = position as usize;
        let above = (below + 1).min(last);
        values[below] + (values[above] - values[below]) * position.fract()
    };
    let tail = (1.0 - level) / 2.0;
    Some(Interval { low: quantile(tail), high: quantile(1.0 - tail) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::moments::mean;
    use proptest::prelude::*;

    #[test]
    fn percentiles_are_interpolated() {
        // numpy.percentile(range(1, 12), [2.5, 97.5]) == [1.25, 10.75]
        let mut values: Vec<f64> = (1..12).rev().map(f64::from).collect();
        let interval = percentile_interval(&mut values, 0.95).unwrap();
        assert!((interval.low - 1.25).abs() < 1e-12 && (interval.high - 10.75).abs() < 1e-12, "{interval:?}");
        assert_eq!(percentile_interval(&mut [], 0.95), None);
    }

    #[test]
    fn the_mean_varies_as_the_central_limit_theorem_says() {
        // 1,000 values of deviation 1: the mean's 95% interval is ±1.96 / √1000 = ±0.062.
        let values: Vec<f64> = (0..1000).map(|i| if i % 2 == 0 { 1.0 } else { -1.0 }).collect();
        let found = bootstrap_mean(&values, &Bootstrap { resamples: 4000, ..Bootstrap::new(1) }).unwrap();
        assert!((found.interval.low + 0.062).abs() < 0.004, "{found:?}");
        assert!((found.interval.high - 0.062).abs() < 0.004, "{found:?}");
        assert_eq!((found.resamples, found.left_out), (4000, 0));
    }

    #[test]
    fn resamples_without_a_statistic_are_counted() {
        // One item of two is drawn twice in half of the resamples.
        let found = Bootstrap::new(3).interval(2, |times| (times[0] == 1).then_some(0.5)).unwrap();
        assert_eq!(found.resamples + found.left_out, 1000);
        assert!((450..550).contains(&found.left_out), "{found:?}");
        assert_eq!(Bootstrap::new(3).interval(2, |_| None), None);
    }

    #[test]
    fn the_seed_and_nothing_else_decides() {
        let values: Vec<f64> = (0..50).map(|i| f64::from(i * i)).collect();
        let with_threads = |threads: usize, seed| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| bootstrap_mean(&values, &Bootstrap::new(seed)))
        };
        assert_eq!(with_threads(1, 7), with_threads(3, 7));
        assert_ne!(with_threads(1, 7), with_threads(1, 8));
    }

    #[test]
    fn undefined_means() {
        assert_eq!(bootstrap_mean(&[], &Bootstrap::new(0)), None);
        assert_eq!(bootstrap_mean(&[1.0, f64::NAN], &Bootstrap::new(0)), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn intervals_of_symmetric_data_hold_the_mean(
            deviations in prop::collection::vec(0.0f64..100.0, 1..40),
            center in -10.0f64..10.0,
            seed: u64,
        ) {
            let values: Vec<f64> = deviations.iter().flat_map(|d| [center - d, center + d]).collect();
            let found = bootstrap_mean(&values, &Bootstrap::new(seed)).unwrap().interval;
            let point = mean(&values).unwrap();
            prop_assert!(found.low <= point + 1e-9 && point - 1e-9 <= found.high, "{found:?} without {point}");
        }
    }
}
