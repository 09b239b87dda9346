//! The graph of stages: what the runs of a sweep are made of, each distinct stage once.

use std::collections::HashMap;

use labelmix_econ::Allocation;
use labelmix_econ::LabelKind;
use labelmix_methods::{Calibration, Draw, DrawSource, PromptPlan, Role, StagePlan};
use labelmix_store::StageKey;
use labelmix_study::run_name;

use crate::purchase::Reference;

/// A stage that one or more runs need.
#[derive(Clone, Debug, PartialEq)]
pub struct StageNode {
    /// The name of its outcome.
    pub key: StageKey,
    /// The stage it starts from, by its place in the graph; always an earlier one.
    pub parent: Option<usize>,
    /// The stages whose classifiers it reads, by their places in the graph; always earlier ones.
    pub reads: Vec<usize>,
    /// What it does, with which labels.
    pub plan: StagePlan,
    /// The seed of the pool and of the training.
    pub seed: u64,
    /// The texts that tell where its log-odds stand, if it shifts them.
    pub(crate) reference: Option<Reference>,
}

impl StageNode {
    /// What it does, in a few words: `32 gold labels, seed 0`.
    pub fn in_words(&self) -> String {
        let shots = |PromptPlan { shots, .. }: &PromptPlan| match shots.count {
            0 => "no shots".to_owned(),
            count => format!("{count} {} shots", shots.labels.name()),
        };
        let what = match &self.plan {
            StagePlan::Average { of, calibration, .. } => match (calibration, of.len()) {
                (Calibration::None, count) => format!("the mean of {count} trainings"),
                (_, 1) => "calibration".to_owned(),
                (_, count) => format!("the mean of {count} trainings, calibrated"),
            },
            StagePlan::Ask(prompt) => shots(prompt),
            StagePlan::Judge(_) => "answers judged".to_owned(),
            StagePlan::Probe(probe) => format!("a probe of {}", learnt_from(&probe.draws)),
            StagePlan::Train(training) => match training.prompt.as_ref().filter(|prompt| prompt.shots.count > 0) {
                None => learnt_from(&training.draws),
                Some(prompt) => format!("{} behind {}", learnt_from(&training.draws), shots(prompt)),
            },
        };
        let repetition = self.plan.training().map_or(0, |training| training.repetition);
        let training = if repetition > 0 { format!(", training {}", repetition + 1) } else { String::new() };
        format!("{what}, seed {}{training}", self.seed)
    }

    /// The stages that have to be done before it.
    pub(crate) fn needs(&self) -> impl Iterator<Item = usize> + '_ {
        self.parent.into_iter().chain(self.reads.iter().copied())
    }
}

/// What is learnt from, in words: `32 gold labels and 160 weak`.
fn learnt_from(draws: &[Draw]) -> String {
    let mut parts: Vec<String> = Vec::new();
    for draw in draws.iter().filter(|draw| draw.count > 0) {
        parts.push(match draw.source {
            DrawSource::Predictions => "texts that others labelled".to_owned(),
            DrawSource::Labels(kind) if parts.is_empty() => format!("{} {} labels", draw.count, kind.name()),
            DrawSource::Labels(kind) => format!("{} {}", draw.count, kind.name()),
        });
    }
    parts.join(" and ")
}

/// A run: stages, of which the last one's classifier is the run's.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// Unique in its study, and fit for a folder's name.
    pub name: String,
    /// The method's name in the study.
    pub method: String,
    pub seed: u64,
    /// The labels that it buys.
    pub allocation: Allocation,
    /// Its stages in order, by their places in the graph.
    pub stages: Vec<usize>,
}

impl Run {
    /// The stage whose outcome is the run's.
    pub fn last_stage(&self) -> usize {
        *self.stages.last().expect("a run has a stage")
    }
}

/// All stages of a sweep, parents before children, and its runs.
#[derive(Clone, Debug, Default)]
pub struct StageGraph {
    nodes: Vec<StageNode>,
    by_key: HashMap<StageKey, usize>,
    /// The stages of each seed that start from each parent. Keys are costly: they hash all labels.
    children: HashMap<(u64, Option<usize>), Vec<usize>>,
    runs: Vec<Run>,
}

impl StageGraph {
    /// The distinct stages.
    pub fn nodes(&self) -> &[StageNode] {
        &self.nodes
    }

