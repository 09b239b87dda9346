//! A pretrained transformer with a two-class head.

use std::path::Path;

use labelmix_nn::{SequenceOffsets, Value, gather_rows, linear, mean_of_sequences};

use crate::adapter::{Adapter, HeadSite, LoraSettings, LoraSite};
use crate::bert::{self, Bert, Pooler};
use crate::checkpoint::Weights;
use crate::config::ModelConfig;
use crate::error::{Error, Result};
use crate::llama::{self, Llama};

/// Concatenated sequences of token ids.
#[derive(Clone, Debug)]
pub struct TokenBatch {
    token_ids: Vec<u32>,
    offsets: SequenceOffsets,
}

impl TokenBatch {
    /// A batch of sequences, none of them empty.
    #[must_use]
    pub fn new<'a>(sequences: impl IntoIterator<Item = &'a [u32]> + Clone) -> Self {
        let offsets = SequenceOffsets::from_lengths(sequences.clone().into_iter().map(<[u32]>::len));
        Self { token_ids: sequences.into_iter().flatten().copied().collect(), offsets }
    }

    /// The ids of all tokens, `[tokens]`.
    #[must_use]
    pub fn token_ids(&self) -> &[u32] {
        &self.token_ids
    }

    /// Where each sequence begins.
    #[must_use]
    pub fn offsets(&self) -> &SequenceOffsets {
        &self.offsets
    }
}

/// How a sequence's hidden states become the one vector that the head reads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pooling {
    /// The last token's (decoders).
    LastToken,
    /// The first token's, through the checkpoint's pooler (BERT as BertForSequenceClassification has it).
    Pooler,
    /// The mean over the tokens (sentence-transformers).
    Mean,
}

impl Pooling {
    /// The name in study files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::LastToken => "last",
            Self::Pooler => "pooler",
            Self::Mean => "mean",
        }
    }

    /// All of them.
    pub const ALL: [Self; 3] = [Self::LastToken, Self::Pooler, Self::Mean];
}

enum Backbone {
    Bert { encoder: Bert, pooler: Option<Pooler> },
    Llama(Llama),
}

/// The frozen part of a classifier: shared by all runs, never changed.
pub struct Classifier {
    backbone: Backbone,
    pooling: Pooling,
    sites: Vec<LoraSite>,
    head: HeadSite,
    /// What the names of the layers begin with inside transformers' sequence classifier.
    inner_prefix: &'static str,
    content_hash: [u8; 32],
    weight_bytes: u64,
}

/// Files whose presence says that a checkpoint is a sentence-transformer.
const SENTENCE_TRANSFORMER_FILES: [&str; 2] = ["modules.json", "config_sentence_transformers.json"];

impl Classifier {
    /// Loads the checkpoint in `folder`. Without an explicit pooling: the last token for decoders; for encoders the
    /// mean if the checkpoint is a sentence-transformer or has no pooler, else the pooler.
    ///
    /// # Errors
    /// If a file is missing or damaged, or the architecture or an option of it is not supported.
    pub fn load(folder: &Path, pooling: Option<Pooling>) -> Result<Self> {
        let config_path = folder.join("config.json");
        let config = ModelConfig::read(&config_path)?;
        let mut sites = Vec::new();
        let (weights, backbone, pooling, head, inner_prefix) = match &config {
            ModelConfig::Bert(config) => {
                let weights = Weights::open(folder, bert::PREFIX)?;
                let encoder = Bert::load(&weights, config, &mut sites)?;
                let sentence_transformer = SENTENCE_TRANSFORMER_FILES.iter().any(|name| folder.join(name).exists());
                let natural =
                    if Pooler::is_in(&weights) && !sentence_transformer { Pooling::Pooler } else { Pooling::Mean };
                let pooling = pooling.unwrap_or(natural);
                let pooler = match pooling {
                    Pooling::Pooler => Some(Pooler::load(&weights, config.hidden_size)?),
                    Pooling::Mean | Pooling::LastToken => None,
                };
                let head = HeadSite {
                    name: "classifier",
                    hidden: config.hidden_size,
                    bias: true,
                    initial_std: config.initializer_range,
                };
                (weights, Backbone::Bert { encoder, pooler }, pooling, head, bert::PREFIX)
            }
            ModelConfig::Llama(config) => {
                let weights = Weights::open(folder, llama::PREFIX)?;
                let decoder = Llama::load(&weights, config, &mut sites)?;
                let pooling = pooling.unwrap_or(Pooling::LastToken);
                if pooling == Pooling::Pooler {
                    return Err(Error::Config {
                        path: config_path,
                        reason: "the pooling is \"pooler\", but a decoder has no pooler".into(),
                        help: "use \"last\" (the default for decoders) or \"mean\"".into(),
                    });
                }
                let head = HeadSite {
                    name: "score",
                    hidden: config.hidden_size,
                    bias: false,
                    initial_std: config.initializer_range,
                };
                (weights, Backbone::Llama(decoder), pooling, head, llama::PREFIX)
            }
        };
        let mut hasher = blake3::Hasher::new();
        hasher.update(&std::fs::read(&config_path).map_err(|source| Error::Read { path: config_path, source })?);
        weights.hash_into(&mut hasher);
        let content_hash = *hasher.finalize().as_bytes();
        let weight_bytes = weights.bytes();
        Ok(Self { backbone, pooling, sites, head, inner_prefix, content_hash, weight_bytes })
    }

    /// A hash of the configuration and the weights.
    #[must_use]
    pub fn content_hash(&self) -> [u8; 32] {
        self.content_hash
    }

    /// The size of the checkpoint's weights, in bytes.
    #[must_use]
    pub fn weight_bytes(&self) -> u64 {
        self.weight_bytes
    }

    /// How sequences become vectors.
    #[must_use]
    pub fn pooling(&self) -> Pooling {
        self.pooling
    }

    /// A freshly initialised adapter and head for this model.
    #[must_use]
    pub fn initial_adapter(&self, settings: LoraSettings, seed: u64) -> Adapter {
        Adapter::initial(&self.sites, &self.head, self.inner_prefix, settings, seed)
    }

    /// The final hidden states, `[tokens, hidden]`.
    ///
    /// # Errors
    /// If a token id or a length is beyond the model's.
    pub fn hidden_states(&self, batch: &TokenBatch, adapter: &Adapter) -> Result<Value> {
        match &self.backbone {
            Backbone::Bert { encoder, .. } => encoder.forward(batch, adapter),
            Backbone::Llama(decoder) => decoder.forward(batch, adapter),
        }
    }

    /// The two classes' logits, `[sequences, 2]`.
    ///
    /// # Errors
    /// If a token id or a length is beyond the model's.
    pub fn logits(&self, batch: &TokenBatch, adapter: &Adapter) -> Result<Value> {
        let hidden_states = self.hidden_states(batch, adapter)?;
        let pooled = match (&self.backbone, self.pooling) {
            (Backbone::Bert { pooler: Some(pooler), .. }, Pooling::Pooler) => pooler.forward(&hidden_states, batch)?,
            (_, Pooling::Mean) => mean_of_sequences(&hidden_states, batch.offsets())?,
            (_, Pooling::LastToken | Pooling::Pooler) => gather_rows(&hidden_states, &batch.offsets().last_tokens())?,
        };
        let (weight, bias) = adapter.head();
        Ok(linear(&pooled, weight, bias, None)?)
    }
}
