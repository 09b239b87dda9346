//! The next texts to be labelled: those that a study's method would buy labels for.
//!
//! A study's pools sell labels in an order that depends on its seed and the texts alone: gold ones from the front, weak
//! ones from the back. What is bought already is the beginning of either pool, and what comes next continues it: the
//! labels that the data has and the study still sells, then texts without any label. Only when these run out are gold
//! labels asked for texts that have a weak one: such a text changes pools, and its weak label is wasted.

use std::collections::HashSet;

use labelmix_data::{Example, ExampleId, order_of_sale};
use labelmix_econ::{Allocation, LabelKind};
use labelmix_methods::{COVERED_TEXTS, Choice, DrawSource, Method, StagePlan, least_certain};
use labelmix_store::{NextTexts, Sampling, Store, check_folder};
use labelmix_train::Interrupt;

use crate::error::{Error, Result};
use crate::stage_error::StageError;
use crate::sweep::Sweep;

impl Sweep {
    /// The texts that a method would have labelled next, after the labels that one has.
    ///
    /// # Errors
    /// If the study has no such method, or a classifier that the choice asks cannot be used.
    pub fn next_texts(
        &self,
        store: &Store,
        method: &str,
        have: Allocation,
        buy: Allocation,
    ) -> std::result::Result<NextTexts<'_>, StageError> {
        let queue = Queue::new(self, have);
        if self.method_named(method)?.covers_gold() {
            let gold = self.next_covering(&queue.gold, have.n_gold, buy.n_gold)?;
            return Ok(queue.serve(gold, buy, Sampling::Coverage));
        }
        let chooser = self.chooser(store, method)?;
        let Some((node, n_weak, temperature)) = chooser else {
            let gold: Vec<&Example> = queue.gold.iter().take(buy.n_gold).copied().collect();
            return Ok(queue.serve(gold, buy, Sampling::PoolOrder { seed: self.expansion.first().0 }));
        };
        let (key, seed) = (&self.graph().nodes()[node].key, self.graph().nodes()[node].seed);
        let readable = self.readable(&queue.gold)?;
        let texts: Vec<&str> = readable.iter().map(|example| example.text.as_str()).collect();
        let folder = store.stage_folder(key);
        check_folder(&folder)?;
        let scores = self.engine.scorer(&folder)?.score(&texts, &Interrupt::default())?;
        let chosen = least_certain(&scores.log_odds(), buy.n_gold, temperature, seed);
        let gold = chosen.into_iter().map(|place| readable[place]).collect();
        Ok(queue.serve(gold, buy, Sampling::LeastCertain { stage: key.clone(), n_weak }))
    }

    /// Texts that the model can read: others cannot be trained on.
    fn readable<'a>(&self, examples: &[&'a Example]) -> std::result::Result<Vec<&'a Example>, StageError> {
        let texts: Vec<&str> = examples.iter().map(|example| example.text.as_str()).collect();
        let can_read = self.engine.readable(&texts)?;
        Ok(examples.iter().zip(can_read).filter(|(_, readable)| *readable).map(|(example, _)| *example).collect())
    }

    /// So many of the texts that best cover the next ones, beside those whose gold labels one has.
    fn next_covering<'a>(
        &self,
        next: &[&'a Example],
        have: usize,
        buy: usize,
    ) -> std::result::Result<Vec<&'a Example>, StageError> {
        let (_, pools) = self.expansion.first();
        let had = pools.gold(have).unwrap_or_default().iter().map(|place| self.data.train[*place].text.as_str());
        let next: Vec<&Example> = next.iter().copied().take(COVERED_TEXTS.max(buy)).collect();
        let readable = self.readable(&next)?;
        let texts: Vec<&str> = readable.iter().map(|example| example.text.as_str()).collect();
        let order = self.covering(&had.collect::<Vec<_>>(), &texts, buy, &Interrupt::default())?;
        Ok(order.into_iter().map(|place| readable[place]).collect())
    }

    fn method_named(&self, method: &str) -> Result<&(dyn Method + 'static)> {
        let named = self.expansion.methods.iter().find(|named| named.name == method);
        Ok(&*named.ok_or_else(|| Error::NoSuchMethod { method: method.to_owned() })?.method)
    }

    /// The weak stage with the most labels whose classifier chooses gold labels for a method, with their number and the
    /// temperature of the choice: none where the method does not choose, or nothing is trained yet.
    fn chooser(&self, store: &Store, method: &str) -> Result<Option<(usize, usize, f64)>> {
        let stages = self.method_named(method)?.stages(Allocation { n_weak: 1, n_gold: 1 });
        let temperature = stages.iter().flat_map(StagePlan::draws).find_map(|draw| match (draw.source, draw.choice) {
            (DrawSource::Labels(LabelKind::Gold), Choice::LeastCertain { temperature, .. }) => Some(temperature),
            _ => None,
        });
        let Some(temperature) = temperature else { return Ok(None) };
        let mut best: Option<(usize, usize, f64)> = None;
        for run in self.graph().runs().iter().filter(|run| run.method == method) {
            let node = run.stages[0];
            let stage = &self.graph().nodes()[node];
            let n_weak = stage.plan.count();
            let larger = best.is_none_or(|(_, most, _)| n_weak > most);
            if self.graph().labels(stage) == LabelKind::Weak && larger && store.outcome(&stage.key)?.is_some() {
                best = Some((node, n_weak, temperature));
            }
        }
        Ok(best)
    }
}

