//! Pretraining that goes on after an interruption: weights and both optimizers' states, kept every now and then.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use labelmix_models::TrainableLanguageModel;
use labelmix_nn::{AdamW, Array, Muon, MuonSettings, Parameter};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use crate::error::{Error, Result};
use crate::pretraining::{ADAMW, Pretraining, Training};
use crate::world::World;

/// The file beside the model's.
const FILE: &str = "pretraining.safetensors";
/// In the file's header: what was trained, and how far it is.
const RECIPE: &str = "recipe";
const STEP: &str = "step";
const TOKENS: &str = "tokens";

/// Where a model's state is kept while it is pretrained.
pub(crate) struct KeptState {
    path: PathBuf,
    /// A hash of all that determines the training. States of another are begun anew.
    recipe: String,
}

impl KeptState {
    pub(crate) fn of(world: &World, pretraining: &Pretraining, folder: &Path) -> Self {
        let all = format!("{:?} {pretraining:?} {}", world.settings(), env!("CARGO_PKG_VERSION"));
        Self { path: folder.join(FILE), recipe: blake3::hash(all.as_bytes()).to_hex().to_string() }
    }

    /// Writes the state beside its place and renames it.
    pub(crate) fn keep(&self, training: &Training) -> Result<()> {
        let weights = parameters(&training.model)
            .map(|parameter| Ok((parameter.name().to_owned(), parameter.array()?.values().to_vec())))
            .collect::<labelmix_nn::Result<Vec<_>>>()?;
        let means = training.model.matrices().iter().zip(training.muon.means());
        let means = means.map(|(parameter, mean)| (mean_of(parameter), mean.to_vec()));
        let moments = training.model.others().iter().zip(training.adamw.moments());
        let moments = moments.flat_map(|(parameter, moments)| moments_of(parameter).into_iter().zip(moments));
        let moments = moments.map(|(name, moment)| (name, moment.to_vec()));
        let bytes = |values: Vec<f32>| -> Vec<u8> { values.into_iter().flat_map(f32::to_le_bytes).collect() };
        let all = weights.into_iter().chain(means).chain(moments);
        let tensors: Vec<(String, Vec<u8>)> = all.map(|(name, values)| (name, bytes(values))).collect();
        let views = tensors.iter().map(|(name, bytes)| {
            let view = TensorView::new(Dtype::F32, vec![bytes.len() / 4], bytes);
            (name, view.expect("a tensor has as many values as its shape says"))
        });
        let header =
            [(RECIPE, self.recipe.clone()), (STEP, training.step.to_string()), (TOKENS, training.tokens.to_string())];
        let header: HashMap<String, String> = header.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        let bytes = safetensors::serialize(views, Some(header)).expect("names are unique, and tensors whole");
        let beside = self.path.with_extension("unfinished");
        std::fs::write(&beside, bytes)
            .and_then(|()| std::fs::rename(&beside, &self.path))
            .map_err(|source| Error::Write { path: self.path.clone(), source })
    }

    /// Returns to the state that was kept, if one of this training was.
    pub(crate) fn restore(&self, training: &mut Training) -> Result<()> {
        let Ok(bytes) = std::fs::read(&self.path) else { return Ok(()) };
        let damaged = |reason: String| Error::KeptState { path: self.path.clone(), reason };
        let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|error| damaged(error.to_string()))?;
        let header = header.metadata().clone().unwrap_or_default();
        if header.get(RECIPE) != Some(&self.recipe) {
            return Ok(());
        }
        let count = |key: &str| -> Result<usize> {
            let number = header.get(key).and_then(|number| number.parse().ok());
            number.ok_or_else(|| damaged(format!("there is no number {key:?} in its header")))
        };
        let tensors = SafeTensors::deserialize(&bytes).map_err(|error| damaged(error.to_string()))?;
        let values = |name: &str, length: usize| -> Result<Vec<f32>> {
            let tensor = tensors.tensor(name).map_err(|error| damaged(error.to_string()))?;
            let words = tensor.data().as_chunks::<4>().0;
            let values: Vec<f32> = words.iter().map(|word| f32::from_le_bytes(*word)).collect();
            if values.len() == length { Ok(values) } else { Err(damaged(format!("{name:?} has another length"))) }
        };
        let length = |parameter: &Parameter| parameter.value().shape().iter().product::<usize>();
        let (matrices, others) = training.model.parameters_mut();
        for parameter in matrices.iter_mut().chain(others.iter_mut()) {
            let array = Array::new(values(parameter.name(), length(parameter))?, parameter.value().shape());
            parameter.assign(&array)?;
        }
        let means = matrices.iter().map(|parameter| values(&mean_of(parameter), length(parameter)));
        let moments = others.iter().map(|parameter| {
            let [first, second] = moments_of(parameter).map(|name| values(&name, length(parameter)));
            Ok([first?, second?])
        });
        training.step = count(STEP)?;
        training.tokens = count(TOKENS)?;
        training.muon = Muon::resumed(MuonSettings::default(), means.collect::<Result<_>>()?);
        training.adamw = AdamW::resumed(ADAMW, training.step as u32, moments.collect::<Result<_>>()?);
        Ok(())
    }

    /// Takes the state away, once the model is finished.
    pub(crate) fn remove(&self) -> Result<()> {
        match std::fs::remove_file(&self.path) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                Err(Error::Write { path: self.path.clone(), source })
            }
            _ => Ok(()),
        }
    }
}

fn parameters(model: &TrainableLanguageModel) -> impl Iterator<Item = &Parameter> {
    model.matrices().iter().chain(model.others())
}

fn mean_of(parameter: &Parameter) -> String {
    format!("{}.mean", parameter.name())
}

fn moments_of(parameter: &Parameter) -> [String; 2] {
    ["first", "second"].map(|moment| format!("{}.{moment}", parameter.name()))
}
