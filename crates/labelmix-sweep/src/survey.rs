//! Which stages of a graph the store has, whole. What is damaged is set aside, so that it is done anew.

use std::collections::HashSet;

use labelmix_store::{Damage, Scrutiny, Store, StoreError};

use crate::error::Result;
use crate::execute::{Observer, SweepEvent};
use crate::graph::StageGraph;

/// The places of the stages that are kept and sound. Every file's size is looked at and every text is read; tensors are
/// read too where a missing stage will start from them.
pub(crate) fn survey(graph: &StageGraph, store: &Store, observer: &dyn Observer) -> Result<HashSet<usize>> {
    let nodes = graph.nodes();
    let mut is_start = vec![false; nodes.len()];
    let mut done = HashSet::new();
    // Children come after their parents, so going backwards it is known of each stage whether one will start from it.
    for (index, node) in nodes.iter().enumerate().rev() {
        let scrutiny = if is_start[index] { Scrutiny::Everything } else { Scrutiny::Texts };
        match store.sound_outcome(&node.key, scrutiny) {
            Ok(Some(outcome)) => {
                observer.hear(&SweepEvent::StageKept { stage: node, outcome: &outcome });
                done.insert(index);
                continue;
            }
            Ok(None) => {}
            Err(StoreError::Damaged { path, reason }) => {
                let damage = Damage { path, reason };
                store.set_aside(&store.stage_folder(&node.key), &damage)?;
                observer.hear(&SweepEvent::StageDamaged { stage: node, damage: &damage });
            }
            Err(error) => return Err(error.into()),
        }
        for needed in node.needs() {
            is_start[needed] = true;
        }
    }
    let keys: HashSet<String> = done.iter().map(|index| nodes[*index].key.to_string()).collect();
    store.tidy(|key| keys.contains(key))?;
    Ok(done)
}
