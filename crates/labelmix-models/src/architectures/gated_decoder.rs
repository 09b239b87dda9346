//! What Llama and its descendants have in common: pre-norm blocks of causal attention with rotary positions and
//! grouped queries, and a gated feed-forward layer.

use labelmix_nn::{AttentionSettings, Mask};
use serde::Deserialize;

use crate::config::{Config, default_initializer_range};
use crate::description::{
    Attention, Block, BranchNorms, Description, Embeddings, FeedForward, Kind, LanguageHead, Norm, NormKind,
    Projection, QueryKeyValue, Rotary, Table,
};
use crate::error::Result;
use crate::numbers;
use crate::rope::{Rope, Scaling, USUAL_KEYS};

/// The keys that all of them have.
#[derive(Debug, Deserialize)]
pub(super) struct GatedDecoderConfig {
    #[serde(deserialize_with = "numbers::rows")]
    pub(super) vocab_size: usize,
    #[serde(deserialize_with = "numbers::width")]
    pub(super) hidden_size: usize,
    #[serde(deserialize_with = "numbers::width")]
    pub(super) intermediate_size: usize,
    #[serde(deserialize_with = "numbers::layers")]
    pub(super) num_hidden_layers: usize,
    #[serde(deserialize_with = "numbers::width")]
    pub(super) num_attention_heads: usize,
    #[serde(default, deserialize_with = "numbers::optional_width")]
    num_key_value_heads: Option<usize>,
    #[serde(default, deserialize_with = "numbers::optional_width")]
    pub(super) head_dim: Option<usize>,
    pub(super) hidden_act: Option<String>,
    #[serde(deserialize_with = "numbers::context")]
    pub(super) max_position_embeddings: usize,
    #[serde(default = "default_rms_norm_eps", deserialize_with = "numbers::epsilon")]
    rms_norm_eps: f32,
    #[serde(default = "default_initializer_range", deserialize_with = "numbers::deviation")]
    initializer_range: f64,
    pub(super) tie_word_embeddings: Option<bool>,
    #[serde(default)]
    attention_bias: bool,
    #[serde(default)]
    mlp_bias: bool,
}

fn default_rms_norm_eps() -> f32 {
    1e-6
}

/// In what an architecture differs from Llama.
#[derive(Clone, Copy)]
pub(super) struct Variant {
    pub(super) architecture: &'static str,
    pub(super) biases: Biases,
    pub(super) norm: NormKind,
    /// Whether each head of queries and keys is normalised.
    pub(super) query_key_norms: bool,
    /// Whether what each branch gives is normalised too (Gemma 2 and 3).
    pub(super) norms_around: bool,
    pub(super) activation: labelmix_nn::Activation,
    pub(super) head_dim: usize,
    pub(super) attention_scale: f32,
    pub(super) attention_soft_cap: Option<f32>,
    /// The width of the sliding window, for the layers that have one.
    pub(super) window: Option<usize>,
    /// Which layers those are, where config.json does not list the types of layers.
    pub(super) windowed: Windowed,
    pub(super) turning: Turning,
    pub(super) embedding_scale: Option<f32>,
    pub(super) tied: bool,
    pub(super) final_soft_cap: Option<f32>,
}

impl Variant {
    /// Whether a layer attends in the window; `listed` says which layers do, where config.json does.
    fn is_windowed(&self, layer: usize, listed: Option<&[bool]>) -> bool {
        match (listed, self.windowed) {
            (Some(listed), _) => listed[layer],
            (None, Windowed::From(first)) => layer >= first,
            (None, Windowed::AllButEvery(period)) => !(layer + 1).is_multiple_of(period),
        }
    }
}

/// Which linear layers have biases.
#[derive(Clone, Copy, Default)]
pub(super) struct Biases {
    pub(super) query_key_value: bool,
    pub(super) attention_output: bool,
    pub(super) feed_forward: bool,
}

/// Which layers attend in a window, if there is one.
#[derive(Clone, Copy)]
pub(super) enum Windowed {
    /// From this layer on.
    From(usize),
    /// All but each so many-th, counted from 1.
    AllButEvery(usize),
}

/// How heads turn.
#[derive(Clone, Copy)]
pub(super) enum Turning {
    /// The same in all layers.
    Everywhere,
    /// In windowed layers by a base of their own (Gemma 3).
    ByWindow,
}

impl GatedDecoderConfig {
    /// Llama itself, for the others to change.
    pub(super) fn llama(&self, config: &Config, architecture: &'static str) -> Result<Variant> {
        let head_dim = match self.head_dim {
            Some(head_dim) => head_dim,
            None => config.head_dim(self.hidden_size, self.num_attention_heads)?,
        };
        let activation = config.activation("hidden_act", self.hidden_act.as_deref().unwrap_or("silu"))?;
        Ok(Variant {
            architecture,
            biases: Biases {
                query_key_value: self.attention_bias,
                attention_output: self.attention_bias,
                feed_forward: self.mlp_bias,
            },
            norm: NormKind::RootMeanSquare,
            query_key_norms: false,
            norms_around: false,
            activation,
            head_dim,
            attention_scale: 1.0 / (head_dim as f32).sqrt(),
            attention_soft_cap: None,
            window: None,
            windowed: Windowed::From(0),
            turning: Turning::Everywhere,
            embedding_scale: None,
            tied: self.tie_word_embeddings.unwrap_or(false),
            final_soft_cap: None,
        })
    }

