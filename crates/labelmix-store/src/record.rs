//! What a sweep found out: one record per run.

use labelmix_econ::Allocation;
use labelmix_methods::TestMetrics;
use serde::{Deserialize, Serialize};

/// One finished run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// The run's name, which is its folder's in the store.
    pub run: String,
    pub method: String,
    /// The study's name.
    pub task: String,
    /// The model, as the study file names it.
    pub model: String,
    pub seed: u64,
    /// The labels that were bought.
    pub allocation: Allocation,
    /// What the labels cost by the run's ledger, in dollars; none in records from before there were ledgers.
    #[serde(default)]
    pub cost_usd: Option<f64>,
    /// How good the classifier is on the test set.
    pub metrics: TestMetrics,
}
