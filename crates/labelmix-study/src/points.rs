//! The points of a grid.

use labelmix_econ::Allocation;
use serde::{Deserialize, Serialize};

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
    pub point: GridPoint,
    /// Why, with the sizes of the pools.
    pub reason: String,
}
