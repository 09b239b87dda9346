//! Measurements and questions that have no answer, and what to do about them.

use miette::Diagnostic;
use thiserror::Error;

use crate::{Allocation, EconError};

/// Why measurements cannot be analysed, or a question about them not be answered.
#[derive(Debug, Clone, PartialEq, Error, Diagnostic)]
pub enum AnalysisError {
    /// Prices, a budget or a fraction that make no sense.
    #[error(transparent)]
    Econ(#[from] EconError),

    #[error("no prices for the source {source_name:?} (there are: {known})")]
    #[diagnostic(help("add the source's schedule, or correct its name"))]
    UnknownSource {
        /// The name asked for.
        source_name: String,
        known: String,
    },

    #[error("there are no runs to analyse")]
    #[diagnostic(help("measure at least one allocation of labels with at least one seed"))]
    NoRuns,

    #[error("run {run} ({method}) has the accuracy {accuracy}, measured on {n_test} test items")]
    #[diagnostic(help("an accuracy lies between 0 and 1 and needs at least one test item"))]
    Accuracy {
        /// The run's place in what was given.
        run: usize,
        method: String,
        accuracy: f64,
        /// Its test items.
        n_test: usize,
    },

    #[error("run {run} of task {task:?} was tested on {n_test} items, an earlier one on {expected}")]
    #[diagnostic(help(
        "runs of a task are compared item by item: give all of them the same test set in the same order"
    ))]
    TestSet {
        /// The run's place in what was given.
        run: usize,
        task: String,
        /// Its test items.
        n_test: usize,
        /// Those of the task's earlier runs.
        expected: usize,
    },

    #[error(
        "task {task:?}, method {method:?}, {} weak and {} gold labels and seed {seed} were measured twice",
        allocation.n_weak, allocation.n_gold
    )]
    #[diagnostic(help("keep one of the two runs; repeated runs need seeds of their own"))]
    Duplicate { task: String, method: String, allocation: Allocation, seed: u64 },

    #[error("no allocation was measured on all {tasks} tasks: there is nothing to average")]
    #[diagnostic(help("analyse the tasks one by one, or measure the same allocations on each"))]
    NothingShared {
        /// The number of tasks.
        tasks: usize,
    },

    #[error("there are no runs of the method {method:?} (there are: {known})")]
    #[diagnostic(help("correct the method's name, or measure it"))]
    UnknownMethod {
        /// The name asked for.
        method: String,
        known: String,
    },

    #[error("no run costs ${budget_usd} or less: the cheapest costs ${cheapest_usd}")]
    #[diagnostic(help("raise the budget, or measure smaller allocations"))]
    NothingAffordable {
        budget_usd: f64,
        /// The least cost.
        cheapest_usd: f64,
    },

    #[error("{resamples} resamples at the level {level}: there must be at least 20, and a level between 0 and 1")]
    #[diagnostic(help("1000 resamples at the level 0.9 are a good start"))]
    Resampling {
        /// The resamples asked for.
        resamples: usize,
        /// The level asked for.
        level: f64,
    },

    #[error("{allocations} allocations of the method {method:?} with labels: a surface needs at least {needed}")]
    #[diagnostic(help("measure more allocations: some all weak, some all gold, some mixed, of different sizes"))]
    TooFewAllocations {
        method: String,
        /// The allocations measured.
        allocations: usize,
        /// The least number.
        needed: usize,
    },

    #[error("the target accuracy is {target}: it must lie between 0.5 and 1")]
    #[diagnostic(help("0.5 is what guessing gives on two balanced classes"))]
    Target {
        /// The target given.
        target: f64,
    },

    #[error("the pilot's share of the budget is {share}: it must lie between 0 and 1")]
    #[diagnostic(help("0.1 spends a tenth of the budget on the pilot"))]
    PilotShare {
        /// The share given.
        share: f64,
    },
}

/// The result of an analysis.
pub type Result<T> = std::result::Result<T, AnalysisError>;
