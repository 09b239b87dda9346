//! One resample: which seeds and test items are drawn, and how accurate every run is on them.

use std::collections::BTreeMap;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Beta, Distribution, StandardNormal};

use super::ASSUMED_SEED_DEVIATION;
use crate::correct_counts::{ItemWeights, weighted_correct};
use crate::measurement::{Cell, Measurements, Outcome, RankedItems};
use crate::warning::Warning;

/// Whether resamples are also measured by what they leave out.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum LeftOut {
    Measured,
    Ignored,
}

/// What is drawn for the runs at hand.
pub(super) struct Design<'a> {
    cells: &'a [Cell],
    /// The number of test items of each task, 0 where no run has items.
    items: Vec<usize>,
    /// One ranking of each task's items, where runs are judged by theirs.
    ranked: Vec<Option<&'a RankedItems>>,
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
    pub(super) fn new(measurements: &'a Measurements) -> Self {
        let cells = measurements.cells();
        let mut items = vec![0; measurements.tasks().len()];
        let mut ranked = vec![None; measurements.tasks().len()];
        let mut numbers: BTreeMap<(usize, &[u64]), usize> = BTreeMap::new();
        for cell in cells {
            for outcome in &cell.outcomes {
                match outcome {
                    Outcome::Items(correct) => items[cell.task] = correct.items(),
                    Outcome::Ranked(ranking) => {
                        items[cell.task] = outcome.n_test();
                        ranked[cell.task] = Some(ranking);
                    }
                    Outcome::Accuracy { .. } => {}
                }
            }
            numbers.insert((cell.task, &cell.seeds), 0);
        }
        for (number, entry) in numbers.values_mut().enumerate() {
            *entry = number;
        }
        let seed_sets = numbers.keys().map(|(task, seeds)| (*task, seeds.len())).collect();
        let seed_set_of_cell = cells.iter().map(|cell| numbers[&(cell.task, cell.seeds.as_slice())]).collect();
        Self { cells, items, ranked, seed_sets, seed_set_of_cell, single_seed: single_seed(cells) }
    }

    /// The accuracy of every cell in one resample.
    pub(super) fn draw(&self, random: &mut ChaCha8Rng, left_out: LeftOut) -> DrawnCells {
        let items: Vec<DrawnItems> = self
            .items
            .iter()
            .zip(&self.ranked)
            .map(|(&items, &ranked)| DrawnItems::draw(items, ranked, random))
            .collect();
        let seeds: Vec<Vec<u32>> = self.seed_sets.iter().map(|&(_, seeds)| draw_seeds(seeds, random)).collect();
        let items_left_out: Vec<DrawnItems> = match left_out {
            LeftOut::Measured => {
                items.iter().zip(&self.ranked).map(|(items, &ranked)| items.left_out(ranked)).collect()
            }
            LeftOut::Ignored => Vec::new(),
        };
        let mut cells = DrawnCells { drawn: Vec::with_capacity(self.cells.len()), left_out: Vec::new() };
        for (cell, &seed_set) in self.cells.iter().zip(&self.seed_set_of_cell) {
            let seeds = &seeds[seed_set];
            let (mut accuracy, without_items) = cell_accuracy(cell, seeds, &items[cell.task]);
            let binomial = if without_items > 0.0 { binomial_deviation(cell, random) } else { 0.0 };
            accuracy += without_items * binomial;
            let mut of_seed = 0.0;
            if cell.seeds.len() == 1 {
                let deviation: f64 = StandardNormal.sample(random);
                of_seed = self.single_seed.deviation * deviation;
                accuracy = (accuracy + of_seed).clamp(0.0, 1.0);
            }
            cells.drawn.push(accuracy);
            if let Some(items) = items_left_out.get(cell.task) {
                let not_drawn: Vec<u32> =
                    seeds.iter().map(|&times| u32::from(times == 0 || seeds.len() == 1)).collect();
                let (accuracy, without_items) = cell_accuracy(cell, &not_drawn, items);
                cells.left_out.push((accuracy - without_items * binomial - of_seed).clamp(0.0, 1.0));
            }
        }
        cells
    }

    pub(super) fn warnings(&self, measurements: &Measurements) -> Vec<Warning> {
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

/// The accuracy of every cell in one resample, and on what it left out if that was asked for.
pub(super) struct DrawnCells {
    pub(super) drawn: Vec<f64>,
    pub(super) left_out: Vec<f64>,
}

/// The mean accuracy of a cell's runs, each counted so often, on the drawn items, and the share of the runs that have no
/// items.
fn cell_accuracy(cell: &Cell, seeds: &[u32], items: &DrawnItems) -> (f64, f64) {
    let (mut sum, mut weights, mut without_items) = (0.0, 0.0, 0.0);
    for (outcome, &times) in cell.outcomes.iter().zip(seeds).filter(|(_, times)| **times > 0) {
        let times = f64::from(times);
        weights += times;
        sum += times
            * match outcome {
                Outcome::Items(correct) => weighted_correct(correct, &items.weights),
                Outcome::Ranked(ranked) => items.auroc(ranked),
                Outcome::Accuracy { accuracy, .. } => {
                    without_items += times;
                    *accuracy
                }
            };
    }
    (sum / weights, without_items / weights)
}

/// A task's test items in one resample.
struct DrawnItems {
    weights: ItemWeights,
    /// How often each item is drawn; empty where no run is judged by its ranking.
    multiplicities: Vec<u32>,
}

impl DrawnItems {
    /// Items of one class have no AUROC: such a draw is left out, and the next one taken.
    fn draw(items: usize, ranked: Option<&RankedItems>, random: &mut ChaCha8Rng) -> Self {
        loop {
            let weights = ItemWeights::draw(items, random);
            let Some(ranked) = ranked else { return Self { weights, multiplicities: Vec::new() } };
            let multiplicities = weights.multiplicities();
            if ranked.auroc_of_sample(&multiplicities).is_some() {
                return Self { weights, multiplicities };
            }
        }
    }

    /// The items that were not drawn; all of them where those are of one class.
    fn left_out(&self, ranked: Option<&RankedItems>) -> Self {
        let weights = self.weights.left_out();
        let Some(ranked) = ranked else { return Self { weights, multiplicities: Vec::new() } };
        let mut multiplicities = weights.multiplicities();
        if ranked.auroc_of_sample(&multiplicities).is_none() {
            multiplicities.fill(1);
        }
        Self { weights, multiplicities }
    }

    fn auroc(&self, ranked: &RankedItems) -> f64 {
        ranked.auroc_of_sample(&self.multiplicities).expect("runs of a task share its labels, of which both are drawn")
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
