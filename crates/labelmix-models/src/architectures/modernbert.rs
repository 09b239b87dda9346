//! ModernBERT (Warner et al. 2024): an encoder of pre-norm blocks with rotary positions and gated feed-forward layers,
//! of which only every third attends to the whole text.

use labelmix_nn::{AttentionSettings, Mask};
use serde::Deserialize;

use crate::config::{Config, default_initializer_range};
use crate::description::{
    Attention, Block, BranchNorms, Description, Embeddings, FeedForward, FusedLayout, Kind, Norm, NormKind, Projection,
    QueryKeyValue, Rotary, Table,
};
use crate::error::Result;
use crate::numbers;
use crate::rope::{Rope, Scaling, Turning};

#[derive(Deserialize)]
struct ModernBertConfig {
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
    #[serde(deserialize_with = "numbers::context")]
    max_position_embeddings: usize,
    #[serde(default = "default_activation")]
    hidden_activation: String,
    #[serde(default = "default_epsilon", deserialize_with = "numbers::epsilon")]
    norm_eps: f32,
    #[serde(default)]
    norm_bias: bool,
    #[serde(default)]
    attention_bias: bool,
    #[serde(default)]
    mlp_bias: bool,
    #[serde(default = "default_initializer_range", deserialize_with = "numbers::deviation")]
    initializer_range: f64,
    #[serde(default = "default_global_every", deserialize_with = "numbers::width")]
    global_attn_every_n_layers: usize,
    /// The window's width, of which half lies on either side.
    #[serde(default = "default_local_attention", deserialize_with = "numbers::width")]
    local_attention: usize,
}

fn default_activation() -> String {
    "gelu".to_owned()
}

fn default_epsilon() -> f32 {
    1e-5
}

fn default_global_every() -> usize {
    3
}

fn default_local_attention() -> usize {
    128
}

/// The bases of the frequencies where config.json does not give them.
const GLOBAL_THETA: f64 = 160_000.0;
const LOCAL_THETA: f64 = 10_000.0;

impl ModernBertConfig {
    /// The rotary embedding of the layers of one type.
    fn rotary(&self, config: &Config, head_dim: usize, layer_type: &str, theta_key: &'static str) -> Result<Rotary> {
        let default_theta = if layer_type == "full_attention" { GLOBAL_THETA } else { LOCAL_THETA };
        let rope = Rope::read_of_layers(config, layer_type, theta_key, Scaling::Everybody)?;
        let Turning { frequencies, attention_factor } =
            rope.turning(head_dim, default_theta, self.max_position_embeddings)?;
        config.require(attention_factor == 1.0, || {
            format!(
                "the rotary scaling of {layer_type} multiplies by {attention_factor}, which this architecture does not"
            )
        })?;
        Ok(Rotary { head_dim, frequencies })
    }
}

pub(super) fn describe(config: &Config) -> Result<Description> {
    let bert: ModernBertConfig = config.parse()?;
    let (hidden, heads) = (bert.hidden_size, bert.num_attention_heads);
    let head_dim = config.head_dim(hidden, heads)?;
    let activation = config.activation("hidden_activation", &bert.hidden_activation)?;
    let listed = config.windowed_layers(bert.num_hidden_layers)?;
    let is_windowed = |layer: usize| match &listed {
        Some(listed) => listed[layer],
        None => !layer.is_multiple_of(bert.global_attn_every_n_layers),
    };
    let global = bert.rotary(config, head_dim, "full_attention", "global_rope_theta")?;
    // A base that is null is the other's.
    let is_null = config.has("local_rope_theta") && config.value("local_rope_theta").is_none();
    let local_key = if is_null { "global_rope_theta" } else { "local_rope_theta" };
    let local = bert.rotary(config, head_dim, "sliding_attention", local_key)?;
    let mut rotary = Vec::new();
    let global_rotary = Description::place_rotary(&mut rotary, global);
    let local_rotary = Description::place_rotary(&mut rotary, local);
    let norm_kind = if bert.norm_bias { NormKind::Layer } else { NormKind::LayerWithoutBias };
    let norm = |name: String| Norm { name, size: hidden, kind: norm_kind, epsilon: bert.norm_eps };
    let block = |layer: usize| {
        let name = format!("layers.{layer}");
        let attention = |part: &str, shape| Projection::new(format!("{name}.attn.{part}"), shape, bert.attention_bias);
        let feed_forward = |part: &str, shape| Projection::new(format!("{name}.mlp.{part}"), shape, bert.mlp_bias);
        let (mask, rotary) = if is_windowed(layer) {
            (Mask::Window(bert.local_attention / 2), local_rotary)
        } else {
            (Mask::None, global_rotary)
        };
        Block {
            attention: Attention {
                projections: QueryKeyValue::Fused {
                    projection: attention("Wqkv", [3 * hidden, hidden]),
                    layout: FusedLayout::ByPart,
                },
                output: attention("Wo", [hidden, hidden]),
                settings: AttentionSettings {
                    heads,
                    key_value_heads: heads,
                    head_dim,
                    scale: 1.0 / (head_dim as f32).sqrt(),
                    soft_cap: None,
                    mask,
                },
                rotary: Some(rotary),
                query_key_norms: None,
            },
            // The embeddings are normalised already, so the first block does not do it again.
            attention_norms: match layer {
                0 => BranchNorms::none(),
                _ => BranchNorms::before(norm(format!("{name}.attn_norm"))),
            },
            feed_forward: FeedForward::FusedGated {
                gate_up: feed_forward("Wi", [2 * bert.intermediate_size, hidden]),
                activation,
                down: feed_forward("Wo", [hidden, bert.intermediate_size]),
            },
            feed_forward_norms: BranchNorms::before(norm(format!("{name}.mlp_norm"))),
            parallel: false,
        }
    };
    let blocks = (0..bert.num_hidden_layers).map(block).collect();
    Ok(Description {
        architecture: "ModernBERT",
        kind: Kind::Encoder,
        prefix: "model.",
        vocabulary: bert.vocab_size,
        hidden,
        context: bert.max_position_embeddings,
        initializer_range: bert.initializer_range,
        embeddings: Embeddings {
            words: Table { name: "embeddings.tok_embeddings.weight".into(), rows: bert.vocab_size },
            scale: None,
            positions: None,
            token_types: None,
            norm: Some(norm("embeddings.norm".into())),
        },
        rotary,
        blocks,
        final_norm: Some(norm("final_norm".into())),
        pooler: None,
        language_head: None,
    })
}
