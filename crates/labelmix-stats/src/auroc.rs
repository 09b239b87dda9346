//! How well scores rank the positives above the negatives.

use std::iter;

use crate::bootstrap::{Bootstrap, BootstrapInterval};

/// The area under the ROC curve: the share of (positive, negative) pairs in which the positive has the larger
/// score, ties counting half. In O(n log n); agrees with scikit-learn's `roc_auc_score`.
///
/// `None` where it is undefined: all labels of one class, or a score that is not a number.
///
/// # Panics
/// If the two slices differ in length.
pub fn auroc(scores: &[f64], labels: &[bool]) -> Option<f64> {
    Ranking::new(scores, labels)?.auroc(iter::repeat(1))
}

/// The percentile interval of the AUROC over resamples of the items; resamples of one class are left out and counted.
/// The scores are sorted once, and a resample costs O(n).
///
/// `None` where the AUROC is undefined, as for [`auroc`].
///
/// # Panics
/// If the two slices differ in length, or the bootstrap's level is not between 0 and 1.
pub fn auroc_interval(scores: &[f64], labels: &[bool], bootstrap: &Bootstrap) -> Option<BootstrapInterval> {
    let ranking = Ranking::new(scores, labels)?;
    // Multiplicities are drawn for ranks, not for items: the same distribution without a detour, and the items' order
    // cannot matter.
    bootstrap.interval(scores.len(), |multiplicities| ranking.auroc(multiplicities.iter().copied()))
}

/// Items by rising score, among ties the negatives first: sorted once, measured on any resample.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ranking {
    ranks: Vec<Rank>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Rank {
    item: u32,
    positive: bool,
    /// Whether the score is larger than that of the rank before.
    rises: bool,
}

impl Ranking {
    /// Sorts the items. `None` where a score is not a number.
    ///
    /// # Panics
    /// If the two slices differ in length.
    pub fn new(scores: &[f64], labels: &[bool]) -> Option<Self> {
        assert_eq!(scores.len(), labels.len(), "one label per score");
        if scores.iter().any(|score| score.is_nan()) {
            return None;
        }
        let items = (0u32..).zip(scores).zip(labels);
        let mut by_score: Vec<(i64, bool, u32)> =
            items.map(|((item, score), label)| (sort_key(*score), *label, item)).collect();
        by_score.sort_unstable();
        let mut previous = None;
        let ranks = by_score.iter().map(|&(key, positive, item)| {
            let rises = previous.replace(key) != Some(key);
            Rank { item, positive, rises }
        });
        Some(Self { ranks: ranks.collect() })
    }

    /// The number of items.
    pub fn len(&self) -> usize {
        self.ranks.len()
    }

    /// Whether there are no items.
    pub fn is_empty(&self) -> bool {
        self.ranks.is_empty()
    }

    /// The AUROC of a sample that holds every item so many times. `None` if it holds one class.
    ///
    /// # Panics
    /// If there is not one multiplicity per item.
    pub fn auroc_of_sample(&self, multiplicities: &[u32]) -> Option<f64> {
        assert_eq!(multiplicities.len(), self.ranks.len(), "one multiplicity per item");
        self.auroc(self.items().map(|item| multiplicities[item]))
    }

    /// The items by rising score.
    pub(crate) fn items(&self) -> impl Iterator<Item = usize> {
        self.ranks.iter().map(|rank| rank.item as usize)
    }

    /// The AUROC of a sample that holds every rank so many times. `None` if it holds one class.
    pub(crate) fn auroc(&self, multiplicities: impl Iterator<Item = u32>) -> Option<f64> {
        // Pairs are counted in halves, as integers, so that no order of summation can change the result. A positive
        // wins against the negatives below it and has half a win against those that tie with it, all of which come
        // before it. No branch on the label, which a processor cannot foresee.
        let mut half_wins = 0u64;
        let (mut positives, mut negatives, mut negatives_below) = (0u64, 0u64, 0u64);
        for (rank, times) in self.ranks.iter().zip(multiplicities) {
            if rank.rises {
                negatives_below = negatives;
            }
            let positive_times = u64::from(times) * u64::from(rank.positive);
            half_wins += positive_times * (negatives + negatives_below);
            positives += positive_times;
            negatives += u64::from(times) - positive_times;
        }
        (positives > 0 && negatives > 0).then(|| half_wins as f64 / (2.0 * positives as f64 * negatives as f64))
    }

