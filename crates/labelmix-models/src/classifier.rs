//! A pretrained transformer with a two-class head.

use std::path::Path;

use labelmix_nn::{Value, Weight, activation, gather_rows, linear, max_of_sequences, mean_of_sequences};

use crate::adapter::{Adapter, AdapterSite, HeadSite, LoraSettings};
use crate::batch::TokenBatch;
use crate::description::Projection;
use crate::error::{Error, Result};
use crate::layers::{Layers, Linear};
use crate::model::Model;
use crate::sentence_transformer;
use crate::transformer::Past;

/// How a sequence's hidden states become the one vector that the head reads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pooling {
    /// The last token's (decoders).
    LastToken,
    /// The first token's, through the checkpoint's pooler (BERT as BertForSequenceClassification has it).
    Pooler,
    /// The mean over the tokens (sentence-transformers, and encoders without a pooler).
    Mean,
    /// The first token's, as it is (sentence-transformers that say so).
    FirstToken,
    /// The largest over the tokens of each number (sentence-transformers that say so).
    Max,
}

impl Pooling {
    /// The name in study files.
    pub fn name(self) -> &'static str {
        match self {
            Self::LastToken => "last",
            Self::Pooler => "pooler",
            Self::Mean => "mean",
            Self::FirstToken => "cls",
            Self::Max => "max",
        }
    }

    /// The one that is asked for, if the checkpoint in `folder` has it; else what suits it.
    ///
    /// # Errors
    /// If it asks for a pooler that the checkpoint does not have, or the checkpoint for a pooling that there is not.
    pub(crate) fn chosen(asked: Option<Self>, folder: &Path, is_decoder: bool, has_pooler: bool) -> Result<Self> {
        let natural = || {
            if is_decoder {
                return Ok::<_, Error>(Self::LastToken);
            }
            let otherwise = if has_pooler { Self::Pooler } else { Self::Mean };
            Ok(sentence_transformer::pooling(folder)?.unwrap_or(otherwise))
        };
        match asked.map_or_else(natural, Ok)? {
            Self::Pooler if !has_pooler => Err(Error::no_pooler(folder)),
            pooling => Ok(pooling),
        }
    }

    /// All of them.
    pub const ALL: [Self; 5] = [Self::LastToken, Self::Pooler, Self::Mean, Self::FirstToken, Self::Max];
}

/// The frozen part of a classifier: shared by all runs, never changed.
pub struct Classifier {
    model: Model,
    pooling: Pooling,
    pooler: Option<Linear>,
    site: AdapterSite,
}

impl Classifier {
    /// Puts a head on a model. Without an explicit pooling: the last token for decoders; for encoders what the checkpoint
    /// says if it is a sentence-transformer (the mean, where it does not), else the pooler if it has one, else the mean.
    ///
    /// # Errors
    /// If the pooling asks for a pooler that the checkpoint does not have, or the checkpoint for a pooling that there is not.
    pub fn new(model: &Model, pooling: Option<Pooling>) -> Result<Self> {
        let (description, loader) = (model.description(), model.loader());
        let stored_pooler =
            description.pooler.as_ref().filter(|pooler| loader.weights.contains(&format!("{}.weight", pooler.name)));
        let pooling = Pooling::chosen(pooling, model.folder(), model.is_decoder(), stored_pooler.is_some())?;
        let pooler = stored_pooler.filter(|_| pooling == Pooling::Pooler);
        let pooler = pooler.map(|pooler| loader.linear(pooler, None)).transpose()?;
        let head = HeadSite::of(model.is_decoder(), description.hidden, description.initializer_range);
        let site = AdapterSite {
            layers: model.transformer().sites.clone().into(),
            head,
            prefix: description.prefix.to_owned(),
            transposed: description.projections().iter().any(|projection| projection.transposed),
        };
        Ok(Self { model: model.clone(), pooling, pooler, site })
    }

    /// The model without its head.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// How sequences become vectors.
    pub fn pooling(&self) -> Pooling {
        self.pooling
    }

    /// The pooler, if the pooling goes through it.
    pub(crate) fn pooler_projection(&self) -> Option<&Projection> {
        self.model.description().pooler.as_ref().filter(|_| self.pooler.is_some())
    }

