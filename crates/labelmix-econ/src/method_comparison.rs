//! Methods against each other at equal cost: who makes more of a budget, and how sure that is.
//!
//! A method's splits of a budget were measured on the test items that it is judged by, so a method is taken at what it
//! achieves where its split is chosen by other seeds and items ([`MeasuredChoice`]). The difference's standard deviation comes from
//! common resamples of seeds and test items. What these cannot show is how little three seeds say about the standard deviation between
//! seeds: intervals and p-values are Student's, with as many degrees of freedom as the part of the variance that comes
//! from seeds leaves (Satterthwaite 1946).

use labelmix_stats::{Interval, McNemar, StudentEstimate, holm_adjusted, sample_standard_deviation};
use serde::{Deserialize, Serialize};

use crate::allocation::check_budget;
use crate::choice::MeasuredChoice;
use crate::error::{AnalysisError, Result};
use crate::measurement::{Cell, Outcome};
use crate::regime::within;
use crate::{Allocation, Measurements, Observation, Resamples, Tariff, Warning, best_split};

/// The probability of a false "better" or "worse" that a comparison allows itself.
pub const SIGNIFICANCE: f64 = 0.05;

/// What is to be compared.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ComparisonQuestion<'a> {
    /// The budgets in dollars.
    pub budgets_usd: &'a [f64],
    /// The methods, in the order in which they are to be shown.
    pub methods: &'a [&'a str],
    /// The method that all others are compared with; without it, every method with every later one.
    pub baseline: Option<&'a str>,
    /// Whether the baseline is also compared with the best of the others, which is then chosen as splits are: by other seeds
    /// and items than it is judged by.
    pub best_of_others: bool,
}

/// The name of the best of all methods but the baseline.
pub const BEST_OF_OTHERS: &str = "the best of the others";

/// Methods at equal cost.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MethodComparison {
    /// What each budget buys with each method, and how the methods differ.
    pub budgets: Vec<BudgetComparison>,
    /// How many pairs were compared: what Holm's correction allows for.
    pub compared: usize,
    /// What the measurements lack.
    pub warnings: Vec<Warning>,
}

/// The methods at one budget.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BudgetComparison {
    /// The budget, in dollars.
    pub budget_usd: f64,
    /// The methods with a run within it.
    pub methods: Vec<MethodAtBudget>,
    /// The methods without one.
    pub missing: Vec<String>,
    pub pairs: Vec<MethodPair>,
}

/// What a method makes of a budget.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MethodAtBudget {
    /// Its name, or [`BEST_OF_OTHERS`].
    pub method: String,
    /// The method of the allocation that measured best, where one was chosen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chosen_method: Option<String>,
    /// Its allocation that measured best, of those that cost no more than the budget; of equals the cheapest.
    pub best: Allocation,
    /// What that costs, in dollars.
    pub cost_usd: f64,
    /// What was measured there: the mean over seeds. Of many allocations it is optimistic.
    pub measured: f64,
    /// The sample standard deviation between its seeds; `None` of a single one, or of several tasks.
    pub deviation: Option<f64>,
    /// The seeds of the allocation; the fewest of its tasks.
    pub seeds: usize,
    /// How many allocations it was chosen from.
    pub candidates: usize,
    /// What the method achieves where its allocation is chosen by other seeds and items than it is judged by.
    pub achieved: f64,
}

/// How two methods differ at a budget.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MethodPair {
    pub first: String,
    /// The second: the baseline, if there is one.
    pub second: String,
    /// What the first achieves minus what the second does.
    pub difference: f64,
    /// The difference's 95% interval, for this pair alone.
    pub interval: Interval,
    /// The degrees of freedom behind the interval; none where seeds contribute nothing, which is the normal distribution.
    pub degrees_of_freedom: Option<f64>,
    /// The probability of a difference at least as large if there were none, for this pair alone.
    pub p_value: f64,
    /// The same with Holm's correction for all pairs of the comparison.
    pub holm_p_value: f64,
    /// In a word.
    pub verdict: PairVerdict,
    /// The best allocations' two runs item by item, where each has a single one that was judged by right and wrong.
    pub single_runs: Option<SingleRuns>,
}

/// Two runs on the same test items.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct SingleRuns {
    /// The items that only one of them gets right.
    #[serde(flatten)]
    pub counts: McNemar,
    /// The exact p-value of [`McNemar`]: whether these two runs differ, whatever other seeds would give.
    pub p_value: f64,
}

/// Whether the first of two methods is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PairVerdict {
    /// Yes, also with Holm's correction.
    Better,
    /// Yes for this pair alone, not with the correction.
    PerhapsBetter,
    /// The data cannot tell.
    Tied,
    /// The second is better for this pair alone, not with the correction.
    PerhapsWorse,
    /// The second is better, also with the correction.
    Worse,
}

