//! DistilBERT (Sanh et al. 2019): BERT without token types and with names of its own.

use labelmix_nn::{AttentionSettings, Mask};
use serde::Deserialize;

use crate::config::{Config, default_initializer_range};
use crate::description::{
    Attention, Block, BranchNorms, Description, Embeddings, FeedForward, Kind, Norm, NormKind, Projection,
    QueryKeyValue, Table,
};
use crate::error::Result;
use crate::numbers;

#[derive(Deserialize)]
struct DistilBertConfig {
    #[serde(deserialize_with = "numbers::rows")]
    vocab_size: usize,
    #[serde(deserialize_with = "numbers::width")]
    dim: usize,
    #[serde(deserialize_with = "numbers::width")]
    hidden_dim: usize,
    #[serde(deserialize_with = "numbers::layers")]
    n_layers: usize,
    #[serde(deserialize_with = "numbers::width")]
    n_heads: usize,
    activation: String,
    #[serde(deserialize_with = "numbers::context")]
    max_position_embeddings: usize,
    #[serde(default = "default_initializer_range", deserialize_with = "numbers::deviation")]
    initializer_range: f64,
}

/// The architecture has no key for it.
const EPSILON: f32 = 1e-12;

pub(super) fn describe(config: &Config) -> Result<Description> {
    let bert: DistilBertConfig = config.parse()?;
    let hidden = bert.dim;
    let head_dim = config.head_dim(hidden, bert.n_heads)?;
    let activation = config.activation("activation", &bert.activation)?;
    let settings = AttentionSettings {
        heads: bert.n_heads,
        key_value_heads: bert.n_heads,
        head_dim,
        scale: 1.0 / (head_dim as f32).sqrt(),
        soft_cap: None,
        mask: Mask::None,
    };
    let norm = |name: String| Norm { name, size: hidden, kind: NormKind::Layer, epsilon: EPSILON };
    let block = |layer: usize| {
        let name = format!("transformer.layer.{layer}");
        let projection = |part: &str, shape| Projection::new(format!("{name}.{part}"), shape, true);
        Block {
            attention: Attention {
                projections: QueryKeyValue::Separate {
                    query: projection("attention.q_lin", [hidden, hidden]),
                    key: projection("attention.k_lin", [hidden, hidden]),
                    value: projection("attention.v_lin", [hidden, hidden]),
                },
                output: projection("attention.out_lin", [hidden, hidden]),
                settings,
                rotary: None,
                query_key_norms: None,
            },
            attention_norms: BranchNorms::of_sum(norm(format!("{name}.sa_layer_norm"))),
            feed_forward: FeedForward::Plain {
                up: projection("ffn.lin1", [bert.hidden_dim, hidden]),
                activation,
                down: projection("ffn.lin2", [hidden, bert.hidden_dim]),
            },
            feed_forward_norms: BranchNorms::of_sum(norm(format!("{name}.output_layer_norm"))),
            parallel: false,
        }
    };
    Ok(Description {
        architecture: "DistilBERT",
        kind: Kind::Encoder,
        prefix: "distilbert.",
        vocabulary: bert.vocab_size,
        hidden,
        context: bert.max_position_embeddings,
        initializer_range: bert.initializer_range,
        embeddings: Embeddings {
            words: Table { name: "embeddings.word_embeddings.weight".into(), rows: bert.vocab_size },
            scale: None,
            positions: Some((
                Table { name: "embeddings.position_embeddings.weight".into(), rows: bert.max_position_embeddings },
                0,
            )),
            token_types: None,
            norm: Some(norm("embeddings.LayerNorm".into())),
        },
        rotary: Vec::new(),
        blocks: (0..bert.n_layers).map(block).collect(),
        final_norm: None,
        pooler: None,
        language_head: None,
    })
}
