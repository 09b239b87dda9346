//! Pretraining that goes on after an interruption: weights and both optimizers' states, kept every now and then.

use std::path::{Path, PathBuf};

use labelmix_files::{WriteError, clear_leftovers};
use labelmix_models::KeptTensors;
use labelmix_nn::{AdamW, Array, Muon, MuonSettings, Parameter};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::pretraining::{ADAMW, Pretraining, Training};
use crate::world::World;

/// The file beside the model's.
const FILE: &str = "pretraining.safetensors";

/// What was trained, and how far it is.
#[derive(Serialize, Deserialize)]
struct About {
    recipe: String,
    step: usize,
    tokens: usize,
}

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
        let Training { model, muon, adamw, step, tokens } = training;
        let about = About { recipe: self.recipe.clone(), step: *step, tokens: *tokens };
        let mut kept = KeptTensors::about(serde_json::to_string(&about).expect("numbers and a text can be written"));
        for parameter in model.matrices().iter().chain(model.others()) {
            kept.add(parameter.name(), parameter.array()?);
        }
        for (parameter, mean) in model.matrices().iter().zip(muon.means()) {
            kept.add_row(mean_of(parameter), mean);
        }
        for (parameter, moments) in model.others().iter().zip(adamw.moments()) {
            for (name, moment) in moments_of(parameter).into_iter().zip(moments) {
                kept.add_row(name, moment);
            }
        }
        kept.write(&self.path).map_err(|source| WriteError { path: self.path.clone(), source }.into())
    }

    /// Returns to the state that was kept, if one of this training was.
    pub(crate) fn restore(&self, training: &mut Training) -> Result<()> {
        if !self.path.exists() {
            return Ok(());
        }
        let damaged = |reason: String| Error::KeptState { path: self.path.clone(), reason };
        let kept = KeptTensors::read(&self.path).map_err(|error| damaged(error.to_string()))?;
        // What an older version kept has no text, or another.
        let Ok(about) = serde_json::from_str::<About>(kept.text()) else { return Ok(()) };
        if about.recipe != self.recipe {
            return Ok(());
        }
        let values = |name: &str, length: usize| kept.row(name, length).map_err(|error| damaged(error.to_string()));
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
        training.step = about.step;
        training.tokens = about.tokens;
        training.muon = Muon::resumed(MuonSettings::default(), means.collect::<Result<_>>()?);
        training.adamw = AdamW::resumed(ADAMW, training.step as u32, moments.collect::<Result<_>>()?);
        Ok(())
    }

    /// Takes the state away, once the model is finished.
    pub(crate) fn remove(&self) -> Result<()> {
        clear_leftovers(&self.path);
        match std::fs::remove_file(&self.path) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                Err(WriteError { path: self.path.clone(), source }.into())
            }
            _ => Ok(()),
        }
    }
}

fn mean_of(parameter: &Parameter) -> String {
    format!("{}.mean", parameter.name())
}

fn moments_of(parameter: &Parameter) -> [String; 2] {
    ["first", "second"].map(|moment| format!("{}.{moment}", parameter.name()))
}
