//! An optimizer's state between two stages.

use std::collections::BTreeMap;
use std::path::Path;

use labelmix_nn::{AdamW, AdamWSettings, Parameter};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use crate::error::{Error, Result};

/// What an optimizer remembers of the steps that it made: for each parameter, by name, the mean of its gradients and of
/// their squares.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OptimizerState {
    steps: u32,
    moments: BTreeMap<String, [Vec<f32>; 2]>,
}

/// The tensor that holds the number of steps; the moments' names are their parameters', with these endings.
const STEPS: &str = "steps";
const ENDINGS: [&str; 2] = [".first", ".second"];

impl OptimizerState {
    /// The state of an optimizer of these parameters.
    pub(crate) fn of(optimizer: &AdamW, parameters: &[Parameter]) -> Self {
        let moments = parameters.iter().zip(optimizer.moments());
        let moments = moments.map(|(parameter, moments)| (parameter.name().to_owned(), moments.map(<[f32]>::to_vec)));
        Self { steps: optimizer.steps(), moments: moments.collect() }
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
        let bytes = |values: &[f32]| -> Vec<u8> { values.iter().flat_map(|value| value.to_le_bytes()).collect() };
        let mut tensors = vec![(STEPS.to_owned(), Dtype::U32, self.steps.to_le_bytes().to_vec())];
        for (name, moments) in &self.moments {
            for (moment, ending) in moments.iter().zip(ENDINGS) {
                tensors.push((format!("{name}{ending}"), Dtype::F32, bytes(moment)));
            }
        }
        let views = tensors.iter().map(|(name, kind, bytes)| {
            let view = TensorView::new(*kind, vec![bytes.len() / 4], bytes);
            (name, view.expect("a tensor has as many values as its shape says"))
        });
        let serialized = safetensors::serialize(views, None).expect("names are unique, and tensors whole");
        std::fs::write(path, serialized).map_err(|source| Error::OptimizerFile { path: path.into(), source })
    }

    /// Reads a file that [`save`](Self::save) wrote.
    ///
    /// # Errors
    /// If it is missing or damaged.
    pub fn load(path: &Path) -> Result<Self> {
        let file = |source| Error::OptimizerFile { path: path.into(), source };
        let damaged = |reason: String| file(std::io::Error::new(std::io::ErrorKind::InvalidData, reason));
        let bytes = std::fs::read(path).map_err(file)?;
        let tensors = SafeTensors::deserialize(&bytes).map_err(|error| damaged(error.to_string()))?;
        let words = |name: &str| -> Result<Vec<[u8; 4]>> {
            let tensor = tensors.tensor(name).map_err(|error| damaged(error.to_string()))?;
            Ok(tensor.data().as_chunks::<4>().0.to_vec())
        };
        let numbers =
            |name: &str| -> Result<Vec<f32>> { Ok(words(name)?.into_iter().map(f32::from_le_bytes).collect()) };
        let steps = words(STEPS)?.first().copied().map(u32::from_le_bytes);
        let steps = steps.ok_or_else(|| damaged("no number of steps".into()))?;
        let mut moments = BTreeMap::new();
        for name in tensors.names().into_iter().filter_map(|name| name.strip_suffix(ENDINGS[0])) {
            let [first, second] = ENDINGS.map(|ending| numbers(&format!("{name}{ending}")));
            moments.insert(name.to_owned(), [first?, second?]);
        }
        Ok(Self { steps, moments })
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