    /// How many items of a sample, which holds every rank so many times, are on their label's side of the threshold that
    /// matches the sample's share of positives ([`crate::calibrated_accuracy`]).
    pub(crate) fn right_when_calibrated(&self, multiplicities: &[u32]) -> u64 {
        let ranked = || self.ranks.iter().zip(multiplicities.iter().map(|times| u64::from(*times)));
        let count = |class: bool| -> u64 { ranked().filter(|(rank, _)| rank.positive == class).map(|(_, t)| t).sum() };
        let (negatives, positives) = (count(false), count(true));
        // From the bottom, as many as there are negatives are predicted negative, and with them what ties with the last.
        let (mut passed, mut right, mut rises) = (0, positives, false);
        for (rank, times) in ranked() {
            rises |= rank.rises;
            if times == 0 {
                continue;
            }
            if passed >= negatives && rises {
                break;
            }
            rises = false;
            passed += times;
            if rank.positive {
                right -= times;
            } else {
                right += times;
            }
        }
        right
    }
}

/// An integer that sorts as the number does (a double's bits, those of negative numbers reversed), with one zero.
fn sort_key(score: f64) -> i64 {
    let bits = (score + 0.0).to_bits().cast_signed();
    bits ^ ((bits >> 63).cast_unsigned() >> 1).cast_signed()
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering;

    use super::*;
    use proptest::prelude::*;

    /// The definition: every pair, one by one.
    fn auroc_by_pairs(scores: &[f64], labels: &[bool]) -> Option<f64> {
        let of_class = |class: bool| {
            let members = labels.iter().zip(scores).filter(move |(l, _)| **l == class);
            members.map(|(_, score)| *score)
        };
        let mut pairs = 0.0;
        let mut wins = 0.0;
        for positive in of_class(true) {
            for negative in of_class(false) {
                pairs += 1.0;
                wins += match positive.total_cmp(&negative) {
                    Ordering::Less => 0.0,
                    Ordering::Equal => 0.5,
                    Ordering::Greater => 1.0,
                };
            }
        }
        (pairs > 0.0).then(|| wins / pairs)
    }

    /// Few distinct scores, so that ties are common.
    fn items() -> impl Strategy<Value = (Vec<f64>, Vec<bool>)> {
        prop::collection::vec((-4i8..4, any::<bool>()), 0..60)
            .prop_map(|items| items.into_iter().map(|(score, label)| (f64::from(score) / 2.0, label)).unzip())
    }

    #[test]
    fn ranks_the_textbook_case() {
        // scikit-learn's own example: roc_auc_score([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]) == 0.75
        let scores = [0.1, 0.4, 0.35, 0.8];
        assert_eq!(auroc(&scores, &[false, false, true, true]), Some(0.75));
    }

    #[test]
    fn is_a_half_for_a_constant_score() {
        assert_eq!(auroc(&[0.0, -0.0, 0.0], &[true, false, false]), Some(0.5));
    }

    #[test]
    fn ranks_infinite_scores() {
        let scores = [f64::NEG_INFINITY, -1.0, 1.0, f64::INFINITY];
        assert_eq!(auroc(&scores, &[false, false, true, true]), Some(1.0));
    }

    #[test]
    fn is_undefined_for_one_class_and_for_nan() {
        assert_eq!(auroc(&[], &[]), None);
        assert_eq!(auroc(&[0.1, 0.2], &[true, true]), None);
        assert_eq!(auroc(&[0.1, f64::NAN], &[true, false]), None);
        assert_eq!(auroc_interval(&[], &[], &Bootstrap::new(0)), None);
        assert_eq!(auroc_interval(&[0.1, 0.2], &[true, true], &Bootstrap::new(0)), None);
        assert_eq!(auroc_interval(&[0.1, f64::NAN], &[true, false], &Bootstrap::new(0)), None);
    }

    #[test]
    fn resamples_of_one_class_are_left_out() {
        // Of two items, half of the resamples hold one class.
        let found = auroc_interval(&[0.0, 1.0], &[false, true], &Bootstrap::new(5)).unwrap();
        assert!((450..550).contains(&found.left_out), "{found:?}");
        assert_eq!((found.interval.low, found.interval.high), (1.0, 1.0));
    }

    #[test]
    fn the_interval_is_as_wide_as_theory_says() {
        // Hanley and McNeil (1982): at AUROC A with n of each class and Q1 = A/(2 − A), Q2 = 2A²/(1 + A),
        // var = (A(1 − A) + (n − 1)(Q1 + Q2 − 2A²)) / n². Exponential scores of rates 1 and 1/3 have A = 3/4.
        let n = 500;
        let quantiles = |scale: f64| (0..n).map(move |i| -scale * (1.0 - (f64::from(i) + 0.5) / f64::from(n)).ln());
        let scores: Vec<f64> = quantiles(1.0).chain(quantiles(3.0)).collect();
        let labels: Vec<bool> = (0..2 * n).map(|i| i >= n).collect();
        let found = auroc_interval(&scores, &labels, &Bootstrap { resamples: 4000, ..Bootstrap::new(2) }).unwrap();
        let a: f64 = 0.75;
        let spread = a / (2.0 - a) + 2.0 * a * a / (1.0 + a) - 2.0 * a * a;
        let deviation = ((a * (1.0 - a) + f64::from(n - 1) * spread) / f64::from(n * n)).sqrt();
        let width = found.interval.high - found.interval.low;
        assert!((width / (2.0 * 1.96 * deviation) - 1.0).abs() < 0.06, "{found:?}, expected deviation {deviation}");
    }

    proptest! {
        #[test]
        fn equals_the_definition((scores, labels) in items()) {
            match (auroc(&scores, &labels), auroc_by_pairs(&scores, &labels)) {
                (Some(fast), Some(slow)) => prop_assert!((fast - slow).abs() < 1e-12),
                (fast, slow) => prop_assert_eq!(fast, slow),
            }
        }

        #[test]
        fn sees_the_order_alone((scores, labels) in items()) {
            let point = auroc(&scores, &labels);
            let rising: Vec<f64> = scores.iter().map(|score| score.exp() - 3.0).collect();
            prop_assert_eq!(auroc(&rising, &labels), point);
            let falling: Vec<f64> = scores.iter().map(|score| -score).collect();
            let mirrored = auroc(&falling, &labels);
            prop_assert_eq!(mirrored.is_some(), point.is_some());
            if let (Some(point), Some(mirrored)) = (point, mirrored) {
                prop_assert!((point + mirrored - 1.0).abs() < 1e-12);
            }
        }

        #[test]
        fn a_resample_is_a_sample(items in prop::collection::vec((-4i8..4, any::<bool>(), 0u32..4), 0..40)) {
            let scores: Vec<f64> = items.iter().map(|(score, ..)| f64::from(*score)).collect();
            let labels: Vec<bool> = items.iter().map(|(_, label, _)| *label).collect();
            let ranking = Ranking::new(&scores, &labels).unwrap();
            let weighted = ranking.auroc(ranking.items().map(|item| items[item].2));
            let repeated = items.iter().flat_map(|(score, label, times)| {
                std::iter::repeat_n((f64::from(*score), *label), *times as usize)
            });
            let (scores, labels): (Vec<f64>, Vec<bool>) = repeated.unzip();
            prop_assert_eq!(weighted, auroc(&scores, &labels));
        }
    }
}
