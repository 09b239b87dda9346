//! What a checkpoint is, without loading it.

use std::collections::BTreeMap;
use std::path::Path;

use labelmix_nn::{Mask, Precision};
use serde::Serialize;

use crate::checkpoint::has_weights;
use crate::config::Config;
use crate::description::{Description, Kind};
use crate::error::Result;
use crate::folder::{Checkpoint, ModelFolder};
use crate::memory::{MemoryPlan, MemoryRequest};

/// A checkpoint's architecture and sizes, from its config.json and, where they are there, the headers of its weights.
pub struct ModelShape {
    description: Description,
    stored: Precision,
    types: BTreeMap<String, usize>,
    notes: Vec<String>,
}

/// The numbers of a [`ModelShape`], for people and programs.
#[derive(Clone, Debug, Serialize)]
pub struct ShapeSummary {
    /// The architecture's name.
    pub architecture: &'static str,
    /// "decoder" or "encoder".
    pub kind: &'static str,
    /// The number of blocks.
    pub blocks: usize,
    /// The size of the hidden states.
    pub hidden: usize,
    /// The width of the feed-forward layers.
    pub feed_forward: usize,
    /// The number of query heads.
    pub heads: usize,
    /// The number of key and value heads.
    pub key_value_heads: usize,
    /// The size of each head.
    pub head_dim: usize,
    /// What blocks attend to.
    pub attention: String,
    /// The number of token ids.
    pub vocabulary: usize,
    /// The largest number of tokens that the model reads.
    pub context: usize,
    /// Parameters, without heads.
    pub parameters: usize,
    /// Parameters of a language-modelling head of its own.
    pub language_head_parameters: usize,
    /// Whether the language-modelling head is the word embedding; `None` for encoders.
    pub tied_head: Option<bool>,
    /// The types of the stored tensors, with the number of elements of each; empty if only config.json is there.
    pub stored_types: BTreeMap<String, usize>,
    /// What a reader of the folder may not expect: files that are not read, names that are read otherwise.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

impl ModelShape {
    /// Reads the checkpoint in `folder`; config.json suffices.
    ///
    /// # Errors
    /// If config.json or the headers of the weights are missing or damaged, or the architecture is not supported.
    pub fn read(folder: &Path) -> Result<Self> {
        let found = ModelFolder::find(folder)?;
        if has_weights(&found.checkpoint) {
            return Self::read_whole(folder);
        }
        let config = found.config()?;
        Ok(Self::new(&config, config.describe()?, BTreeMap::new(), Vec::new()))
    }

    /// Reads the checkpoint in `folder`, of which the weights have to be there.
    ///
    /// # Errors
    /// As [`read`](Self::read), and if there are no weights.
    pub fn read_whole(folder: &Path) -> Result<Self> {
        let Checkpoint { config, description, weights, .. } = Checkpoint::open_headers(folder)?;
        Ok(Self::new(&config, description, weights.types(), weights.notes().to_vec()))
    }

    fn new(config: &Config, description: Description, types: BTreeMap<String, usize>, notes: Vec<String>) -> Self {
        let largest = types.iter().max_by_key(|(_, elements)| **elements).map(|(name, _)| name.as_str());
        let stored = match largest.or(config.stored_type()) {
            Some("bf16" | "bfloat16") => Precision::Bf16,
            Some("f16" | "float16") => Precision::F16,
            _ => Precision::F32,
        };
        Self { description, stored, types, notes }
    }

    /// The precision of most of the stored weights (as config.json says, where the weights are not there).
    pub fn stored_precision(&self) -> Precision {
        self.stored
    }

    /// The largest number of tokens that the model reads.
    pub fn context(&self) -> usize {
        self.description.context
    }

    /// The memory that training with LoRA takes.
    pub fn memory(&self, request: &MemoryRequest) -> MemoryPlan {
        self.description.memory(self.stored, request)
    }

    pub fn summary(&self) -> ShapeSummary {
        let description = &self.description;
        let first = description.blocks.first();
        let settings = first.map(|block| block.attention.settings);
        let feed_forward = first.map_or(0, |block| block.layers().last().map_or(0, |down| down.inputs));
        ShapeSummary {
            architecture: description.architecture,
            kind: match description.kind {
                Kind::Decoder => "decoder",
                Kind::Encoder => "encoder",
            },
            blocks: description.blocks.len(),
            hidden: description.hidden,
            feed_forward,
            heads: settings.map_or(0, |settings| settings.heads),
            key_value_heads: settings.map_or(0, |settings| settings.key_value_heads),
            head_dim: settings.map_or(0, |settings| settings.head_dim),
            attention: describe_attention(description),
            vocabulary: description.vocabulary,
            context: description.context,
            parameters: description.parameters(),
            language_head_parameters: description.language_head_parameters(),
            tied_head: description.language_head.as_ref().map(|head| head.weight.is_none()),
            stored_types: self.types.clone(),
            notes: self.notes.clone(),
        }
    }
}

/// "causal", or how many blocks attend to what: "causal; in 12 of 24 blocks to the last 4096 tokens".
fn describe_attention(description: &Description) -> String {
    let whole = match description.kind {
        Kind::Decoder => "causal",
        Kind::Encoder => "both ways",
    };
    let windows: Vec<String> = description
        .blocks
        .iter()
        .filter_map(|block| match block.attention.settings.mask {
            Mask::None | Mask::Causal => None,
            Mask::CausalWindow(width) => Some(format!("the last {width} tokens")),
            Mask::Window(reach) => Some(format!("{reach} tokens on either side")),
        })
        .collect();
    match windows.first() {
        None => whole.to_owned(),
        Some(window) => format!("{whole}; in {} of {} blocks only {window}", windows.len(), description.blocks.len()),
    }
}
