//! How all accuracies would vary together if seeds and test items were drawn anew: a paired bootstrap.
//!
//! Every resample draws, for each task, one set of seeds and one set of test items for all allocations and methods, so
//! that what is hard or lucky for all cancels in comparisons. Seeds are few, and the usual bootstrap of S values shows
//! (S − 1)/S of their mean's variance; drawing S − 1 of the S with replacement shows all of it (Rao and Wu 1988).
//! Seeds and items are drawn independently, which counts the noise that is particular to a run and an item more than
//! once: intervals are wider than they need be where runs disagree about items, never narrower (Owen 2007).

use std::collections::BTreeMap;

use labelmix_stats::{Bootstrap, Interval, percentile_interval, stream};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Beta, Distribution, StandardNormal};
use rayon::prelude::*;

use crate::correct_counts::{ItemWeights, weighted_correct};
use crate::error::{AnalysisError, Result};
use crate::measurement::{Cell, Measurements, Outcome};
use crate::warning::Warning;

/// The deviation between seeds that is reckoned with where no allocation was measured with two: fine-tuning on few
/// labels varies by this much or more.
pub const ASSUMED_SEED_DEVIATION: f64 = 0.03;

/// The accuracy of every point in every resample.
#[derive(Debug, Clone, PartialEq)]
pub struct Resamples {
    level: f64,
    points: usize,
    observed: Vec<f64>,
    /// `[resample][point]`.
    accuracies: Vec<f64>,
    warnings: Vec<Warning>,
}

impl Resamples {
    /// Resamples all points of the measurements together. The same for a seed, whatever the number of threads.
    ///
    /// # Errors
    /// [`AnalysisError::Resampling`] for fewer than 20 resamples or a level that is not between 0 and 1.
    pub fn new(measurements: &Measurements, bootstrap: &Bootstrap) -> Result<Self> {
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
            let cells = design.draw(&mut random);
            let mean = |of: &[usize]| of.iter().map(|&cell| cells[cell]).sum::<f64>() / of.len() as f64;
            points.iter().map(|point| mean(&point.cells)).collect::<Vec<f64>>()
        };
        let accuracies: Vec<Vec<f64>> = (0..resamples as u64).into_par_iter().map(draw).collect();
        Ok(Self {
            level,
            points: points.len(),
            observed: points.iter().map(|point| point.accuracy).collect(),
            accuracies: accuracies.concat(),
            warnings: design.warnings(measurements),
        })
    }

    /// The number of resamples.
    #[must_use]
    pub fn resamples(&self) -> usize {
        self.accuracies.len() / self.points
    }

    /// The accuracies of all points in one resample.
    #[must_use]
    pub fn accuracies(&self, resample: usize) -> &[f64] {
        &self.accuracies[resample * self.points..(resample + 1) * self.points]
    }

    /// The accuracies measured, by point.
    #[must_use]
    pub fn observed(&self) -> &[f64] {
        &self.observed
    }

    /// The percentile interval of a point's accuracy.
    #[must_use]
    pub fn interval(&self, point: usize) -> Interval {
        self.interval_of((0..self.resamples()).map(|resample| self.accuracies(resample)[point]).collect())
    }

    /// What the measurements lack.
    #[must_use]
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// The percentile interval of one value for each resample.
    pub(crate) fn interval_of(&self, mut values: Vec<f64>) -> Interval {
        percentile_interval(&mut values, self.level).expect("there are at least 20 resamples")
    }
}

/// What is drawn for the runs at hand.
struct Design<'a> {
    cells: &'a [Cell],
    /// The number of test items of each task, 0 where no run has items.
    items: Vec<usize>,
    /// The distinct sets of seeds of each task, by size.
    seed_sets: Vec<(usize, usize)>,
    /// Which of them a cell has.
    seed_set_of_cell: Vec<usize>,
    single_seed: SingleSeed,
}

/// How cells of one seed are treated.
#[derive(Clone, Copy)]
struct SingleSeed {
    deviation: f64,
    assumed: bool,
}

impl<'a> Design<'a> {
    fn new(measurements: &'a Measurements) -> Self {
        let cells = measurements.cells();
        let mut items = vec![0; measurements.tasks().len()];
        let mut numbers: BTreeMap<(usize, &[u64]), usize> = BTreeMap::new();
        for cell in cells {
            for outcome in &cell.outcomes {
                if let Outcome::Items(correct) = outcome {
                    items[cell.task] = correct.items();
                }
            }
            numbers.insert((cell.task, &cell.seeds), 0);
        }
        for (number, entry) in numbers.values_mut().enumerate() {
            *entry = number;
        }
        let seed_sets = numbers.keys().map(|(task, seeds)| (*task, seeds.len())).collect();
        let seed_set_of_cell = cells.iter().map(|cell| numbers[&(cell.task, cell.seeds.as_slice())]).collect();
        Self { cells, items, seed_sets, seed_set_of_cell, single_seed: single_seed(cells) }
    }

