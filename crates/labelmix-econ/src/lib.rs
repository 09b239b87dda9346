//! The economics of labels: what they cost, what they buy, and how to spend a budget on them.
//!
//! [`Prices`] and a budget give an [`Allocation`]; [`Observation`]s of allocations give the best split and the
//! frontier, and a [`Ledger`] says label by label what was bought. Where it matters how sure an answer is: a [`Tariff`]
//! (of [`Prices`], or of [`PriceSchedule`]s with tiers) and [`Measurements`] of runs give [`Resamples`], an
//! [`UncertainFrontier`], [`regime`](regime()) verdicts and a [`budget_table`](budget_table()); a [`Surface`] gives
//! [`marginal_values`], a [`plan`] and a [`backtest`](backtest()). docs/economics.md explains the mathematics. No
//! tensors and no files: a data scientist can use this crate alone.
//!
//! ```
//! use labelmix_econ::{Allocation, Prices, allocation_for};
//!
//! let prices = Prices::new(0.10, 1.00)?;
//! let allocation = allocation_for(64.0, 0.8, &prices)?;
//! assert_eq!(allocation, Allocation { n_weak: 520, n_gold: 12 });
//! assert_eq!(prices.cost_usd(allocation), 64.0);
//! # Ok::<(), labelmix_econ::EconError>(())
//! ```
//!
//! "I have $2,000, weak labels at 8 cents; I have labelled 300 + 60 so far. What do I buy next?"
//!
//! ```
//! use labelmix_econ::{
//!     Allocation, MeasuredRun, Measurements, Outcome, PlanQuestion, Prices, Surface, SurfaceSettings, plan,
//! };
//!
//! let pilot = [(100, 0, 0.61), (300, 0, 0.66), (0, 20, 0.56), (0, 60, 0.62), (100, 20, 0.64), (300, 60, 0.70)];
//! let runs = pilot.into_iter().map(|(n_weak, n_gold, accuracy)| MeasuredRun {
//!     task: "reviews".into(),
//!     method: "seq-sft".into(),
//!     allocation: Allocation { n_weak, n_gold },
//!     seed: 0,
//!     outcome: Outcome::Accuracy { accuracy, n_test: 1000 },
//!     gpu_hours: None,
//! });
//! let measured = Measurements::new(runs.collect())?;
//! let surface = Surface::fit(&measured, "seq-sft", &SurfaceSettings::new(0))?;
//! let have = Allocation { n_weak: 300, n_gold: 60 };
//! let question = PlanQuestion { budget_usd: 2000.0, have, target: Some(0.8) };
//! let plan = plan(&[&surface], &Prices::new(0.08, 1.00)?.into(), &question)?;
//! assert!(plan.cost_usd <= 2000.0);
//! assert!(!plan.warnings.is_empty(), "the answer is far beyond the pilot, and says so");
//! # Ok::<(), labelmix_econ::AnalysisError>(())
//! ```

mod allocation;
mod backtest;
mod budget_table;
mod choice;
mod contenders;
mod correct_counts;
mod error;
mod frontier;
mod held_out;
mod ledger;
mod marginal;
mod measurement;
mod method_comparison;
mod observation;
mod pareto;
mod pilot;
mod planner;
mod prices;
mod regime;
mod regime_map;
mod resample;
mod schedule;
mod simulated;
mod splits;
mod standing;
mod surface;
mod tariff;
mod trial;
mod warning;

pub use allocation::{Allocation, allocation_for};
pub use backtest::{Backtest, Rule, RuleRegret, backtest};
pub use budget_table::{
    AccuracyCurve, BudgetEntry, BudgetRow, BudgetTable, CurveStep, accuracy_at_budget, budget_table,
};
pub use contenders::{Contender, WhatDecides};
pub use error::{AnalysisError, Result};
pub use frontier::{BandStep, FrontierPoint, MethodStanding, UncertainFrontier};
pub use held_out::{HeldOut, PredictionScore, SurfaceScore, compare_surfaces};
pub use ledger::{LabelKind, Ledger, LedgerEntry, LedgerTotals, Purpose, UseTotals};
pub use marginal::{
    CheapestMix, ExpansionStep, IsoquantPoint, MarginalValues, Quantity, cheapest_mix, expansion_path, isoquant,
    marginal_values,
};
pub use measurement::{CorrectItems, MeasuredRun, Measurements, Outcome, Point, RankedItems};
pub use method_comparison::{
    BEST_OF_OTHERS, BudgetComparison, ComparisonQuestion, MethodAtBudget, MethodComparison, MethodPair, PairVerdict,
    SIGNIFICANCE, SingleRuns, compare_methods,
};
pub use observation::{Observation, best_split};
pub use pareto::pareto_frontier;
pub use pilot::Pilot;
pub use planner::{Plan, PlanQuestion, TargetPlan, plan};
pub use prices::{EconError, Prices};
pub use regime::{Regime, RegimeAnswer, RegimeProbabilities, VERDICT_PROBABILITY, regime};
pub use regime_map::{
    RegimeAt, RegimeBoundary, SurfaceRegimeAt, regime_boundaries, regimes_over_budgets, regimes_over_price_ratios,
    surface_regimes_over_budgets, surface_regimes_over_price_ratios,
};
pub use resample::Resamples;
pub use schedule::{PriceSchedule, Tier};
pub use simulated::{World, WorldKind};
pub use surface::{
    Estimate, Extrapolation, MINIMUM_ALLOCATIONS, Surface, SurfaceKind, SurfaceNumbers, SurfaceSettings,
};
pub use tariff::{LabelCounts, SourcePrices, Tariff};
pub use trial::{PlanTrial, RegimeTrial, TruthCheck};
pub use warning::Warning;
