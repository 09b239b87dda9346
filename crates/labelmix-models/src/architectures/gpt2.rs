//! GPT-2 (Radford et al. 2019): learned positions, and linear layers that are stored transposed.

use labelmix_nn::{AttentionSettings, Mask};
use serde::Deserialize;

use crate::config::{Config, default_initializer_range};
use crate::description::{
    Attention, Block, BranchNorms, Description, Embeddings, FeedForward, FusedLayout, Kind, LanguageHead, Norm,
    NormKind, Projection, QueryKeyValue, Table,
};
use crate::error::Result;
use crate::numbers;

#[derive(Deserialize)]
struct Gpt2Config {
    #[serde(deserialize_with = "numbers::rows")]
    vocab_size: usize,
    #[serde(deserialize_with = "numbers::width")]
    n_embd: usize,
    #[serde(deserialize_with = "numbers::layers")]
    n_layer: usize,
    #[serde(deserialize_with = "numbers::width")]
    n_head: usize,
    #[serde(deserialize_with = "numbers::context")]
    n_positions: usize,
    #[serde(default, deserialize_with = "numbers::optional_width")]
    n_inner: Option<usize>,
    #[serde(default = "default_activation")]
    activation_function: String,
    #[serde(default = "default_epsilon", deserialize_with = "numbers::epsilon")]
    layer_norm_epsilon: f32,
    #[serde(default = "default_initializer_range", deserialize_with = "numbers::deviation")]
    initializer_range: f64,
    #[serde(default = "yes")]
    scale_attn_weights: bool,
    #[serde(default)]
    scale_attn_by_inverse_layer_idx: bool,
    #[serde(default = "yes")]
    tie_word_embeddings: bool,
}

fn default_activation() -> String {
    "gelu_new".to_owned()
}

fn default_epsilon() -> f32 {
    1e-5
}

fn yes() -> bool {
    true
}

pub(super) fn describe(config: &Config) -> Result<Description> {
    let gpt: Gpt2Config = config.parse()?;
    let (hidden, heads) = (gpt.n_embd, gpt.n_head);
    let head_dim = config.head_dim(hidden, heads)?;
    let intermediate = gpt.n_inner.unwrap_or(4 * hidden);
    let activation = config.activation("activation_function", &gpt.activation_function)?;
    let norm = |name: String| Norm { name, size: hidden, kind: NormKind::Layer, epsilon: gpt.layer_norm_epsilon };
    let block = |layer: usize| {
        let name = format!("h.{layer}");
        let projection = |part: &str, shape| Projection {
            transposed: true,
            ..Projection::new(format!("{name}.{part}"), shape, true)
        };
        let by_size = if gpt.scale_attn_weights { 1.0 / (head_dim as f32).sqrt() } else { 1.0 };
        let by_layer = if gpt.scale_attn_by_inverse_layer_idx { 1.0 / (layer + 1) as f32 } else { 1.0 };
        Block {
            attention: Attention {
                projections: QueryKeyValue::Fused {
                    projection: projection("attn.c_attn", [3 * hidden, hidden]),
                    layout: FusedLayout::ByPart,
                },
                output: projection("attn.c_proj", [hidden, hidden]),
                settings: AttentionSettings {
                    heads,
                    key_value_heads: heads,
                    head_dim,
                    scale: by_size * by_layer,
                    soft_cap: None,
                    mask: Mask::Causal,
                },
                rotary: None,
                query_key_norms: None,
            },
            attention_norms: BranchNorms::before(norm(format!("{name}.ln_1"))),
            feed_forward: FeedForward::Plain {
                up: projection("mlp.c_fc", [intermediate, hidden]),
                activation,
                down: projection("mlp.c_proj", [hidden, intermediate]),
            },
            feed_forward_norms: BranchNorms::before(norm(format!("{name}.ln_2"))),
            parallel: false,
        }
    };
    Ok(Description {
        architecture: "GPT-2",
        kind: Kind::Decoder,
        prefix: "transformer.",
        vocabulary: gpt.vocab_size,
        hidden,
        context: gpt.n_positions,
        initializer_range: gpt.initializer_range,
        embeddings: Embeddings {
            words: Table { name: "wte.weight".into(), rows: gpt.vocab_size },
            scale: None,
            positions: Some((Table { name: "wpe.weight".into(), rows: gpt.n_positions }, 0)),
            token_types: None,
            norm: None,
        },
        rotary: Vec::new(),
        blocks: (0..gpt.n_layer).map(block).collect(),
        final_norm: Some(norm("ln_f".into())),
        pooler: None,
        language_head: Some(LanguageHead::new("lm_head.weight", gpt.tie_word_embeddings, None)),
    })
}
