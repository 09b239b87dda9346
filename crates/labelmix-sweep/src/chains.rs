//! The runs of a grid as chains of planned stages, before there are keys: what they need of prompts and models.

use std::collections::{BTreeSet, HashSet};

use labelmix_data::{Example, Pools};
use labelmix_econ::Allocation;
use labelmix_elicit::{HeadStart, ShotsPlan, StagePlan, StageWork};
use labelmix_models::Tokenizer;

use crate::error::Result;
use crate::grid::split_of;
use crate::purchase::Purchase;
use crate::record::GridPoint;
use crate::study::{NamedMethod, Study};

/// A run before its stages have keys.
pub(crate) struct Chain<'a> {
    pub(crate) method: &'a str,
    pub(crate) seed: u64,
    pub(crate) pools: &'a Pools,
    pub(crate) allocation: Allocation,
    pub(crate) stages: Vec<StagePlan>,
}

/// The runs of the grid, in the order of methods, seeds and allocations.
pub(crate) fn chains<'a>(
    methods: &'a [NamedMethod],
    points: &[GridPoint],
    pools: &'a [(u64, Pools)],
) -> Vec<Chain<'a>> {
    let mut chains = Vec::new();
    for NamedMethod { name, method, .. } in methods {
        let allocations: BTreeSet<Allocation> =
            points.iter().filter(|point| point.method == *name).map(|point| point.allocation).collect();
        for (seed, pools) in pools {
            chains.extend(allocations.iter().map(|&allocation| {
                let stages = method.stages(split_of(&**method, allocation));
                Chain { method: name, seed: *seed, pools, allocation, stages }
            }));
        }
    }
    chains
}

/// The distinct sets of shots: seed, plan, and places among the training examples.
pub(crate) fn shots(chains: &[Chain<'_>], train: &[Example]) -> Vec<(u64, ShotsPlan, Vec<usize>)> {
    let mut seen = HashSet::new();
    let stages = chains.iter().flat_map(|chain| chain.stages.iter().map(move |stage| (chain, stage)));
    stages
        .filter_map(|(chain, stage)| {
            let plan = stage.shots.filter(|plan| seen.insert((chain.seed, *plan)))?;
            Some((chain.seed, plan, Purchase::new(train, chain.pools, stage).shots))
        })
        .collect()
}

/// Whether a stage reads what the checkpoint's own head says, or starts from it.
pub(crate) fn needs_language_model(stage: &StagePlan) -> bool {
    stage.work == StageWork::Ask || stage.head == HeadStart::Words || stage.follow_up.is_some()
}

/// The most tokens that a follow-up is expected to have, where the longest text has so many.
pub(crate) fn longest_follow_up(
    chains: &[Chain<'_>],
    study: &Study,
    tokenizer: &Tokenizer,
    text: usize,
) -> Result<usize> {
    let mut longest = 0;
    for follow_up in chains.iter().flat_map(|chain| chain.stages.iter().filter_map(|stage| stage.follow_up.as_ref())) {
        let around = tokenizer.encode_inner(&format!("{}{}", follow_up.template, study.prompt.before_target))?.len();
        let texts = follow_up.template.matches("{text}").count();
        longest = longest.max((around + follow_up.answer_tokens + texts * text).min(tokenizer.context()));
    }
    Ok(longest)
}
