//! Classifiers for Python: as an adapter that PEFT puts on its base, or as a checkpoint with the adapter merged into it.
//!
//! transformers has a class for classifying sequences, and it loads almost anything without an error: an encoder whose tokens we
//! average loads too, and is asked through its first token. So a classifier is written for that class only where the class
//! computes what we do. Otherwise what is written is the transformer alone, with the head in a file of its own, under names that
//! the class refuses.

use std::path::Path;

use labelmix_nn::{Array, Parameter, Precision};
use safetensors::Dtype;
use serde_json::{Value as Json, json};

use crate::adapter::{Adapter, PEFT_PREFIX};
use crate::classifier::{Classifier, Pooling};
use crate::error::{Error, Result};
use crate::layers::{Linear, WeightMatrix};
use crate::peft::{CONFIG_FILE, WEIGHTS_FILE};
use crate::tensor_file::write_tensors;

/// The head where transformers has no class for the whole: `weight` `[2, hidden]`, and `bias` `[2]` if there is one.
pub(crate) const HEAD_FILE: &str = "head.safetensors";

/// What of an exported classifier transformers loads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PythonClass {
    /// All of it, as `AutoModelForSequenceClassification`.
    SequenceClassifier,
    /// The transformer, as `AutoModel`; pooling and head are to be applied.
    Transformer,
}

/// The model that an adapter was trained on, as Python finds it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BaseModel {
    /// A folder, or a repository of the Hugging Face Hub.
    pub name: String,
    /// The repository's commit.
    pub revision: Option<String>,
}

impl Classifier {
    /// What of this classifier transformers has a class for: decoders that read the last token, and BERT with its pooler, are
    /// sequence classifiers there too.
    pub fn python_class(&self) -> PythonClass {
        match (self.pooling(), self.model().is_decoder()) {
            (Pooling::LastToken, true) | (Pooling::Pooler, false) => PythonClass::SequenceClassifier,
            _ => PythonClass::Transformer,
        }
    }

    /// Whether frozen weights are kept in a lower precision than the checkpoint's: Python, which reads the checkpoint, computes
    /// with other numbers.
    pub fn rounds_weights(&self) -> bool {
        let (description, loader) = (self.model().description(), self.model().loader());
        let rounds = |(linear, name): (&Linear, &str)| match &linear.weight {
            WeightMatrix::Frozen(matrix) => match matrix.precision() {
                Some(Precision::F32) => false,
                kept => kept != loader.weights.stored_precision(&loader.weights.name(&format!("{name}.weight"))),
            },
            WeightMatrix::Trained(_) => false,
        };
        let names = description.projections().into_iter().map(|projection| projection.name.as_str());
        self.model().transformer().linears().zip(names).any(rounds)
    }

    /// Writes an adapter into an existing folder, for PEFT to put on `base`: on
    /// [what transformers loads it as](Self::python_class), and on nothing else.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn export_adapter(&self, adapter: &Adapter, folder: &Path, base: &BaseModel) -> Result<()> {
        let mut config = adapter.peft_config(&base.name);
        if let Some(revision) = &base.revision {
            config["revision"] = json!(revision);
        }
        let tensors = adapter.parameters().iter().map(Parameter::name).zip(adapter.snapshot()?);
        match self.python_class() {
            PythonClass::SequenceClassifier => write_tensors(&folder.join(WEIGHTS_FILE), Dtype::F32, tensors)?,
            PythonClass::Transformer => {
                let prefix = format!("{PEFT_PREFIX}{}", self.model().description().prefix);
                let inner =
                    |name: &str| name.strip_prefix(&prefix).expect("an adapter's layers lie in its model").to_owned();
                let factors: Vec<(String, Array)> =
                    tensors.take(adapter.head_at()).map(|(name, array)| (inner(name), array)).collect();
                let layers = factors.iter().filter_map(|(name, _)| name.strip_suffix(".lora_A.weight"));
                config["target_modules"] = json!(pattern_of_all(layers));
                config["task_type"] = json!("FEATURE_EXTRACTION");
                config["modules_to_save"] = Json::Null;
                let factors: Vec<(String, Array)> =
                    factors.into_iter().map(|(name, array)| (format!("{PEFT_PREFIX}{name}"), array)).collect();
                let factors = factors.iter().map(|(name, array)| (name.as_str(), array.clone()));
                write_tensors(&folder.join(WEIGHTS_FILE), Dtype::F32, factors)?;
                adapter.export_head(folder)?;
            }
        }
        write_json(&folder.join(CONFIG_FILE), &config)
    }
}

impl Adapter {
    /// Writes the head into a file of its own.
    pub(crate) fn export_head(&self, folder: &Path) -> Result<()> {
        let head = ["weight", "bias"].into_iter().zip(self.snapshot()?.into_iter().skip(self.head_at()));
        write_tensors(&folder.join(HEAD_FILE), Dtype::F32, head)
    }
}

/// One pattern that matches these names whole, whatever the numbers in them. PEFT takes a pattern for whole names and a list for
/// their ends, so that a list finds the layers of a transformer inside another class too.
fn pattern_of_all<'a>(layers: impl Iterator<Item = &'a str>) -> String {
    let pattern = |name: &str| {
        let part = |part: &str| {
            if part.bytes().all(|byte| byte.is_ascii_digit()) { r"\d+".to_owned() } else { part.to_owned() }
        };
        name.split('.').map(part).collect::<Vec<_>>().join(r"\.")
    };
    let mut patterns: Vec<String> = layers.map(pattern).collect();
    patterns.sort_unstable();
    patterns.dedup();
    patterns.join("|")
}

/// Writes a JSON file for Python to read.
pub(crate) fn write_json(path: &Path, json: &Json) -> Result<()> {
    let text = serde_json::to_string_pretty(json).expect("JSON values can be written") + "\n";
    std::fs::write(path, text).map_err(|source| Error::Write { path: path.into(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_takes_the_layers_of_all_blocks() {
        let layers = ["layer.0.query", "layer.0.key", "layer.11.query", "layer.11.key"];
        assert_eq!(pattern_of_all(layers.into_iter()), r"layer\.\d+\.key|layer\.\d+\.query");
    }
}
