//! How much memory training takes, computed from the configuration alone.
//!
//! The activations are counted as the operations keep them: every result that a backward pass will read stays until
//! that pass has read it. `tests/memory.rs` holds the numbers against what a training step allocates.

use labelmix_nn::Precision;

use crate::description::{Block, Description, FeedForward, Norm, Projection, QueryKeyValue};

/// What decides how much memory training takes, besides the model.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MemoryRequest {
    /// Tokens that are processed at once.
    pub tokens: usize,
    /// The rank of the LoRA factors.
    pub lora_rank: usize,
    /// The precision in which the frozen linear layers are kept; `None` for as stored.
    pub precision: Option<Precision>,
    /// Whether activations are computed twice instead of kept.
    pub activation_checkpointing: bool,
}

/// Memory in bytes, by what it is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MemoryPlan {
    /// The frozen weights, held once however many runs use them.
    pub weights: u64,
    /// What one run trains: values, gradients, the optimizer's two moments, and the best checkpoints, the last and the next.
    pub adapter: u64,
    /// What one run keeps of the forward pass for the backward pass.
    pub activations: u64,
    /// What one run needs for a moment: gradients on their way, scores of attention.
    pub scratch: u64,
    /// The memory of steps of other lengths that one run keeps for steps to come: an eighth of what it has in use.
    pub spare: u64,
    /// The program itself with a tokenizer.
    pub program: u64,
}

impl MemoryPlan {
    /// The most that so many runs at once take.
    pub fn peak(&self, runs: usize) -> u64 {
        self.program + self.weights + runs as u64 * self.per_run()
    }

    /// The most runs at once that so much memory holds.
    pub fn runs_that_fit(&self, available: u64) -> usize {
        let left = available.saturating_sub(self.peak(0));
        usize::try_from(left / self.per_run().max(1)).unwrap_or(usize::MAX)
    }

    /// What each further run takes.
    pub fn per_run(&self) -> u64 {
        self.adapter + self.activations + self.scratch + self.spare
    }
}

/// Bytes of a number that is trained: its value, gradient, two moments, and its value in the best checkpoint and in the one
/// that takes its place.
const BYTES_PER_TRAINED: usize = 24;
const F32: usize = 4;
/// The program, its libraries and a tokenizer.
const PROGRAM_BYTES: u64 = 60 << 20;

impl Description {
    /// The parameters of the transformer, without heads.
    pub(crate) fn parameters(&self) -> usize {
        self.linear_parameters() + self.table_parameters() + self.vector_parameters()
    }

    /// The parameters of a head of its own for language modelling.
    pub(crate) fn language_head_parameters(&self) -> usize {
        match &self.language_head {
            Some(head) if head.weight.is_some() => self.vocabulary * self.hidden,
            _ => 0,
        }
    }

    /// The weights of the blocks' linear layers.
    pub(crate) fn linear_parameters(&self) -> usize {
        self.projections().iter().map(|layer| layer.outputs * layer.inputs).sum()
    }

    fn table_parameters(&self) -> usize {
        let positions = self.embeddings.positions.as_ref().map(|(table, _)| table);
        let tables = [Some(&self.embeddings.words), positions, self.embeddings.token_types.as_ref()];
        tables.into_iter().flatten().map(|table| table.rows * self.hidden).sum()
    }

    /// Biases and normalisations.
    fn vector_parameters(&self) -> usize {
        let biases: usize = self.projections().iter().filter(|layer| layer.bias).map(|layer| layer.outputs).sum();
        let norms = self.blocks.iter().flat_map(Block::norms).chain(&self.final_norm).chain(&self.embeddings.norm);
        biases + norms.map(Norm::parameters).sum::<usize>()
    }

