//! Which of two methods is better, judged on the same test items: what is hard for both cancels.

use rand::RngExt;
use serde::{Deserialize, Serialize};

use crate::accuracy::Interval;
use crate::auroc::Ranking;
use crate::bootstrap::{Bootstrap, BootstrapInterval};

/// Whether the first of two methods is better than the second, as far as the data can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The first is better.
    Better,
    /// The first is worse.
    Worse,
    /// The data cannot tell.
    Tied,
}

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ComparedStatistic {
    /// The share of items on their label's side of zero log-odds; exactly zero counts as class 0.
    Accuracy,
    /// The area under the ROC curve.
    Auroc,
}

/// What would be drawn anew if the comparison were made again. With one seed per method all three are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Resampled {
    /// The test items alone: the verdict is on these very runs.
    Items,
    /// Test items, and seeds that mean the same pools for both methods: run k of the first and run k of the second are
    /// drawn together.
    ItemsAndSharedSeeds,
    /// Test items, and each method's seeds for itself.
    ItemsAndSeparateSeeds,
}

/// A comparison of two methods by a paired bootstrap.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PairedComparison {
    pub statistic: ComparedStatistic,
    pub resampled: Resampled,
    /// How it is resampled.
    pub bootstrap: Bootstrap,
}

/// How much better the first method is than the second.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PairedDifference {
    /// First minus second, each the mean over its runs.
    pub difference: f64,
    /// The percentile interval of the difference.
    pub interval: Interval,
    /// The number of resamples in which the difference was defined.
    pub resamples: usize,
    /// The number of resamples left out because they held one class.
    pub left_out: usize,
    /// Better or worse where the interval lies on one side of 0.
    pub verdict: Verdict,
}

impl PairedComparison {
    /// Compares the log-odds of the same items by two methods, each with one run or with several of different seeds.
    /// In every resample the items drawn are the same for all runs of both methods.
    ///
    /// `None` where the difference is undefined: no items or no runs, log-odds that are not a number, or, for the
    /// AUROC, items of one class.
    ///
    /// # Panics
    /// If a run does not have one value per label, if seeds are shared but the methods differ in their number of runs,
    /// or if the bootstrap's level is not between 0 and 1.
    pub fn compare<R: AsRef<[f64]>>(&self, first: &[R], second: &[R], labels: &[bool]) -> Option<PairedDifference> {
        if self.resampled == Resampled::ItemsAndSharedSeeds {
            assert_eq!(first.len(), second.len(), "one run of each method per shared seed");
        }
        let first = Runs::new(self.statistic, first, labels)?;
        let second = Runs::new(self.statistic, second, labels)?;
        let once = vec![1; labels.len()];
        let difference = first.mean(&once, &first.once())? - second.mean(&once, &second.once())?;

        let BootstrapInterval { interval, resamples, left_out } =
            self.bootstrap.interval_with(labels.len(), |multiplicities, random| {
                let mut draw = |runs: &Runs| {
                    let mut times = vec![0; runs.0.len()];
                    (0..times.len()).for_each(|_| times[random.random_range(0..runs.0.len())] += 1);
                    times
                };
                let (first_times, second_times) = match self.resampled {
                    Resampled::Items => (first.once(), second.once()),
                    Resampled::ItemsAndSharedSeeds => {
                        let times = draw(&first);
                        (times.clone(), times)
                    }
                    Resampled::ItemsAndSeparateSeeds => (draw(&first), draw(&second)),
                };
                Some(first.mean(multiplicities, &first_times)? - second.mean(multiplicities, &second_times)?)
            })?;
        let verdict = if interval.low > 0.0 {
            Verdict::Better
        } else if interval.high < 0.0 {
            Verdict::Worse
        } else {
            Verdict::Tied
        };
        Some(PairedDifference { difference, interval, resamples, left_out, verdict })
    }
}

/// The runs of one method, ready to be measured on any resample of the items.
struct Runs(Vec<Run>);

enum Run {
    /// Whether each item is predicted right.
    Right(Vec<bool>),
    Ranked(Ranking),
}

