//! BERT (Devlin et al. 2018): learned positions and post-norm blocks that look both ways; and RoBERTa (Liu et al.
//! 2019), the same network whose positions begin behind the row of the padding token.

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
struct BertConfig {
    #[serde(deserialize_with = "numbers::rows")]
    vocab_size: usize,
    #[serde(deserialize_with = "numbers::width")]
    hidden_size: usize,
    #[serde(deserialize_with = "numbers::layers")]
    num_hidden_layers: usize,
    #[serde(deserialize_with = "numbers::width")]
    num_attention_heads: usize,
    #[serde(deserialize_with = "numbers::width")]
    intermediate_size: usize,
    hidden_act: String,
    #[serde(deserialize_with = "numbers::context")]
    max_position_embeddings: usize,
    #[serde(deserialize_with = "numbers::rows")]
    type_vocab_size: usize,
    #[serde(default = "default_epsilon", deserialize_with = "numbers::epsilon")]
    layer_norm_eps: f32,
    #[serde(default = "default_initializer_range", deserialize_with = "numbers::deviation")]
    initializer_range: f64,
    position_embedding_type: Option<String>,
    #[serde(default)]
    is_decoder: bool,
}

#[derive(Deserialize)]
struct RobertaConfig {
    #[serde(default, deserialize_with = "numbers::optional_place")]
    pad_token_id: Option<usize>,
}

fn default_epsilon() -> f32 {
    1e-12
}

/// RoBERTa's padding token where config.json does not give it.
const ROBERTA_PADDING: usize = 1;

pub(super) fn describe(config: &Config) -> Result<Description> {
    let bert: BertConfig = config.parse()?;
    let pooler = Projection::new("pooler.dense", [bert.hidden_size, bert.hidden_size], true);
    Ok(Description { pooler: Some(pooler), ..bert.describe(config, "BERT", "bert.", 0)? })
}

pub(super) fn describe_roberta(config: &Config) -> Result<Description> {
    let bert: BertConfig = config.parse()?;
    let RobertaConfig { pad_token_id } = config.parse()?;
    let first_position = pad_token_id.unwrap_or(ROBERTA_PADDING) + 1;
    bert.describe(config, "RoBERTa", "roberta.", first_position)
}

impl BertConfig {
    fn describe(
        &self,
        config: &Config,
        architecture: &'static str,
        prefix: &'static str,
        first_position: usize,
    ) -> Result<Description> {
        if let Some(kind) = self.position_embedding_type.as_deref().filter(|kind| *kind != "absolute") {
            let reason = format!("position_embedding_type is {kind:?}");
            return Err(config.unsupported(reason, "position embeddings can be \"absolute\""));
        }
        if self.is_decoder {
            return Err(config.unsupported("is_decoder is true", "only encoders of this architecture can be run"));
        }
        let rows = self.max_position_embeddings;
        config.require(rows > first_position, || {
            format!("max_position_embeddings is {rows}, and the first position is row {first_position}")
        })?;
        let hidden = self.hidden_size;
        let activation = config.activation("hidden_act", &self.hidden_act)?;
        let head_dim = config.head_dim(hidden, self.num_attention_heads)?;
        let settings = AttentionSettings {
            heads: self.num_attention_heads,
            key_value_heads: self.num_attention_heads,
            head_dim,
            scale: 1.0 / (head_dim as f32).sqrt(),
            soft_cap: None,
            mask: Mask::None,
        };
        let norm = |name: String| Norm { name, size: hidden, kind: NormKind::Layer, epsilon: self.layer_norm_eps };
        let table = |kind: &str, rows| Table { name: format!("embeddings.{kind}_embeddings.weight"), rows };
        let block = |layer: usize| {
            let name = format!("encoder.layer.{layer}");
            let projection = |part: &str, shape| Projection::new(format!("{name}.{part}"), shape, true);
            Block {
                attention: Attention {
                    projections: QueryKeyValue::Separate {
                        query: projection("attention.self.query", [hidden, hidden]),
                        key: projection("attention.self.key", [hidden, hidden]),
                        value: projection("attention.self.value", [hidden, hidden]),
                    },
                    output: projection("attention.output.dense", [hidden, hidden]),
                    settings,
                    rotary: None,
                    query_key_norms: None,
                },
                attention_norms: BranchNorms::of_sum(norm(format!("{name}.attention.output.LayerNorm"))),
                feed_forward: FeedForward::Plain {
                    up: projection("intermediate.dense", [self.intermediate_size, hidden]),
                    activation,
                    down: projection("output.dense", [hidden, self.intermediate_size]),
                },
                feed_forward_norms: BranchNorms::of_sum(norm(format!("{name}.output.LayerNorm"))),
                parallel: false,
            }
        };
        Ok(Description {
            architecture,
            kind: Kind::Encoder,
            prefix,
            vocabulary: self.vocab_size,
            hidden,
            context: rows - first_position,
            initializer_range: self.initializer_range,
            embeddings: Embeddings {
                words: table("word", self.vocab_size),
                scale: None,
                positions: Some((table("position", rows), first_position)),
                token_types: Some(table("token_type", self.type_vocab_size)),
                norm: Some(norm("embeddings.LayerNorm".into())),
            },
            rotary: Vec::new(),
            blocks: (0..self.num_hidden_layers).map(block).collect(),
            final_norm: None,
            pooler: None,
            language_head: None,
        })
    }
}
