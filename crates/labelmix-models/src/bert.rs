//! BERT encoders (Devlin et al. 2018): learned positions, post-norm blocks of full attention and a GELU layer.

use labelmix_nn::{AttentionShape, Gelu, Mask, Value, add, attention, gather_rows, gelu, linear, tanh};

use crate::adapter::{Adapter, LoraSite};
use crate::checkpoint::Weights;
use crate::classifier::TokenBatch;
use crate::config::BertConfig;
use crate::error::Result;
use crate::layers::{AdaptedLinear, Bias, LayerNorm};

/// What checkpoints with a head put before the encoder's own names.
pub(crate) const PREFIX: &str = "bert.";

/// The encoder without a head.
pub(crate) struct Bert {
    word_embeddings: Value,
    position_embeddings: Value,
    token_type_embeddings: Value,
    embedding_norm: LayerNorm,
    layers: Vec<Layer>,
}

struct Layer {
    query: AdaptedLinear,
    key: AdaptedLinear,
    value: AdaptedLinear,
    attention_output: AdaptedLinear,
    attention_norm: LayerNorm,
    intermediate: AdaptedLinear,
    output: AdaptedLinear,
    output_norm: LayerNorm,
    shape: AttentionShape,
    gelu: Gelu,
}

impl Bert {
    pub(crate) fn load(weights: &Weights, config: &BertConfig, sites: &mut Vec<LoraSite>) -> Result<Self> {
        let hidden = config.hidden_size;
        let embeddings =
            |kind: &str, rows: usize| weights.load(&format!("embeddings.{kind}_embeddings.weight"), &[rows, hidden]);
        let layers = (0..config.num_hidden_layers)
            .map(|index| Layer::load(weights, &format!("encoder.layer.{index}"), config, sites))
            .collect::<Result<_>>()?;
        Ok(Self {
            word_embeddings: embeddings("word", config.vocab_size)?,
            position_embeddings: embeddings("position", config.max_position_embeddings)?,
            token_type_embeddings: embeddings("token_type", config.type_vocab_size)?,
            embedding_norm: LayerNorm::load(weights, "embeddings.LayerNorm", hidden, config.layer_norm_eps)?,
            layers,
        })
    }

    /// The hidden states of the last layer, `[tokens, hidden]`. All tokens are of the first token type.
    pub(crate) fn forward(&self, batch: &TokenBatch, adapter: &Adapter) -> Result<Value> {
        let words = gather_rows(&self.word_embeddings, batch.token_ids())?;
        let positions = gather_rows(&self.position_embeddings, &batch.offsets().positions())?;
        let types = gather_rows(&self.token_type_embeddings, &vec![0; batch.token_ids().len()])?;
        let mut x = self.embedding_norm.forward(&add(&add(&words, &types)?, &positions)?)?;
        for layer in &self.layers {
            x = layer.forward(&x, batch, adapter)?;
        }
        Ok(x)
    }
}

impl Layer {
    fn load(weights: &Weights, name: &str, config: &BertConfig, sites: &mut Vec<LoraSite>) -> Result<Self> {
        let (hidden, intermediate) = (config.hidden_size, config.intermediate_size);
        let mut projection = |projection: &str, shape| {
            AdaptedLinear::load(weights, &format!("{name}.{projection}"), shape, Bias::Present, sites)
        };
        let norm = |norm: &str| LayerNorm::load(weights, &format!("{name}.{norm}"), hidden, config.layer_norm_eps);
        Ok(Self {
            query: projection("attention.self.query", [hidden, hidden])?,
            key: projection("attention.self.key", [hidden, hidden])?,
            value: projection("attention.self.value", [hidden, hidden])?,
            attention_output: projection("attention.output.dense", [hidden, hidden])?,
            attention_norm: norm("attention.output.LayerNorm")?,
            intermediate: projection("intermediate.dense", [intermediate, hidden])?,
            output: projection("output.dense", [hidden, intermediate])?,
            output_norm: norm("output.LayerNorm")?,
            shape: AttentionShape {
                heads: config.num_attention_heads,
                key_value_heads: config.num_attention_heads,
                head_dim: hidden / config.num_attention_heads,
            },
            gelu: config.gelu,
        })
    }

    fn forward(&self, x: &Value, batch: &TokenBatch, adapter: &Adapter) -> Result<Value> {
        let query = self.query.forward(x, adapter)?;
        let key = self.key.forward(x, adapter)?;
        let value = self.value.forward(x, adapter)?;
        let mixed = attention(&query, &key, &value, self.shape, Mask::None, batch.offsets())?;
        let x = self.attention_norm.forward(&add(&self.attention_output.forward(&mixed, adapter)?, x)?)?;
        let raised = gelu(&self.intermediate.forward(&x, adapter)?, self.gelu)?;
        self.output_norm.forward(&add(&self.output.forward(&raised, adapter)?, &x)?)
    }
}

/// The pooler: the first token's hidden state through a frozen linear layer and a hyperbolic tangent.
pub(crate) struct Pooler {
    weight: Value,
    bias: Value,
}

impl Pooler {
    /// Whether the checkpoint has a pooler.
    pub(crate) fn is_in(weights: &Weights) -> bool {
        weights.contains("pooler.dense.weight")
    }

    pub(crate) fn load(weights: &Weights, hidden: usize) -> Result<Self> {
        let weight = weights.load("pooler.dense.weight", &[hidden, hidden])?;
        Ok(Self { weight, bias: weights.load("pooler.dense.bias", &[hidden])? })
    }

    pub(crate) fn forward(&self, hidden_states: &Value, batch: &TokenBatch) -> Result<Value> {
        let first = gather_rows(hidden_states, &batch.offsets().first_tokens())?;
        Ok(tanh(&linear(&first, &self.weight, Some(&self.bias), None)?)?)
    }
}
