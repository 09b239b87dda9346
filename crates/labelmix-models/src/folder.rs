//! The folder that a user names as a model: a checkpoint, or an adapter with the checkpoint that it was trained on.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::checkpoint::{Weights, explain_missing, has_weights, missing_configuration};
use crate::config::Config;
use crate::description::Description;
use crate::error::{Error, Result};
use crate::peft;

/// Where a model's files are.
pub(crate) struct ModelFolder {
    pub(crate) checkpoint: PathBuf,
    /// The folder of an adapter that belongs on it.
    pub(crate) adapter: Option<PathBuf>,
}

#[derive(Deserialize)]
struct AdapterConfig {
    base_model_name_or_path: Option<String>,
}

impl ModelFolder {
    /// Looks what `folder` is. As in transformers, an adapter's configuration comes before a model's.
    pub(crate) fn find(folder: &Path) -> Result<Self> {
        let path = folder.join(peft::CONFIG_FILE);
        if !path.exists() {
            return Ok(Self { checkpoint: folder.into(), adapter: None });
        }
        let config: AdapterConfig = serde_json::from_slice(&crate::lfs::read(&path)?)
            .map_err(|error| Error::Adapter { path: path.clone(), reason: error.to_string() })?;
        let base = config.base_model_name_or_path.unwrap_or_default();
        if let Some(checkpoint) = base_folder(folder, &base) {
            return Ok(Self { checkpoint, adapter: Some(folder.into()) });
        }
        let help = if has_weights(folder) {
            "write the folder of the model that the adapter was trained on; or delete adapter_config.json, if the weights \
             beside it are to be read without the adapter"
                .to_owned()
        } else {
            format!(
                "write the folder of the model that the adapter was trained on; a model of the Hub is downloaded by `hf \
                 download {} --local-dir base`",
                if base.is_empty() { "NAME" } else { &base }
            )
        };
        let reason = format!("the adapter's base_model_name_or_path is {base:?}, and there is no such folder");
        Err(Error::Folder { path, reason, help })
    }

    /// The checkpoint's configuration.
    pub(crate) fn config(&self) -> Result<Config> {
        let folder = &self.checkpoint;
        Config::read(&folder.join("config.json")).map_err(|error| explain_missing(error, folder, missing_configuration))
    }
}

/// The folder of an adapter's base: the one named, seen from the adapter's folder or from here, or one of its last name
/// beside the adapter, as after copying both.
fn base_folder(adapter: &Path, base: &str) -> Option<PathBuf> {
    if base.is_empty() {
        return None;
    }
    let base = Path::new(base);
    let beside = adapter.canonicalize().ok().and_then(|folder| Some(folder.parent()?.join(base.file_name()?)));
    let places = [Some(adapter.join(base)), Some(base.to_owned()), beside];
    places.into_iter().flatten().find(|place| place.join("config.json").is_file())
}

/// A checkpoint's parts, before its weights are loaded.
pub(crate) struct Checkpoint {
    pub(crate) folder: PathBuf,
    pub(crate) config: Config,
    pub(crate) description: Description,
    pub(crate) weights: Weights,
}

impl Checkpoint {
    /// Opens the model in `folder`, with its adapter merged if it has one, and checks that it is whole.
    pub(crate) fn open(folder: &Path) -> Result<Self> {
        Self::find(folder, true)
    }

    /// The same, from the headers of the files alone: an adapter is left out.
    pub(crate) fn open_headers(folder: &Path) -> Result<Self> {
        Self::find(folder, false)
    }

    fn find(folder: &Path, merge: bool) -> Result<Self> {
        let found = ModelFolder::find(folder)?;
        let config = found.config()?;
        let mut description = config.describe()?;
        let mut weights = Weights::open(&found.checkpoint, description.prefix)?;
        if let Some(adapter) = found.adapter.filter(|_| merge) {
            weights.merge(&description, &adapter)?;
        }
        weights.settle_head(&mut description);
        weights.check(&description)?;
        Ok(Self { folder: found.checkpoint, config, description, weights })
    }
}
