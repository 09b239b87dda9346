//! What a sweep found out: one record per run, and the points of the grid that the runs belong to.

use labelmix_econ::Allocation;
use labelmix_elicit::TestMetrics;
use serde::{Deserialize, Serialize};

/// One finished run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// The run's name, which is its folder's in the store.
    pub run: String,
    /// The method.
    pub method: String,
    /// The study's name.
    pub task: String,
    /// The model, as the study file names it.
    pub model: String,
    /// The seed.
    pub seed: u64,
    /// The labels that were bought.
    pub allocation: Allocation,
    /// What the labels cost by the run's ledger, in dollars; none in records from before there were ledgers.
    #[serde(default)]
    pub cost_usd: Option<f64>,
    /// How good the classifier is on the test set.
    pub metrics: TestMetrics,
}

/// One point of the grid: how one budget is split.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GridPoint {
    /// The method, by its name in the study.
    pub method: String,
    /// The budget in dollars.
    pub budget_usd: f64,
    /// The share that is spent on weak labels of what the method's other labels, if it needs any, leave of the budget.
    pub weak_fraction: f64,
    /// The labels that this buys, those that the method needs whatever the split among them.
    pub allocation: Allocation,
}

impl GridPoint {
    /// Whether another point is the same method's, on the same budget, with the same labels.
    pub(crate) fn buys_the_same(&self, other: &Self) -> bool {
        self.method == other.method && self.budget_usd == other.budget_usd && self.allocation == other.allocation
    }
}

/// A point of the grid that asks for more labels than are for sale, or for none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NotAffordable {
    /// The point.
    pub point: GridPoint,
    /// Why, with the sizes of the pools.
    pub reason: String,
}
