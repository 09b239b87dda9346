//! The frontier of cost and accuracy with what the measurements leave open: who is on it, and how high it lies.

use labelmix_stats::Interval;
use rayon::prelude::*;
use serde::Serialize;

use crate::pareto::CostOrder;
use crate::{Allocation, Measurements, Resamples, Tariff, Warning};

/// Below this probability of holding any place on the frontier a method is called dominated.
pub(crate) const DOMINATED_BELOW: f64 = 0.05;

/// The frontier by the published rule ([`pareto_frontier`](crate::pareto_frontier)), for what was measured and for each
/// resample of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct UncertainFrontier {
    /// All points, by rising cost.
    pub points: Vec<FrontierPoint>,
    /// How accurate a classifier each cost buys, a step for each distinct cost, rising.
    pub band: Vec<BandStep>,
    /// How each method stands, by name.
    pub methods: Vec<MethodStanding>,
    /// What the measurements lack.
    pub warnings: Vec<Warning>,
}

/// A point and its place.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FrontierPoint {
    /// The point, by its place in [`Measurements::points`].
    pub point: usize,
    pub method: String,
    pub allocation: Allocation,
    /// What they cost, in dollars.
    pub cost_usd: f64,
    /// What computing costs, in dollars, where hours and price are known. It is not in the cost.
    pub compute_usd: Option<f64>,
    /// The accuracy measured.
    pub accuracy: f64,
    /// The accuracy's interval.
    pub interval: Interval,
    /// Whether it is on the frontier of what was measured.
    pub on_frontier: bool,
    /// The share of resamples in which it is on the frontier.
    pub probability: f64,
}

/// The frontier's height from one cost to the next.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct BandStep {
    /// The cost from which on it holds, in dollars.
    pub cost_usd: f64,
    /// The best accuracy measured at this cost or less.
    pub accuracy: f64,
    /// The interval of the best accuracy over resamples, moved down by the optimism.
    pub interval: Interval,
    /// By how much the best of several noisy accuracies overstates the accuracy of the best: what resampling adds to
    /// it, a bootstrap estimate. It is more where many points vie for the place.
    pub optimism: f64,
}

/// Whether a method has a place on the frontier.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MethodStanding {
    pub method: String,
    /// How many places it holds on the frontier of what was measured.
    pub places: usize,
    /// The share of resamples in which it holds any.
    pub probability: f64,
    /// Whether it holds none, and hardly ever does (`DOMINATED_BELOW`).
    pub dominated: bool,
}

impl UncertainFrontier {
    /// The frontier at these prices.
    ///
    /// # Panics
    /// If the resamples are those of other measurements.
    pub fn new(measurements: &Measurements, resamples: &Resamples, tariff: &Tariff) -> Self {
        let points = measurements.points();
        assert_eq!(points.len(), resamples.observed().len(), "resamples of these measurements");
        let costs: Vec<f64> = points.iter().map(|point| tariff.cost_usd(point.allocation)).collect();
        let order = CostOrder::new(&costs);
        let drawn: Vec<Resampled> = (0..resamples.resamples())
            .into_par_iter()
            .map(|number| Resampled::new(&order, resamples.accuracies(number)))
            .collect();
        let measured = Resampled::new(&order, resamples.observed());

        let mut places = vec![0usize; points.len()];
        let mut held = vec![0usize; measurements.methods().len()];
        for resampled in &drawn {
            let mut holds = vec![false; held.len()];
            for &index in &resampled.members {
                places[index] += 1;
                holds[points[index].method] = true;
            }
            held.iter_mut().zip(holds).for_each(|(times, holds)| *times += usize::from(holds));
        }
        let share = |times: usize| times as f64 / drawn.len() as f64;

        let frontier_point = |&index: &usize| {
            let point = &points[index];
            FrontierPoint {
                point: index,
                method: measurements.methods()[point.method].clone(),
                allocation: point.allocation,
                cost_usd: costs[index],
                compute_usd: point.gpu_hours.and_then(|hours| tariff.compute_usd(hours)),
                accuracy: point.accuracy,
                interval: resamples.interval(index),
                on_frontier: measured.members.contains(&index),
                probability: share(places[index]),
            }
        };
        let standing = |(method, name): (usize, &String)| {
            let places = measured.members.iter().filter(|&&index| points[index].method == method).count();
            let probability = share(held[method]);
            let dominated = places == 0 && probability < DOMINATED_BELOW;
            MethodStanding { method: name.clone(), places, probability, dominated }
        };
        Self {
            points: order.by_cost().par_iter().map(frontier_point).collect(),
            band: band(&order, &costs, &measured, &drawn, resamples),
            methods: measurements.methods().iter().enumerate().map(standing).collect(),
            warnings: resamples.warnings().to_vec(),
        }
    }
}

/// One resample's frontier.
struct Resampled {
    members: Vec<usize>,
    /// The best accuracy so far, by place in the order of cost.
    best_so_far: Vec<f64>,
}

impl Resampled {
    fn new(order: &CostOrder, accuracies: &[f64]) -> Self {
        let mut best = f64::NEG_INFINITY;
        let rise = |&index: &usize| {
            best = best.max(accuracies[index]);
            best
        };
        Self { members: order.frontier(accuracies), best_so_far: order.by_cost().iter().map(rise).collect() }
    }
}

/// A step at the last place of every distinct cost.
fn band(
    order: &CostOrder,
    costs: &[f64],
    measured: &Resampled,
    drawn: &[Resampled],
    resamples: &Resamples,
) -> Vec<BandStep> {
    let cost_at = |place: usize| costs[order.by_cost()[place]];
    let places: Vec<usize> =
        (0..costs.len()).filter(|&place| place + 1 == costs.len() || cost_at(place + 1) > cost_at(place)).collect();
    places
        .into_par_iter()
        .map(|place| {
            let values: Vec<f64> = drawn.iter().map(|resampled| resampled.best_so_far[place]).collect();
            let accuracy = measured.best_so_far[place];
            let optimism = (values.iter().sum::<f64>() / values.len() as f64 - accuracy).max(0.0);
            let Interval { low, high } = resamples.interval_of(values);
            // Both the resampled best and the measured best overstate: the first is as far above the second as the
            // second is above the truth.
            let interval = Interval { low: low - 2.0 * optimism, high: high - 2.0 * optimism };
            BandStep { cost_usd: cost_at(place), accuracy, interval, optimism }
        })
        .collect()
}