impl Runs {
    fn new<R: AsRef<[f64]>>(statistic: ComparedStatistic, runs: &[R], labels: &[bool]) -> Option<Self> {
        let prepared = runs.iter().map(AsRef::as_ref).map(|log_odds| {
            assert_eq!(log_odds.len(), labels.len(), "one value per label in every run");
            match statistic {
                ComparedStatistic::Accuracy if log_odds.iter().any(|x| x.is_nan()) => None,
                ComparedStatistic::Accuracy => {
                    Some(Run::Right(log_odds.iter().zip(labels).map(|(x, label)| (*x > 0.0) == *label).collect()))
                }
                ComparedStatistic::Auroc => Ranking::new(log_odds, labels).map(Run::Ranked),
            }
        });
        prepared.collect::<Option<Vec<Run>>>().map(Self)
    }

    /// Every run, once.
    fn once(&self) -> Vec<u32> {
        vec![1; self.0.len()]
    }

    /// The statistic's mean over runs that are drawn `times` often, on items that are drawn `multiplicities` often.
    fn mean(&self, multiplicities: &[u32], times: &[u32]) -> Option<f64> {
        let mut total = 0.0;
        let drawn = self.0.iter().zip(times).filter(|(_, times)| **times > 0);
        for (run, times) in drawn {
            total += f64::from(*times) * run.statistic(multiplicities)?;
        }
        (!self.0.is_empty()).then(|| total / self.0.len() as f64)
    }
}

