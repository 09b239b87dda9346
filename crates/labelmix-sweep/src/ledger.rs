//! The ledger of a run: the labels that its stages buy, in the order of purchase, each with the use that the trainer
//! makes of it.

use std::collections::HashMap;

use labelmix_data::{Example, ExampleId};
use labelmix_econ::{Ledger, Purpose};
use labelmix_methods::{Beside, Choice, Recipe, StagePlan};
use labelmix_store::StageOutcome;
use labelmix_train::stage_split;

use crate::graph::Run;
use crate::purchase::{Purchase, label};
use crate::sweep::Sweep;

impl Sweep {
    /// What a run buys, at the study's prices. `outcomes` are those of its stages: some choose their labels as they go.
    #[must_use]
    pub fn ledger(&self, run: &Run, outcomes: &[StageOutcome]) -> Ledger {
        let mut ledger = Ledger::new(*self.prices());
        let mut shots_before = None;
        for (stage, outcome) in run.stages.iter().zip(outcomes) {
            let node = &self.graph().nodes()[*stage];
            let mut purchase = self.purchase(node);
            if matches!(node.plan.choice, Choice::LeastCertain { .. }) {
                let places: HashMap<ExampleId, usize> =
                    purchase.trained.iter().map(|index| (self.train()[*index].id, *index)).collect();
                purchase.trained = outcome.chosen.iter().filter_map(|id| places.get(id).copied()).collect();
            }
            // The prompt of a run is bought with its first stage.
            if node.plan.shots == shots_before {
                purchase.shots.clear();
            }
            shots_before = node.plan.shots;
            let seed = node.plan.training_seed(node.seed);
            enter_stage(&mut ledger, self.train(), &node.plan, &purchase, &self.study().recipe, seed);
        }
        ledger
    }
}

/// Enters a stage's labels: its shots, then those that it only looks at, then those that the trainer learns from and those
/// that it validates on.
fn enter_stage(
    ledger: &mut Ledger,
    train: &[Example],
    plan: &StagePlan,
    purchase: &Purchase,
    recipe: &Recipe,
    seed: u64,
) {
    let mut enter = |index: usize, kind, purpose| ledger.enter(train[index].id.to_string(), kind, purpose);
    for index in &purchase.shots {
        let kind = plan.shots.map_or(plan.labels, |shots| shots.labels);
        enter(*index, kind, Purpose::Shot);
    }
    for index in &purchase.queried {
        enter(*index, plan.labels, Purpose::Query);
    }
    let mut labels = vec![(plan.labels, &purchase.trained)];
    if let Some(Beside::Labels(beside)) = plan.beside {
        labels.push((beside.labels, &purchase.beside));
    }
    for (kind, bought) in labels {
        let targets: Vec<f32> = bought.iter().map(|index| label(&train[*index], kind)).collect();
        let mut purposes = vec![Purpose::Train; targets.len()];
        if !targets.is_empty() {
            for place in stage_split(&targets, recipe, seed).validation {
                purposes[place] = Purpose::Validation;
            }
        }
        for (index, purpose) in bought.iter().zip(purposes) {
            enter(*index, kind, purpose);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use labelmix_data::{Boundary, Pools};
    use labelmix_econ::{Allocation, Prices};
    use labelmix_methods::{Splits, method_kinds};
    use proptest::prelude::*;

    use super::*;
    use labelmix_study::split_of;

    /// Up to 60 examples with both labels, with gold alone or with weak alone.
    fn examples() -> impl Strategy<Value = Vec<Example>> {
        let labels = prop_oneof![Just((true, true)), Just((true, false)), Just((false, true))];
        prop::collection::vec((labels, 0.0f32..=1.0), 2..60).prop_map(|labels| {
            let example = |(number, ((gold, weak), probability)): (usize, ((bool, bool), f32))| {
                Example::new(format!("text {number}"), gold.then_some(number % 2 == 0), weak.then_some(probability))
            };
            labels.into_iter().enumerate().map(example).collect()
        })
    }

    proptest! {
        #[test]
        fn a_ledger_costs_what_its_allocation_costs(
            train in examples(),
            seed: u64,
            gold_pool in 0usize..40,
            weak_share in 0.0f64..=1.0,
            gold_share in 0.0f64..=1.0,
            weak_usd in 0.001f64..2.0,
            gold_usd in 0.01f64..20.0,
        ) {
            let prices = Prices::new(weak_usd, gold_usd).unwrap();
            let pools = Pools::new(&train, seed, Boundary::Fixed(gold_pool));
            let part_of = |share: f64, size: usize| (share * size as f64) as usize;
            let allocation = Allocation {
                n_weak: part_of(weak_share, pools.weak_size()),
                n_gold: part_of(gold_share, pools.gold_size()),
            };
            let recipe = Recipe::default();
            for kind in method_kinds() {
                let method = kind.configure(&toml::Table::new()).unwrap();
                let extra = method.extra();
                if allocation.n_weak < extra.n_weak || allocation.n_gold < extra.n_gold {
                    continue;
                }
                let split = match method.splits() {
                    Splits::Nothing => Allocation::default(),
                    Splits::All | Splits::One(_) => split_of(&*method, allocation),
                };
                let bought = Allocation { n_weak: split.n_weak + extra.n_weak, n_gold: split.n_gold + extra.n_gold };
                let mut ledger = Ledger::new(prices);
                let stages = method.stages(split);
                for plan in &stages {
                    let mut purchase = Purchase::new(&train, &pools, plan);
                    // Whatever a classifier would choose.
                    purchase.trained.truncate(plan.count);
                    let targets: Vec<f32> = purchase.trained.iter().map(|i| label(&train[*i], plan.labels)).collect();
                    enter_stage(&mut ledger, &train, plan, &purchase, &recipe, seed);
                    if targets.is_empty() {
                        continue;
                    }
                    let validated: HashSet<String> = stage_split(&targets, &recipe, seed)
                        .validation.iter().map(|i| train[purchase.trained[*i]].id.to_string()).collect();
                    let trained = ledger.entries().filter(|entry| entry.kind == plan.labels);
                    for entry in trained.filter(|entry| matches!(entry.purpose, Purpose::Train | Purpose::Validation)) {
                        prop_assert_eq!(entry.purpose == Purpose::Validation, validated.contains(entry.id));
                    }
                }
                if !stages.is_empty() {
                    prop_assert_eq!(ledger.paid(), bought, "{}", kind.name);
                    prop_assert_eq!(ledger.cost_usd(), prices.bill_usd(bought));
                }
                if kind.name == "seq-sft" {
                    prop_assert_eq!(ledger.totals().looked_at, allocation.n_weak + allocation.n_gold);
                }
            }
        }
    }
}
