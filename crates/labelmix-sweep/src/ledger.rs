//! The ledger of a run: the labels that its stages buy, in the order of purchase, each with the use that the trainer
//! makes of it.

use labelmix_data::ExampleId;
use labelmix_econ::{LabelKind, Ledger, Purpose};
use labelmix_elicit::{Recipe, stage_split};

use crate::graph::Run;
use crate::sweep::Sweep;

impl Sweep {
    /// What a run buys, at the study's prices.
    #[must_use]
    pub fn ledger(&self, run: &Run) -> Ledger {
        let mut ledger = Ledger::new(*self.prices());
        for node in run.stages.iter().map(|stage| &self.graph().nodes()[*stage]) {
            let labels = self.stage_labels(node).map(|(index, target)| (self.train()[index].id, target)).collect();
            enter_stage(&mut ledger, node.labels, labels, &self.study().recipe, node.seed);
        }
        ledger
    }
}

/// Enters a stage's labels: those that the trainer validates on as such, and the others as learned from.
fn enter_stage(ledger: &mut Ledger, kind: LabelKind, labels: Vec<(ExampleId, f32)>, recipe: &Recipe, seed: u64) {
    let (ids, targets): (Vec<ExampleId>, Vec<f32>) = labels.into_iter().unzip();
    let mut purposes = vec![Purpose::Train; ids.len()];
    for label in stage_split(&targets, recipe, seed).validation {
        purposes[label] = Purpose::Validation;
    }
    for (id, purpose) in ids.into_iter().zip(purposes) {
        ledger.enter(id.to_string(), kind, purpose);
    }
}

/// A ledger as CSV: a line for every look at a label.
pub(crate) fn to_csv(ledger: &Ledger) -> Vec<u8> {
    const INTO_MEMORY: &str = "text and numbers can be written into memory";
    let mut writer = csv::Writer::from_writer(Vec::new());
    for entry in ledger.entries() {
        writer.serialize(entry).expect(INTO_MEMORY);
    }
    writer.into_inner().expect(INTO_MEMORY)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use labelmix_data::{Example, Pools};
    use labelmix_econ::{Allocation, Prices};
    use labelmix_elicit::method_named;
    use proptest::prelude::*;

    use super::*;

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

    #[test]
    fn the_file_that_programs_read() {
        let mut ledger = Ledger::new(Prices::new(0.1, 1.0).unwrap());
        ledger.enter("6437b3ac38465133".to_owned(), LabelKind::Weak, Purpose::Query);
        ledger.enter("6437b3ac38465133".to_owned(), LabelKind::Weak, Purpose::Validation);
        ledger.enter("an id, with a comma".to_owned(), LabelKind::Gold, Purpose::Shot);
        insta::assert_snapshot!(String::from_utf8(to_csv(&ledger)).unwrap(), @r#"
        id,kind,purpose,price_usd
        6437b3ac38465133,weak,query,0.1
        6437b3ac38465133,weak,validation,0.0
        "an id, with a comma",gold,shot,1.0
        "#);
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
            let pools = Pools::new(&train, seed, gold_pool);
            let part_of = |share: f64, size: usize| (share * size as f64) as usize;
            let allocation = Allocation {
                n_weak: part_of(weak_share, pools.weak_size()),
                n_gold: part_of(gold_share, pools.gold_size()),
            };
            let recipe = Recipe::default();
            let mut ledger = Ledger::new(prices);
            for plan in method_named("seq-sft").unwrap().stages(allocation) {
                let (bought, label): (_, fn(&Example) -> f32) = match plan.labels {
                    LabelKind::Weak => (pools.weak(plan.count), |example| example.weak.unwrap()),
                    LabelKind::Gold => (pools.gold(plan.count), |example| f32::from(u8::from(example.gold.unwrap()))),
                };
                let labels: Vec<_> = bought.unwrap().iter().map(|i| (train[*i].id, label(&train[*i]))).collect();
                let targets: Vec<f32> = labels.iter().map(|(_, target)| *target).collect();
                let validated: HashSet<String> = stage_split(&targets, &recipe, seed)
                    .validation.iter().map(|i| labels[*i].0.to_string()).collect();
                enter_stage(&mut ledger, plan.labels, labels, &recipe, seed);
                for entry in ledger.entries().filter(|entry| entry.kind == plan.labels) {
                    prop_assert_eq!(entry.purpose == Purpose::Validation, validated.contains(entry.id));
                }
            }
            prop_assert_eq!(ledger.paid(), allocation);
            prop_assert_eq!(ledger.cost_usd(), prices.bill_usd(allocation));
            let totals = ledger.totals();
            prop_assert_eq!(totals.looked_at, allocation.n_weak + allocation.n_gold);
        }
    }
}