    /// A freshly initialised adapter and head for this model.
    ///
    /// # Errors
    /// If the model's device cannot hold it.
    pub fn initial_adapter(&self, settings: LoraSettings, seed: u64) -> Result<Adapter> {
        Adapter::initial(&self.site, settings, seed, self.model.transformer().device())
    }

    /// The adapter that labelmix or PEFT saved in `folder`, with its own rank and strength. Layers that it does not
    /// reach get no addition.
    ///
    /// # Errors
    /// If the files are missing or damaged, belong to another model, or ask for something other than plain LoRA.
    pub fn load_adapter(&self, folder: &Path) -> Result<Adapter> {
        let mut adapter = self.initial_adapter(LoraSettings::read(folder)?, 0)?;
        adapter.load_partial(folder)?;
        Ok(adapter)
    }

    /// The same of an adapter that labelmix kept: no layer is missing.
    ///
    /// # Errors
    /// As [`load_adapter`](Self::load_adapter), or if a layer is missing.
    pub fn kept_adapter(&self, folder: &Path) -> Result<Adapter> {
        Adapter::kept(&self.site, folder, self.model.transformer().device())
    }

    /// The final hidden states, `[tokens, hidden]`.
    ///
    /// # Errors
    /// If a token id or a length is beyond the model's.
    pub fn hidden_states(&self, batch: &TokenBatch, adapter: &Adapter) -> Result<Value> {
        self.model.transformer().forward(batch, Some(adapter), self.model.no_past())
    }

    /// What the pooling makes of the final hidden states, `[sequences, hidden]`.
    ///
    /// # Errors
    /// If a token id or a length is beyond the model's.
    pub fn pooled(&self, batch: &TokenBatch, adapter: &Adapter) -> Result<Value> {
        let pooled = self.pool(&self.hidden_states(batch, adapter)?, batch)?;
        Ok(match (self.pooling, &self.pooler) {
            (Pooling::Pooler, Some(pooler)) => {
                activation(&pooler.forward(&pooled, None)?, labelmix_nn::Activation::Tanh)?
            }
            _ => pooled,
        })
    }

    /// The pretrained model's hidden states after each of its last so many blocks, pooled: `[sequences, hidden]` each; of
    /// the upper half of the blocks without a number, of all if there are fewer. A checkpoint's own pooler is left out.
    ///
    /// # Errors
    /// If a token id or a length is beyond the model's.
    pub fn pooled_layers(&self, batch: &TokenBatch, layers: Option<usize>) -> Result<Vec<Value>> {
        let transformer = self.model.transformer();
        let layers = layers.unwrap_or(transformer.depth().div_ceil(2));
        let layers = transformer.last_layers(batch, None, Past::Nothing, layers)?;
        layers.iter().map(|hidden_states| self.pool(hidden_states, batch)).collect()
    }

    fn pool(&self, hidden_states: &Value, batch: &TokenBatch) -> Result<Value> {
        let offsets = batch.offsets();
        Ok(match (self.pooling, &self.pooler) {
            (Pooling::Mean, _) => mean_of_sequences(hidden_states, offsets)?,
            (Pooling::Max, _) => max_of_sequences(hidden_states, offsets)?,
            (Pooling::FirstToken, _) | (Pooling::Pooler, Some(_)) => {
                gather_rows(hidden_states, &offsets.first_tokens())?
            }
            (Pooling::LastToken, _) | (Pooling::Pooler, None) => gather_rows(hidden_states, &offsets.last_tokens())?,
        })
    }

    /// Sequences as it reads them: what all begin with is there once, if the model looks back only and the last token is read.
    pub fn batch(&self, sequences: &[&[u32]]) -> TokenBatch {
        if self.shares_prefixes() { TokenBatch::sharing(sequences) } else { TokenBatch::new(sequences.iter().copied()) }
    }

    /// Whether a beginning that sequences share is computed once.
    pub fn shares_prefixes(&self) -> bool {
        self.model.is_decoder() && self.pooling == Pooling::LastToken
    }

    /// The two classes' logits, `[sequences, 2]`.
    ///
    /// # Errors
    /// If a token id or a length is beyond the model's.
    pub fn logits(&self, batch: &TokenBatch, adapter: &Adapter) -> Result<Value> {
        let pooled = self.pooled(batch, adapter)?;
        let (weight, bias) = adapter.head();
        Ok(linear(&pooled, Weight::Trained(weight), bias, None)?)
    }
}
