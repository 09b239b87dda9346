//! What the pretrained model makes of texts, for all stages that ask.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use labelmix_data::ExampleId;
use labelmix_engine::{Engine, HiddenStates};
use labelmix_methods::{Choice, ProbeFeatures, ProbePlan, StagePlan};
use labelmix_train::Interrupt;

/// Of how many of a model's last blocks hidden states are read; of the upper half without a number.
pub(crate) type Layers = Option<usize>;

/// The layers whose hidden states tell which texts cover a pool.
pub(crate) const COVERAGE_LAYERS: Layers = None;

/// The layers whose hidden states a stage classifies, if it does.
pub(crate) fn layers_of(plan: &StagePlan) -> Option<Layers> {
    match plan {
        StagePlan::Probe(ProbePlan { features: ProbeFeatures::HiddenStates { layers }, .. }) => Some(*layers),
        _ => None,
    }
}

/// Whether a stage buys labels for texts that cover a pool.
pub(crate) fn covers(plan: &StagePlan) -> bool {
    plan.draws().any(|draw| draw.choice == Choice::Coverage)
}

/// Hidden states that were read or found.
#[derive(Default)]
pub(crate) struct Features(Mutex<HashMap<Layers, HashMap<ExampleId, HiddenStates>>>);

impl Features {
    fn known(&self) -> MutexGuard<'_, HashMap<Layers, HashMap<ExampleId, HiddenStates>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note of those of some texts.
    pub(crate) fn add(&self, layers: Layers, texts: &[ExampleId], rows: impl IntoIterator<Item = HiddenStates>) {
        self.known().entry(layers).or_default().extend(texts.iter().copied().zip(rows));
    }

    /// The texts whose hidden states are not known.
    pub(crate) fn lacking<'a>(&self, layers: Layers, texts: &[&'a str]) -> Vec<&'a str> {
        let known = self.known();
        let is_known = |text: &str| known.get(&layers).is_some_and(|known| known.contains_key(&ExampleId::exact(text)));
        texts.iter().copied().filter(|text| !is_known(text)).collect()
    }

    /// Those of texts; what was not read ahead the engine reads now.
    pub(crate) fn of(
        &self,
        engine: &dyn Engine,
        layers: Layers,
        texts: &[&str],
        interrupt: &Interrupt,
    ) -> labelmix_engine::Result<Vec<HiddenStates>> {
        let new = self.lacking(layers, texts);
        if !new.is_empty() {
            self.add(layers, &ids(&new), engine.hidden_states(layers, &new, interrupt)?);
        }
        let known = self.known();
        Ok(texts.iter().map(|text| Arc::clone(&known[&layers][&ExampleId::exact(text)])).collect())
    }
}

/// The names under which hidden states of texts are known.
pub(crate) fn ids(texts: &[&str]) -> Vec<ExampleId> {
    texts.iter().map(|text| ExampleId::exact(text)).collect()
}
