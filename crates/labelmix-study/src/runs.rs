//! The runs that a grid asks for.

use std::collections::BTreeSet;

use labelmix_econ::Allocation;

use crate::points::GridPoint;
use crate::study::NamedMethod;

/// A run that a grid asks for.
pub struct WantedRun<'a> {
    pub method: &'a NamedMethod,
    pub seed: u64,
    /// The labels that it buys.
    pub allocation: Allocation,
}

impl WantedRun<'_> {
    /// Its name, unique in its study and fit for a folder's.
    pub fn name(&self) -> String {
        run_name(&self.method.name, self.allocation, self.seed)
    }
}

/// The runs of points that can be bought, in the order of methods, seeds and allocations.
pub fn runs_of<'a>(methods: &'a [NamedMethod], points: &[GridPoint], seeds: &[u64]) -> Vec<WantedRun<'a>> {
    let mut runs = Vec::new();
    for method in methods {
        let points = points.iter().filter(|point| point.method == method.name);
        let allocations: BTreeSet<Allocation> = points.map(|point| point.allocation).collect();
        for &seed in seeds {
            runs.extend(allocations.iter().map(|&allocation| WantedRun { method, seed, allocation }));
        }
    }
    runs
}

/// The name of a run.
pub fn run_name(method: &str, Allocation { n_weak, n_gold }: Allocation, seed: u64) -> String {
    format!("{method}_w{n_weak}_g{n_gold}_s{seed}")
}
