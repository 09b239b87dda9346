//! What to buy: a plan from the runs at hand, with all that is needed to judge it.

mod error;
mod purchase;
#[cfg(test)]
mod tests;
mod text;

use std::collections::BTreeSet;

use labelmix_econ::{
    Allocation, AnalysisError, CheapestMix, ExpansionStep, IsoquantPoint, MINIMUM_ALLOCATIONS, MarginalValues,
    MeasuredRun, Measurements, Plan, PlanQuestion, RegimeProbabilities, Resamples, Surface, SurfaceRegimeAt,
    SurfaceSettings, Tariff, Warning, cheapest_mix, expansion_path, isoquant, marginal_values, plan,
    surface_regimes_over_budgets, surface_regimes_over_price_ratios,
};
use labelmix_stats::Bootstrap;
use serde::Serialize;

pub use self::error::PlanError;
pub use self::purchase::{PlannedPurchase, PurchaseList};
pub use self::text::render_plan;

/// How much may be spent.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Budget {
    /// Dollars in all, those that the labels at hand cost included.
    InAll(f64),
    /// Dollars on top of the labels at hand.
    Next(f64),
}

/// What is asked. A budget, a target, or both.
#[derive(Clone, Debug, PartialEq)]
pub struct PlanRequest {
    /// How much may be spent; none to ask what a target takes.
    pub budget: Option<Budget>,
    /// The labels that are bought already.
    pub have: Allocation,
    /// The accuracy that is aimed at.
    pub target: Option<f64>,
    /// The only method to plan with; otherwise the best of all.
    pub method: Option<String>,
}

/// A study's runs, and the prices to plan with.
#[derive(Clone, Debug)]
pub struct PlanBasis<'a> {
    /// The study's name.
    pub study: &'a str,
    /// What labels cost.
    pub tariff: Tariff,
    /// The methods that split a budget in any way; the others are not planned.
    pub methods: Vec<&'a str>,
    /// The finished runs, with their test items.
    pub runs: Vec<MeasuredRun>,
}

/// A plan and what it rests on. The names of the fields are a promise to programs that read the JSON; a number that is
/// infinite or does not exist is null.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PlanReport {
    /// The study's name.
    pub study: String,
    /// What labels cost.
    pub tariff: Tariff,
    pub measured: MeasuredBasis,
    /// What may be spent in all, in dollars.
    pub budget_usd: f64,
    /// What the labels that are bought already cost, in dollars.
    pub have_usd: f64,
    /// The labels that there are in the end, those that are bought already included.
    pub total: Allocation,
    /// The plan for what is left of the budget.
    pub plan: Plan,
    /// What is bought at either end of the interval of the best share of weak spending.
    pub best_between: [Allocation; 2],
    /// Whether the plan lies far beyond what was measured ([`labelmix_econ::Extrapolation::is_far`]).
    pub extrapolated: bool,
    /// What more labels are worth once the plan is carried out.
    pub marginal: MarginalValues,
    /// The mixes that are as accurate as the target, or else as the plan.
    pub equal_accuracy: EqualAccuracy,
    /// What each method by itself makes of the budget, the planned one first.
    pub methods: Vec<MethodPlan>,
    /// The best split of smaller and larger budgets, with the planned method, from nothing.
    pub budgets: Vec<BudgetStep>,
    /// How the budget is best spent, from nothing, where a weak label costs these shares of a gold one.
    pub price_ratios: Vec<SurfaceRegimeAt>,
    /// Methods that are not planned, and why.
    pub not_planned: Vec<NotPlanned>,
    /// What the measurements and the plan lack.
    pub warnings: Vec<Warning>,
    /// The lists of texts that were written for the plan, if any were.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub purchase: Option<PlannedPurchase>,
}

/// What was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct MeasuredBasis {
    /// Finished runs of the planned methods.
    pub runs: usize,
    /// Their distinct pairs of method and allocation.
    pub allocations: usize,
    /// Their distinct seeds.
    pub seeds: usize,
    /// The largest numbers of labels of the planned method, each by itself.
    pub largest: Allocation,
}

/// Mixes of equal accuracy.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EqualAccuracy {
    pub accuracy: f64,
    /// Numbers of weak labels with the gold labels that reach it with them.
    pub mixes: Vec<IsoquantPoint>,
}

/// What a method makes of the budget.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MethodPlan {
    pub method: String,
    /// The plan with this method alone.
    pub plan: Plan,
}

