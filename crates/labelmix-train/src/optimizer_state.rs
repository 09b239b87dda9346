//! An optimizer's state between two stages.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use labelmix_models::KeptTensors;
use labelmix_nn::{AdamW, AdamWSettings, Parameter};

use crate::error::{Error, Result};

/// What an optimizer remembers of the steps that it made: for each parameter, by name, the mean of its gradients and of
/// their squares.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OptimizerState {
    steps: u32,
    moments: BTreeMap<String, [Vec<f32>; 2]>,
}

/// The tensor that holds the number of steps (exact up to 2²⁴ of them); the moments' names are their parameters', with these endings.
const STEPS: &str = "steps";
const ENDINGS: [&str; 2] = [".first", ".second"];

impl OptimizerState {
    /// The state of an optimizer of these parameters.
    pub(crate) fn of(optimizer: &AdamW, parameters: &[Parameter]) -> Self {
        let moments = parameters.iter().zip(optimizer.moments());
        let moments = moments.map(|(parameter, moments)| (parameter.name().to_owned(), moments.map(<[f32]>::to_vec)));
        Self { steps: optimizer.steps(), moments: moments.collect() }
    }

    /// The last state of an optimizer of these parameters.
    pub(crate) fn last(optimizer: AdamW, parameters: &[Parameter]) -> Self {
        let steps = optimizer.steps();
        let names = parameters.iter().map(|parameter| parameter.name().to_owned());
        Self { steps, moments: names.zip(optimizer.into_moments()).collect() }
    }

    /// An optimizer of these parameters that goes on. Parameters that were not trained before start with moments of zero.
    pub(crate) fn resume(&self, settings: AdamWSettings, parameters: &[Parameter]) -> AdamW {
        let moments = |parameter: &Parameter| {
            let zeros = || vec![0.0; parameter.value().shape().iter().product()];
            self.moments.get(parameter.name()).cloned().unwrap_or_else(|| [zeros(), zeros()])
        };
        AdamW::resumed(settings, self.steps, parameters.iter().map(moments).collect())
    }

    /// Writes the state into a safetensors file.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        let mut tensors = KeptTensors::default();
        self.add_to(&mut tensors, "");
        tensors.write(path).map_err(|source| Error::OptimizerFile { path: path.into(), source })
    }

    /// Reads a file that [`save`](Self::save) wrote.
    ///
    /// # Errors
    /// If it is missing or damaged.
    pub fn load(path: &Path) -> Result<Self> {
        KeptTensors::read(path)
            .and_then(|tensors| Self::among(&tensors, ""))
            .map_err(|source| Error::OptimizerFile { path: path.into(), source })
    }

    /// Adds the state to other tensors, under names that begin with `prefix`.
    pub(crate) fn add_to(&self, tensors: &mut KeptTensors, prefix: &str) {
        tensors.add_row(format!("{prefix}{STEPS}"), &[self.steps as f32]);
        for (name, moments) in &self.moments {
            for (moment, ending) in moments.iter().zip(ENDINGS) {
                tensors.add_row(format!("{prefix}{name}{ending}"), moment);
            }
        }
    }

    /// The state among other tensors, where [`add_to`](Self::add_to) put it.
    pub(crate) fn among(tensors: &KeptTensors, prefix: &str) -> io::Result<Self> {
        let [steps] = tensors.row(&format!("{prefix}{STEPS}"), 1)?[..] else { unreachable!("its length was checked") };
        let mut moments = BTreeMap::new();
        let names = tensors.names().filter_map(|name| name.strip_prefix(prefix)?.strip_suffix(ENDINGS[0]));
        for name in names {
            let row = |ending: &str| Ok(tensors.get(&format!("{prefix}{name}{ending}"))?.values().to_vec());
            let [first, second]: [io::Result<Vec<f32>>; 2] = ENDINGS.map(row);
            moments.insert(name.to_owned(), [first?, second?]);
        }
        Ok(Self { steps: steps as u32, moments })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_survives_saving_and_loading() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("optimizer.safetensors");
        let moments = [("a".to_owned(), [vec![1.0, -2.5], vec![0.5, 1e-20]]), ("b".to_owned(), [vec![0.0], vec![3.0]])];
        let state = OptimizerState { steps: 7, moments: moments.into() };
        state.save(&path).unwrap();
        assert_eq!(OptimizerState::load(&path).unwrap(), state);
        std::fs::write(&path, "no tensors").unwrap();
        assert!(OptimizerState::load(&path).is_err());
    }
}