impl PairVerdict {
    fn of(difference: f64, p_value: f64, holm_p_value: f64) -> Self {
        match (p_value <= SIGNIFICANCE, holm_p_value <= SIGNIFICANCE, difference > 0.0) {
            (false, ..) => Self::Tied,
            (true, true, true) => Self::Better,
            (true, false, true) => Self::PerhapsBetter,
            (true, false, false) => Self::PerhapsWorse,
            (true, true, false) => Self::Worse,
        }
    }

    /// As it is written in tables.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Better => "better",
            Self::PerhapsBetter => "perhaps better",
            Self::Tied => "tied",
            Self::PerhapsWorse => "perhaps worse",
            Self::Worse => "worse",
        }
    }
}

/// Compares methods at every budget, at these prices.
///
/// # Errors
/// [`AnalysisError`] for a budget that is negative or not finite, and for a method or baseline without runs.
///
/// # Panics
/// If the resamples are those of other measurements, or were not drawn by [`Resamples::with_left_out`].
pub fn compare_methods(
    measurements: &Measurements,
    resamples: &Resamples,
    tariff: &Tariff,
    question: &ComparisonQuestion<'_>,
) -> Result<MethodComparison> {
    let observations = measurements.observations(tariff);
    assert_eq!(observations.len(), resamples.observed().len(), "resamples of these measurements");
    for method in question.methods.iter().chain(&question.baseline) {
        method_place(measurements, method)?;
    }
    let mut budgets = Vec::new();
    for &budget_usd in question.budgets_usd {
        check_budget(budget_usd)?;
        let (mut sides, mut missing) = (Vec::new(), Vec::new());
        for &method in question.methods {
            let place = method_place(measurements, method)?;
            match Side::new(method, &[place], measurements, resamples, &observations, budget_usd) {
                Some(side) => sides.push(side),
                None => missing.push(method.to_owned()),
            }
        }
        if question.best_of_others {
            let others = question.methods.iter().filter(|method| question.baseline != Some(**method));
            let places = others.map(|method| method_place(measurements, method)).collect::<Result<Vec<usize>>>()?;
            sides.extend(Side::new(BEST_OF_OTHERS, &places, measurements, resamples, &observations, budget_usd));
        }
        let pairs = pairs_of(&sides, question.baseline);
        budgets.push(BudgetComparison {
            budget_usd,
            pairs: pairs.into_iter().map(|[first, second]| pair(measurements, resamples, first, second)).collect(),
            methods: sides.into_iter().map(|side| side.at_budget).collect(),
            missing,
        });
    }
    let mut pairs: Vec<&mut MethodPair> = budgets.iter_mut().flat_map(|budget| &mut budget.pairs).collect();
    let adjusted = holm_adjusted(&pairs.iter().map(|pair| pair.p_value).collect::<Vec<f64>>());
    for (pair, adjusted) in pairs.iter_mut().zip(&adjusted) {
        pair.holm_p_value = *adjusted;
        pair.verdict = PairVerdict::of(pair.difference, pair.p_value, *adjusted);
    }
    Ok(MethodComparison { compared: pairs.len(), budgets, warnings: resamples.warnings().to_vec() })
}

fn method_place(measurements: &Measurements, method: &str) -> Result<usize> {
    let known = measurements.methods();
    known
        .iter()
        .position(|name| name == method)
        .ok_or_else(|| AnalysisError::UnknownMethod { method: method.to_owned(), known: known.join(", ") })
}

/// A method at a budget, or the best of several.
struct Side {
    choice: MeasuredChoice,
    /// The point that measured best.
    best: usize,
    at_budget: MethodAtBudget,
}

impl Side {
    /// `None` without a run within the budget.
    fn new(
        name: &str,
        methods: &[usize],
        measurements: &Measurements,
        resamples: &Resamples,
        observations: &[Observation],
        budget_usd: f64,
    ) -> Option<Self> {
        let points = measurements.points();
        let fits = |point: &usize| {
            methods.contains(&points[*point].method) && within(observations[*point].cost_usd, budget_usd)
        };
        let candidates: Vec<usize> = (0..points.len()).filter(fits).collect();
        let choice = MeasuredChoice::new(&candidates, resamples)?;
        let of_candidates: Vec<Observation> = candidates.iter().map(|&point| observations[point]).collect();
        let best = candidates[best_split(&of_candidates)?];
        let cells: Vec<&Cell> = points[best].cells.iter().map(|&cell| &measurements.cells()[cell]).collect();
        let at_budget = MethodAtBudget {
            method: name.to_owned(),
            chosen_method: (methods.len() > 1).then(|| measurements.methods()[points[best].method].clone()),
            best: points[best].allocation,
            cost_usd: observations[best].cost_usd,
            measured: points[best].accuracy,
            deviation: match cells.as_slice() {
                [cell] => sample_standard_deviation(&cell.accuracies()),
                _ => None,
            },
            seeds: cells.iter().map(|cell| cell.seeds.len()).min()?,
            candidates: candidates.len(),
            achieved: choice.achieved,
        };
        Some(Self { choice, best, at_budget })
    }
}