/// The best split of a budget.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BudgetStep {
    #[serde(flatten)]
    pub step: ExpansionStep,
    /// How probable it is that the budget is best spent on weak labels, on gold labels, or on both.
    pub probabilities: RegimeProbabilities,
}

/// A method that is not planned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NotPlanned {
    pub method: String,
    pub reason: String,
}

/// Budgets that a plan is shown beside, as multiples of its own.
const BUDGETS: [f64; 5] = [0.25, 0.5, 1.0, 2.0, 4.0];

/// Prices of a weak label in gold labels that a plan is shown beside.
const PRICE_RATIOS: [f64; 7] = [0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5];

/// Shares of the plan's weak labels, or of what was measured, at which mixes of equal accuracy are shown.
const EQUAL_AT: [f64; 5] = [0.0, 0.25, 0.5, 1.0, 2.0];

impl PlanReport {
    /// Plans from the runs at hand.
    ///
    /// # Errors
    /// [`PlanError`] without runs to plan from, and for budgets, labels and targets that make no sense together.
    pub fn new(basis: PlanBasis<'_>, request: &PlanRequest, settings: &SurfaceSettings) -> Result<Self, PlanError> {
        let PlanBasis { study, tariff, methods, runs } = basis;
        let have_usd = tariff.cost_usd(request.have);
        let left_usd = request.budget.map(|budget| left_to_spend(budget, request.have, have_usd)).transpose()?;
        if runs.is_empty() {
            return Err(PlanError::NoRuns { study: study.to_owned() });
        }
        let (surfaces, not_planned) = surfaces(&Measurements::new(runs.clone())?, &methods, request, settings)?;
        let surfaces: Vec<&Surface> = surfaces.iter().collect();
        let is_planned = |run: &MeasuredRun| surfaces.iter().any(|surface| surface.method() == run.method);
        let runs: Vec<MeasuredRun> = runs.into_iter().filter(is_planned).collect();
        let seeds: BTreeSet<u64> = runs.iter().map(|run| run.seed).collect();
        let measured = Measurements::new(runs)?;
        let left_usd = match (left_usd, request.target) {
            (Some(left_usd), _) => left_usd,
            (None, Some(target)) => cost_of_target(&surfaces, &tariff, request.have, target)?,
            (None, None) => return Err(PlanError::NothingAsked),
        };
        let question = PlanQuestion { budget_usd: left_usd, have: request.have, target: request.target };
        let planned = plan(&surfaces, &tariff, &question)?;
        let surface = surfaces.iter().find(|surface| surface.method() == planned.method);
        let surface = *surface.expect("the plan's method is that of a surface");
        let total = sum(request.have, planned.buy);
        let budget_usd = have_usd + left_usd;

        let mut of_methods = vec![MethodPlan { method: planned.method.clone(), plan: planned.clone() }];
        for other in surfaces.iter().filter(|other| other.method() != planned.method) {
            let plan = plan(&[*other], &tariff, &question)?;
            of_methods.push(MethodPlan { method: other.method().to_owned(), plan });
        }
        let budgets = BUDGETS.map(|times| times * budget_usd);
        let regimes = surface_regimes_over_budgets(surface, &tariff, &budgets)?;
        let steps = expansion_path(surface, &tariff, &budgets)?.into_iter().zip(regimes);
        let fractions = planned.best_fractions;
        let bought = |fraction: f64| {
            let owned = tariff.allocation_beyond(request.have, left_usd, fraction)?;
            Ok::<_, PlanError>(Allocation {
                n_weak: owned.n_weak - request.have.n_weak,
                n_gold: owned.n_gold - request.have.n_gold,
            })
        };
        let resamples = Resamples::new(&measured, &Bootstrap::new(settings.seed))?;
        Ok(Self {
            study: study.to_owned(),
            measured: MeasuredBasis {
                runs: measured.runs(),
                allocations: measured.points().len(),
                seeds: seeds.len(),
                largest: surface.largest(),
            },
            budget_usd,
            have_usd,
            total,
            best_between: [bought(fractions.low)?, bought(fractions.high)?],
            extrapolated: planned.extrapolation.is_far(),
            marginal: marginal_values(surface, &tariff, total),
            equal_accuracy: equal_accuracy(surface, total, request.target.unwrap_or(planned.accuracy.mean))?,
            budgets: steps.map(|(step, regime)| BudgetStep { step, probabilities: regime.probabilities }).collect(),
            price_ratios: surface_regimes_over_price_ratios(surface, &tariff, budget_usd, &PRICE_RATIOS)?,
            not_planned,
            warnings: resamples.warnings().iter().chain(&planned.warnings).cloned().collect(),
            methods: of_methods,
            purchase: None,
            plan: planned,
            tariff,
        })
    }

