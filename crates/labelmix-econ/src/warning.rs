//! What a reader must know to trust an answer no further than it goes.

use std::fmt;

use serde::Serialize;

/// A weakness of the measurements that an answer rests on.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "warning", rename_all = "kebab-case")]
pub enum Warning {
    /// Allocations measured with one seed: how much another seed would differ is taken from the others, or assumed.
    SingleSeed {
        /// How many pairs of task, method and allocation.
        cells: usize,
        /// The standard deviation between seeds that is assumed.
        deviation: f64,
        /// Whether it was assumed, because no allocation has two seeds.
        assumed: bool,
    },
    /// Accuracies without test items.
    NoItems { runs: usize },
    /// Allocations that were not measured on every task.
    LeftOut {
        /// How many pairs of method and allocation.
        points: usize,
    },
    /// A regime that no run within the budget stands for.
    NotMeasured {
        /// The regime, as it is written in tables.
        regime: &'static str,
    },
    /// A regime whose dearest run spends little of the budget.
    BudgetNotSpent {
        /// The regime, as it is written in tables.
        regime: &'static str,
        /// The largest share of the budget that one of its runs spends.
        share: f64,
    },
    /// Numbers of labels beyond what was measured.
    Extrapolated {
        /// How many times the largest measured number of labels.
        times: f64,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SingleSeed { cells, deviation, assumed } => {
                let source = if *assumed { "assumed" } else { "taken from the other allocations" };
                write!(
                    formatter,
                    "{cells} allocations have one seed: a deviation of {deviation:.3} between seeds is {source}"
                )
            }
            Self::NoItems { runs } => write!(
                formatter,
                "{runs} runs have an accuracy but no test items: their noise is binomial and shared with no other run"
            ),
            Self::LeftOut { points } => {
                write!(formatter, "{points} allocations were not measured on every task and are left out")
            }
            Self::NotMeasured { regime } => {
                write!(formatter, "no {regime} run costs so little: {regime} is not compared")
            }
            Self::BudgetNotSpent { regime, share } => write!(
                formatter,
                "the dearest {regime} run spends {:.0}% of the budget: {regime} may be better than it looks",
                100.0 * share
            ),
            Self::Extrapolated { times } => {
                write!(formatter, "this needs {times:.1} times as many labels as were measured: it is extrapolated")
            }
        }
    }
}
