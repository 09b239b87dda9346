//! The measurements that a surface is fitted to: mean accuracies of allocations, and their noise.

use labelmix_stats::sample_standard_deviation;

use super::kernel::position;
use crate::error::Result;
use crate::measurement::{Cell, Measurements, Outcome, Point};
use crate::resample::ASSUMED_SEED_DEVIATION;

/// The mean accuracies of one method's allocations. An accuracy is y = f + s·t + e: the surface's value, an error of
/// the test set that is shared by all allocations, and noise of its own.
#[derive(Debug, Clone)]
pub(crate) struct SurfaceCells {
    pub(crate) labels: Vec<Labels>,
    pub(crate) accuracies: Vec<f64>,
    /// The variance of each accuracy's own noise e.
    pub(crate) variances: Vec<f64>,
    /// The deviation s of each accuracy's part in the error of the test set.
    pub(crate) shared: Vec<f64>,
    /// The largest numbers of labels, each by itself.
    pub(crate) largest: Labels,
}

/// Numbers of labels that need not be whole.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Labels {
    pub(crate) weak: f64,
    pub(crate) gold: f64,
}

/// The share of a test set's binomial variance that all allocations have in common, where no test items say so: what is
/// hard for one classifier of a task is mostly hard for the next.
const SHARED_SHARE: f64 = 0.5;

/// More cells than this are merged.
const MOST_CELLS: usize = 240;

/// How many degrees of freedom the neighbours' variance between seeds weighs beside a cell's own.
const POOLED_FREEDOM: f64 = 8.0;

/// How far neighbours lie in ln(1 + n). Few labels make seeds differ by ten points where many make them differ by half
/// of one, so cells learn their variance from cells like them.
const NEIGHBOURHOOD: f64 = 1.5;

impl SurfaceCells {
    /// All points of measurements of one method; several tasks are averaged.
    ///
    /// # Errors
    /// As [`Measurements::of_method`].
    pub(crate) fn new(measurements: &Measurements, method: &str) -> Result<Self> {
        let measurements = measurements.of_method(method)?;
        let tasks = measurements.tasks().len();
        let spreads: Vec<Vec<Spread>> = (0..tasks).map(|task| spreads(&measurements, task)).collect();
        let shared_variance: Vec<f64> = (0..tasks).map(|task| shared_variance(&measurements, task)).collect();

        let points = measurements.points();
        let shared = |point: &Point| {
            let of_cell = |&cell: &usize| {
                let cell = &measurements.cells()[cell];
                shared_variance[cell.task] * binomial_shape(cell.mean_accuracy())
            };
            point.cells.iter().map(of_cell).sum::<f64>().sqrt() / tasks as f64
        };
        let variance = |cells: &[usize]| {
            let of_cell = |&cell: &usize| {
                let cell = &measurements.cells()[cell];
                let shared = shared_variance[cell.task] * binomial_shape(cell.mean_accuracy());
                own_variance(cell, pooled_variance(cell, &spreads[cell.task]), shared)
            };
            cells.iter().map(of_cell).sum::<f64>() / (tasks * tasks) as f64
        };
        let cells = Self {
            labels: points.iter().map(|point| Labels::from(point.allocation)).collect(),
            accuracies: points.iter().map(|point| point.accuracy).collect(),
            variances: points.iter().map(|point| variance(&point.cells)).collect(),
            shared: points.iter().map(shared).collect(),
            largest: largest(points.iter().map(|point| point.allocation.into())),
        };
        Ok(cells.merged(MOST_CELLS))
    }

    /// At most this many cells: neighbours are merged, in squares of ln(1 + n) that grow until they are few enough.
    /// Work grows with the cube of the number of cells, and neighbours say nearly the same.
    fn merged(&self, at_most: usize) -> Self {
        let mut merged = self.clone();
        let mut width = 0.05;
        while merged.len() > at_most {
            let square = |labels: &Labels| position(*labels).map(|along| (along / width).round() as i64);
            // Labels of one kind alone are not neighbours of mixtures, however few the others.
            let key = |labels: &Labels| (labels.weak > 0.0, labels.gold > 0.0, square(labels));
            let mut groups = std::collections::BTreeMap::<_, Vec<usize>>::new();
            for (place, labels) in self.labels.iter().enumerate() {
                groups.entry(key(labels)).or_default().push(place);
            }
            merged =
                Self { labels: vec![], accuracies: vec![], variances: vec![], shared: vec![], largest: self.largest };
            for group in groups.values() {
                self.push_mean(group, &mut merged);
            }
            width *= 1.5;
        }
        merged
    }