    /// The report as JSON, indented, with a newline at its end.
    pub fn to_json(&self) -> String {
        let json = serde_json::to_string_pretty(self).expect("strings, numbers and lists of them become JSON");
        json + "\n"
    }
}

/// What is left of a budget, in dollars.
fn left_to_spend(budget: Budget, have: Allocation, have_usd: f64) -> Result<f64, PlanError> {
    let (Budget::InAll(budget_usd) | Budget::Next(budget_usd)) = budget;
    if !(budget_usd.is_finite() && budget_usd > 0.0) {
        return Err(PlanError::Budget { budget_usd });
    }
    match budget {
        Budget::Next(next_usd) => Ok(next_usd),
        // The tolerance with which a budget is split.
        Budget::InAll(budget_usd) if have_usd > budget_usd * (1.0 + 1e-9) => {
            Err(PlanError::HaveMore { have, have_usd, budget_usd })
        }
        Budget::InAll(budget_usd) => Ok((budget_usd - have_usd).max(0.0)),
    }
}

/// A surface for every method that can be planned, and why the others cannot.
fn surfaces(
    measured: &Measurements,
    splitting: &[&str],
    request: &PlanRequest,
    settings: &SurfaceSettings,
) -> Result<(Vec<Surface>, Vec<NotPlanned>), PlanError> {
    let (mut surfaces, mut not_planned) = (Vec::new(), Vec::new());
    if let Some(method) = &request.method {
        measured.of_method(method)?;
    }
    for method in measured.methods() {
        if request.method.as_ref().is_some_and(|wanted| wanted != method) {
            continue;
        }
        let reason = if splitting.contains(&method.as_str()) {
            match Surface::fit(measured, method, settings) {
                Ok(surface) => {
                    surfaces.push(surface);
                    continue;
                }
                Err(AnalysisError::TooFewAllocations { allocations, .. }) => {
                    format!("{allocations} allocations are measured, and a plan needs {MINIMUM_ALLOCATIONS}")
                }
                Err(error) => return Err(error.into()),
            }
        } else {
            "it leaves no choice between weak and gold labels".to_owned()
        };
        not_planned.push(NotPlanned { method: method.clone(), reason });
    }
    if surfaces.is_empty() {
        return Err(PlanError::NothingToPlan { not_planned });
    }
    Ok((surfaces, not_planned))
}

/// What the cheapest mix that is expected to reach a target costs, in dollars, on top of the labels at hand.
fn cost_of_target(surfaces: &[&Surface], tariff: &Tariff, have: Allocation, target: f64) -> Result<f64, PlanError> {
    let mut cheapest: Option<f64> = None;
    for surface in surfaces {
        let CheapestMix { expected, .. } = cheapest_mix(surface, tariff, have, target)?;
        if let Some(owned) = expected {
            let cost_usd = tariff.cost_usd(owned) - tariff.cost_usd(have);
            cheapest = Some(cheapest.map_or(cost_usd, |best| best.min(cost_usd)));
        }
    }
    cheapest.ok_or(PlanError::OutOfReach { target })
}

/// The mixes around an allocation that are as accurate as `accuracy`.
fn equal_accuracy(surface: &Surface, around: Allocation, accuracy: f64) -> Result<EqualAccuracy, PlanError> {
    let weak = around.n_weak.max(surface.largest().n_weak / 4);
    let mut counts: Vec<usize> = EQUAL_AT.iter().map(|share| (share * weak as f64).round() as usize).collect();
    counts.dedup();
    // Outside these there are no mixes of equal accuracy to speak of.
    let asked = accuracy.clamp(0.501, 0.999);
    Ok(EqualAccuracy { accuracy: asked, mixes: isoquant(surface, asked, &counts)? })
}

fn sum(one: Allocation, other: Allocation) -> Allocation {
    Allocation { n_weak: one.n_weak + other.n_weak, n_gold: one.n_gold + other.n_gold }
}
