//! How all accuracies would vary together if seeds and test items were drawn anew: a paired bootstrap.
//!
//! Every resample draws, for each task, one set of seeds and one set of test items for all allocations and methods, so
//! that what is hard or lucky for all cancels in comparisons. Seeds are few, and the usual bootstrap of S values shows
//! (S − 1)/S of their mean's variance; drawing S − 1 of the S with replacement shows all of it (Rao and Wu 1988).
//! Seeds and items are drawn independently, which counts the noise that is particular to a run and an item more than
//! once: intervals are wider than they need be where runs disagree about items, never narrower (Owen 2007).

mod design;

use labelmix_stats::{Bootstrap, Interval, percentile_interval, stream};
use rayon::prelude::*;

use self::design::{Design, LeftOut};
use crate::error::{AnalysisError, Result};
use crate::measurement::Measurements;
use crate::warning::Warning;

/// The standard deviation between seeds that is assumed where no allocation was measured with two: fine-tuning on few
/// labels varies by this much or more.
pub(crate) const ASSUMED_SEED_DEVIATION: f64 = 0.03;

/// The accuracy of every point in every resample.
#[derive(Debug, Clone, PartialEq)]
pub struct Resamples {
    level: f64,
    points: usize,
    observed: Vec<f64>,
    /// `[resample][point]`.
    accuracies: Vec<f64>,
    /// The same on the seeds and items that the resample left out; empty where that was not asked for.
    left_out: Vec<f64>,
    warnings: Vec<Warning>,
}

impl Resamples {
    /// Resamples all points of the measurements together. The same for a seed, whatever the number of threads.
    ///
    /// # Errors
    /// [`AnalysisError::Resampling`] for fewer than 20 resamples or a level that is not between 0 and 1.
    pub fn new(measurements: &Measurements, bootstrap: &Bootstrap) -> Result<Self> {
        Self::drawn(measurements, bootstrap, LeftOut::Ignored)
    }

    /// The same resamples, each of them also measured on the seeds and test items that it left out: what was chosen on a
    /// resample can be judged by data that had no part in the choice.
    ///
    /// # Errors
    /// As [`Resamples::new`].
    pub fn with_left_out(measurements: &Measurements, bootstrap: &Bootstrap) -> Result<Self> {
        Self::drawn(measurements, bootstrap, LeftOut::Measured)
    }

    fn drawn(measurements: &Measurements, bootstrap: &Bootstrap, left_out: LeftOut) -> Result<Self> {
        let Bootstrap { resamples, level, seed } = *bootstrap;
        if resamples < 20 || !(level > 0.0 && level < 1.0) {
            return Err(AnalysisError::Resampling { resamples, level });
        }
        let design = Design::new(measurements);
        let points = measurements.points();
        let start = stream(seed, "paired seeds and test items");
        let draw = |number: u64| {
            let mut random = start.clone();
            random.set_stream(number);
            let cells = design.draw(&mut random, left_out);
            let mean = |cells: &[f64], of: &[usize]| of.iter().map(|&cell| cells[cell]).sum::<f64>() / of.len() as f64;
            let of_points = |cells: &Vec<f64>| -> Vec<f64> {
                // Nothing for the points of cells that were not measured.
                let points = points.iter().filter(|_| !cells.is_empty());
                points.map(|point| mean(cells, &point.cells)).collect()
            };
            (of_points(&cells.drawn), of_points(&cells.left_out))
        };
        let (accuracies, left_out): (Vec<Vec<f64>>, Vec<Vec<f64>>) =
            (0..resamples as u64).into_par_iter().map(draw).unzip();
        Ok(Self {
            level,
            points: points.len(),
            observed: points.iter().map(|point| point.accuracy).collect(),
            accuracies: accuracies.concat(),
            left_out: left_out.concat(),
            warnings: design.warnings(measurements),
        })
    }

    /// The number of resamples.
    pub fn resamples(&self) -> usize {
        self.accuracies.len() / self.points
    }

    /// The accuracies of all points in one resample.
    pub fn accuracies(&self, resample: usize) -> &[f64] {
        &self.accuracies[resample * self.points..(resample + 1) * self.points]
    }

    /// The accuracies of all points on what a resample left out: the seeds that it did not draw, and of their test items
    /// those that it did not draw. Where a point has a single seed, or no items, the noise that was added in the resample is
    /// taken away here. None if the resamples were drawn by [`Resamples::new`].
    pub fn left_out(&self, resample: usize) -> Option<&[f64]> {
        self.left_out.get(resample * self.points..(resample + 1) * self.points)
    }