    /// Appends the mean of some cells, each weighted by the inverse of its variance.
    fn push_mean(&self, places: &[usize], into: &mut Self) {
        let weights: f64 = places.iter().map(|&place| 1.0 / self.variances[place]).sum();
        let mean = |value: &dyn Fn(usize) -> f64| {
            places.iter().map(|&place| value(place) / self.variances[place]).sum::<f64>() / weights
        };
        into.labels.push(Labels {
            weak: mean(&|place| self.labels[place].weak.ln_1p()).exp_m1(),
            gold: mean(&|place| self.labels[place].gold.ln_1p()).exp_m1(),
        });
        into.accuracies.push(mean(&|place| self.accuracies[place]));
        into.variances.push(1.0 / weights);
        into.shared.push(mean(&|place| self.shared[place]));
    }

    /// The accuracy without labels, below which no family of surfaces falls: one half, unless it was measured to be above; if a
    /// few labels were measured to be worse than none, what they gave.
    pub(crate) fn start(&self) -> f64 {
        const MOST: f64 = 0.98;
        if !(0..self.len()).any(|place| self.is_without_labels(place)) {
            return 0.5;
        }
        self.accuracies.iter().copied().fold(MOST, f64::min).max(0.5)
    }

    /// Whether nothing was bought.
    pub(crate) fn is_without_labels(&self, place: usize) -> bool {
        self.labels[place].weak == 0.0 && self.labels[place].gold == 0.0
    }

    pub(crate) fn len(&self) -> usize {
        self.labels.len()
    }

    /// The cells of these places.
    pub(crate) fn subset(&self, places: &[usize]) -> Self {
        let pick = |values: &[f64]| places.iter().map(|&place| values[place]).collect();
        Self {
            labels: places.iter().map(|&place| self.labels[place]).collect(),
            accuracies: pick(&self.accuracies),
            variances: pick(&self.variances),
            shared: pick(&self.shared),
            largest: largest(places.iter().map(|&place| self.labels[place])),
        }
    }
}

fn largest(labels: impl Iterator<Item = Labels>) -> Labels {
    let none = Labels { weak: 0.0, gold: 0.0 };
    labels.fold(none, |most, next| Labels { weak: most.weak.max(next.weak), gold: most.gold.max(next.gold) })
}

impl From<crate::Allocation> for Labels {
    fn from(allocation: crate::Allocation) -> Self {
        Self { weak: allocation.n_weak as f64, gold: allocation.n_gold as f64 }
    }
}

/// The variance of a cell's mean that it shares with no other cell: that between its seeds, drawn towards what its
/// neighbours show, and never less than what the test items leave to chance.
fn own_variance(cell: &Cell, pooled: Option<f64>, shared: f64) -> f64 {
    let (mean, seeds) = (cell.mean_accuracy(), cell.seeds.len() as f64);
    let binomial = (mean * (1.0 - mean)).max(0.01) / cell.outcomes[0].n_test() as f64;
    let unexplained = (binomial - shared).max(0.1 * binomial);
    let pooled = pooled.unwrap_or(ASSUMED_SEED_DEVIATION.powi(2));
    let between = match sample_standard_deviation(&cell.accuracies()) {
        Some(own) => (POOLED_FREEDOM * pooled + (seeds - 1.0) * own * own) / (POOLED_FREEDOM + seeds - 1.0),
        None => pooled,
    };
    // A variance that is itself an estimate makes residuals follow Student's distribution, whose variance is larger.
    let freedom = POOLED_FREEDOM + seeds - 1.0;
    between.max(unexplained) / seeds * freedom / (freedom - 2.0)
}

/// The variance between a cell's seeds, and how many seeds show it.
struct Spread {
    position: [f64; 2],
    variance: f64,
    freedom: f64,
}

