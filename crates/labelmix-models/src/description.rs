//! What a transformer is made of, as its configuration says: names and shapes of the weights, and how the layers are
//! joined. Every architecture describes itself in these terms (`architectures`); loading puts weights where the names
//! stand, and one executor runs them all (`transformer`).

use labelmix_nn::{Activation, AttentionSettings};

/// A transformer without a head.
#[derive(Debug)]
pub(crate) struct Description {
    /// The architecture's name, for people.
    pub(crate) architecture: &'static str,
    pub(crate) kind: Kind,
    /// What checkpoints with a head put before the transformer's own names.
    pub(crate) prefix: &'static str,
    pub(crate) vocabulary: usize,
    pub(crate) hidden: usize,
    /// The largest number of tokens that the model reads.
    pub(crate) context: usize,
    /// The standard deviation of freshly initialised weights.
    pub(crate) initializer_range: f64,
    pub(crate) embeddings: Embeddings<Table, Norm>,
    /// The rotary embeddings that blocks refer to by their place in this list.
    pub(crate) rotary: Vec<Rotary>,
    pub(crate) blocks: Vec<Block<Projection, Norm>>,
    pub(crate) final_norm: Option<Norm>,
    /// BERT's pooler, which a checkpoint may lack.
    pub(crate) pooler: Option<Projection>,
    /// The language-modelling head of a decoder.
    pub(crate) language_head: Option<LanguageHead>,
}

/// Which way a transformer looks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// At what came before.
    Decoder,
    /// In both directions.
    Encoder,
}

/// What token ids become.
#[derive(Debug)]
pub(crate) struct Embeddings<T, N> {
    /// One row for each token id.
    pub(crate) words: T,
    /// What word embeddings are multiplied by.
    pub(crate) scale: Option<f32>,
    /// Learned positions, with the row of the first.
    pub(crate) positions: Option<(T, usize)>,
    /// Of which the first is taken.
    pub(crate) token_types: Option<T>,
    pub(crate) norm: Option<N>,
}

/// A weight matrix `[rows, hidden]` of which rows are picked.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    pub(crate) name: String,
    pub(crate) rows: usize,
}

/// A rotary embedding: the frequencies of a head's pairs of dimensions.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Rotary {
    pub(crate) head_dim: usize,
    pub(crate) frequencies: Vec<f32>,
}

/// A normalisation of `size` columns.
#[derive(Clone, Debug)]
pub(crate) struct Norm {
    pub(crate) name: String,
    pub(crate) size: usize,
    pub(crate) kind: NormKind,
    pub(crate) epsilon: f32,
}

