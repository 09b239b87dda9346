//! Whether predicted probabilities mean what they say: of the items given 0.8, are 80% positive?

use serde::{Deserialize, Serialize};

use crate::accuracy::{Interval, Z_95, wilson_interval};
use crate::scores::is_probability;

/// How [0, 1] is cut into bins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Binning {
    /// Bins of equal width.
    EqualWidth,
    /// Bins between equally spaced quantiles of the predictions (interpolated linearly), so that they hold about
    /// equally many items. Equal predictions share a bin, so many ties make bins uneven.
    EqualMass,
}

/// The items whose predictions fall in one bin, (low, high].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CalibrationBin {
    /// The bin's lower edge, not included except in the first bin.
    pub low: f64,
    /// The bin's upper edge, included.
    pub high: f64,
    /// The number of items, at least 1.
    pub count: usize,
    /// The mean of the items' predicted probabilities.
    pub mean_predicted: f64,
    /// The share of positives among the items.
    pub fraction_positive: f64,
    /// The 95% Wilson interval of `fraction_positive`.
    pub interval: Interval,
}

/// The calibration curve: the bins that hold items, by rising probability. Means and shares agree with
/// `calibration_curve` of scikit-learn (strategies `uniform` and `quantile`).
///
/// `None` without items, or where a value is not a probability.
///
/// # Panics
/// If the slices differ in length, or `bins` is 0.
pub fn calibration_curve(
    probabilities: &[f64],
    labels: &[bool],
    bins: usize,
    binning: Binning,
) -> Option<Vec<CalibrationBin>> {
    assert_eq!(probabilities.len(), labels.len(), "one label per probability");
    assert!(bins > 0, "at least one bin");
    if probabilities.is_empty() || !probabilities.iter().all(|probability| is_probability(*probability)) {
        return None;
    }
    let edges = match binning {
        Binning::EqualWidth => (0..=bins).map(|edge| edge as f64 / bins as f64).collect(),
        Binning::EqualMass => quantile_edges(probabilities, bins),
    };
    let inner_edges = &edges[1..bins];

    let mut sums = vec![(0usize, 0usize, 0.0); bins];
    for (probability, label) in probabilities.iter().zip(labels) {
        let (count, positives, total) = &mut sums[inner_edges.partition_point(|edge| edge < probability)];
        *count += 1;
        *positives += usize::from(*label);
        *total += probability;
    }
    let filled = sums.iter().enumerate().filter(|(_, (count, ..))| *count > 0);
    Some(
        filled
            .map(|(bin, &(count, positives, total))| CalibrationBin {
                low: edges[bin],
                high: edges[bin + 1],
                count,
                mean_predicted: total / count as f64,
                fraction_positive: positives as f64 / count as f64,
                interval: wilson_interval(positives, count, Z_95),
            })
            .collect(),
    )
}

/// The expected calibration error of a curve: Σ count · |fraction positive − mean predicted| / Σ count (Naeini et al.
/// 2015). It depends on the number and the kind of bins, which must be stated with it.
///
/// `None` of a curve without bins.
pub fn expected_calibration_error(curve: &[CalibrationBin]) -> Option<f64> {
    let items: usize = curve.iter().map(|bin| bin.count).sum();
    let gaps: f64 = curve.iter().map(|bin| bin.count as f64 * (bin.fraction_positive - bin.mean_predicted).abs()).sum();
    (items > 0).then(|| gaps / items as f64)
}

/// The quantiles 0, 1/bins, …, 1, interpolated linearly between the sorted values.
fn quantile_edges(values: &[f64], bins: usize) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let last = sorted.len() - 1;
    let quantile = |edge: usize| {
        let (below, remainder) = (edge * last / bins, edge * last % bins);
        let above = (below + 1).min(last);
        sorted[below] + (sorted[above] - sorted[below]) * (remainder as f64 / bins as f64)
    };
    (0..=bins).map(quantile).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn counts_by_bin() {
        // Edges belong to the bin below them; the first bin holds 0 as well.
        let curve =
            calibration_curve(&[0.0, 0.5, 0.5, 1.0], &[false, true, false, true], 2, Binning::EqualWidth).unwrap();
        let counts: Vec<usize> = curve.iter().map(|bin| bin.count).collect();
        assert_eq!(counts, [3, 1]);
        assert_eq!((curve[0].low, curve[0].high, curve[1].high), (0.0, 0.5, 1.0));
        assert_eq!(curve[0].fraction_positive, 1.0 / 3.0);
        assert_eq!(expected_calibration_error(&curve), Some(0.0));
    }

    #[test]
    fn bins_of_equal_mass_hold_equally_many() {
        let probabilities: Vec<f64> = (0..100).map(|i| (f64::from(i) / 100.0).powi(3)).collect();
        let curve = calibration_curve(&probabilities, &[true; 100], 4, Binning::EqualMass).unwrap();
        let counts: Vec<usize> = curve.iter().map(|bin| bin.count).collect();
        assert_eq!(counts, [25, 25, 25, 25]);
    }

    #[test]
    fn undefined_without_items_and_for_what_is_no_probability() {
        for binning in [Binning::EqualWidth, Binning::EqualMass] {
            assert_eq!(calibration_curve(&[], &[], 10, binning), None);
            assert_eq!(calibration_curve(&[0.5, f64::NAN], &[true, true], 10, binning), None);
            assert_eq!(calibration_curve(&[1.5], &[true], 10, binning), None);
        }
        assert_eq!(expected_calibration_error(&[]), None);
    }

    proptest! {
        #[test]
        fn every_item_is_in_one_bin_between_its_edges(
            items in prop::collection::vec((0u8..=20, any::<bool>()), 1..200),
            bins in 1usize..15,
            equal_mass in any::<bool>(),
        ) {
            let probabilities: Vec<f64> = items.iter().map(|(twentieths, _)| f64::from(*twentieths) / 20.0).collect();
            let labels: Vec<bool> = items.iter().map(|(_, label)| *label).collect();
            let binning = if equal_mass { Binning::EqualMass } else { Binning::EqualWidth };
            let curve = calibration_curve(&probabilities, &labels, bins, binning).unwrap();
            prop_assert_eq!(curve.iter().map(|bin| bin.count).sum::<usize>(), items.len());
            for bin in &curve {
                prop_assert!(bin.low - 1e-12 <= bin.mean_predicted && bin.mean_predicted <= bin.high + 1e-12);
            }
            let error = expected_calibration_error(&curve).unwrap();
            prop_assert!((0.0..=1.0).contains(&error));
        }
    }
}