/// Every side with the baseline, or with every later side.
fn pairs_of<'a>(sides: &'a [Side], baseline: Option<&str>) -> Vec<[&'a Side; 2]> {
    let Some(baseline) = baseline else {
        let with_later =
            |(place, first): (usize, &'a Side)| sides[place + 1..].iter().map(move |second| [first, second]);
        return sides.iter().enumerate().flat_map(with_later).collect();
    };
    let is_baseline = |side: &&Side| side.at_budget.method == baseline;
    let Some(second) = sides.iter().find(is_baseline) else { return Vec::new() };
    sides.iter().filter(|side| !is_baseline(side)).map(|first| [first, second]).collect()
}

/// Holm's correction and the verdict come when all pairs are there.
fn pair(measurements: &Measurements, resamples: &Resamples, first: &Side, second: &Side) -> MethodPair {
    // What is equal but for the order of its sums is equal.
    const ROUNDING: f64 = 1e-12;
    let (a, b) = (&first.choice, &second.choice);
    let difference = Some(a.achieved - b.achieved).filter(|difference| difference.abs() > ROUNDING).unwrap_or(0.0);
    let drawn: Vec<f64> = (0..resamples.resamples())
        .map(|number| a.in_resample(resamples, number) - b.in_resample(resamples, number))
        .collect();
    let deviation = sample_standard_deviation(&drawn).expect("there are at least 20 resamples");
    let degrees_of_freedom = degrees_of_freedom(measurements, [a, b], deviation * deviation);
    let estimate = StudentEstimate { value: difference, deviation, degrees_of_freedom };
    let p_value = estimate.p_value();
    MethodPair {
        first: first.at_budget.method.clone(),
        second: second.at_budget.method.clone(),
        difference,
        interval: estimate.interval(1.0 - SIGNIFICANCE),
        degrees_of_freedom: Some(degrees_of_freedom).filter(|freedom| freedom.is_finite()),
        p_value,
        holm_p_value: p_value,
        verdict: PairVerdict::Tied,
        single_runs: single_runs(measurements, first.best, second.best),
    }
}

/// How well a difference's variance is known: test items are many and leave no doubt of their part, seeds are few. Where
/// all runs that a task's difference is made of have the same seeds, the part is that of the seeds' own differences, else of
/// each allocation by itself. Allocations with one seed, whose deviation is taken from others or assumed, count as known.
fn degrees_of_freedom(measurements: &Measurements, choices: [&MeasuredChoice; 2], variance: f64) -> f64 {
    let tasks = measurements.tasks().len();
    let (mut from_seeds, mut doubt) = (0.0, 0.0);
    let mut add = |variance_of_mean: f64, seeds: usize| {
        let part = variance_of_mean / (tasks * tasks) as f64;
        from_seeds += part;
        doubt += part * part / (seeds - 1) as f64;
    };
    for task in 0..tasks {
        let [first, second] = choices.map(|choice| choice.chosen.iter());
        let signed = first.map(|&(point, share)| (point, share)).chain(second.map(|&(point, share)| (point, -share)));
        let parts: Vec<(&Cell, f64)> = signed
            .map(|(point, share)| (&measurements.cells()[measurements.points()[point].cells[task]], share))
            .collect();
        let Some((one, _)) = parts.first() else { continue };
        if parts.iter().all(|(cell, _)| cell.seeds == one.seeds) {
            let of_seed = |seed: usize| parts.iter().map(|(cell, share)| share * cell.outcomes[seed].accuracy()).sum();
            let differences: Vec<f64> = (0..one.seeds.len()).map(of_seed).collect();
            if let Some(deviation) = sample_standard_deviation(&differences) {
                add(deviation * deviation / differences.len() as f64, differences.len());
            }
        } else {
            for (cell, share) in parts {
                let accuracies: Vec<f64> = cell.outcomes.iter().map(Outcome::accuracy).collect();
                if let Some(deviation) = sample_standard_deviation(&accuracies) {
                    add((share * deviation).powi(2) / accuracies.len() as f64, accuracies.len());
                }
            }
        }
    }
    // Seeds contribute no more than all there is.
    let scale = (variance / from_seeds).min(1.0);
    if doubt > 0.0 && variance > 0.0 { variance * variance / (doubt * scale * scale) } else { f64::INFINITY }
}

fn single_runs(measurements: &Measurements, first: usize, second: usize) -> Option<SingleRuns> {
    let right = |point: usize| {
        let [cell] = measurements.points()[point].cells.as_slice() else { return None };
        let [Outcome::Items(correct)] = measurements.cells()[*cell].outcomes.as_slice() else { return None };
        Some((0..correct.items()).map(|item| correct.is_correct(item)).collect::<Vec<bool>>())
    };
    let counts = McNemar::of(&right(first)?, &right(second)?);
    Some(SingleRuns { counts, p_value: counts.exact_p_value() })
}
