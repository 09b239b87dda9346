//! Llama (Touvron et al. 2023) and Qwen2 decoders: pre-norm blocks of causal attention with rotary positions and
//! grouped queries, and a gated feed-forward layer.

use std::sync::Arc;

use labelmix_nn::{
    AttentionShape, Mask, RotaryTable, SequenceOffsets, Value, add, attention, gather_rows, rotary, swiglu,
};

use crate::adapter::{Adapter, LoraSite};
use crate::checkpoint::Weights;
use crate::classifier::TokenBatch;
use crate::config::LlamaConfig;
use crate::error::Result;
use crate::layers::{AdaptedLinear, RmsNorm};

/// What checkpoints with a head put before the decoder's own names.
pub(crate) const PREFIX: &str = "model.";

/// The decoder without a head.
pub(crate) struct Llama {
    embeddings: Value,
    layers: Vec<Layer>,
    norm: RmsNorm,
    rotary: RotaryTable,
}

struct Layer {
    attention_norm: RmsNorm,
    attention: SelfAttention,
    feed_forward_norm: RmsNorm,
    gate: AdaptedLinear,
    up: AdaptedLinear,
    down: AdaptedLinear,
}

struct SelfAttention {
    query: AdaptedLinear,
    key: AdaptedLinear,
    value: AdaptedLinear,
    output: AdaptedLinear,
    shape: AttentionShape,
}

/// Where each token of a batch stands, as the layers need it.
struct Places<'a> {
    offsets: &'a SequenceOffsets,
    positions: Arc<[u32]>,
}

impl Llama {
    pub(crate) fn load(weights: &Weights, config: &LlamaConfig, sites: &mut Vec<LoraSite>) -> Result<Self> {
        let head_dim = config.head_dim();
        // The frequency of dimension pair i is theta^(−2i/head_dim).
        let frequencies: Vec<f32> = (0..head_dim / 2)
            .map(|pair| config.rope_theta().powf(-2.0 * pair as f64 / head_dim as f64) as f32)
            .collect();
        let layers = (0..config.num_hidden_layers)
            .map(|index| Layer::load(weights, &format!("layers.{index}"), config, sites))
            .collect::<Result<_>>()?;
        Ok(Self {
            embeddings: weights.load("embed_tokens.weight", &[config.vocab_size, config.hidden_size])?,
            layers,
            norm: RmsNorm::load(weights, "norm", config.hidden_size, config.rms_norm_eps)?,
            rotary: RotaryTable::new(config.max_position_embeddings, &frequencies),
        })
    }

    /// The hidden states after the final norm, `[tokens, hidden]`.
    pub(crate) fn forward(&self, batch: &TokenBatch, adapter: &Adapter) -> Result<Value> {
        let places = Places { offsets: batch.offsets(), positions: batch.offsets().positions().into() };
        let mut x = gather_rows(&self.embeddings, batch.token_ids())?;
        for layer in &self.layers {
            x = layer.forward(&x, &places, &self.rotary, adapter)?;
        }
        self.norm.forward(&x)
    }
}

impl Layer {
    fn load(weights: &Weights, name: &str, config: &LlamaConfig, sites: &mut Vec<LoraSite>) -> Result<Self> {
        let (hidden, intermediate) = (config.hidden_size, config.intermediate_size);
        let norm = |norm: &str| RmsNorm::load(weights, &format!("{name}.{norm}"), hidden, config.rms_norm_eps);
        let mut mlp = |projection: &str, shape| {
            AdaptedLinear::load(weights, &format!("{name}.mlp.{projection}"), shape, config.biases.mlp.into(), sites)
        };
        Ok(Self {
            attention_norm: norm("input_layernorm")?,
            feed_forward_norm: norm("post_attention_layernorm")?,
            gate: mlp("gate_proj", [intermediate, hidden])?,
            up: mlp("up_proj", [intermediate, hidden])?,
            down: mlp("down_proj", [hidden, intermediate])?,
            attention: SelfAttention::load(weights, &format!("{name}.self_attn"), config, sites)?,
        })
    }

    fn forward(&self, x: &Value, places: &Places<'_>, rotary: &RotaryTable, adapter: &Adapter) -> Result<Value> {
        let attended = self.attention.forward(&self.attention_norm.forward(x)?, places, rotary, adapter)?;
        let x = add(x, &attended)?;
        let normed = self.feed_forward_norm.forward(&x)?;
        let gated = swiglu(&self.gate.forward(&normed, adapter)?, &self.up.forward(&normed, adapter)?)?;
        Ok(add(&x, &self.down.forward(&gated, adapter)?)?)
    }
}

impl SelfAttention {
    fn load(weights: &Weights, name: &str, config: &LlamaConfig, sites: &mut Vec<LoraSite>) -> Result<Self> {
        let shape = AttentionShape {
            heads: config.num_attention_heads,
            key_value_heads: config.key_value_heads(),
            head_dim: config.head_dim(),
        };
        let (queries, keys) = (shape.heads * shape.head_dim, shape.key_value_heads * shape.head_dim);
        let hidden = config.hidden_size;
        let mut projection = |projection: &str, shape, bias: bool| {
            AdaptedLinear::load(weights, &format!("{name}.{projection}"), shape, bias.into(), sites)
        };
        Ok(Self {
            query: projection("q_proj", [queries, hidden], config.biases.query_key_value)?,
            key: projection("k_proj", [keys, hidden], config.biases.query_key_value)?,
            value: projection("v_proj", [keys, hidden], config.biases.query_key_value)?,
            output: projection("o_proj", [hidden, queries], config.biases.attention_output)?,
            shape,
        })
    }

    fn forward(&self, x: &Value, places: &Places<'_>, table: &RotaryTable, adapter: &Adapter) -> Result<Value> {
        let query = rotary(&self.query.forward(x, adapter)?, table, &places.positions)?;
        let key = rotary(&self.key.forward(x, adapter)?, table, &places.positions)?;
        let value = self.value.forward(x, adapter)?;
        let mixed = attention(&query, &key, &value, self.shape, Mask::Causal, places.offsets)?;
        self.output.forward(&mixed, adapter)
    }
}