impl Run {
    fn statistic(&self, multiplicities: &[u32]) -> Option<f64> {
        match self {
            Self::Right(right) => {
                let counted = right.iter().zip(multiplicities);
                let count: u64 = counted.map(|(right, times)| u64::from(*right) * u64::from(*times)).sum();
                (!right.is_empty()).then(|| count as f64 / right.len() as f64)
            }
            Self::Ranked(ranking) => ranking.auroc(ranking.items().map(|item| multiplicities[item])),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const STATISTICS: [ComparedStatistic; 2] = [ComparedStatistic::Accuracy, ComparedStatistic::Auroc];

    fn comparison(statistic: ComparedStatistic, resampled: Resampled) -> PairedComparison {
        PairedComparison { statistic, resampled, bootstrap: Bootstrap::new(11) }
    }

    /// Log-odds of alternating classes, wrong wherever `wrong` says so.
    fn predictions(items: usize, wrong: impl Fn(usize) -> bool) -> (Vec<f64>, Vec<bool>) {
        let labels: Vec<bool> = (0..items).map(|item| item % 2 == 0).collect();
        let log_odds = labels.iter().enumerate();
        let log_odds = log_odds.map(|(item, label)| if *label == wrong(item) { -1.0 } else { 1.0 });
        (log_odds.collect(), labels)
    }

    #[test]
    fn a_method_ties_with_itself() {
        let (log_odds, labels) = predictions(200, |item| item % 5 == 0);
        for statistic in STATISTICS {
            let found = comparison(statistic, Resampled::Items).compare(&[&log_odds], &[&log_odds], &labels).unwrap();
            assert_eq!((found.difference, found.interval.low, found.interval.high), (0.0, 0.0, 0.0));
            assert_eq!(found.verdict, Verdict::Tied);
        }
    }

    #[test]
    fn better_and_worse() {
        let (good, labels) = predictions(400, |item| item % 20 == 0);
        let (bad, _) = predictions(400, |item| item % 5 == 0);
        for statistic in STATISTICS {
            let comparison = comparison(statistic, Resampled::Items);
            let found = comparison.compare(&[&good], &[&bad], &labels).unwrap();
            assert!((found.difference - 0.15).abs() < 0.03, "{found:?}");
            assert_eq!(found.verdict, Verdict::Better);
            let mirrored = comparison.compare(&[&bad], &[&good], &labels).unwrap();
            assert_eq!(mirrored.verdict, Verdict::Worse);
            assert!((mirrored.interval.low + found.interval.high).abs() < 1e-12);
        }
    }

    #[test]
    fn pairing_makes_a_small_difference_visible() {
        // 3 in 100 items are right by the first alone, 30 in 100 wrong by both: McNemar's variance is
        // (0.03 − 0.03²) / n, an unpaired one fourteen times that.
        let (first, labels) = predictions(1000, |item| item % 100 < 30);
        let (second, _) = predictions(1000, |item| item % 100 < 33);
        let found = comparison(ComparedStatistic::Accuracy, Resampled::Items).compare(&[first], &[second], &labels);
        let found = found.unwrap();
        assert!((found.difference - 0.03).abs() < 1e-12);
        let half_width = (found.interval.high - found.interval.low) / 2.0;
        assert!((half_width - 1.96 * (0.03 * 0.97 / 1000f64).sqrt()).abs() < 0.0015, "{found:?}");
    }

    #[test]
    fn seeds_add_their_own_variance() {
        // The first method's accuracy is 0.9 with one seed and 0.5 with the other; the second's 0.7 with both.
        let (good, labels) = predictions(1000, |item| item % 10 < 1);
        let (bad, _) = predictions(1000, |item| item % 10 < 5);
        let (even, _) = predictions(1000, |item| item % 10 < 3);
        let (first, second) = ([&good, &bad], [&even, &even]);
        let of = |resampled| {
            comparison(ComparedStatistic::Accuracy, resampled).compare(&first, &second, &labels).unwrap().interval
        };
        let items = of(Resampled::Items);
        assert!(items.low > -0.06 && items.high < 0.06, "{items:?}");
        for resampled in [Resampled::ItemsAndSharedSeeds, Resampled::ItemsAndSeparateSeeds] {
            let both = of(resampled);
            assert!(both.low < -0.18 && both.high > 0.18, "{both:?}");
        }
        // Where the methods vary with the seed alike, sharing seeds takes that variance out, keeping them apart
        // does not.
        let of = |resampled| {
            comparison(ComparedStatistic::Auroc, resampled).compare(&first, &first, &labels).unwrap().interval
        };
        assert_eq!(of(Resampled::ItemsAndSharedSeeds), Interval { low: 0.0, high: 0.0 });
        assert!(of(Resampled::ItemsAndSeparateSeeds).high > 0.3);
    }

    #[test]
    fn methods_may_have_different_numbers_of_runs() {
        let (good, labels) = predictions(100, |item| item % 10 < 1);
        let comparison = comparison(ComparedStatistic::Accuracy, Resampled::ItemsAndSeparateSeeds);
        let found = comparison.compare(&[&good], &[&good, &good, &good], &labels).unwrap();
        assert!(found.difference.abs() < 1e-12);
    }

    #[test]
    fn undefined_comparisons() {
        let none: [&[f64]; 0] = [];
        for statistic in STATISTICS {
            let comparison = comparison(statistic, Resampled::Items);
            assert_eq!(comparison.compare(&none, &none, &[true]), None);
            assert_eq!(comparison.compare(&[[]], &[[]], &[]), None);
            assert_eq!(comparison.compare(&[[f64::NAN, 0.0]], &[[1.0, 0.0]], &[true, false]), None);
        }
        let one_class = comparison(ComparedStatistic::Auroc, Resampled::Items);
        assert_eq!(one_class.compare(&[[1.0, 0.0]], &[[1.0, 0.0]], &[true, true]), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn swapping_the_methods_mirrors_the_interval(
            items in prop::collection::vec((-3i8..4, -3i8..4, any::<bool>()), 2..50),
            seed: u64,
        ) {
            let first: Vec<f64> = items.iter().map(|(score, ..)| f64::from(*score)).collect();
            let second: Vec<f64> = items.iter().map(|(_, score, _)| f64::from(*score)).collect();
            let labels: Vec<bool> = items.iter().map(|(.., label)| *label).collect();
            for statistic in STATISTICS {
                let bootstrap = Bootstrap { resamples: 200, ..Bootstrap::new(seed) };
                let comparison = PairedComparison { statistic, resampled: Resampled::Items, bootstrap };
                let forward = comparison.compare(&[&first], &[&second], &labels);
                let backward = comparison.compare(&[&second], &[&first], &labels);
                prop_assert_eq!(forward.is_some(), backward.is_some());
                if let (Some(forward), Some(backward)) = (forward, backward) {
                    prop_assert!((forward.difference + backward.difference).abs() < 1e-12);
                    prop_assert!((forward.interval.low + backward.interval.high).abs() < 1e-9);
                    prop_assert!((forward.interval.high + backward.interval.low).abs() < 1e-9);
                }
            }
        }
    }
}