    /// The whole transformer.
    pub(super) fn describe(&self, config: &Config, variant: &Variant) -> Result<Description> {
        let heads = self.num_attention_heads;
        let key_value_heads = self.num_key_value_heads.unwrap_or(heads);
        config.require(heads.is_multiple_of(key_value_heads), || {
            format!("{heads} query heads cannot share {key_value_heads} key/value heads")
        })?;
        let head_dim = variant.head_dim;
        config.require(heads * head_dim <= numbers::LARGEST_WIDTH, || {
            format!("{heads} heads of {head_dim} are wider than {} together", numbers::LARGEST_WIDTH)
        })?;
        let listed = config.windowed_layers(self.num_hidden_layers)?;
        let context = self.max_position_embeddings;
        let turnings = match variant.turning {
            Turning::Everywhere => vec![Rope::read(config, USUAL_KEYS)?.turning(head_dim, 10_000.0, context)?],
            Turning::ByWindow => {
                let full = Rope::read_of_layers(config, "full_attention", "rope_theta", Scaling::Everybody)?;
                let windowed =
                    Rope::read_of_layers(config, "sliding_attention", "rope_local_base_freq", Scaling::Others)?;
                vec![full.turning(head_dim, 1e6, context)?, windowed.turning(head_dim, 10_000.0, context)?]
            }
        };
        let blocks = (0..self.num_hidden_layers)
            .map(|layer| {
                let windowed = variant.is_windowed(layer, listed.as_deref());
                let rotary = if windowed { turnings.len() - 1 } else { 0 };
                let settings = AttentionSettings {
                    heads,
                    key_value_heads,
                    head_dim,
                    // Queries and keys turn as a whole, so the product of both has the factor twice.
                    scale: variant.attention_scale * turnings[rotary].attention_factor.powi(2),
                    soft_cap: variant.attention_soft_cap,
                    mask: variant.window.filter(|_| windowed).map_or(Mask::Causal, Mask::CausalWindow),
                };
                self.block(variant, layer, settings, rotary)
            })
            .collect();
        let rotary = turnings.into_iter().map(|turning| Rotary { head_dim, frequencies: turning.frequencies });
        Ok(Description {
            architecture: variant.architecture,
            kind: Kind::Decoder,
            prefix: "model.",
            vocabulary: self.vocab_size,
            hidden: self.hidden_size,
            context: self.max_position_embeddings,
            initializer_range: self.initializer_range,
            embeddings: Embeddings {
                words: Table { name: "embed_tokens.weight".into(), rows: self.vocab_size },
                scale: variant.embedding_scale,
                positions: None,
                token_types: None,
                norm: None,
            },
            rotary: rotary.collect(),
            blocks,
            final_norm: Some(self.norm(variant, "norm".into(), self.hidden_size)),
            pooler: None,
            language_head: Some(LanguageHead::new("lm_head.weight", variant.tied, variant.final_soft_cap)),
        })
    }

    fn norm(&self, variant: &Variant, name: String, size: usize) -> Norm {
        Norm { name, size, kind: variant.norm, epsilon: self.rms_norm_eps }
    }

    fn block(
        &self,
        variant: &Variant,
        layer: usize,
        settings: AttentionSettings,
        rotary: usize,
    ) -> Block<Projection, Norm> {
        let name = format!("layers.{layer}");
        let (hidden, intermediate) = (self.hidden_size, self.intermediate_size);
        let queries = settings.heads * settings.head_dim;
        let keys = settings.key_value_heads * settings.head_dim;
        let attention = |part: &str, shape, bias| Projection::new(format!("{name}.self_attn.{part}"), shape, bias);
        let feed_forward =
            |part: &str, shape| Projection::new(format!("{name}.mlp.{part}"), shape, variant.biases.feed_forward);
        let norm = |part: &str| self.norm(variant, format!("{name}.{part}"), hidden);
        let head_norm = |part: &str| self.norm(variant, format!("{name}.self_attn.{part}"), settings.head_dim);
        let (attention_norms, feed_forward_norms) = if variant.norms_around {
            (
                BranchNorms::around(norm("input_layernorm"), norm("post_attention_layernorm")),
                BranchNorms::around(norm("pre_feedforward_layernorm"), norm("post_feedforward_layernorm")),
            )
        } else {
            (BranchNorms::before(norm("input_layernorm")), BranchNorms::before(norm("post_attention_layernorm")))
        };
        Block {
            attention: Attention {
                projections: QueryKeyValue::Separate {
                    query: attention("q_proj", [queries, hidden], variant.biases.query_key_value),
                    key: attention("k_proj", [keys, hidden], variant.biases.query_key_value),
                    value: attention("v_proj", [keys, hidden], variant.biases.query_key_value),
                },
                output: attention("o_proj", [hidden, queries], variant.biases.attention_output),
                settings,
                rotary: Some(rotary),
                query_key_norms: variant.query_key_norms.then(|| [head_norm("q_norm"), head_norm("k_norm")]),
            },
            attention_norms,
            feed_forward: FeedForward::Gated {
                gate: feed_forward("gate_proj", [intermediate, hidden]),
                up: feed_forward("up_proj", [intermediate, hidden]),
                activation: variant.activation,
                down: feed_forward("down_proj", [hidden, intermediate]),
            },
            feed_forward_norms,
            parallel: false,
        }
    }
}
