//! Runs a transformer of any architecture, from its description and its weights.

use std::sync::Arc;

use labelmix_nn::{
    ColumnBlocks, Device, KeyValues, RotaryTable, SequenceOffsets, Value, activation, add, attention, checkpoint,
    columns, gated, rotary, scale,
};

use crate::adapter::{Adapter, LoraSite};
use crate::batch::TokenBatch;
use crate::description::{
    Attention, Block, BranchNorms, Description, Embeddings, FeedForward, FusedLayout, QueryKeyValue, Rotary,
};
use crate::error::{Error, Result};
use crate::layers::{Layers, Linear, Normalization, WeightMatrix};

type LoadedBlock = Block<Linear, Normalization>;

/// A transformer without a head, shared by everything that runs it.
pub(crate) struct Transformer {
    embeddings: Embeddings<WeightMatrix, Normalization>,
    rotary: Arc<[RotaryTable]>,
    blocks: Vec<Arc<LoadedBlock>>,
    final_norm: Option<Normalization>,
    context: usize,
    /// The layers that adapters reach.
    pub(crate) sites: Vec<LoraSite>,
    device: Device,
}

/// What the blocks need besides the hidden states.
#[derive(Clone, Copy)]
struct Pass<'a> {
    adapter: Option<&'a Adapter>,
    offsets: &'a SequenceOffsets,
    /// Of every token, counted from the beginning of the prefix if there is one.
    positions: &'a Arc<[u32]>,
    rotary: &'a [RotaryTable],
}

