//! What a study expands to, without the model that does the work: which labels are for sale, which runs there are, of
//! which stages, under which keys.

use labelmix_data::{Example, Pools};
use labelmix_econ::{Allocation, Prices};
use labelmix_methods::{Calibration, StagePlan};
use labelmix_study::{
    GridPoint, LabelledExamples, NamedMethod, NotAffordable, Study, Supply, WantedRun, distinct, runs_of, split_of,
    wanted_points,
};

use crate::error::Result;
use crate::graph::StageGraph;
use crate::key::{SharedInputs, Taken};
use crate::purchase::{drawn, reference};

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
        let boundary = labelled.boundary(study, &wanted_points(study, prices, &methods)?, &methods);
        let seeds = distinct(&study.grid.seeds).into_iter();
        let pools: Vec<(u64, Pools)> = seeds.map(|seed| (seed, Pools::new(train, seed, boundary))).collect();
        let supply = Supply::of(labelled, &pools);
        let (points, not_affordable) = supply.points(study, prices, &methods)?;
        Ok(Self { methods, pools, supply, points, not_affordable })
    }

    /// The first seed, which decides what is bought outside a sweep, where there is one order only; with its pools.
    pub(crate) fn first(&self) -> (u64, &Pools) {
        let (seed, pools) = &self.pools[0];
        (*seed, pools)
    }

    /// Those of the first seed for a stage that draws nothing and so has no seed of the grid.
    pub(crate) fn pools_of(&self, seed: u64) -> &Pools {
        let of_seed = self.pools.iter().find(|(of, _)| *of == seed);
        &of_seed.unwrap_or(&self.pools[0]).1
    }

    /// The runs of the grid, in the order of methods, seeds and allocations.
    pub(crate) fn chains(&self) -> Vec<Chain<'_>> {
        let seeds: Vec<u64> = self.pools.iter().map(|(seed, _)| *seed).collect();
        let runs = runs_of(&self.methods, &self.points, &seeds).into_iter();
        let chain = |WantedRun { method, seed, allocation }| {
            let NamedMethod { name, method, .. } = method;
            let pools = self.pools_of(seed);
            let stages = method.stages(split_of(&**method, allocation));
            Chain { method: name, seed, pools, allocation, stages }
        };
        runs.map(chain).collect()
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
            let before = || stages.iter().filter(|other| other.calibration() == Calibration::None);
            let drawn_before = || before().flat_map(|plan| drawn(train, pools, plan)).collect::<Vec<_>>();
            let reference = || reference(train, pools, &drawn_before(), shared.is_balanced);
            let (drawn, reference) =
                (&drawn(train, pools, plan), (plan.calibration() == Calibration::Prior).then(reference));
            let taken = Taken { train, drawn, reference: reference.as_ref() };
            (shared.stage_key(parent, reads, plan, taken, plan.seed(*seed)), reference)
        });
    }
    graph
}