    /// The accuracies measured, by point.
    pub fn observed(&self) -> &[f64] {
        &self.observed
    }

    /// The percentile interval of a point's accuracy.
    pub fn interval(&self, point: usize) -> Interval {
        self.interval_of((0..self.resamples()).map(|resample| self.accuracies(resample)[point]).collect())
    }

    /// What the measurements lack.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// The percentile interval of one value for each resample.
    pub(crate) fn interval_of(&self, mut values: Vec<f64>) -> Interval {
        percentile_interval(&mut values, self.level).expect("there are at least 20 resamples")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Allocation, CorrectItems, MeasuredRun, Outcome, RankedItems};
    use labelmix_stats::sample_standard_deviation;

    const ITEMS: usize = 400;

    /// Runs of which run `seed` gets the first `right` items right, for each allocation.
    fn measured(cells: &[(usize, &[usize])], items: bool) -> Measurements {
        let runs = cells.iter().flat_map(|&(n_gold, rights)| {
            rights.iter().enumerate().map(move |(seed, &right)| {
                let correct: Vec<bool> = (0..ITEMS).map(|item| item < right).collect();
                let accuracy = right as f64 / ITEMS as f64;
                MeasuredRun {
                    task: "task".to_owned(),
                    method: "method".to_owned(),
                    allocation: Allocation { n_weak: 0, n_gold },
                    seed: seed as u64,
                    outcome: if items {
                        Outcome::Items(CorrectItems::new(&correct))
                    } else {
                        Outcome::Accuracy { accuracy, n_test: ITEMS }
                    },
                    gpu_hours: None,
                }
            })
        });
        Measurements::new(runs.collect()).unwrap()
    }

    fn deviation_of(resamples: &Resamples, value: impl Fn(&[f64]) -> f64) -> f64 {
        let values: Vec<f64> = (0..resamples.resamples()).map(|number| value(resamples.accuracies(number))).collect();
        sample_standard_deviation(&values).unwrap()
    }

    fn bootstrap() -> Bootstrap {
        Bootstrap { resamples: 2000, level: 0.9, seed: 1 }
    }

    #[test]
    fn seeds_and_items_vary_as_theory_says() {
        // Three seeds at .70, .75, .80: deviation .05, of the mean .0289; items: √(.75 · .25 / 400) = .0217 and more,
        // since every seed fails on the same items.
        let resamples = Resamples::new(&measured(&[(10, &[280, 300, 320])], true), &bootstrap()).unwrap();
        let expected = (0.05f64.powi(2) / 3.0 + 0.75 * 0.25 / 400.0).sqrt();
        let found = deviation_of(&resamples, |accuracies| accuracies[0]);
        assert!((found / expected - 1.0).abs() < 0.06, "{found} for {expected}");
        assert!(resamples.warnings().is_empty());
    }

    #[test]
    fn what_is_hard_for_all_cancels() {
        // The two allocations fail on the same items and vary with the same seeds; their difference is 4 items.
        let cells = [(10, [280, 300, 320].as_slice()), (20, &[284, 304, 324])];
        let paired = Resamples::new(&measured(&cells, true), &bootstrap()).unwrap();
        let difference = |accuracies: &[f64]| accuracies[1] - accuracies[0];
        assert!(deviation_of(&paired, difference) < 0.006);
        // Without items, binomial noise of its own for each allocation does not cancel.
        let binomial = Resamples::new(&measured(&cells, false), &bootstrap()).unwrap();
        let expected = (2.0f64 * 0.75 * 0.25 / 400.0).sqrt();
        let found = deviation_of(&binomial, difference);
        assert!((found / expected - 1.0).abs() < 0.1, "{found} for {expected}");
        assert_eq!(binomial.warnings(), [Warning::NoItems { runs: 6 }]);
    }

    /// The scores of the negatives are shifted against those of the positives: AUROC 3/4 (exponential scores of rates 1
    /// and 1/3), for all seeds.
    #[test]
    fn rankings_vary_as_theory_says() {
        let half = ITEMS / 2;
        let quantiles = |scale: f64| (0..half).map(move |i| -scale * (1.0 - (i as f64 + 0.5) / half as f64).ln());
        let scores: Vec<f64> = quantiles(1.0).chain(quantiles(3.0)).collect();
        let labels: Vec<bool> = (0..ITEMS).map(|item| item >= half).collect();
        let run = |seed| MeasuredRun {
            task: "task".to_owned(),
            method: "method".to_owned(),
            allocation: Allocation { n_weak: 0, n_gold: 10 },
            seed,
            outcome: Outcome::Ranked(RankedItems::new(&scores, &labels).unwrap()),
            gpu_hours: None,
        };
        let resamples = Resamples::new(&Measurements::new(vec![run(0), run(1)]).unwrap(), &bootstrap()).unwrap();
        assert!((resamples.observed()[0] - 0.75).abs() < 0.01);
        // Hanley and McNeil (1982).
        let a: f64 = 0.75;
        let spread = a / (2.0 - a) + 2.0 * a * a / (1.0 + a) - 2.0 * a * a;
        let expected = ((a * (1.0 - a) + (half - 1) as f64 * spread) / (half * half) as f64).sqrt();
        let found = deviation_of(&resamples, |accuracies| accuracies[0]);
        assert!((found / expected - 1.0).abs() < 0.06, "{found} for {expected}");
        assert!(resamples.warnings().is_empty());
    }

