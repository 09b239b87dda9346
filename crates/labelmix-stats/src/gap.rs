//! How much of the way from the weak labels to the ceiling a method goes.

use crate::bootstrap::{Bootstrap, BootstrapInterval};

/// The performance gap recovered, (method − weak) / (ceiling − weak) (Burns et al. 2023). Below 0
/// where the method is worse than the weak labels, above 1 where it is better than the ceiling.
///
/// `None` where the ceiling is not above the weak labels: there is no gap to recover.
pub fn performance_gap_recovered(method: f64, weak: f64, ceiling: f64) -> Option<f64> {
    (ceiling > weak).then(|| (method - weak) / (ceiling - weak))
}

/// Whether the method, the weak labels and the ceiling get each test item right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GapItem {
    /// The method is right.
    pub method: bool,
    /// The weak labels, or the model trained on them alone, are right.
    pub weak: bool,
    /// The ceiling (the model trained on gold labels alone) is right.
    pub ceiling: bool,
}

/// The percentile interval of the performance gap recovered in accuracy, over resamples of the items. Resamples
/// without a gap are left out and counted; where they are many, the gap is too small for the ratio to mean much.
///
/// `None` where there is no gap in the data.
///
/// # Panics
/// If the bootstrap's level is not between 0 and 1.
pub fn gap_recovered_interval(items: &[GapItem], bootstrap: &Bootstrap) -> Option<BootstrapInterval> {
    let recovered = |multiplicities: &[u32]| {
        let (mut method, mut weak, mut ceiling) = (0u64, 0u64, 0u64);
        for (item, times) in items.iter().zip(multiplicities) {
            let times = u64::from(*times);
            method += times * u64::from(item.method);
            weak += times * u64::from(item.weak);
            ceiling += times * u64::from(item.ceiling);
        }
        performance_gap_recovered(method as f64, weak as f64, ceiling as f64)
    };
    recovered(&vec![1; items.len()])?;
    bootstrap.interval(items.len(), recovered)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(method: usize, weak: usize, ceiling: usize) -> Vec<GapItem> {
        (0..100).map(|i| GapItem { method: i < method, weak: i < weak, ceiling: i < ceiling }).collect()
    }

    #[test]
    fn half_the_way() {
        assert!((performance_gap_recovered(0.8, 0.7, 0.9).unwrap() - 0.5).abs() < 1e-12);
        assert_eq!(performance_gap_recovered(0.8, 0.9, 0.9), None);
        assert_eq!(performance_gap_recovered(0.8, 0.9, 0.7), None);
        let found = gap_recovered_interval(&items(80, 70, 90), &Bootstrap::new(1)).unwrap();
        assert!(found.interval.low > 0.2 && found.interval.low < 0.5, "{found:?}");
        assert!(found.interval.high > 0.5 && found.interval.high < 0.8, "{found:?}");
        assert_eq!(found.left_out, 0);
    }

    #[test]
    fn resamples_without_a_gap_are_counted() {
        // One item of 100 makes the gap, and 1/e of the resamples miss it.
        let found = gap_recovered_interval(&items(70, 70, 71), &Bootstrap::new(1)).unwrap();
        assert!((300..440).contains(&found.left_out), "{found:?}");
        assert_eq!(found.left_out + found.resamples, 1000);
        assert_eq!(gap_recovered_interval(&items(80, 70, 70), &Bootstrap::new(1)), None);
        assert_eq!(gap_recovered_interval(&[], &Bootstrap::new(1)), None);
    }
}
