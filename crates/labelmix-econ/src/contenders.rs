//! Which allocations an undecided verdict hangs between, and how much more measuring would tell them apart.

use labelmix_stats::{Interval, sample_standard_deviation};
use serde::Serialize;

use crate::measurement::{Measurements, Outcome};
use crate::regime::{Regime, RegimeProbabilities};
use crate::standing::Standing;
use crate::{Allocation, Resamples};

/// The best measured allocation of a regime within a budget.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Contender {
    /// The point, by its place in [`Measurements::points`].
    pub point: usize,
    pub regime: Regime,
    pub method: String,
    pub allocation: Allocation,
    /// What they cost, in dollars.
    pub cost_usd: f64,
    /// The accuracy measured.
    pub accuracy: f64,
    /// The accuracy's interval.
    pub interval: Interval,
}

/// What an undecided verdict hangs between. The numbers needed are estimates: they hold if the difference that is left
/// after the correction for choosing stays what it is now.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WhatDecides {
    /// The two most probable regimes' contenders, the more probable first, by their places in
    /// [`RegimeAnswer::contenders`](crate::RegimeAnswer::contenders).
    pub between: [usize; 2],
    /// The first one's accuracy minus the second one's.
    pub difference: f64,
    /// The difference's interval.
    pub interval: Interval,
    /// The difference between what the two regimes achieve when their representatives are not chosen by the noise that
    /// they are judged by: what the verdict rests on.
    pub corrected_difference: f64,
    /// The seeds that each of the two has on a task, on average.
    pub seeds: f64,
    /// The seeds that would make a difference of this size clear with the present test set; none where no number would.
    pub seeds_needed: Option<f64>,
    /// The test items of a task, on average.
    pub n_test: f64,
    /// The test items that would make a difference of this size clear with the present seeds; none where no number
    /// would.
    pub n_test_needed: Option<f64>,
    /// By which factor both would have to grow together; none where there is no difference to make clear.
    pub both_times: Option<f64>,
}

/// The standard normal distribution's 90% quantile: as many deviations from zero a difference must be for the verdict.
const Z_VERDICT: f64 = 1.281_551_565_544_600_4;

/// What would decide between the two most probable regimes; none with a single contender.
///
/// A difference Δ has the variance V, a sum of two parts, of which the first falls with the number of seeds and the
/// second with that of test items; clear is Δ² ≥ z²·V.
pub(crate) fn what_decides(
    measurements: &Measurements,
    resamples: &Resamples,
    contenders: &[Contender],
    standings: &[Option<Standing>; 3],
    probabilities: &RegimeProbabilities,
) -> Option<WhatDecides> {
    let mut order: Vec<usize> = (0..contenders.len()).collect();
    let probability = |&place: &usize| probabilities.of(contenders[place].regime);
    order.sort_by(|a, b| probability(b).total_cmp(&probability(a)));
    let &[first, second, ..] = order.as_slice() else { return None };

    let (a, b) = (&contenders[first], &contenders[second]);
    let standing = |contender: &Contender| standings[contender.regime as usize].as_ref();
    let (standing_a, standing_b) = (standing(a)?, standing(b)?);
    let corrected_difference = standing_a.accuracy - standing_b.accuracy;
    let in_resamples = |difference: &dyn Fn(usize) -> f64| {
        let drawn: Vec<f64> = (0..resamples.resamples()).map(difference).collect();
        sample_standard_deviation(&drawn).unwrap_or(0.0).powi(2)
    };
    let variance =
        in_resamples(&|number| standing_a.in_resample(resamples, number) - standing_b.in_resample(resamples, number));
    // The contenders stand for all representatives in how the variance divides.
    let of_contenders = in_resamples(&|number| {
        let drawn = resamples.accuracies(number);
        drawn[a.point] - drawn[b.point]
    });
    let share = seed_variance(measurements, a.point, b.point) / of_contenders.max(f64::MIN_POSITIVE);
    let from_seeds = variance * share.min(1.0);
    let from_items = variance - from_seeds;
    let allowed = (corrected_difference.max(0.0) / Z_VERDICT).powi(2);

    let cells = [a, b].map(|contender| &measurements.points()[contender.point].cells).into_iter().flatten();
    let cells: Vec<_> = cells.map(|&cell| &measurements.cells()[cell]).collect();
    let mean = |value: &dyn Fn(usize) -> usize| {
        (0..cells.len()).map(|cell| value(cell) as f64).sum::<f64>() / cells.len() as f64
    };
    let seeds = mean(&|cell| cells[cell].seeds.len());
    let n_test = mean(&|cell| cells[cell].outcomes[0].n_test());
    // More of one kind helps as long as the other kind's noise alone is small enough.
    let needed =
        |now: f64, falls: f64, stays: f64| (allowed > stays).then(|| now * (falls / (allowed - stays)).max(1.0));
    Some(WhatDecides {
        between: [first, second],
        difference: a.accuracy - b.accuracy,
        corrected_difference,
        interval: difference_interval(resamples, a.point, b.point),
        seeds,
        seeds_needed: needed(seeds, from_seeds, from_items),
        n_test,
        n_test_needed: needed(n_test, from_items, from_seeds),
        both_times: (allowed > 0.0).then(|| (variance / allowed).max(1.0)),
    })
}

/// The part of the difference's variance that comes from seeds: of the paired differences where both points have the
/// same seeds, else of each by itself. Zero where there is one seed: then all of it counts as noise of the items.
fn seed_variance(measurements: &Measurements, first: usize, second: usize) -> f64 {
    let points = measurements.points();
    let of_mean = |values: &[f64]| sample_standard_deviation(values).map_or(0.0, |d| d * d / values.len() as f64);
    let tasks = points[first].cells.len() as f64;
    let task_variance = |(&a, &b): (&usize, &usize)| {
        let (a, b) = (&measurements.cells()[a], &measurements.cells()[b]);
        let accuracies = |outcomes: &[Outcome]| outcomes.iter().map(Outcome::accuracy).collect::<Vec<f64>>();
        let (left, right) = (accuracies(&a.outcomes), accuracies(&b.outcomes));
        if a.seeds == b.seeds {
            of_mean(&left.iter().zip(&right).map(|(left, right)| left - right).collect::<Vec<f64>>())
        } else {
            of_mean(&left) + of_mean(&right)
        }
    };
    points[first].cells.iter().zip(&points[second].cells).map(task_variance).sum::<f64>() / (tasks * tasks)
}

/// The interval of a difference of two points' accuracies over resamples.
fn difference_interval(resamples: &Resamples, first: usize, second: usize) -> Interval {
    let difference = |number| resamples.accuracies(number)[first] - resamples.accuracies(number)[second];
    resamples.interval_of((0..resamples.resamples()).map(difference).collect())
}