    pub fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// Adds a run, whose stages' keys `key` tells from the keys of the parent and of those that are read, and the plan, with the
    /// texts that a stage shifts log-odds by. A stage that is there already is shared.
    pub(crate) fn add_run(
        &mut self,
        method: &str,
        seed: u64,
        allocation: Allocation,
        plans: &[StagePlan],
        mut key: impl FnMut(Option<&StageKey>, &[&StageKey], &StagePlan) -> (StageKey, Option<Reference>),
    ) {
        let mut stages: Vec<usize> = Vec::with_capacity(plans.len());
        for plan in plans {
            let parent = plan.parent().map(|place| stages[place]);
            let seed = plan.seed(seed);
            let reads: Vec<usize> = plan.reads().iter().map(|place| stages[*place]).collect();
            let siblings = self.children.get(&(seed, parent)).map_or(&[][..], Vec::as_slice);
            let is_this = |node: &StageNode| node.reads == reads && node.plan == *plan;
            if let Some(place) = siblings.iter().find(|place| is_this(&self.nodes[**place])) {
                stages.push(*place);
                continue;
            }
            let read: Vec<&StageKey> = reads.iter().map(|index| &self.nodes[*index].key).collect();
            let (key, reference) = key(parent.map(|index| &self.nodes[index].key), &read, plan);
            let place = *self.by_key.entry(key.clone()).or_insert_with(|| {
                self.nodes.push(StageNode { key, parent, reads, plan: plan.clone(), seed, reference });
                self.children.entry((seed, parent)).or_default().push(self.nodes.len() - 1);
                self.nodes.len() - 1
            });
            stages.push(place);
        }
        let name = run_name(method, allocation, seed);
        self.runs.push(Run { name, method: method.to_owned(), seed, allocation, stages });
    }

    /// The kind of the labels that a stage learns from; of its shots, if it does not train.
    pub(crate) fn labels(&self, node: &StageNode) -> LabelKind {
        match (&node.plan, node.reads.first()) {
            (StagePlan::Average { .. }, Some(read)) => self.labels(&self.nodes[*read]),
            (plan, _) => {
                let draws: Vec<Draw> = plan.draws().collect();
                let own = draws.iter().find(|draw| draw.role == Role::Train).or(draws.first());
                own.and_then(Draw::labels).unwrap_or(LabelKind::Gold)
            }
        }
    }

    /// For each stage, those that need it.
    pub(crate) fn dependents(&self) -> Vec<Vec<usize>> {
        let mut dependents = vec![Vec::new(); self.nodes.len()];
        for (index, node) in self.nodes.iter().enumerate() {
            for needed in node.needs() {
                dependents[needed].push(index);
            }
        }
        dependents
    }
}

#[cfg(test)]
mod tests {
    use labelmix_econ::LabelKind;
    use labelmix_methods::{StageOptions, TrainPlan};

    use super::*;
    use crate::key::key_of_text;

    #[test]
    fn a_full_factorial_of_counts_shares_its_weak_stages() {
        let mut graph = StageGraph::default();
        let mut computed = 0;
        let counts = [8, 16, 32, 64, 128, 256, 512, 1024];
        for seed in 0..3 {
            for (n_weak, n_gold) in counts.iter().flat_map(|weak| counts.map(|gold| (*weak, gold))) {
                let stage = |kind, count| TrainPlan::new(kind, count, StageOptions::default());
                let plans = TrainPlan::sequence([stage(LabelKind::Weak, n_weak), stage(LabelKind::Gold, n_gold)]);
                graph.add_run("seq-sft", seed, Allocation { n_weak, n_gold }, &plans, |parent, _, plan| {
                    computed += 1;
                    let parent = parent.map_or(String::new(), StageKey::to_string);
                    (key_of_text(&format!("{seed} {parent} {:?}", plan.draws().collect::<Vec<_>>())), None)
                });
            }
        }
        assert_eq!(graph.runs().len(), 3 * 64);
        assert_eq!(graph.nodes().len(), 3 * (8 + 64), "and not 3 · 128");
        assert_eq!(computed, graph.nodes().len(), "the key of each is computed once");
        assert!(graph.nodes().iter().enumerate().all(|(place, node)| node.parent.is_none_or(|parent| parent < place)));
    }
}
