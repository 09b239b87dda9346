//! Plans that cannot be made, and what to do about it.

use std::path::PathBuf;

use labelmix_econ::{Allocation, AnalysisError, EconError};
use labelmix_files::WriteError;
use miette::Diagnostic;

use super::NotPlanned;
use crate::notation::{dollars, purchase};

/// Why there is no plan.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum PlanError {
    #[error("there is nothing to plan for")]
    #[diagnostic(help("give what may be spent (--budget), what is spent next (--next), or an accuracy (--target)"))]
    NothingAsked,
    /// A budget that is none.
    #[error("the budget is {budget_usd}")]
    #[diagnostic(help("a budget is a positive amount of dollars, such as 2000"))]
    Budget {
        /// The budget given.
        budget_usd: f64,
    },
    #[error("{} cost {}, and the budget is {}", purchase(have.n_weak, have.n_gold), dollars(*have_usd), dollars(*budget_usd))]
    #[diagnostic(help(
        "--budget is what is spent in all, the labels of --have included; what is spent on top of them is --next"
    ))]
    HaveMore {
        have: Allocation,
        /// What they cost, in dollars.
        have_usd: f64,
        /// The budget, in dollars.
        budget_usd: f64,
    },
    #[error("no run of the study {study:?} has finished")]
    #[diagnostic(help(
        "a plan is made from measured runs: `labelmix sweep` makes them (a few small budgets, split in several ways, are \
         enough for a first plan); --store names the store that holds them"
    ))]
    NoRuns {
        /// The study's name.
        study: String,
    },
    #[error("no method can be planned: {}", listed(not_planned))]
    #[diagnostic(help(
        "measure more allocations of a method that splits a budget, such as seq-sft: some all weak, some all gold, some \
         mixed, of different sizes"
    ))]
    NothingToPlan {
        /// The methods, and why they cannot.
        not_planned: Vec<NotPlanned>,
    },
    #[error("no mix of labels within reach of what was measured is expected to be right {target} of the time")]
    #[diagnostic(help("lower the --target, or give a --budget to see how far it leads"))]
    OutOfReach { target: f64 },
    /// A list that would be written over, with the labels that may be in it.
    #[error("{} is there already", path.display())]
    #[diagnostic(help(
        "choose a folder of its own for every purchase: lists that are being filled in are never written over"
    ))]
    ListExists { path: PathBuf },
    /// The lists of texts cannot be written.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Write(#[from] WriteError),
    /// The measurements cannot be analysed, or the question not be answered.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Analysis(#[from] AnalysisError),
}

impl From<EconError> for PlanError {
    fn from(error: EconError) -> Self {
        Self::Analysis(error.into())
    }
}

fn listed(methods: &[NotPlanned]) -> String {
    let listed: Vec<String> = methods.iter().map(|method| format!("{} ({})", method.method, method.reason)).collect();
    listed.join("; ")
}
