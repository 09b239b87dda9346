//! The labels of a stage: from its draws and the pools to examples.

use std::collections::HashSet;

use labelmix_data::{Example, Pools};
use labelmix_econ::LabelKind;
use labelmix_engine::{Drawn, label};
use labelmix_methods::{Choice, Draw, DrawSource, Role, StagePlan, surest_labels};

/// What the draws of a plan take, in their order. The pools can serve them: points that they cannot were set aside.
pub(crate) fn drawn(train: &[Example], pools: &Pools, plan: &StagePlan) -> Vec<Drawn> {
    let mut drawn: Vec<Drawn> = Vec::new();
    for draw in plan.draws() {
        let (queried, places) = match draw.source {
            DrawSource::Labels(kind) => taken(train, pools, &draw, kind),
            DrawSource::Predictions => {
                let others = drawn.iter().filter(|drawn| drawn.draw.role != Role::Shot);
                let labelled: HashSet<usize> = others.flat_map(|drawn| &drawn.places).copied().collect();
                let all = pools.weak_candidates().iter().chain(pools.gold_candidates()).copied();
                (Vec::new(), all.filter(|place| !labelled.contains(place)).take(draw.count).collect())
            }
        };
        drawn.push(Drawn { draw, queried, places });
    }
    drawn
}

/// What is looked at, and what is used, of the labels of a pool.
fn taken(train: &[Example], pools: &Pools, draw: &Draw, kind: LabelKind) -> (Vec<usize>, Vec<usize>) {
    let (for_sale, candidates) = match kind {
        LabelKind::Weak => (pools.weak(draw.skip + draw.choice.looks_at(draw.count)), pools.weak_candidates()),
        LabelKind::Gold => (pools.gold(draw.skip + draw.choice.looks_at(draw.count)), pools.gold_candidates()),
    };
    let front = || &for_sale.expect("points that the pools cannot serve were set aside")[draw.skip..];
    match draw.choice {
        Choice::Front => (Vec::new(), front().to_vec()),
        Choice::SurestLabels { .. } => {
            let labels: Vec<f32> = front().iter().map(|place| label(&train[*place], kind)).collect();
            let chosen = surest_labels(&labels, draw.count).into_iter().map(|index| front()[index]).collect();
            (front().to_vec(), chosen)
        }
        Choice::LeastCertain { candidates: number, .. } => {
            let all = candidates[draw.skip..].iter().copied();
            (Vec::new(), all.take(number.unwrap_or(usize::MAX)).collect())
        }
    }
}
