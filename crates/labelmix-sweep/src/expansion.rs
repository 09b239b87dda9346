//! What a study expands to, without the model that does the work: which labels are for sale, which runs there are, of
//! which stages, under which keys.

use std::collections::BTreeSet;

use labelmix_data::{Boundary, Example, Pools};
use labelmix_econ::{Allocation, Prices};
use labelmix_elicit::StagePlan;

use crate::error::{Error, Result};
use crate::graph::StageGraph;
use crate::grid::{Supply, default_boundary, distinct, split_of, wanted_points};
use crate::key::SharedInputs;
use crate::purchase::Purchase;
use crate::record::{GridPoint, NotAffordable};
use crate::study::{NamedMethod, Study};

/// What is for sale, and what is bought with it.
pub(crate) struct Expansion {
    pub(crate) methods: Vec<NamedMethod>,
    pub(crate) pools: Vec<(u64, Pools)>,
    /// How many labels the pools hold.
    pub(crate) sizes: Allocation,
    pub(crate) points: Vec<GridPoint>,
    pub(crate) not_affordable: Vec<NotAffordable>,
}

impl Expansion {
    /// Of a study whose training examples are these.
    pub(crate) fn of(study: &Study, prices: &Prices, train: &[Example]) -> Result<Self> {
        let methods = study.configured_methods();
        let wanted = wanted_points(study, prices, &methods)?;
        let boundary = match study.task.gold_pool {
            Some(gold_pool) => Boundary::Fixed(gold_pool),
            None => Boundary::ForChoosing(default_boundary(train, &wanted, &methods)),
        };
        let pools: Vec<(u64, Pools)> =
            distinct(&study.grid.seeds).into_iter().map(|seed| (seed, Pools::new(train, seed, boundary))).collect();
        let sizes = Allocation { n_weak: pools[0].1.weak_size(), n_gold: pools[0].1.gold_size() };
        let supply =
            Supply { pools: pools.iter().map(|(_, pools)| pools).collect(), budgets: &study.grid.budgets, prices };
        let (points, not_affordable) = supply.serve(wanted, &methods);
        if let (true, Some(first)) = (points.is_empty(), not_affordable.first()) {
            return Err(Error::NothingAffordable { reason: first.reason.clone() });
        }
        Ok(Self { methods, pools, sizes, points, not_affordable })
    }

    /// The runs of the grid, in the order of methods, seeds and allocations.
    pub(crate) fn chains(&self) -> Vec<Chain<'_>> {
        let mut chains = Vec::new();
        for NamedMethod { name, method, .. } in &self.methods {
            let points = self.points.iter().filter(|point| point.method == *name);
            let allocations: BTreeSet<Allocation> = points.map(|point| point.allocation).collect();
            for (seed, pools) in &self.pools {
                chains.extend(allocations.iter().map(|&allocation| {
                    let stages = method.stages(split_of(&**method, allocation));
                    Chain { method: name, seed: *seed, pools, allocation, stages }
                }));
            }
        }
        chains
    }
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
