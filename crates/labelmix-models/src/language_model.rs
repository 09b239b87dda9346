//! A decoder with its language-modelling head, and prefixes that are computed once.

use labelmix_nn::{Array, KeyValues, Value, Weight, gather_rows, linear, soft_cap};

use crate::batch::TokenBatch;
use crate::error::{Error, Result};
use crate::layers::WeightMatrix;
use crate::model::Model;
use crate::transformer::Past;

/// A decoder that gives the logits of the next token.
pub struct LanguageModel {
    model: Model,
    head: Head,
}

/// What turns hidden states into the logits of the next token.
pub(crate) struct Head {
    /// `[vocabulary, hidden]`.
    pub(crate) weight: WeightMatrix,
    pub(crate) soft_cap: Option<f32>,
}

impl Head {
    /// `hidden [tokens, hidden]` to `[tokens, vocabulary]`.
    pub(crate) fn logits(&self, hidden: &Value) -> Result<Value> {
        self.capped(linear(hidden, self.weight.as_weight(), None, None)?)
    }

    fn capped(&self, logits: Value) -> Result<Value> {
        match self.soft_cap {
            Some(cap) => Ok(soft_cap(&logits, cap)?),
            None => Ok(logits),
        }
    }
}

/// The keys and values of a prefix in every block: what any text that continues it needs of it.
pub struct Prefix {
    tokens: usize,
    key_values: Vec<KeyValues>,
}

impl Prefix {
    /// The number of tokens.
    pub fn tokens(&self) -> usize {
        self.tokens
    }
}

impl LanguageModel {
    /// Puts the checkpoint's own head on a model.
    ///
    /// # Errors
    /// If the model is an encoder, or the checkpoint lacks the head.
    pub fn new(model: &Model) -> Result<Self> {
        let (description, loader) = (model.description(), model.loader());
        let Some(head) = &description.language_head else {
            return Err(Error::NoLanguageHead { architecture: description.architecture.to_owned() });
        };
        let weight = match head.weight {
            None => model.transformer().words().clone(),
            Some(name) => loader.matrix(name, [description.vocabulary, description.hidden])?,
        };
        Ok(Self { model: model.clone(), head: Head { weight, soft_cap: head.soft_cap } })
    }

    /// The model without its head.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// The next token's logits after every token, `[tokens, vocabulary]`.
    ///
    /// # Errors
    /// If a token id or a length is beyond the model's.
    pub fn logits(&self, batch: &TokenBatch, prefix: Option<&Prefix>) -> Result<Value> {
        self.head.logits(&self.hidden_states(batch, prefix)?)
    }

    /// The next token's logits after each sequence, `[sequences, vocabulary]`. Sequences continue the prefix, if there
    /// is one: the result is that of prefix and sequence together.
    ///
    /// # Errors
    /// If a token id or a length is beyond the model's.
    pub fn last_logits(&self, batch: &TokenBatch, prefix: Option<&Prefix>) -> Result<Value> {
        self.head.logits(&self.last_hidden_states(batch, prefix)?)
    }

    /// The same of some tokens alone, `[sequences, tokens]`: nothing is computed for the rest of the vocabulary.
    ///
    /// # Errors
    /// As [`last_logits`](Self::last_logits), or if a device other than the host cannot hand the head's rows over.
    pub fn last_logits_of(&self, tokens: &[u32], batch: &TokenBatch, prefix: Option<&Prefix>) -> Result<Value> {
        let rows = self.head.weight.rows(tokens)?;
        self.head.capped(linear(&self.last_hidden_states(batch, prefix)?, Weight::Trained(&rows), None, None)?)
    }

    /// The log-likelihood of each sequence's tokens from a place on, given those before them; the places are at least 1.
    ///
    /// # Errors
    /// If a token id or a length is beyond the model's.
    pub fn log_likelihoods(&self, batch: &TokenBatch, from: &[usize]) -> Result<Vec<f64>> {
        /// Tokens whose logits are there at once, each of which takes a vocabulary's worth of memory.
        const TOKENS: usize = 64;
        let hidden = self.hidden_states(batch, None)?;
        let ranges = batch.offsets().ranges().zip(from).enumerate();
        let judged: Vec<(usize, usize)> = ranges
            .flat_map(|(sequence, (range, from))| (range.start + from..range.end).map(move |token| (sequence, token)))
            .collect();
        let mut sums = vec![0.0; from.len()];
        for part in judged.chunks(TOKENS) {
            let before: Vec<u32> = part.iter().map(|(_, token)| *token as u32 - 1).collect();
            let logits = self.head.logits(&gather_rows(&hidden, &before)?)?.to_vec()?;
            for ((sequence, token), row) in part.iter().zip(logits.chunks_exact(logits.len() / part.len())) {
                let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                let sum: f64 = row.iter().map(|logit| f64::from(logit - largest).exp()).sum();
                sums[*sequence] += f64::from(row[batch.token_ids()[*token] as usize] - largest) - sum.ln();
            }
        }
        Ok(sums)
    }

    /// The head's rows for some tokens, `[tokens, hidden]`: what their logits are products with, but for the cap that
    /// some models put on logits.
    ///
    /// # Errors
    /// If a token id is beyond the model's, or a device other than the host cannot hand the rows over.
    pub fn head_rows(&self, token_ids: &[u32]) -> Result<Array> {
        let values = self.head.weight.rows(token_ids)?.to_vec()?;
        Ok(Array::new(values, &[token_ids.len(), self.model.hidden_size()]))
    }

    /// Computes a prefix, for many sequences to continue.
    ///
    /// # Errors
    /// If a token id or the length is beyond the model's.
    pub fn prefix(&self, token_ids: &[u32]) -> Result<Prefix> {
        let mut key_values = Vec::new();
        if !token_ids.is_empty() {
            let batch = TokenBatch::new([token_ids]);
            self.model.transformer().forward(&batch, None, Past::Record(&mut key_values))?;
        }
        Ok(Prefix { tokens: token_ids.len(), key_values })
    }

    /// Of each sequence's last token, `[sequences, hidden]`.
    fn last_hidden_states(&self, batch: &TokenBatch, prefix: Option<&Prefix>) -> Result<Value> {
        Ok(gather_rows(&self.hidden_states(batch, prefix)?, &batch.offsets().last_tokens())?)
    }

    fn hidden_states(&self, batch: &TokenBatch, prefix: Option<&Prefix>) -> Result<Value> {
        let past = match prefix {
            Some(prefix) if prefix.tokens > 0 => Past::Prefix(prefix.tokens, &prefix.key_values),
            _ => Past::Nothing,
        };
        self.model.transformer().forward(batch, None, past)
    }
}