    /// The memory of training with LoRA, where the checkpoint stores its weights in `stored`.
    pub(crate) fn memory(&self, stored: Precision, request: &MemoryRequest) -> MemoryPlan {
        let kept = |layer: &&Projection| {
            let elements = layer.outputs * layer.inputs;
            match request.precision {
                Some(precision) => precision.bytes(elements),
                // Transposed ones are copied in f32.
                None if layer.transposed => F32 * elements,
                None => stored.bytes(elements),
            }
        };
        let linear: usize = self.projections().iter().map(kept).sum();
        let weights = linear + stored.bytes(self.table_parameters()) + F32 * self.vector_parameters();
        let adapted: usize =
            self.projections().iter().map(|layer| request.lora_rank * (layer.inputs + layer.outputs)).sum();
        let trained = adapted + 2 * self.hidden + 2;
        let per_block: Vec<usize> =
            self.blocks.iter().map(|block| self.activations(block, request.lora_rank)).collect();
        // Embeddings (each table's rows and each sum), their norm, and the final norm.
        let tables = 1 + [self.embeddings.positions.is_some(), self.embeddings.token_types.is_some()]
            .iter()
            .filter(|there| **there)
            .count();
        let around = self.hidden
            * (2 * tables + usize::from(self.embeddings.norm.is_some()) + usize::from(self.final_norm.is_some()));
        let per_token = if request.activation_checkpointing {
            // Each block's result, and everything of the one that is being computed again.
            around + self.hidden * self.blocks.len() + per_block.iter().max().copied().unwrap_or(0)
        } else {
            around + per_block.iter().sum::<usize>()
        };
        let in_flight =
            self.blocks.iter().map(|block| self.gradients_in_flight(block) + request.lora_rank).max().unwrap_or(0);
        let bytes = |elements: usize| (F32 * elements) as u64;
        let adapter = (BYTES_PER_TRAINED * trained) as u64;
        MemoryPlan {
            weights: weights as u64,
            adapter,
            activations: bytes(per_token * request.tokens),
            scratch: bytes(in_flight * request.tokens),
            spare: (adapter + bytes((per_token + in_flight) * request.tokens)) / 8,
            program: PROGRAM_BYTES,
        }
    }

    /// Numbers that a block keeps for each token.
    fn activations(&self, block: &Block<Projection, Norm>, rank: usize) -> usize {
        let settings = &block.attention.settings;
        let (queries, keys) = (settings.heads * settings.head_dim, settings.key_value_heads * settings.head_dim);
        let mut kept = match &block.attention.projections {
            QueryKeyValue::Separate { .. } => queries + 2 * keys,
            // All together, then one by one.
            QueryKeyValue::Fused { .. } => 2 * (queries + 2 * keys),
        };
        if block.attention.query_key_norms.is_some() {
            kept += queries + keys;
        }
        if block.attention.rotary.is_some() {
            kept += queries + keys;
        }
        // What attention gives, with the logarithm of each row's sum, and its projection.
        kept += queries + settings.heads + self.hidden;
        kept += match &block.feed_forward {
            FeedForward::Plain { up, .. } => 2 * up.outputs,
            FeedForward::Gated { up, .. } => 3 * up.outputs,
            // Both, one by one, and their product.
            FeedForward::FusedGated { gate_up, .. } => gate_up.outputs * 2 + gate_up.outputs / 2,
        };
        kept += self.hidden;
        for norms in [&block.attention_norms, &block.feed_forward_norms] {
            // The sum, and each norm's result.
            let norms = [&norms.before, &norms.after, &norms.of_sum].iter().filter(|norm| norm.is_some()).count();
            kept += self.hidden * (1 + norms);
        }
        kept + rank * block.layers().len()
    }

    /// Numbers that the backward pass of a block holds at once for each token.
    fn gradients_in_flight(&self, block: &Block<Projection, Norm>) -> usize {
        let settings = &block.attention.settings;
        let parts = (settings.heads + 2 * settings.key_value_heads) * settings.head_dim;
        let attention = match &block.attention.projections {
            QueryKeyValue::Separate { .. } => parts,
            QueryKeyValue::Fused { .. } => 2 * parts,
        };
        let feed_forward = match &block.feed_forward {
            FeedForward::Plain { up, .. } => up.outputs,
            FeedForward::Gated { up, .. } => 2 * up.outputs,
            FeedForward::FusedGated { gate_up, .. } => 2 * gate_up.outputs,
        };
        // With the gradients of what the branches read and give.
        attention.max(feed_forward) + self.hidden * if block.parallel { 4 } else { 2 }
    }
}