/// The spreads of a task's cells of two seeds and more.
fn spreads(measurements: &Measurements, task: usize) -> Vec<Spread> {
    let of_task = measurements.cells().iter().filter(|cell| cell.task == task);
    let spread = |cell: &Cell| {
        let variance = sample_standard_deviation(&cell.accuracies())?.powi(2);
        let freedom = (cell.seeds.len() - 1) as f64;
        Some(Spread { position: position(cell.allocation.into()), variance, freedom })
    };
    of_task.filter_map(spread).collect()
}

/// The mean variance between seeds about a cell; none where no cell has two.
fn pooled_variance(cell: &Cell, spreads: &[Spread]) -> Option<f64> {
    let here = position(cell.allocation.into());
    let (mut sum, mut weights) = (0.0, 0.0);
    for spread in spreads {
        let square = (0..2).map(|axis| ((spread.position[axis] - here[axis]) / NEIGHBOURHOOD).powi(2)).sum::<f64>();
        // The smallest weight keeps a lonely cell from having no neighbours.
        let weight = spread.freedom * (-0.5 * square).exp().max(1e-3);
        sum += weight * spread.variance;
        weights += weight;
    }
    (weights > 0.0).then(|| sum / weights)
}

/// How the variance of the common error changes with accuracy: as a proportion's does, but near chance, where
/// classifiers guess, no item is harder than another.
fn binomial_shape(accuracy: f64) -> f64 {
    const GUESSING_ENDS: f64 = 0.15;
    (accuracy * (1.0 - accuracy)).max(0.01) * ((accuracy - 0.5) / GUESSING_ENDS).clamp(0.0, 1.0)
}

/// The variance of the error that a task's test set gives all runs together, in units of [`binomial_shape`]: from how
/// much more often than by chance the same items are right in several runs, or, without items, a share of the binomial
/// variance.
fn shared_variance(measurements: &Measurements, task: usize) -> f64 {
    let cells: Vec<&Cell> = measurements.cells().iter().filter(|cell| cell.task == task).collect();
    let n_test = cells[0].outcomes[0].n_test();
    let mut rights = vec![0u32; n_test];
    let (mut shapes, mut squares, mut chance) = (0.0, 0.0, 0.0);
    for outcome in cells.iter().flat_map(|cell| &cell.outcomes) {
        if let Outcome::Items(correct) = outcome {
            let accuracy = outcome.accuracy();
            shapes += binomial_shape(accuracy).sqrt();
            squares += binomial_shape(accuracy);
            chance += accuracy * (1.0 - accuracy);
            rights.iter_mut().enumerate().for_each(|(item, rights)| *rights += u32::from(correct.is_correct(item)));
        }
    }
    let n_test = n_test as f64;
    let pairs = shapes * shapes - squares;
    if pairs < 1e-3 {
        return SHARED_SHARE / n_test;
    }
    let mean = rights.iter().map(|&rights| f64::from(rights)).sum::<f64>() / n_test;
    let between = rights.iter().map(|&rights| (f64::from(rights) - mean).powi(2)).sum::<f64>() / n_test;
    // The variance of a sum of independent runs is `chance`; what is above it are covariances, of all pairs.
    ((between - chance) / pairs).clamp(0.0, 1.0) / n_test
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_merged_where_there_are_many() {
        let count = 1000u32;
        let labels: Vec<Labels> = (0..count).map(|n| Labels { weak: f64::from(n), gold: f64::from(n % 10) }).collect();
        let cells = SurfaceCells {
            accuracies: labels.iter().map(|labels| 0.5 + 0.05 * labels.weak.ln_1p()).collect(),
            variances: vec![1e-4; labels.len()],
            shared: vec![0.01; labels.len()],
            largest: labels[999],
            labels,
        };
        let merged = cells.merged(100);
        assert!(merged.len() <= 100 && merged.len() > 30, "{}", merged.len());
        let information = |cells: &SurfaceCells| cells.variances.iter().map(|variance| 1.0 / variance).sum::<f64>();
        assert!((information(&merged) / information(&cells) - 1.0).abs() < 1e-9);
        for (labels, accuracy) in merged.labels.iter().zip(&merged.accuracies) {
            assert!((accuracy - 0.5 - 0.05 * labels.weak.ln_1p()).abs() < 1e-9);
        }
        assert_eq!(cells.merged(1000).len(), 1000);
    }
}
