//! The ledger of a run: the labels that its stages buy, in the order of purchase, each with the use that the trainer
//! makes of it.

use std::collections::HashMap;

use labelmix_data::{Example, ExampleId};
use labelmix_econ::{Ledger, Purpose};
use labelmix_engine::Drawn;
use labelmix_methods::{PromptPlan, Recipe, Role};
use labelmix_store::StageOutcome;
use labelmix_train::stage_split;

use crate::graph::Run;
use crate::purchase::learnt_from;
use crate::sweep::Sweep;

impl Sweep {
    /// What a run buys, at the study's prices. `outcomes` are those of its stages: some choose their labels as they go.
    pub fn ledger(&self, run: &Run, outcomes: &[StageOutcome]) -> Ledger {
        let mut ledger = Ledger::new(self.prices);
        let mut shots_before = None;
        for (stage, outcome) in run.stages.iter().zip(outcomes) {
            let node = &self.graph().nodes()[*stage];
            let mut drawn = self.drawn(node);
            for drawn in drawn.iter_mut().filter(|drawn| drawn.draw.choice.is_of_texts()) {
                let places: HashMap<ExampleId, usize> =
                    drawn.places.iter().map(|place| (self.data.train[*place].id, *place)).collect();
                drawn.places = outcome.chosen.iter().filter_map(|id| places.get(id).copied()).collect();
            }
            // The prompt of a run is bought with its first stage.
            let shots = node.plan.prompt().map(|PromptPlan { shots, .. }| *shots);
            if shots == shots_before {
                drawn.retain(|drawn| drawn.draw.role != Role::Shot);
            }
            shots_before = shots;
            let seed = node.plan.training().map_or(node.seed, |training| training.training_seed(node.seed));
            // Only a training validates.
            let recipe = node.plan.training().map(|training| training.recipe(&self.study().recipe));
            let recipe = recipe.map(|recipe| recipe.of_stage(learnt_from(&drawn)));
            enter_stage(&mut ledger, &self.data.train, &drawn, recipe.as_ref(), seed);
        }
        ledger
    }
}

/// Enters a stage's labels, draw by draw: those that it only looks at, then those that it uses.
fn enter_stage(ledger: &mut Ledger, train: &[Example], drawn: &[Drawn], recipe: Option<&Recipe>, seed: u64) {
    for drawn in drawn {
        let Some((kind, targets)) = drawn.draw.labels().zip(drawn.labels(train)) else { continue };
        let mut enter = |place: usize, purpose| ledger.enter(train[place].id.to_string(), kind, purpose);
        for place in &drawn.queried {
            enter(*place, Purpose::Query);
        }
        let usual = if drawn.draw.role == Role::Shot { Purpose::Shot } else { Purpose::Train };
        let mut purposes = vec![usual; targets.len()];
        if let Some(recipe) = recipe.filter(|_| usual == Purpose::Train && !targets.is_empty()) {
            for index in stage_split(&targets, recipe, seed).validation {
                purposes[index] = Purpose::Validation;
            }
        }
        for (place, purpose) in drawn.places.iter().zip(purposes) {
            enter(*place, purpose);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use labelmix_data::{Boundary, Pools};
    use labelmix_econ::{Allocation, Prices};
    use labelmix_methods::{UsableSplits, method_kinds};
    use proptest::prelude::*;

    use super::*;
    use crate::purchase::drawn;
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
                    UsableSplits::Nothing => Allocation::default(),
                    UsableSplits::All | UsableSplits::One(_) => split_of(&*method, allocation),
                };
                let bought = Allocation { n_weak: split.n_weak + extra.n_weak, n_gold: split.n_gold + extra.n_gold };
                let mut ledger = Ledger::new(prices);
                let stages = method.stages(split);
                for plan in &stages {
                    let mut drawn = drawn(&train, &pools, plan);
                    for drawn in &mut drawn {
                        // Whatever a classifier would choose.
                        drawn.places.truncate(drawn.draw.count);
                    }
                    let recipe = plan.training().map(|_| &recipe);
                    enter_stage(&mut ledger, &train, &drawn, recipe, seed);
                    let Some(own) = drawn.iter().find(|drawn| drawn.draw.role == Role::Train) else { continue };
                    let targets = own.labels(&train).unwrap();
                    if targets.is_empty() {
                        continue;
                    }
                    let validation = recipe.map_or(Vec::new(), |recipe| stage_split(&targets, recipe, seed).validation);
                    let validated: HashSet<String> = validation.iter().map(|i| train[own.places[*i]].id.to_string()).collect();
                    let trained = ledger.entries().filter(|entry| Some(entry.kind) == own.draw.labels());
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