impl Norm {
    pub(crate) fn parameters(&self) -> usize {
        self.size * if self.kind == NormKind::Layer { 2 } else { 1 }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum NormKind {
    /// By the root mean square.
    RootMeanSquare,
    /// By the root mean square, times one plus the stored weight (Gemma).
    RootMeanSquarePlusOne,
    /// By mean and variance, with a bias.
    Layer,
    /// By mean and variance.
    LayerWithoutBias,
}

impl NormKind {
    pub(crate) fn is_root_mean_square(self) -> bool {
        matches!(self, Self::RootMeanSquare | Self::RootMeanSquarePlusOne)
    }
}

/// A linear layer that LoRA may adapt.
#[derive(Clone, Debug)]
pub(crate) struct Projection {
    pub(crate) name: String,
    pub(crate) outputs: usize,
    pub(crate) inputs: usize,
    pub(crate) bias: bool,
    /// Whether the checkpoint stores it as `[inputs, outputs]` (GPT-2's Conv1D).
    pub(crate) transposed: bool,
}

impl Projection {
    /// A layer stored as `[outputs, inputs]`.
    pub(crate) fn new(name: impl Into<String>, [outputs, inputs]: [usize; 2], bias: bool) -> Self {
        Self { name: name.into(), outputs, inputs, bias, transposed: false }
    }
}

/// One block: attention and feed-forward, each added to what came in.
#[derive(Debug)]
pub(crate) struct Block<L, N> {
    pub(crate) attention: Attention<L, N>,
    pub(crate) attention_norms: BranchNorms<N>,
    pub(crate) feed_forward: FeedForward<L>,
    pub(crate) feed_forward_norms: BranchNorms<N>,
    /// Whether both branches read the block's input (GPT-NeoX), not the second what the first gives.
    pub(crate) parallel: bool,
}

/// Where a branch normalises.
#[derive(Debug)]
pub(crate) struct BranchNorms<N> {
    /// What the branch reads.
    pub(crate) before: Option<N>,
    /// What the branch gives, before it is added.
    pub(crate) after: Option<N>,
    /// The sum (BERT).
    pub(crate) of_sum: Option<N>,
}

impl<N> BranchNorms<N> {
    pub(crate) fn before(norm: N) -> Self {
        Self { before: Some(norm), after: None, of_sum: None }
    }

    pub(crate) fn of_sum(norm: N) -> Self {
        Self { before: None, after: None, of_sum: Some(norm) }
    }

    pub(crate) fn around(before: N, after: N) -> Self {
        Self { before: Some(before), after: Some(after), of_sum: None }
    }

    pub(crate) fn none() -> Self {
        Self { before: None, after: None, of_sum: None }
    }
}

#[derive(Debug)]
pub(crate) struct Attention<L, N> {
    pub(crate) projections: QueryKeyValue<L>,
    pub(crate) output: L,
    pub(crate) settings: AttentionSettings,
    /// The place of the rotary embedding in the description's list.
    pub(crate) rotary: Option<usize>,
    /// Normalises each head of the queries and of the keys (Qwen3).
    pub(crate) query_key_norms: Option<[N; 2]>,
}

#[derive(Debug)]
pub(crate) enum QueryKeyValue<L> {
    Separate { query: L, key: L, value: L },
    Fused { projection: L, layout: FusedLayout },
}

/// How the outputs of a projection to queries, keys and values together are ordered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum FusedLayout {
    /// All queries, then all keys, then all values.
    ByPart,
    /// Head by head: its query, its key, its value.
    ByHead,
}

#[derive(Debug)]
pub(crate) enum FeedForward<L> {
    Plain {
        up: L,
        activation: Activation,
        down: L,
    },
    Gated {
        gate: L,
        up: L,
        activation: Activation,
        down: L,
    },
    /// The gate's outputs, then the other factor's, from one projection.
    FusedGated {
        gate_up: L,
        activation: Activation,
        down: L,
    },
}

/// A language-modelling head.
#[derive(Clone, Debug)]
pub(crate) struct LanguageHead {
    /// The name of its weight `[vocabulary, hidden]`, outside the transformer; `None` if it is the word embedding's.
    pub(crate) weight: Option<&'static str>,
    /// The name that its weight has in a checkpoint that stores one, tied or not.
    pub(crate) name: &'static str,
    /// The magnitude that logits cannot exceed (Gemma 2).
    pub(crate) soft_cap: Option<f32>,
}

impl LanguageHead {
    /// A head with a weight of this name, or one whose weight is `tied` to the word embedding's.
    pub(crate) fn new(name: &'static str, tied: bool, soft_cap: Option<f32>) -> Self {
        Self { weight: (!tied).then_some(name), name, soft_cap }
    }
}

impl<L, N> Block<L, N> {
    /// The same block with its layers and norms turned into something else; layers in the order in which they are used.
    pub(crate) fn try_map<M, O, E>(
        &self,
        mut layer: impl FnMut(&L) -> Result<M, E>,
        mut norm: impl FnMut(&N) -> Result<O, E>,
    ) -> Result<Block<M, O>, E> {
        let projections = match &self.attention.projections {
            QueryKeyValue::Separate { query, key, value } => {
                QueryKeyValue::Separate { query: layer(query)?, key: layer(key)?, value: layer(value)? }
            }
            QueryKeyValue::Fused { projection, layout } => {
                QueryKeyValue::Fused { projection: layer(projection)?, layout: *layout }
            }
        };
        let output = layer(&self.attention.output)?;
        let feed_forward = match &self.feed_forward {
            FeedForward::Plain { up, activation, down } => {
                FeedForward::Plain { up: layer(up)?, activation: *activation, down: layer(down)? }
            }
            FeedForward::Gated { gate, up, activation, down } => {
                FeedForward::Gated { gate: layer(gate)?, up: layer(up)?, activation: *activation, down: layer(down)? }
            }
            FeedForward::FusedGated { gate_up, activation, down } => {
                FeedForward::FusedGated { gate_up: layer(gate_up)?, activation: *activation, down: layer(down)? }
            }
        };
        let query_key_norms = match &self.attention.query_key_norms {
            Some([query, key]) => Some([norm(query)?, norm(key)?]),
            None => None,
        };
        let mut norms = |norms: &BranchNorms<N>| {
            Ok(BranchNorms {
                before: norms.before.as_ref().map(&mut norm).transpose()?,
                after: norms.after.as_ref().map(&mut norm).transpose()?,
                of_sum: norms.of_sum.as_ref().map(&mut norm).transpose()?,
            })
        };
        Ok(Block {
            attention_norms: norms(&self.attention_norms)?,
            feed_forward_norms: norms(&self.feed_forward_norms)?,
            attention: Attention {
                projections,
                output,
                settings: self.attention.settings,
                rotary: self.attention.rotary,
                query_key_norms,
            },
            feed_forward,
            parallel: self.parallel,
        })
    }
}

impl Description {
    /// Roughly the number of parameters, for a check that no overflow can pass.
    pub(crate) fn parameters_at_most(&self) -> f64 {
        let product = |[rows, columns]: [usize; 2]| rows as f64 * columns as f64;
        let positions = self.embeddings.positions.as_ref().map(|(table, _)| table.rows);
        let rows = self.embeddings.words.rows + positions.unwrap_or(0);
        let layers = self.projections().into_iter().map(|layer| product([layer.outputs, layer.inputs]));
        product([rows, self.hidden]) + layers.sum::<f64>()
    }