/// Texts in the order in which labels are bought for them.
struct Queue<'a> {
    weak: Vec<&'a Example>,
    gold: Vec<&'a Example>,
    /// For gold labels when there are no others: texts of the weak pool, the last to be sold first.
    from_weak: Vec<&'a Example>,
}

impl<'a> Queue<'a> {
    fn new(sweep: &'a Sweep, have: Allocation) -> Self {
        let (first_seed, pools) = sweep.expansion.first();
        let (train, unlabeled) = (&sweep.data.train, &sweep.unlabeled);
        let pooled = |indices: Option<&[usize]>, have: usize| {
            let all = indices.unwrap_or_default();
            all[have.min(all.len())..].iter().map(|index| &train[*index]).collect::<Vec<_>>()
        };
        let mut gold = pooled(pools.gold(pools.gold_size()), have.n_gold);
        let mut weak = pooled(pools.weak(pools.weak_size()), have.n_weak);
        let mut from_weak = pooled(pools.weak(pools.weak_size()), 0);
        let order = order_of_sale(unlabeled.iter().map(|example| example.id), first_seed);
        gold.extend(order.iter().map(|index| &unlabeled[*index]));
        weak.extend(order.iter().rev().map(|index| &unlabeled[*index]));

        // What has a gold label is bought with it, or known already.
        from_weak.retain(|example| example.gold.is_none());
        from_weak.reverse();
        Self { weak, gold, from_weak }
    }

    /// Gives out the texts chosen for gold labels, with those for weak ones.
    fn serve(self, mut gold: Vec<&'a Example>, buy: Allocation, sampling: Sampling) -> NextTexts<'a> {
        let mut taken: HashSet<ExampleId> = gold.iter().map(|example| example.id).collect();
        let free = self.weak.into_iter().filter(|example| !taken.contains(&example.id));
        let weak: Vec<&Example> = free.take(buy.n_weak).collect();
        taken.extend(weak.iter().map(|example| example.id));
        let more = self.from_weak.into_iter().filter(|example| !taken.contains(&example.id));
        gold.extend(more.take(buy.n_gold - gold.len()));
        let lacking = Allocation { n_weak: buy.n_weak - weak.len(), n_gold: buy.n_gold - gold.len() };
        NextTexts { weak, gold, sampling, lacking }
    }
}
