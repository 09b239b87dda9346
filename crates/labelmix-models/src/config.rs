//! config.json: which architecture a checkpoint is of. Whatever would change the mathematics and is not supported is
//! an error, so that no checkpoint runs with wrong numbers.

use std::path::{Path, PathBuf};

use labelmix_nn::Activation;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use crate::architectures;
use crate::description::Description;
use crate::error::{Error, Result};

/// More than the largest models have by far; sums of their sizes still fit 64 bits.
const MOST_PARAMETERS: f64 = 1e14;

/// Checks that a config.json describes a model that can be run, before its weights are downloaded.
///
/// # Errors
/// Whatever stands in the way: an architecture or an option that is not supported, or weights that are quantised.
pub fn check_configuration(path: &Path) -> Result<()> {
    Config::read(path)?.describe().map(drop)
}

/// A checkpoint's config.json.
pub(crate) struct Config {
    path: PathBuf,
    json: Json,
}

impl Config {
    /// Reads the file.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let bytes = crate::lfs::read(path)?;
        let mut config = Self { path: path.into(), json: Json::Null };
        config.json = serde_json::from_slice(&bytes).map_err(|error| config.malformed(error.to_string()))?;
        config.require(config.json.is_object(), || "it is not a table of keys and values".to_owned())?;
        Ok(config)
    }

    /// What the checkpoint is.
    pub(crate) fn describe(&self) -> Result<Description> {
        self.refuse_quantised()?;
        let description = architectures::describe(self)?;
        let parameters = description.parameters_at_most();
        self.require(parameters <= MOST_PARAMETERS, || {
            format!("the sizes make a model of {parameters:.0e} parameters, more than any file has")
        })?;
        Ok(description)
    }

    /// The most tokens that the model reads: also of an architecture that is not known here, if the file says it where most do.
    pub(crate) fn context(&self) -> Result<usize> {
        let known = self.describe().map(|description| description.context);
        known.or_else(|error| match (&error, self.value("max_position_embeddings").and_then(Json::as_u64)) {
            (Error::Config { .. }, Some(tokens)) if !architectures::is_known(self) => {
                usize::try_from(tokens).map_err(|_| error)
            }
            _ => Err(error),
        })
    }

    /// The keys under which quantised checkpoints say how they were quantised.
    fn refuse_quantised(&self) -> Result<()> {
        let Some((key, value)) =
            ["quantization_config", "compression_config"].iter().find_map(|key| Some((key, self.value(key)?)))
        else {
            return Ok(());
        };
        let method = ["quant_method", "format", "quant_algo"].iter().find_map(|key| value.get(key)?.as_str());
        let method = method.map(|method| format!(" ({method})")).unwrap_or_default();
        Err(Error::Quantised { path: self.path.clone(), what: format!("it has a {key}{method}") })
    }

    /// transformers' name of the architecture, empty if there is none.
    pub(crate) fn model_type(&self) -> &str {
        self.json.get("model_type").and_then(Json::as_str).unwrap_or("")
    }

    /// The type in which the weights are stored, where the file says so.
    pub(crate) fn stored_type(&self) -> Option<&str> {
        self.json.get("torch_dtype").or_else(|| self.json.get("dtype"))?.as_str()
    }

    /// What stands under a key at the top of the file; `None` if it is null.
    pub(crate) fn value(&self, key: &str) -> Option<&Json> {
        self.json.get(key).filter(|value| !value.is_null())
    }

    /// Whether there is a key at the top of the file, null or not.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.json.get(key).is_some()
    }

    /// The keys that an architecture reads.
    pub(crate) fn parse<T: DeserializeOwned>(&self) -> Result<T> {
        serde_path_to_error::deserialize(&self.json).map_err(|error| {
            let key = error.path().to_string();
            let key = if key == "." { String::new() } else { format!("{key}: ") };
            self.malformed(format!("{key}{}", error.inner()))
        })
    }

    fn malformed(&self, reason: String) -> Error {
        self.unsupported(reason, "it should be the config.json that transformers' save_pretrained writes")
    }

    /// What has to be true of several numbers together.
    pub(crate) fn require(&self, holds: bool, reason: impl FnOnce() -> String) -> Result<()> {
        if holds { Ok(()) } else { Err(self.unsupported(reason(), "the checkpoint's config.json is damaged")) }
    }

    /// Something that the checkpoint asks for and that cannot be done.
    pub(crate) fn unsupported(&self, reason: impl Into<String>, help: impl Into<String>) -> Error {
        Error::Config { path: self.path.clone(), reason: reason.into(), help: help.into() }
    }

    /// Which of the layers attend in a window, where newer versions of transformers list what each attends to.
    pub(crate) fn windowed_layers(&self, layers: usize) -> Result<Option<Vec<bool>>> {
        #[derive(Deserialize)]
        struct LayerTypes {
            layer_types: Option<Vec<LayerType>>,
        }
        #[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
        #[serde(rename_all = "snake_case")]
        enum LayerType {
            FullAttention,
            SlidingAttention,
        }
        let LayerTypes { layer_types: Some(types) } = self.parse()? else { return Ok(None) };
        self.require(types.len() == layers, || {
            format!("layer_types names {} layers, and num_hidden_layers is {layers}", types.len())
        })?;
        Ok(Some(types.into_iter().map(|layer_type| layer_type == LayerType::SlidingAttention).collect()))
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
        self.require(heads > 0 && hidden.is_multiple_of(heads), || {
            format!("the hidden size {hidden} cannot be divided among {heads} heads")
        })?;
        Ok(hidden / heads)
    }
}

pub(crate) fn default_initializer_range() -> f64 {
    0.02
}
