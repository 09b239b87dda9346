//! The labels of a stage: from a plan and the pools to examples.

use std::collections::HashSet;

use labelmix_data::{Example, Pools};
use labelmix_econ::LabelKind;
use labelmix_methods::{Beside, BesideLabels, Choice, PseudoLabels, StagePlan, surest_labels};

use crate::key::StageLabels;

/// The labels of a stage, as places among the training examples.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Purchase {
    /// What stands in its prompts, in the order of the pool.
    pub(crate) shots: Vec<usize>,
    /// Labels that are looked at to decide which to train on.
    pub(crate) queried: Vec<usize>,
    /// What it trains on, in the order of purchase; for a stage that chooses by its parent's predictions, what it chooses
    /// from.
    pub(crate) trained: Vec<usize>,
    /// What it trains on together with that: labels that are bought, or texts whose labels are not.
    pub(crate) beside: Vec<usize>,
}

impl Purchase {
    /// What a plan buys. The pools can serve it: points that they cannot were set aside.
    pub(crate) fn new(train: &[Example], pools: &Pools, plan: &StagePlan) -> Self {
        let shots = plan.shots.map_or(Vec::new(), |shots| front(pools, shots.labels, shots.count).to_vec());
        let of = |count: usize| &front(pools, plan.labels, plan.skip + count)[plan.skip..];
        let (queried, trained) = match plan.choice {
            Choice::Front => (Vec::new(), of(plan.count).to_vec()),
            Choice::SurestLabels { of: looked_at } => {
                let queried = of(looked_at);
                let labels: Vec<f32> = queried.iter().map(|index| label(&train[*index], plan.labels)).collect();
                let chosen = surest_labels(&labels, plan.count).into_iter().map(|place| queried[place]).collect();
                (queried.to_vec(), chosen)
            }
            Choice::LeastCertain { candidates, .. } => {
                let all = &candidates_of(pools, plan.labels)[plan.skip..];
                let count = candidates.map_or(all.len(), |candidates| candidates.min(all.len()));
                (Vec::new(), all[..count].to_vec())
            }
        };
        let beside = match plan.beside {
            None => Vec::new(),
            Some(Beside::Labels(BesideLabels { labels, count, .. })) => front(pools, labels, count).to_vec(),
            Some(Beside::PseudoLabels(PseudoLabels { texts, .. })) => {
                let own: HashSet<usize> = trained.iter().copied().collect();
                let all = pools.weak_candidates().iter().chain(pools.gold_candidates());
                let all = all.copied().filter(|index| !own.contains(index));
                all.take(texts.unwrap_or(usize::MAX)).collect()
            }
        };
        Self { shots, queried, trained, beside }
    }

    /// The examples that decide the stage's key.
    pub(crate) fn labels<'a>(&self, train: &'a [Example]) -> StageLabels<'a> {
        let examples = |indices: &[usize]| indices.iter().map(|index| &train[*index]).collect();
        StageLabels { trained: examples(&self.trained), shots: examples(&self.shots), beside: examples(&self.beside) }
    }
}

fn front(pools: &Pools, labels: LabelKind, count: usize) -> &[usize] {
    let front = match labels {
        LabelKind::Weak => pools.weak(count),
        LabelKind::Gold => pools.gold(count),
    };
    front.expect("points that the pools cannot serve were set aside")
}

/// What a method may choose labels of a kind from.
fn candidates_of(pools: &Pools, labels: LabelKind) -> &[usize] {
    match labels {
        LabelKind::Weak => pools.weak_candidates(),
        LabelKind::Gold => pools.gold_candidates(),
    }
}

/// An example's label of a kind, as a probability of class 1.
pub(crate) fn label(example: &Example, kind: LabelKind) -> f32 {
    let label = match kind {
        LabelKind::Weak => example.weak,
        LabelKind::Gold => example.gold.map(|gold| if gold { 1.0 } else { 0.0 }),
    };
    label.expect("a pool sells labels that are there")
}