    /// The accuracy of every cell in one resample.
    fn draw(&self, random: &mut ChaCha8Rng) -> Vec<f64> {
        let items: Vec<ItemWeights> = self.items.iter().map(|&items| ItemWeights::draw(items, random)).collect();
        let seeds: Vec<Vec<u32>> = self.seed_sets.iter().map(|&(_, seeds)| draw_seeds(seeds, random)).collect();
        let mut cells = Vec::with_capacity(self.cells.len());
        for (cell, &seed_set) in self.cells.iter().zip(&self.seed_set_of_cell) {
            let (mut sum, mut weights, mut without_items) = (0.0, 0.0, 0.0);
            for (outcome, &times) in cell.outcomes.iter().zip(&seeds[seed_set]) {
                if times == 0 {
                    continue;
                }
                let times = f64::from(times);
                weights += times;
                sum += times
                    * match outcome {
                        Outcome::Items(correct) => weighted_correct(correct, &items[cell.task]),
                        Outcome::Accuracy { accuracy, .. } => {
                            without_items += times;
                            *accuracy
                        }
                    };
            }
            let mut accuracy = sum / weights;
            if without_items > 0.0 {
                accuracy += without_items / weights * binomial_deviation(cell, random);
            }
            if cell.seeds.len() == 1 {
                let deviation: f64 = StandardNormal.sample(random);
                accuracy = (accuracy + self.single_seed.deviation * deviation).clamp(0.0, 1.0);
            }
            cells.push(accuracy);
        }
        cells
    }

    fn warnings(&self, measurements: &Measurements) -> Vec<Warning> {
        let single = self.cells.iter().filter(|cell| cell.seeds.len() == 1).count();
        let outcomes = self.cells.iter().flat_map(|cell| &cell.outcomes);
        let without_items = outcomes.filter(|outcome| matches!(outcome, Outcome::Accuracy { .. })).count();
        let SingleSeed { deviation, assumed } = self.single_seed;
        let left_out = measurements.left_out();
        let mut warnings = Vec::new();
        if single > 0 {
            warnings.push(Warning::SingleSeed { cells: single, deviation, assumed });
        }
        if without_items > 0 {
            warnings.push(Warning::NoItems { runs: without_items });
        }
        if left_out > 0 {
            warnings.push(Warning::LeftOut { points: left_out });
        }
        warnings
    }
}

/// The pooled deviation between the seeds of one cell, from all cells of two seeds or more.
fn single_seed(cells: &[Cell]) -> SingleSeed {
    let (mut squares, mut freedom) = (0.0, 0.0);
    for cell in cells.iter().filter(|cell| cell.seeds.len() > 1) {
        let mean = cell.mean_accuracy();
        squares += cell.outcomes.iter().map(|outcome| (outcome.accuracy() - mean).powi(2)).sum::<f64>();
        freedom += (cell.seeds.len() - 1) as f64;
    }
    if freedom > 0.0 {
        SingleSeed { deviation: (squares / freedom).sqrt(), assumed: false }
    } else {
        SingleSeed { deviation: ASSUMED_SEED_DEVIATION, assumed: true }
    }
}

/// How often each of the seeds is drawn: S − 1 times in all, or once where there is one seed.
fn draw_seeds(seeds: usize, random: &mut ChaCha8Rng) -> Vec<u32> {
    let mut times = vec![0; seeds];
    for _ in 0..(seeds - 1).max(1) {
        times[random.random_range(0..seeds)] += 1;
    }
    times
}

/// How far the accuracy on another test set of the same size would be from the cell's: a draw from the Beta posterior
/// of a proportion under Jeffreys' prior, which does not collapse at 0 and 1.
fn binomial_deviation(cell: &Cell, random: &mut ChaCha8Rng) -> f64 {
    let (mean, n) = (cell.mean_accuracy(), cell.outcomes[0].n_test() as f64);
    let posterior = Beta::new(mean * n + 0.5, (1.0 - mean) * n + 0.5).expect("both parameters are positive");
    posterior.sample(random) - (mean * n + 0.5) / (n + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Allocation, CorrectItems, MeasuredRun};
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
