//! What a study expands to, without the model that does the work: which labels are for sale, which runs there are, of
//! which stages, under which keys.

use std::collections::BTreeSet;

use labelmix_data::{Boundary, Example, Pools};
use labelmix_econ::{Allocation, Prices};
use labelmix_elicit::StagePlan;

use crate::error::{Error, Result};
use crate::graph::{StageGraph, run_name};
use crate::grid::{LabelledExamples, Supply, distinct, split_of, wanted_points};
use crate::key::SharedInputs;
use crate::purchase::Purchase;
use crate::record::{GridPoint, NotAffordable};
use crate::study::{NamedMethod, Study};

/// What is for sale, and what is bought with it.
pub(crate) struct Expansion {
    pub(crate) methods: Vec<NamedMethod>,
    pub(crate) pools: Vec<(u64, Pools)>,
    pub(crate) supply: Supply,
    pub(crate) points: Vec<GridPoint>,
    pub(crate) not_affordable: Vec<NotAffordable>,
}

impl Expansion {
    /// Of a study whose training examples are these.
    pub(crate) fn of(study: &Study, prices: &Prices, train: &[Example]) -> Result<Self> {
        let methods = study.configured_methods();
        let labelled = LabelledExamples::of(train);
        let boundary = if let Some(gold_pool) = study.task.gold_pool {
            Boundary::Fixed(gold_pool)
        } else {
            let wanted = wanted_points(study, prices, &methods)?;
            Boundary::ForChoosing(labelled.default_boundary(&wanted, &methods))
        };
        let seeds = distinct(&study.grid.seeds).into_iter();
        let pools: Vec<(u64, Pools)> = seeds.map(|seed| (seed, Pools::new(train, seed, boundary))).collect();
        let supply = Supply::of(labelled, &pools);
        let (points, not_affordable) = supply.points(study, prices, &methods)?;
        if let (true, Some(first)) = (points.is_empty(), not_affordable.first()) {
            return Err(Error::NothingAffordable { reason: first.reason.clone() });
        }
        Ok(Self { methods, pools, supply, points, not_affordable })
    }

    /// The runs of the grid, in the order of methods, seeds and allocations.
    pub(crate) fn chains(&self) -> Vec<Chain<'_>> {
        let seeds: Vec<u64> = self.pools.iter().map(|(seed, _)| *seed).collect();
        let runs = runs_of(&self.methods, &self.points, &seeds).into_iter();
        let chain = |WantedRun { method, seed, allocation }| {
            let NamedMethod { name, method, .. } = method;
            let (_, pools) = self.pools.iter().find(|(of, _)| *of == seed).expect("every seed has its pools");
            let stages = method.stages(split_of(&**method, allocation));
            Chain { method: name, seed, pools, allocation, stages }
        };
        runs.map(chain).collect()
    }
}

/// A run that a grid asks for.
pub(crate) struct WantedRun<'a> {
    pub(crate) method: &'a NamedMethod,
    pub(crate) seed: u64,
    pub(crate) allocation: Allocation,
}

impl WantedRun<'_> {
    /// Its name, unique in its study and fit for a folder's.
    pub(crate) fn name(&self) -> String {
        run_name(&self.method.name, self.allocation, self.seed)
    }
}

/// The runs of points that can be bought, in the order of methods, seeds and allocations.
pub(crate) fn runs_of<'a>(methods: &'a [NamedMethod], points: &[GridPoint], seeds: &[u64]) -> Vec<WantedRun<'a>> {
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

/// A run before its stages have keys.
pub(crate) struct Chain<'a> {
    pub(crate) method: &'a str,
    pub(crate) seed: u64,
    pub(crate) pools: &'a Pools,
    pub(crate) allocation: Allocation,
    pub(crate) stages: Vec<StagePlan>,
}

/// The graph of these runs.
pub(crate) fn graph_of(chains: &[Chain<'_>], shared: &SharedInputs, train: &[Example]) -> StageGraph {
    let mut graph = StageGraph::default();
    for Chain { method, seed, pools, allocation, stages } in chains {
        graph.add_run(method, *seed, *allocation, stages, |parent, reads, plan| {
            let labels = Purchase::new(train, pools, plan);
            shared.stage_key(parent, reads, plan, &labels.labels(train), *seed)
        });
    }
    graph
}
