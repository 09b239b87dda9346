//! config.json: which architecture a checkpoint is of. Whatever would change the mathematics and is not supported is
//! an error, so that no checkpoint runs with wrong numbers.

use std::path::{Path, PathBuf};

use labelmix_nn::Activation;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use crate::architectures;
use crate::description::Description;
use crate::error::{Error, Result};

/// A checkpoint's config.json.
pub(crate) struct Config {
    path: PathBuf,
    json: Json,
}

impl Config {
    /// Reads the file.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|source| Error::Read { path: path.into(), source })?;
        let mut config = Self { path: path.into(), json: Json::Null };
        config.json = serde_json::from_str(&text).map_err(|error| config.malformed(&error))?;
        Ok(config)
    }

    /// What the checkpoint is.
    pub(crate) fn describe(&self) -> Result<Description> {
        architectures::describe(self)
    }

    /// transformers' name of the architecture, empty if there is none.
    pub(crate) fn model_type(&self) -> &str {
        self.json.get("model_type").and_then(Json::as_str).unwrap_or("")
    }

    /// The type in which the weights are stored, where the file says so.
    pub(crate) fn stored_type(&self) -> Option<&str> {
        self.json.get("torch_dtype").or_else(|| self.json.get("dtype"))?.as_str()
    }

    /// The keys that an architecture reads.
    pub(crate) fn parse<T: DeserializeOwned>(&self) -> Result<T> {
        T::deserialize(&self.json).map_err(|error| self.malformed(&error))
    }

    fn malformed(&self, error: &serde_json::Error) -> Error {
        self.unsupported(error.to_string(), "it should be the config.json that transformers' save_pretrained writes")
    }

    /// Something that the checkpoint asks for and that cannot be done.
    pub(crate) fn unsupported(&self, reason: impl Into<String>, help: impl Into<String>) -> Error {
        Error::Config { path: self.path.clone(), reason: reason.into(), help: help.into() }
    }

    /// The activation that transformers knows by a name, which `key` of the file gives.
    pub(crate) fn activation(&self, key: &str, name: &str) -> Result<Activation> {
        match name {
            "gelu" | "gelu_python" => Ok(Activation::Gelu),
            "gelu_new" | "gelu_pytorch_tanh" | "gelu_fast" | "gelu_accurate" => Ok(Activation::GeluTanh),
            "silu" | "swish" => Ok(Activation::Silu),
            "relu" => Ok(Activation::Relu),
            "tanh" => Ok(Activation::Tanh),
            other => Err(self.unsupported(
                format!("{key} is {other:?}"),
                "the activations that can be run are gelu, gelu_new, gelu_pytorch_tanh, gelu_fast, silu, relu and tanh",
            )),
        }
    }

    /// The size of each head, where it follows from the hidden size.
    pub(crate) fn head_dim(&self, hidden: usize, heads: usize) -> Result<usize> {
        if heads == 0 || !hidden.is_multiple_of(heads) {
            let reason = format!("the hidden size {hidden} cannot be divided among {heads} heads");
            return Err(self.unsupported(reason, "the checkpoint's config.json is damaged"));
        }
        Ok(hidden / heads)
    }
}

pub(crate) fn default_initializer_range() -> f64 {
    0.02
}