    #[test]
    fn draws_of_one_class_are_drawn_anew() {
        let run = |seed| MeasuredRun {
            task: "task".to_owned(),
            method: "method".to_owned(),
            allocation: Allocation { n_weak: 0, n_gold: 10 },
            seed,
            outcome: Outcome::Ranked(RankedItems::new(&[0.0, 1.0], &[false, true]).unwrap()),
            gpu_hours: None,
        };
        let resamples = Resamples::new(&Measurements::new(vec![run(0), run(1)]).unwrap(), &bootstrap()).unwrap();
        assert!((0..resamples.resamples()).all(|number| resamples.accuracies(number) == [1.0]));
        assert!(RankedItems::new(&[0.0, 1.0], &[true, true]).is_none());
    }

    #[test]
    fn what_a_resample_leaves_out_had_no_part_in_it() {
        // Three seeds at .70, .75, .80: two draws leave out one or two of them.
        let measured = measured(&[(10, &[280, 300, 320]), (20, &[300])], true);
        let plain = Resamples::new(&measured, &bootstrap()).unwrap();
        let resamples = Resamples::with_left_out(&measured, &bootstrap()).unwrap();
        assert_eq!(
            (0..2000).map(|n| plain.accuracies(n)).collect::<Vec<_>>(),
            (0..2000).map(|n| resamples.accuracies(n)).collect::<Vec<_>>()
        );
        assert_eq!(plain.left_out(0), None);
        let pairs: Vec<[f64; 2]> =
            (0..2000).map(|n| [resamples.accuracies(n)[0], resamples.left_out(n).unwrap()[0]]).collect();
        let mean = |side: usize| pairs.iter().map(|pair| pair[side]).sum::<f64>() / 2000.0;
        assert!((mean(0) - 0.75).abs() < 0.003 && (mean(1) - 0.75).abs() < 0.003, "{} {}", mean(0), mean(1));
        let covariance = pairs.iter().map(|pair| (pair[0] - mean(0)) * (pair[1] - mean(1))).sum::<f64>() / 2000.0;
        assert!(covariance < 0.0, "{covariance}");
    }

    #[test]
    fn a_single_seed_is_wide_and_said() {
        let alone = Resamples::new(&measured(&[(10, &[300])], true), &bootstrap()).unwrap();
        let expected = (ASSUMED_SEED_DEVIATION.powi(2) + 0.75 * 0.25 / 400.0).sqrt();
        assert!((deviation_of(&alone, |a| a[0]) / expected - 1.0).abs() < 0.06);
        assert_eq!(
            alone.warnings()[0].to_string(),
            "1 allocations have one seed: a deviation of 0.030 between seeds is assumed"
        );
        let pooled = Resamples::new(&measured(&[(10, &[300]), (20, &[280, 300, 320])], true), &bootstrap()).unwrap();
        assert_eq!(
            pooled.warnings()[0].to_string(),
            "1 allocations have one seed: a deviation of 0.050 between seeds is taken from the other allocations"
        );
    }

    #[test]
    fn the_seed_and_nothing_else_decides() {
        let measured = measured(&[(10, &[280, 300, 320]), (20, &[300, 310])], true);
        let with_threads = |threads: usize, seed| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| Resamples::new(&measured, &Bootstrap { seed, ..bootstrap() }).unwrap())
        };
        assert_eq!(with_threads(1, 7), with_threads(3, 7));
        assert_ne!(with_threads(1, 7), with_threads(1, 8));
    }

    #[test]
    fn refuses_resampling_that_says_nothing() {
        let refused = Resamples::new(&measured(&[(10, &[300])], true), &Bootstrap { resamples: 5, ..bootstrap() });
        assert!(matches!(refused, Err(AnalysisError::Resampling { resamples: 5, .. })));
    }
}