    /// The linear layers of all blocks.
    pub(crate) fn projections(&self) -> Vec<&Projection> {
        self.blocks.iter().flat_map(Block::layers).collect()
    }

    /// The rotary embedding's place in the list, where it is put if it is new.
    pub(crate) fn place_rotary(list: &mut Vec<Rotary>, rotary: Rotary) -> usize {
        list.iter().position(|known| *known == rotary).unwrap_or_else(|| {
            list.push(rotary);
            list.len() - 1
        })
    }
}

impl<L, N> Block<L, N> {
    /// The linear layers, in the order in which they are used.
    pub(crate) fn layers(&self) -> Vec<&L> {
        let mut layers = match &self.attention.projections {
            QueryKeyValue::Separate { query, key, value } => vec![query, key, value],
            QueryKeyValue::Fused { projection, .. } => vec![projection],
        };
        layers.push(&self.attention.output);
        match &self.feed_forward {
            FeedForward::Plain { up, down, .. } => layers.extend([up, down]),
            FeedForward::Gated { gate, up, down, .. } => layers.extend([gate, up, down]),
            FeedForward::FusedGated { gate_up, down, .. } => layers.extend([gate_up, down]),
        }
        layers
    }

    /// The normalisations of the residual stream and of the heads.
    pub(crate) fn norms(&self) -> Vec<&N> {
        let branches = [&self.attention_norms, &self.feed_forward_norms];
        let of_branches = branches.into_iter().flat_map(|norms| [&norms.before, &norms.after, &norms.of_sum]).flatten();
        of_branches.chain(self.attention.query_key_norms.iter().flatten()).collect()
    }
}
