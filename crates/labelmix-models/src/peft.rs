//! Adapters in PEFT's layout, `adapter_config.json` and `adapter_model.safetensors`, head included, so that Python
//! loads what was trained here and the other way round.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use labelmix_nn::{Array, Parameter};
use safetensors::{Dtype, SafeTensors};
use serde::Deserialize;
use serde_json::json;

use crate::adapter::{Adapter, LoraSettings};
use crate::error::{Error, Result};
use crate::tensor_file::{to_f32, write_tensors};

/// The trained tensors.
pub(crate) const WEIGHTS_FILE: &str = "adapter_model.safetensors";
/// What PEFT needs to know about them.
pub(crate) const CONFIG_FILE: &str = "adapter_config.json";

impl Adapter {
    /// The names of the files that [`save`](Self::save) writes.
    pub const FILES: [&str; 2] = [WEIGHTS_FILE, CONFIG_FILE];

    /// Writes the adapter into an existing folder.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn save(&self, folder: &Path, base_model: &str) -> Result<()> {
        let names = self.parameters().iter().map(Parameter::name);
        write_tensors(&folder.join(WEIGHTS_FILE), Dtype::F32, names.zip(self.snapshot()?))?;
        let path = folder.join(CONFIG_FILE);
        let config = serde_json::to_string_pretty(&self.peft_config(base_model)).expect("JSON values can be written");
        std::fs::write(&path, config).map_err(|source| Error::Write { path, source })
    }

    pub(crate) fn peft_config(&self, base_model: &str) -> serde_json::Value {
        // PEFT matches target modules by the end of their names; whole paths keep it from adapting a pooler.
        let targets: Vec<&str> = self
            .parameters()
            .iter()
            .filter_map(|parameter| parameter.name().strip_suffix(".lora_A.weight")?.strip_prefix("base_model.model."))
            .collect();
        let head = self
            .parameters()
            .iter()
            .rev()
            .find_map(|parameter| parameter.name().strip_suffix(".weight")?.strip_prefix("base_model.model."));
        json!({
            "base_model_name_or_path": base_model,
            "bias": "none",
            "fan_in_fan_out": self.fan_in_fan_out(),
            "inference_mode": true,
            "lora_alpha": self.settings().alpha,
            "lora_dropout": 0.0,
            "modules_to_save": [head],
            "peft_type": "LORA",
            "r": self.settings().rank,
            "target_modules": targets,
            "task_type": "SEQ_CLS",
        })
    }

    /// Replaces this adapter's values with those saved in `folder`.
    ///
    /// # Errors
    /// If the files are missing or damaged, or hold an adapter of another shape.
    pub fn load(&mut self, folder: &Path) -> Result<()> {
        self.load_file(&folder.join(WEIGHTS_FILE))
    }

    /// As [`load`](Self::load), from a safetensors file of any name.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn load_file(&mut self, path: &Path) -> Result<()> {
        self.replace(path, Absent::Wrong)
    }

    /// As [`load`](Self::load), of an adapter that may reach fewer layers: the others get no addition.
    pub(crate) fn load_partial(&mut self, folder: &Path) -> Result<()> {
        self.replace(&folder.join(WEIGHTS_FILE), Absent::NoAddition)
    }

    fn replace(&mut self, path: &Path, absent: Absent) -> Result<()> {
        let wrong = |reason: String| Error::Adapter { path: path.into(), reason };
        let bytes = crate::lfs::read(path)?;
        let tensors = SafeTensors::deserialize(&bytes).map_err(|error| wrong(error.to_string()))?;
        let mut unused: BTreeSet<&str> = tensors.names().into_iter().collect();
        let mut snapshot = Vec::with_capacity(self.parameters().len());
        for parameter in self.parameters() {
            let name = parameter.name();
            let shape = parameter.value().shape();
            if !unused.remove(name) {
                if absent == Absent::NoAddition && name.contains(".lora_") {
                    snapshot.push(Array::new(vec![0.0; shape.iter().product()], shape));
                    continue;
                }
                return Err(wrong(format!("there is no tensor named {name:?}")));
            }
            let tensor = tensors.tensor(name).map_err(|error| wrong(error.to_string()))?;
            if tensor.shape() != shape {
                return Err(wrong(format!("{name:?} has the shape {:?} instead of {shape:?}", tensor.shape())));
            }
            let values = to_f32(tensor.dtype(), tensor.data())
                .ok_or_else(|| wrong(format!("{name:?} is stored as {:?}", tensor.dtype())))?;
            snapshot.push(Array::new(values, shape));
        }
        if let Some(name) = unused.first() {
            return Err(wrong(format!("the tensor {name:?} has no place in this model")));
        }
        self.restore(&snapshot)
    }
}

/// What it means that an adapter's file lacks a layer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Absent {
    Wrong,
    NoAddition,
}

/// No adapter has a higher rank: a layer's width is its limit.
const LARGEST_RANK: usize = crate::numbers::LARGEST_WIDTH;

/// The keys of `adapter_config.json` that decide what an adapter computes.
#[derive(Deserialize)]
struct PeftConfig {
    peft_type: String,
    r: usize,
    lora_alpha: f64,
    #[serde(default)]
    use_rslora: bool,
    #[serde(default)]
    use_dora: bool,
    #[serde(default)]
    rank_pattern: BTreeMap<String, usize>,
    #[serde(default)]
    alpha_pattern: BTreeMap<String, f64>,
}

impl LoraSettings {
    /// The settings of the adapter in `folder`.
    ///
    /// # Errors
    /// If `adapter_config.json` is missing or damaged, or asks for something other than plain LoRA.
    pub fn read(folder: &Path) -> Result<Self> {
        let path = folder.join(CONFIG_FILE);
        let wrong = |reason: String| Error::Adapter { path: path.clone(), reason };
        let config: PeftConfig =
            serde_json::from_slice(&crate::lfs::read(&path)?).map_err(|error| wrong(error.to_string()))?;
        let unsupported = [
            ("a rank of its own for some layers (rank_pattern)", !config.rank_pattern.is_empty()),
            ("an alpha of its own for some layers (alpha_pattern)", !config.alpha_pattern.is_empty()),
            ("DoRA (use_dora)", config.use_dora),
        ];
        if config.r == 0 || config.r > LARGEST_RANK || !config.lora_alpha.is_finite() {
            return Err(wrong(format!("r is {} and lora_alpha {}: no such LoRA", config.r, config.lora_alpha)));
        }
        if config.peft_type != "LORA" {
            return Err(wrong(format!("the adapter is of the type {:?}; only LORA can be run", config.peft_type)));
        }
        if let Some((what, _)) = unsupported.iter().find(|(_, asked)| *asked) {
            return Err(wrong(format!("the adapter has {what}, which cannot be run")));
        }
        // Rank-stabilised LoRA divides by the root of the rank.
        let alpha = if config.use_rslora { config.lora_alpha * (config.r as f64).sqrt() } else { config.lora_alpha };
        Ok(Self { rank: config.r, alpha })
    }
}
