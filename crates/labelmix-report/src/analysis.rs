//! What the runs of a sweep say beyond their means: how sure they are, and what they let expect elsewhere.

use labelmix_econ::{
    Allocation, ExpansionStep, MeasuredRun, Measurements, Prices, Resamples, Surface, SurfaceRegimeAt, SurfaceSettings,
    expansion_path, surface_regimes_over_price_ratios,
};
use labelmix_stats::Bootstrap;
use rayon::prelude::*;

use crate::Answer;

/// The runs with the test items that each got right, their resamples, and a response surface for every method that was
/// measured with enough allocations. What figures with intervals and the page are made of.
#[derive(Clone, Debug)]
pub struct Analysis {
    pub(crate) measurements: Measurements,
    pub(crate) resamples: Resamples,
    /// In the order of the study's methods.
    pub(crate) surfaces: Vec<Surface>,
}

impl Analysis {
    /// Resamples the runs and fits the surfaces, which takes a second or two for each method. `None` without runs.
    pub fn new(answer: &Answer, runs: Vec<MeasuredRun>) -> Option<Self> {
        let measurements = Measurements::new(runs).ok()?;
        let resamples = Resamples::new(&measurements, &Bootstrap::new(0)).expect("a bootstrap's defaults make sense");
        let fit = |method: &&str| Surface::fit(&measurements, method, &SurfaceSettings::new(0)).ok();
        let surfaces = answer.methods().iter().filter_map(fit).collect();
        Some(Self { measurements, resamples, surfaces })
    }
}

/// The regime that a surface expects for every budget of an axis and every price ratio of another.
#[derive(Clone, Debug)]
pub(crate) struct RegimeGrid {
    /// Budgets in gold labels, rising by equal factors.
    pub(crate) budgets_gold: Vec<f64>,
    /// What a weak label costs in gold labels, rising by equal factors.
    pub(crate) ratios: Vec<f64>,
    /// `[budget][ratio]`.
    pub(crate) cells: Vec<Vec<SurfaceRegimeAt>>,
}

impl RegimeGrid {
    const BUDGETS: usize = 24;
    const RATIOS: usize = 18;

    /// Over the budgets of a study and half as much again on either side, and over all ratios from 1% to 1. Prices enter
    /// by their ratio alone, so the grid is in gold labels.
    pub(crate) fn new(answer: &Answer, surface: &Surface) -> Self {
        let budgets_gold = equal_factors(budget_range(answer), Self::BUDGETS);
        let study_ratio = answer.prices.weak_usd() / answer.prices.gold_usd();
        let ratios = equal_factors((0.01f64.min(study_ratio / 2.0), 1f64.max(study_ratio)), Self::RATIOS);
        let of_budget = |&budget: &f64| {
            surface_regimes_over_price_ratios(surface, &gold_unit().into(), budget, &ratios)
                .expect("budgets and ratios are positive")
        };
        let cells = budgets_gold.par_iter().map(of_budget).collect();
        Self { budgets_gold, ratios, cells }
    }
}

/// Gold labels as the unit of money.
fn gold_unit() -> Prices {
    Prices::new(1.0, 1.0).expect("one is a price")
}

/// The study's budgets in gold labels, from two thirds of the smallest to half as much again as the largest.
pub(crate) fn budget_range(answer: &Answer) -> (f64, f64) {
    let budgets = answer.budgets_to_split_usd();
    let (Some(low), Some(high)) = (budgets.first(), budgets.last()) else { return (10.0, 1000.0) };
    (low / answer.prices.gold_usd() / 1.5, high / answer.prices.gold_usd() * 1.5)
}

/// Numbers from the first to the last, each the same multiple of the one before.
pub(crate) fn equal_factors((first, last): (f64, f64), count: usize) -> Vec<f64> {
    let factor = (last / first).ln() / (count - 1) as f64;
    (0..count).map(|place| first * (factor * place as f64).exp()).collect()
}

/// The best split of growing budgets at the study's prices.
pub(crate) fn expansion(answer: &Answer, surface: &Surface, steps: usize) -> Vec<ExpansionStep> {
    let gold_usd = answer.prices.gold_usd();
    let budgets: Vec<f64> = equal_factors(budget_range(answer), steps).iter().map(|gold| gold * gold_usd).collect();
    expansion_path(surface, &answer.prices.into(), &budgets).expect("budgets are positive")
}

/// The allocations that a method was measured with.
pub(crate) fn measured_allocations<'a>(
    analysis: &'a Analysis,
    method: &'a str,
) -> impl Iterator<Item = Allocation> + 'a {
    let points = analysis.measurements.points().iter();
    points.filter(move |point| analysis.measurements.methods()[point.method] == method).map(|point| point.allocation)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::worked_example::{analysis, answer};

    #[test]
    fn factors_are_equal_and_the_ends_exact() {
        let budgets = equal_factors((2.0, 32.0), 5);
        for (found, expected) in budgets.iter().zip([2.0, 4.0, 8.0, 16.0, 32.0]) {
            assert!((found / expected - 1.0).abs() < 1e-12, "{found} for {expected}");
        }
    }

    #[test]
    fn a_grid_holds_what_the_surface_says() {
        let (answer, analysis) = (answer(), analysis());
        let surface = &analysis.surfaces[0];
        let grid = RegimeGrid::new(&answer, surface);
        assert_eq!((grid.cells.len(), grid.cells[0].len()), (grid.budgets_gold.len(), grid.ratios.len()));
        let (budget, ratio) = (grid.budgets_gold[7], grid.ratios[3]);
        let prices = Prices::new(10.0 * ratio, 10.0).unwrap();
        let alone = surface_regimes_over_price_ratios(surface, &prices.into(), 10.0 * budget, &[ratio]).unwrap();
        assert_eq!(grid.cells[7][3].probabilities, alone[0].probabilities, "in whatever currency");
    }
}
