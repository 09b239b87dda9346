//! GPT-NeoX (Black et al. 2022), of which Pythia (Biderman et al. 2023) is made: both branches read the same input,
//! and only a part of each head turns with its position.

use labelmix_nn::{AttentionSettings, Mask};
use serde::Deserialize;

use crate::config::{Config, default_initializer_range};
use crate::description::{
    Attention, Block, BranchNorms, Description, Embeddings, FeedForward, FusedLayout, Kind, LanguageHead, Norm,
    NormKind, Projection, QueryKeyValue, Rotary, Table,
};
use crate::error::Result;
use crate::numbers;
use crate::rope::{Rope, RopeKeys, Turning};

#[derive(Deserialize)]
struct GptNeoxConfig {
    #[serde(deserialize_with = "numbers::rows")]
    vocab_size: usize,
    #[serde(deserialize_with = "numbers::width")]
    hidden_size: usize,
    #[serde(deserialize_with = "numbers::width")]
    intermediate_size: usize,
    #[serde(deserialize_with = "numbers::layers")]
    num_hidden_layers: usize,
    #[serde(deserialize_with = "numbers::width")]
    num_attention_heads: usize,
    hidden_act: String,
    #[serde(deserialize_with = "numbers::context")]
    max_position_embeddings: usize,
    #[serde(default = "default_epsilon", deserialize_with = "numbers::epsilon")]
    layer_norm_eps: f32,
    #[serde(default = "default_initializer_range", deserialize_with = "numbers::deviation")]
    initializer_range: f64,
    #[serde(default = "yes")]
    use_parallel_residual: bool,
    #[serde(default = "yes")]
    attention_bias: bool,
    #[serde(default)]
    tie_word_embeddings: bool,
}

fn default_epsilon() -> f32 {
    1e-5
}

fn yes() -> bool {
    true
}

/// The architecture's own names.
const ROPE_KEYS: RopeKeys = RopeKeys { theta: "rotary_emb_base", partial_factor: "rotary_pct" };
/// The share of each head that turns, where config.json does not say.
const ROTARY_SHARE: f64 = 0.25;

pub(super) fn describe(config: &Config) -> Result<Description> {
    let neox: GptNeoxConfig = config.parse()?;
    let (hidden, heads) = (neox.hidden_size, neox.num_attention_heads);
    let head_dim = config.head_dim(hidden, heads)?;
    let rope = Rope::read(config, ROPE_KEYS)?;
    let dimensions = (head_dim as f64 * rope.partial_factor()?.unwrap_or(ROTARY_SHARE)) as usize;
    let Turning { frequencies, attention_factor } = rope.turning(dimensions, 10_000.0, neox.max_position_embeddings)?;
    config.require(attention_factor == 1.0, || {
        format!("the rotary scaling multiplies by {attention_factor}, and only a part of each head turns")
    })?;
    let settings = AttentionSettings {
        heads,
        key_value_heads: heads,
        head_dim,
        scale: 1.0 / (head_dim as f32).sqrt(),
        soft_cap: None,
        mask: Mask::Causal,
    };
    let activation = config.activation("hidden_act", &neox.hidden_act)?;
    let norm = |name: String| Norm { name, size: hidden, kind: NormKind::Layer, epsilon: neox.layer_norm_eps };
    let block = |layer: usize| {
        let name = format!("layers.{layer}");
        let attention =
            |part: &str, shape| Projection::new(format!("{name}.attention.{part}"), shape, neox.attention_bias);
        let feed_forward = |part: &str, shape| Projection::new(format!("{name}.mlp.{part}"), shape, true);
        Block {
            attention: Attention {
                projections: QueryKeyValue::Fused {
                    projection: attention("query_key_value", [3 * hidden, hidden]),
                    layout: FusedLayout::ByHead,
                },
                output: attention("dense", [hidden, hidden]),
                settings,
                rotary: Some(0),
                query_key_norms: None,
            },
            attention_norms: BranchNorms::before(norm(format!("{name}.input_layernorm"))),
            feed_forward: FeedForward::Plain {
                up: feed_forward("dense_h_to_4h", [neox.intermediate_size, hidden]),
                activation,
                down: feed_forward("dense_4h_to_h", [hidden, neox.intermediate_size]),
            },
            feed_forward_norms: BranchNorms::before(norm(format!("{name}.post_attention_layernorm"))),
            parallel: neox.use_parallel_residual,
        }
    };
    Ok(Description {
        architecture: "GPT-NeoX",
        kind: Kind::Decoder,
        prefix: "gpt_neox.",
        vocabulary: neox.vocab_size,
        hidden,
        context: neox.max_position_embeddings,
        initializer_range: neox.initializer_range,
        embeddings: Embeddings {
            words: Table { name: "embed_in.weight".into(), rows: neox.vocab_size },
            scale: None,
            positions: None,
            token_types: None,
            norm: None,
        },
        rotary: vec![Rotary { head_dim, frequencies }],
        blocks: (0..neox.num_hidden_layers).map(block).collect(),
        final_norm: Some(norm("final_layer_norm".into())),
        pooler: None,
        language_head: Some(LanguageHead::new("embed_out.weight", neox.tie_word_embeddings, None)),
    })
}