/// What comes before the tokens of a pass.
pub(crate) enum Past<'a> {
    Nothing,
    /// Nothing, and each block's activations are computed again when gradients are wanted.
    NothingAndForget,
    /// A prefix of so many tokens, with the keys and values of each block.
    Prefix(usize, &'a [KeyValues]),
    /// Nothing; each block's keys and values are written here.
    Record(&'a mut Vec<KeyValues>),
}

/// The angles of a transformer's rotary embeddings at every position of its context.
pub(crate) fn rotary_tables(description: &Description) -> Arc<[RotaryTable]> {
    let table = |rotary: &Rotary| RotaryTable::new(description.context, rotary.head_dim, &rotary.frequencies);
    description.rotary.iter().map(table).collect()
}

impl Transformer {
    /// Puts layers where the description has their names. `rotary` is [`rotary_tables`] of the same description.
    pub(crate) fn assemble(
        layers: &impl Layers,
        description: &Description,
        rotary: Arc<[RotaryTable]>,
    ) -> Result<Self> {
        let table = |table| layers.table(table, description.hidden);
        let Embeddings { words, scale, positions, token_types, norm } = &description.embeddings;
        let embeddings = Embeddings {
            words: table(words)?,
            scale: *scale,
            positions: match positions {
                Some((positions, first)) => Some((table(positions)?, *first)),
                None => None,
            },
            token_types: token_types.as_ref().map(table).transpose()?,
            norm: norm.as_ref().map(|norm| layers.norm(norm)).transpose()?,
        };
        let mut sites = Vec::new();
        let blocks = description
            .blocks
            .iter()
            .map(|block| {
                block.try_map(|layer| layers.linear(layer, Some(&mut sites)), |norm| layers.norm(norm)).map(Arc::new)
            })
            .collect::<Result<_>>()?;
        Ok(Self {
            embeddings,
            rotary,
            blocks,
            final_norm: description.final_norm.as_ref().map(|norm| layers.norm(norm)).transpose()?,
            context: description.context,
            sites,
            device: layers.device().clone(),
        })
    }

    /// The word embedding, which a tied head reads too.
    pub(crate) fn words(&self) -> &WeightMatrix {
        &self.embeddings.words
    }

    /// Where the weights are.
    pub(crate) fn device(&self) -> &Device {
        &self.device
    }

    /// The memory of the linear layers' weights, in bytes.
    pub(crate) fn linear_bytes(&self) -> usize {
        self.linears().map(Linear::bytes).sum()
    }

    /// The blocks' linear layers, in the order of their places in an adapter.
    pub(crate) fn linears(&self) -> impl Iterator<Item = &Linear> {
        self.blocks.iter().flat_map(|block| block.layers())
    }

    /// The number of blocks.
    pub(crate) fn depth(&self) -> usize {
        self.blocks.len()
    }

    /// The final hidden states, `[tokens, hidden]`.
    pub(crate) fn forward(&self, batch: &TokenBatch, adapter: Option<&Adapter>, past: Past<'_>) -> Result<Value> {
        let mut last = self.last_layers(batch, adapter, past, 1)?;
        Ok(last.pop().expect("a model has a block"))
    }

    /// The hidden states after each of the last so many blocks, or of all if there are fewer, `[tokens, hidden]` each: the
    /// last ones are the final ones.
    pub(crate) fn last_layers(
        &self,
        batch: &TokenBatch,
        adapter: Option<&Adapter>,
        mut past: Past<'_>,
        layers: usize,
    ) -> Result<Vec<Value>> {
        let before = match &past {
            Past::Prefix(length, _) => *length,
            Past::Nothing | Past::NothingAndForget | Past::Record(_) => 0,
        };
        let positions: Arc<[u32]> =
            batch.offsets().positions().into_iter().map(|position| position + before as u32).collect();
        let longest = positions.iter().max().map_or(0, |last| *last as usize + 1);
        if longest > self.context {
            return Err(Error::PastContext { tokens: longest, limit: self.context });
        }
        let pass = Pass { adapter, offsets: batch.offsets(), positions: &positions, rotary: &self.rotary };
        let mut x = self.embed(batch, &positions)?;
        let mut last = Vec::with_capacity(layers.min(self.blocks.len()));
        for (index, block) in self.blocks.iter().enumerate() {
            x = match (&mut past, adapter) {
                (Past::Prefix(_, prefix), _) => block.forward(&x, pass, Some(&prefix[index]), None)?,
                (Past::Record(record), _) => block.forward(&x, pass, None, Some(record))?,
                (Past::NothingAndForget, Some(adapter)) => self.forward_and_forget(block, &x, pass, adapter)?,
                (Past::Nothing | Past::NothingAndForget, _) => block.forward(&x, pass, None, None)?,
            };
            if index + layers >= self.blocks.len() {
                last.push(x.clone());
            }
        }
        if let (Some(norm), Some(x)) = (&self.final_norm, last.last_mut()) {
            *x = norm.forward(x)?;
        }
        Ok(last)
    }

    /// One block, whose activations are computed again when its gradients are.
    fn forward_and_forget(
        &self,
        block: &Arc<LoadedBlock>,
        x: &Value,
        pass: Pass<'_>,
        adapter: &Adapter,
    ) -> Result<Value> {
        let sites = block.layers().into_iter().filter_map(|layer| layer.site);
        let leaves: Vec<Value> =
            sites.map(|site| adapter.lora(site)).flat_map(|lora| [lora.a.clone(), lora.b.clone()]).collect();
        let leaves: Vec<&Value> = leaves.iter().collect();
        let (block, adapter, rotary) = (Arc::clone(block), adapter.clone(), Arc::clone(&self.rotary));
        let (offsets, positions) = (pass.offsets.clone(), Arc::clone(pass.positions));
        let part = move |x: &Value| {
            let pass = Pass { adapter: Some(&adapter), offsets: &offsets, positions: &positions, rotary: &rotary };
            block.forward(x, pass, None, None).map_err(|error| match error {
                Error::Computation(error) => error,
                other => unreachable!("a block only computes: {other}"),
            })
        };
        Ok(checkpoint(x, &leaves, Arc::new(part))?)
    }

    fn embed(&self, batch: &TokenBatch, positions: &[u32]) -> Result<Value> {
        let Embeddings { words, scale: factor, positions: learned, token_types, norm } = &self.embeddings;
        let mut x = words.rows(batch.token_ids())?;
        if let Some(factor) = factor {
            x = scale(&x, *factor)?;
        }
        if let Some(token_types) = token_types {
            x = add(&x, &token_types.rows(&vec![0; positions.len()])?)?;
        }
        if let Some((learned, first)) = learned {
            let rows: Vec<u32> = positions.iter().map(|position| position + *first as u32).collect();
            x = add(&x, &learned.rows(&rows)?)?;
        }
        match norm {
            Some(norm) => norm.forward(&x),
            None => Ok(x),
        }
    }
}

impl BranchNorms<Normalization> {
    fn read(&self, x: &Value) -> Result<Value> {
        self.before.as_ref().map_or_else(|| Ok(x.clone()), |norm| norm.forward(x))
    }

    /// Adds what the branch gives to `x`.
    fn join(&self, x: &Value, given: Value) -> Result<Value> {
        let given = match &self.after {
            Some(norm) => norm.forward(&given)?,
            None => given,
        };
        let sum = add(&given, x)?;
        match &self.of_sum {
            Some(norm) => norm.forward(&sum),
            None => Ok(sum),
        }
    }
}

impl LoadedBlock {
    fn forward(
        &self,
        x: &Value,
        pass: Pass<'_>,
        prefix: Option<&KeyValues>,
        record: Option<&mut Vec<KeyValues>>,
    ) -> Result<Value> {
        let attended = self.attention.forward(&self.attention_norms.read(x)?, pass, prefix, record)?;
        let after_attention = self.attention_norms.join(x, attended)?;
        let read = if self.parallel { x } else { &after_attention };
        let fed = self.feed_forward.forward(&self.feed_forward_norms.read(read)?, pass.adapter)?;
        self.feed_forward_norms.join(&after_attention, fed)
    }
}

impl Attention<Linear, Normalization> {
    fn forward(
        &self,
        x: &Value,
        pass: Pass<'_>,
        prefix: Option<&KeyValues>,
        record: Option<&mut Vec<KeyValues>>,
    ) -> Result<Value> {
        let [mut query, mut key, value] = self.project(x, pass.adapter)?;
        if let Some([query_norm, key_norm]) = &self.query_key_norms {
            query = query_norm.forward(&query)?;
            key = key_norm.forward(&key)?;
        }
        if let Some(table) = self.rotary {
            query = rotary(&query, &pass.rotary[table], pass.positions)?;
            key = rotary(&key, &pass.rotary[table], pass.positions)?;
        }
        if let Some(record) = record {
            record.push(KeyValues { keys: key.clone(), values: value.clone() });
        }
        let mixed = attention(&query, &key, &value, self.settings, pass.offsets, prefix)?;
        self.output.forward(&mixed, pass.adapter)
    }

    /// Queries, keys and values.
    fn project(&self, x: &Value, adapter: Option<&Adapter>) -> Result<[Value; 3]> {
        match &self.projections {
            QueryKeyValue::Separate { query, key, value } => {
                Ok([query.forward(x, adapter)?, key.forward(x, adapter)?, value.forward(x, adapter)?])
            }
            QueryKeyValue::Fused { projection, layout } => {
                let all = projection.forward(x, adapter)?;
                let (heads, head_dim) = (self.settings.heads, self.settings.head_dim);
                let part = |index: usize| {
                    let blocks = match layout {
                        FusedLayout::ByPart => ColumnBlocks::one(index * heads * head_dim, heads * head_dim),
                        FusedLayout::ByHead => ColumnBlocks {
                            first: index * head_dim,
                            width: head_dim,
                            stride: 3 * head_dim,
                            blocks: heads,
                        },
                    };
                    columns(&all, blocks)
                };
                Ok([part(0)?, part(1)?, part(2)?])
            }
        }
    }
}

impl FeedForward<Linear> {
    fn forward(&self, x: &Value, adapter: Option<&Adapter>) -> Result<Value> {
        match self {
            Self::Plain { up, activation: kind, down } => {
                down.forward(&activation(&up.forward(x, adapter)?, *kind)?, adapter)
            }
            Self::Gated { gate, up, activation, down } => {
                let gate = gate.forward(x, adapter)?;
                down.forward(&gated(&gate, &up.forward(x, adapter)?, *activation)?, adapter)
            }
            Self::FusedGated { gate_up, activation, down } => {
                let both = gate_up.forward(x, adapter)?;
                let width = both.shape()[1] / 2;
                let gate = columns(&both, ColumnBlocks::one(0, width))?;
                let up = columns(&both, ColumnBlocks::one(width, width))?;
                down.forward(&gated(&gate, &up, *activation)?, adapter)
            }
        }
    }
}
