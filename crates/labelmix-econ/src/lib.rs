//! What labels cost and what they buy.
//!
//! [`Prices`] and a budget give an [`Allocation`]; measured allocations are [`Observation`]s; from these come
//! the best split of a budget and the Pareto frontier. A [`Ledger`] says label by label what was bought. No tensors and no files: a data scientist can use this
//! crate alone.
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

mod allocation;
mod backtest;
mod budget_table;
mod contenders;
mod correct_counts;
mod error;
mod frontier;
mod held_out;
mod ledger;
mod marginal;
mod measurement;
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
pub use frontier::{BandStep, DOMINATED_BELOW, FrontierPoint, MethodStanding, UncertainFrontier};
pub use held_out::{HeldOut, PredictionScore, SurfaceScore, compare_surfaces};
pub use ledger::{LabelKind, Ledger, LedgerEntry, LedgerTotals, Purpose, UseTotals};
pub use marginal::{
    CheapestMix, ExpansionStep, IsoquantPoint, MarginalValues, Quantity, cheapest_mix, expansion_path, isoquant,
    marginal_values,
};
pub use measurement::{CorrectItems, MeasuredRun, Measurements, Outcome, Point};
pub use observation::{Observation, best_split};
pub use pareto::{MINIMUM_GAIN, SIMILAR_COST, pareto_frontier};
pub use pilot::Pilot;
pub use planner::{GOOD_ENOUGH, Plan, PlanQuestion, TargetPlan, plan};
pub use prices::{EconError, Prices};
pub use regime::{Regime, RegimeAnswer, RegimeProbabilities, VERDICT_PROBABILITY, regime};
pub use regime_map::{RegimeAt, RegimeBoundary, regime_boundaries, regimes_over_budgets, regimes_over_price_ratios};
pub use resample::{ASSUMED_SEED_DEVIATION, Resamples};
pub use schedule::{Schedule, Tier};
pub use simulated::{World, WorldKind};
pub use surface::{
    EXTRAPOLATED_BEYOND, Estimate, Extrapolation, MINIMUM_ALLOCATIONS, Surface, SurfaceKind, SurfaceSettings,
};
pub use tariff::{Purchase, SourcePrices, Tariff};
pub use trial::{PlanTrial, RegimeTrial, TruthCheck};
pub use warning::Warning;
