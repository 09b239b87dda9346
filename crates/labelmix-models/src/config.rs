//! config.json: which architecture a checkpoint is of, and its shape. Whatever would change the mathematics and is
//! not supported is an error here, so that no checkpoint runs with wrong numbers.

use std::path::Path;

use labelmix_nn::Gelu;
use serde::Deserialize;
use serde_json::Value as Json;

use crate::error::{Error, Result};

/// The architectures that can be run, by their `model_type`.
const KNOWN: [&str; 3] = ["bert", "llama", "qwen2"];

/// An architecture with its shape.
#[derive(Debug)]
pub(crate) enum ModelConfig {
    Bert(BertConfig),
    Llama(LlamaConfig),
}

/// The shape of a BERT encoder (Devlin et al. 2018).
#[derive(Debug, Deserialize)]
pub(crate) struct BertConfig {
    pub(crate) vocab_size: usize,
    pub(crate) hidden_size: usize,
    pub(crate) num_hidden_layers: usize,
    pub(crate) num_attention_heads: usize,
    pub(crate) intermediate_size: usize,
    hidden_act: String,
    pub(crate) max_position_embeddings: usize,
    pub(crate) type_vocab_size: usize,
    #[serde(default = "default_layer_norm_eps")]
    pub(crate) layer_norm_eps: f32,
    #[serde(default = "default_initializer_range")]
    pub(crate) initializer_range: f64,
    position_embedding_type: Option<String>,
    #[serde(skip, default = "exact_gelu")]
    pub(crate) gelu: Gelu,
}

/// The shape of a Llama decoder (Touvron et al. 2023), or of one of its kin.
#[derive(Debug, Deserialize)]
pub(crate) struct LlamaConfig {
    pub(crate) vocab_size: usize,
    pub(crate) hidden_size: usize,
    pub(crate) intermediate_size: usize,
    pub(crate) num_hidden_layers: usize,
    pub(crate) num_attention_heads: usize,
    num_key_value_heads: Option<usize>,
    head_dim: Option<usize>,
    hidden_act: String,
    pub(crate) max_position_embeddings: usize,
    #[serde(default = "default_rms_norm_eps")]
    pub(crate) rms_norm_eps: f32,
    #[serde(default = "default_initializer_range")]
    pub(crate) initializer_range: f64,
    rope_theta: Option<f64>,
    rope_scaling: Option<Json>,
    /// Where newer versions of transformers write both of the above.
    rope_parameters: Option<Json>,
    #[serde(default)]
    attention_bias: bool,
    #[serde(default)]
    mlp_bias: bool,
    #[serde(default)]
    use_sliding_window: bool,
    /// Which projections have biases, by the architecture and the flags above.
    #[serde(skip)]
    pub(crate) biases: Biases,
}

/// Which linear layers of a decoder have a bias.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Biases {
    pub(crate) query_key_value: bool,
    pub(crate) attention_output: bool,
    pub(crate) mlp: bool,
}

fn default_layer_norm_eps() -> f32 {
    1e-12
}

fn default_rms_norm_eps() -> f32 {
    1e-6
}

fn default_initializer_range() -> f64 {
    0.02
}

fn exact_gelu() -> Gelu {
    Gelu::Exact
}

impl LlamaConfig {
    pub(crate) fn key_value_heads(&self) -> usize {
        self.num_key_value_heads.unwrap_or(self.num_attention_heads)
    }

    pub(crate) fn head_dim(&self) -> usize {
        self.head_dim.unwrap_or(self.hidden_size / self.num_attention_heads)
    }

    /// The base of the rotary frequencies.
    pub(crate) fn rope_theta(&self) -> f64 {
        let nested = self.rope_parameters.as_ref().and_then(|parameters| parameters.get("rope_theta")?.as_f64());
        self.rope_theta.or(nested).unwrap_or(10_000.0)
    }

    /// The name of the rotary scaling that the checkpoint asks for, if it asks for any.
    fn rope_scaling(&self) -> Option<&str> {
        [&self.rope_scaling, &self.rope_parameters]
            .into_iter()
            .flatten()
            .find_map(|scaling| scaling.get("rope_type").or_else(|| scaling.get("type"))?.as_str())
            .filter(|name| *name != "default")
    }
}

impl ModelConfig {
    /// The largest number of tokens that the model reads.
    pub(crate) fn context(&self) -> usize {
        match self {
            Self::Bert(config) => config.max_position_embeddings,
            Self::Llama(config) => config.max_position_embeddings,
        }
    }

    /// Reads and checks a checkpoint's config.json.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|source| Error::Read { path: path.into(), source })?;
        let unsupported = |reason: String, help: &str| Error::Config { path: path.into(), reason, help: help.into() };
        let malformed = |error: serde_json::Error| {
            unsupported(error.to_string(), "it should be the config.json that transformers' save_pretrained writes")
        };
        let json: Json = serde_json::from_str(&text).map_err(malformed)?;
        let model_type = json.get("model_type").and_then(Json::as_str).unwrap_or("").to_owned();
        match model_type.as_str() {
            "bert" => {
                let mut config: BertConfig = serde_json::from_value(json).map_err(malformed)?;
                config.gelu = match config.hidden_act.as_str() {
                    "gelu" => Gelu::Exact,
                    "gelu_new" | "gelu_pytorch_tanh" => Gelu::Tanh,
                    other => {
                        let reason = format!("hidden_act is {other:?}");
                        return Err(unsupported(
                            reason,
                            "BERT runs with \"gelu\", \"gelu_new\" or \"gelu_pytorch_tanh\"",
                        ));
                    }
                };
                if let Some(kind) = config.position_embedding_type.as_deref().filter(|kind| *kind != "absolute") {
                    let reason = format!("position_embedding_type is {kind:?}");
                    return Err(unsupported(reason, "BERT runs with \"absolute\" position embeddings"));
                }
                Ok(Self::Bert(config))
            }
            "llama" | "qwen2" => {
                let mut config: LlamaConfig = serde_json::from_value(json).map_err(malformed)?;
                if config.hidden_act != "silu" {
                    let reason = format!("hidden_act is {:?}", config.hidden_act);
                    return Err(unsupported(reason, "Llama and its kin run with \"silu\""));
                }
                if let Some(name) = config.rope_scaling() {
                    let reason = format!("the rotary embedding is scaled by {name:?}");
                    return Err(unsupported(reason, "only unscaled rotary embeddings (\"default\") are supported"));
                }
                if config.use_sliding_window {
                    let reason = "use_sliding_window is true".to_owned();
                    return Err(unsupported(reason, "only attention over the whole sequence is supported"));
                }
                config.biases = if model_type == "qwen2" {
                    Biases { query_key_value: true, attention_output: false, mlp: false }
                } else {
                    let attention = config.attention_bias;
                    Biases { query_key_value: attention, attention_output: attention, mlp: config.mlp_bias }
                };
                Ok(Self::Llama(config))
            }
            "" => Err(unsupported("there is no model_type".into(), &known_architectures())),
            other => Err(unsupported(format!("unknown architecture {other:?}"), &known_architectures())),
        }
    }
}

fn known_architectures() -> String {
    format!("the architectures that can be run are: {}", KNOWN.join(", "))
}
