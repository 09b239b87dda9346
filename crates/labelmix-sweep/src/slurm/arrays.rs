//! Which stages go into which job array, and which arrays wait for which.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::graph::StageGraph;

/// A job array to submit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct StageArray {
    /// The stages of each task, by their places in the graph, in the order in which the task does them.
    pub(super) tasks: Vec<Vec<usize>>,
    /// Arrays of the same plan, by their places in it, that hold parents: always earlier ones.
    pub(super) after_arrays: Vec<usize>,
    /// Jobs that are in the queue already and hold parents.
    pub(super) after_jobs: Vec<u64>,
}

/// Arrays for stages. Stages of one array do not depend on each other; children stand in the order of their parents, so
/// that an array waits for few others.
///
/// `waiting` says which stages are in the queue, and in which job; they are not submitted again. `stages_per_task` is at
/// least 1, and so is `max_tasks`, the most tasks that an array may have.
pub(super) fn plan_arrays(
    graph: &StageGraph,
    done: &HashSet<usize>,
    waiting: &HashMap<usize, u64>,
    stages_per_task: usize,
    max_tasks: usize,
) -> Vec<StageArray> {
    let nodes = graph.nodes();
    let wanted = |index: usize| !done.contains(&index) && !waiting.contains_key(&index);
    // How long the longest chain of stages before it is that are submitted too. What is needed stands before.
    let mut depth = vec![0; nodes.len()];
    let mut levels: Vec<Vec<usize>> = Vec::new();
    for (index, node) in nodes.iter().enumerate() {
        if !wanted(index) {
            continue;
        }
        depth[index] = node.needs().filter(|needed| wanted(*needed)).map(|needed| depth[needed] + 1).max().unwrap_or(0);
        if levels.len() == depth[index] {
            levels.push(Vec::new());
        }
        levels[depth[index]].push(index);
    }
    let mut arrays: Vec<StageArray> = Vec::new();
    let mut array_of: HashMap<usize, usize> = HashMap::new();
    for mut level in levels {
        // The largest first, so that no long one is left for last; among children that comes second.
        level.sort_by_key(|index| (nodes[*index].parent, std::cmp::Reverse(nodes[*index].plan.count()), *index));
        for stages in level.chunks(stages_per_task * max_tasks) {
            let needed = || stages.iter().flat_map(|index| nodes[*index].needs());
            let after_arrays: BTreeSet<usize> = needed().filter_map(|stage| array_of.get(&stage)).copied().collect();
            let after_jobs: BTreeSet<u64> = needed().filter_map(|stage| waiting.get(&stage)).copied().collect();
            array_of.extend(stages.iter().map(|index| (*index, arrays.len())));
            arrays.push(StageArray {
                tasks: stages.chunks(stages_per_task).map(<[usize]>::to_vec).collect(),
                after_arrays: after_arrays.into_iter().collect(),
                after_jobs: after_jobs.into_iter().collect(),
            });
        }
    }
    arrays
}

#[cfg(test)]
mod tests {
    use labelmix_econ::{Allocation, LabelKind};
    use labelmix_methods::{StageOptions, StagePlan, TrainPlan};
    use proptest::prelude::*;

    use super::*;
    use crate::key::key_of_text;
    use labelmix_store::StageKey;

    /// `weak` weak stages of which each is the parent of `gold` gold stages.
    fn graph(weak: usize, gold: usize) -> StageGraph {
        let mut graph = StageGraph::default();
        for n_weak in 1..=weak {
            for n_gold in 1..=gold {
                let plans = [(LabelKind::Weak, n_weak), (LabelKind::Gold, n_gold)]
                    .map(|(labels, count)| TrainPlan::new(labels, count, StageOptions::default()));
                let plans = TrainPlan::sequence(plans);
                let key = |parent: Option<&StageKey>, _: &[&StageKey], plan: &StagePlan| {
                    (key_of_text(&format!("{parent:?}/{}", plan.count())), None)
                };
                graph.add_run("seq-sft", 0, Allocation { n_weak, n_gold }, &plans, key);
            }
        }
        graph
    }

    #[test]
    fn parents_come_first_and_children_wait_for_them() {
        let arrays = plan_arrays(&graph(2, 3), &HashSet::new(), &HashMap::new(), 1, 100);
        let sizes: Vec<usize> = arrays.iter().map(|array| array.tasks.len()).collect();
        assert_eq!(sizes, [2, 6]);
        assert_eq!((&arrays[0].after_arrays, &arrays[1].after_arrays), (&vec![], &vec![0]));
    }

    #[test]
    fn arrays_keep_to_the_clusters_limit_and_wait_for_few() {
        let arrays = plan_arrays(&graph(4, 4), &HashSet::new(), &HashMap::new(), 2, 2);
        // Four stages an array: all weak ones in the first, the children of each in one of their own.
        assert_eq!(arrays.len(), 5);
        assert!(arrays.iter().all(|array| array.tasks.len() == 2 && array.tasks.iter().all(|task| task.len() == 2)));
        assert!(arrays[1..].iter().all(|array| array.after_arrays == [0]));
    }

    #[test]
    fn what_is_done_or_waits_is_not_submitted_again() {
        let graph = graph(2, 2);
        // Nodes: weak 1, its two gold stages, weak 2, its two.
        let arrays = plan_arrays(&graph, &HashSet::from([0, 1]), &HashMap::from([(3, 77)]), 1, 100);
        assert_eq!(arrays.len(), 1);
        assert_eq!(arrays[0].tasks, [[2], [5], [4]]);
        assert_eq!((&arrays[0].after_arrays, &arrays[0].after_jobs), (&vec![], &vec![77]));
    }

    proptest! {
        #[test]
        fn every_missing_stage_is_in_one_task_behind_its_parent(
            weak in 1..6_usize, gold in 1..6_usize, done in prop::collection::hash_set(0..42_usize, 0..20),
            waiting in prop::collection::hash_map(0..42_usize, 0..9_u64, 0..10), stages in 1..4_usize, tasks in 1..5_usize,
        ) {
            let graph = graph(weak, gold);
            let arrays = plan_arrays(&graph, &done, &waiting, stages, tasks);
            let mut place = HashMap::new();
            for (array, planned) in arrays.iter().enumerate() {
                prop_assert!(planned.tasks.len() <= tasks);
                for task in &planned.tasks {
                    prop_assert!((1..=stages).contains(&task.len()));
                    for index in task {
                        prop_assert!(place.insert(*index, array).is_none());
                    }
                }
            }
            for (index, node) in graph.nodes().iter().enumerate() {
                let wanted = !done.contains(&index) && !waiting.contains_key(&index);
                prop_assert_eq!(place.contains_key(&index), wanted);
                let (Some(parent), true) = (node.parent, wanted) else { continue };
                let planned = &arrays[place[&index]];
                if let Some(array) = place.get(&parent) {
                    prop_assert!(planned.after_arrays.contains(array) && *array < place[&index]);
                } else if let Some(job) = waiting.get(&parent) {
                    prop_assert!(done.contains(&parent) || planned.after_jobs.contains(job));
                }
            }
        }
    }
}
