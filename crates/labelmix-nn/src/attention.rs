//! Scaled dot-product attention over concatenated sequences of different lengths.
//!
//! The score matrix of one head exists for one block of queries and the keys that they see, on the stack of work of
//! one thread; the backward pass computes it again from the saved logarithm of each row's sum (as Dao et al. 2022 do),
//! so the memory kept per layer is the output and one number per query and head, whatever the length.

mod backward;
mod prefix;

use std::ops::Range;

use candle_core::{D, DType, Tensor};

use crate::array::{Array, Buffer};
use crate::error::{Error, Result};
use crate::heads::SharedHeads;
use crate::mask::Mask;
use crate::matmul::{Matrix, MatrixMut, Threads, multiply};
use crate::parallel;
use crate::sequence::SequenceOffsets;
use crate::softmax::{cap_scores, softmax_rows};
use crate::value::{Backward, Existing, Operation, Value, apply};
use backward::AttentionBackward;
use prefix::Prefix;

/// Queries that are handled together: their scores against a thousand keys fill half a core's second-level cache.
const QUERY_BLOCK: usize = 64;

/// The heads of an attention layer and how they look at keys.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct AttentionSettings {
    /// The number of query heads.
    pub heads: usize,
    /// The number of key and value heads; `heads` is a multiple of it (grouped queries, Ainslie et al. 2023).
    pub key_value_heads: usize,
    /// The size of each head.
    pub head_dim: usize,
    /// What the products of queries and keys are multiplied by; `1 / sqrt(head_dim)` unless a checkpoint says else.
    pub scale: f32,
    /// The magnitude that scores cannot exceed (Gemma 2), by `cap · tanh(score / cap)`.
    pub soft_cap: Option<f32>,
    /// Which keys each query sees.
    pub mask: Mask,
}

/// Keys and values of a prefix, `[prefix tokens, key_value_heads·head_dim]` each, that every sequence continues.
#[derive(Clone)]
pub struct KeyValues {
    /// The keys, turned by their positions.
    pub keys: Value,
    pub values: Value,
}

/// `softmax(scale · q·kᵀ)·v`, head by head and sequence by sequence. `q [tokens, heads·head_dim]`, `k` and
/// `v [tokens, key_value_heads·head_dim]`; the result has the shape of q. With a prefix, every sequence continues it:
/// its queries see the prefix's keys too, and the mask counts positions from the prefix's beginning. So do sequences that
/// continue the first one ([`SequenceOffsets::behind`]), of which gradients flow into the first one too.
///
/// # Errors
/// If the shapes do not fit, or if a gradient is wanted behind a prefix.
pub fn attention(
    q: &Value,
    k: &Value,
    v: &Value,
    settings: AttentionSettings,
    offsets: &SequenceOffsets,
    prefix: Option<&KeyValues>,
) -> Result<Value> {
    let tokens = offsets.total();
    let query_columns = settings.heads * settings.head_dim;
    let key_columns = settings.key_value_heads * settings.head_dim;
    let fits = q.shape() == [tokens, query_columns]
        && k.shape() == [tokens, key_columns]
        && v.shape() == [tokens, key_columns]
        && settings.key_value_heads > 0
        && settings.heads.is_multiple_of(settings.key_value_heads);
    let prefix_fits = prefix.is_none_or(|prefix| {
        matches!(prefix.keys.shape(), [_, columns] if *columns == key_columns)
            && prefix.values.shape() == prefix.keys.shape()
    });
    let is_one_prefix = prefix.is_none() || offsets.shared() == 0;
    if !fits || !prefix_fits || !is_one_prefix {
        return Err(Error::Shape {
            operation: "attention",
            expected: "q [tokens, heads·head_dim], k and v [tokens, key_value_heads·head_dim], and one prefix at most",
            shapes: vec![
                q.shape().to_vec(),
                k.shape().to_vec(),
                v.shape().to_vec(),
                vec![tokens, query_columns, key_columns],
            ],
        });
    }
    let mut inputs = vec![q, k, v];
    if let Some(prefix) = prefix {
        inputs.extend([&prefix.keys, &prefix.values]);
        if inputs.iter().any(|input| input.needs_gradient()) {
            return Err(Error::PrefixGradient);
        }
    }
    apply(&Attention { settings, offsets: offsets.clone() }, &inputs)
}

#[derive(Clone)]
struct Attention {
    settings: AttentionSettings,
    offsets: SequenceOffsets,
}

/// The part of a layer's attention that one task computes: one sequence and one key/value head with the query
/// heads that share it. No two tasks write to the same memory.
struct Part {
    tokens: Range<usize>,
    key_value_head: usize,
    query_heads: Range<usize>,
}

/// A block of queries of one sequence, and the keys that any of them sees. Both count from the sequence's beginning.
struct Block {
    queries: Range<usize>,
    keys: Range<usize>,
    /// For each query, the columns of the scores that it sees.
    visible: Vec<Range<usize>>,
}

impl Attention {
    fn query_columns(&self) -> usize {
        self.settings.heads * self.settings.head_dim
    }

    fn key_columns(&self) -> usize {
        self.settings.key_value_heads * self.settings.head_dim
    }

    fn over_parts(&self, work: impl Fn(Part) + Sync + Send) {
        let key_value_heads = self.settings.key_value_heads;
        let group = self.settings.heads / key_value_heads;
        let worth_sharing = self.offsets.total() * self.query_columns() >= 16 * 1024;
        parallel::over_tasks(self.offsets.sequences() * key_value_heads, worth_sharing, |task| {
            let key_value_head = task % key_value_heads;
            work(Part {
                tokens: self.offsets.range(task / key_value_heads),
                key_value_head,
                query_heads: key_value_head * group..(key_value_head + 1) * group,
            });
        });
    }

    /// The blocks of a sequence of `length` queries.
    fn blocks(&self, length: usize) -> impl Iterator<Item = Block> {
        let mask = self.settings.mask;
        (0..length).step_by(QUERY_BLOCK).map(move |start| {
            let queries = start..(start + QUERY_BLOCK).min(length);
            let keys = mask.visible_to_any(queries.clone(), length);
            let visible = queries
                .clone()
                .map(|query| mask.visible(query, length))
                .map(|seen| seen.start - keys.start..seen.end - keys.start)
                .collect();
            Block { queries, keys, visible }
        })
    }

    /// The most scores that a block of such a sequence has.
    fn largest_block(&self, length: usize) -> usize {
        self.blocks(length).map(|block| block.queries.len() * block.keys.len()).max().unwrap_or(0)
    }

    /// The rows of one head of some tokens, from `values [tokens, columns]`.
    fn head<'a>(&self, values: &'a [f32], columns: usize, head: usize, tokens: Range<usize>) -> Matrix<'a> {
        let head_dim = self.settings.head_dim;
        Matrix::with_stride(&values[tokens.start * columns + head * head_dim..], tokens.len(), head_dim, columns)
    }

    /// `scores = scale · q·kᵀ`, soft-capped if the settings say so: `q [queries, head_dim]`, `k [keys, head_dim]`.
    fn scores(&self, scores: &mut [f32], q: Matrix<'_>, k: Matrix<'_>) {
        let out = MatrixMut::new(scores, q.rows(), k.rows());
        multiply(out, Existing::Arbitrary, self.settings.scale, q, k.transposed(), Threads::One);
        if let Some(cap) = self.settings.soft_cap {
            cap_scores(scores, cap);
        }
    }

    /// The attention of every sequence to itself: `out [tokens, heads·head_dim]`, and the logarithms of the sums of the
    /// scores' exponentials, `log_sums [heads, tokens]`.
    fn attend_to_self(&self, out: &mut [f32], log_sums: &mut [f32], [q, k, v]: [&Array; 3]) {
        let tokens = self.offsets.total();
        let out = SharedHeads::new(out, self.query_columns(), self.settings.head_dim);
        let log_sums = SharedHeads::new(log_sums, 1, 1);
        self.over_parts(|part| {
            let mut scores = Buffer::uninitialised(self.largest_block(part.tokens.len()));
            let mut block_log_sums = [0.0_f32; QUERY_BLOCK];
            for block in self.blocks(part.tokens.len()) {
                let (count, keys) = (block.queries.len(), block.keys.len());
                let queries = part.tokens.start + block.queries.start..part.tokens.start + block.queries.end;
                let seen = part.tokens.start + block.keys.start..part.tokens.start + block.keys.end;
                let k = self.head(k.values(), self.key_columns(), part.key_value_head, seen.clone());
                let v = self.head(v.values(), self.key_columns(), part.key_value_head, seen);
                let scores = &mut scores[..count * keys];
                for head in part.query_heads.clone() {
                    self.scores(scores, self.head(q.values(), self.query_columns(), head, queries.clone()), k);
                    softmax_rows(scores, &block.visible, &mut block_log_sums[..count]);
                    // SAFETY: this head of these tokens belongs to this part alone.
                    let out = unsafe { out.head(head, queries.clone()) };
                    multiply(out, Existing::Arbitrary, 1.0, Matrix::new(scores, count, keys), v, Threads::One);
                    // SAFETY: as above, with one column per "head" and the heads stacked below each other.
                    let saved = unsafe { log_sums.elements(head * tokens + queries.start, count) };
                    saved.copy_from_slice(&block_log_sums[..count]);
                }
            }
        });
    }
}

impl Operation for Attention {
    fn name(&self) -> &'static str {
        "attention"
    }

    fn fused(&self, inputs: &[&Array], differentiable: bool) -> (Array, Option<Box<dyn Backward>>) {
        let (q, k, v) = (inputs[0], inputs[1], inputs[2]);
        let mut out = Buffer::uninitialised(q.values().len());
        // Head by head, so that one task's numbers lie together.
        let mut log_sums = Buffer::uninitialised(self.settings.heads * self.offsets.total());
        self.attend_to_self(&mut out, &mut log_sums, [q, k, v]);
        let shared = self.offsets.shared();
        if let [_, _, _, keys, values] = inputs {
            let prefix = Prefix { keys, values, length: keys.rows(), continued_from: 0 };
            self.attend_to_prefix(&mut out, &mut log_sums, q, prefix);
        } else if shared > 0 {
            let prefix = Prefix { keys: k, values: v, length: shared, continued_from: shared };
            self.attend_to_prefix(&mut out, &mut log_sums, q, prefix);
        }
        let out = Array::from_buffer(out, q.shape());
        let backward = differentiable.then(|| -> Box<dyn Backward> {
            let [q, k, v] = [q, k, v].map(Array::clone);
            let given = (shared > 0).then(|| out.clone());
            Box::new(AttentionBackward { attention: self.clone(), q, k, v, log_sums, given })
        });
        (out, backward)
    }

    fn composed(&self, inputs: &[&Tensor]) -> candle_core::Result<Tensor> {
        let AttentionSettings { heads, key_value_heads, head_dim, scale, soft_cap, mask } = self.settings;
        let group = heads / key_value_heads;
        let shared = self.offsets.shared();
        let mut outputs = Vec::new();
        for tokens in self.offsets.ranges() {
            let length = tokens.len();
            let rows = |input: &Tensor| input.narrow(0, tokens.start, length);
            let before = |own: &Tensor, given: Option<&&Tensor>| match given {
                Some(given) => Ok(Some((*given).clone())),
                None if shared > 0 && tokens.start > 0 => own.narrow(0, 0, shared).map(Some),
                None => Ok(None),
            };
            let behind_prefix = |own: &Tensor, given: Option<&&Tensor>| match before(own, given)? {
                Some(prefix) => Tensor::cat(&[&prefix, &rows(own)?], 0),
                None => rows(own),
            };
            let prefix = before(inputs[1], inputs.get(3))?.map_or(Ok(0), |keys| keys.dim(0))?;
            let keys = prefix + length;
            let split = |x: Tensor, length: usize, heads: usize| {
                x.reshape((length, heads, head_dim))?.transpose(0, 1)?.contiguous()
            };
            let repeat = |x: Tensor| {
                x.unsqueeze(1)?.broadcast_as((key_value_heads, group, keys, head_dim))?.reshape((heads, keys, head_dim))
            };
            let q = split(rows(inputs[0])?, length, heads)?;
            let k = repeat(split(behind_prefix(inputs[1], inputs.get(3))?, keys, key_value_heads)?)?;
            let v = repeat(split(behind_prefix(inputs[2], inputs.get(4))?, keys, key_value_heads)?)?;
            let mut scores = (q.matmul(&k.transpose(1, 2)?.contiguous()?)? * f64::from(scale))?;
            if let Some(cap) = soft_cap {
                scores = ((scores / f64::from(cap))?.tanh()? * f64::from(cap))?;
            }
            if mask != Mask::None {
                let hidden: Vec<f32> = (prefix..keys)
                    .flat_map(|query| {
                        let visible = mask.visible(query, keys);
                        (0..keys).map(move |key| if visible.contains(&key) { 0.0 } else { f32::NEG_INFINITY })
                    })
                    .collect();
                let hidden = Tensor::from_vec(hidden, (1, length, keys), scores.device())?.to_dtype(scores.dtype())?;
                scores = scores.broadcast_add(&hidden)?;
            }
            let scores = scores.to_dtype(DType::F32)?;
            let shifted = scores.broadcast_sub(&scores.max_keepdim(D::Minus1)?.detach())?.exp()?;
            let probabilities = shifted.broadcast_div(&shifted.sum_keepdim(D::Minus1)?)?.to_dtype(v.dtype())?;
            outputs.push(probabilities.matmul(&v)?.transpose(0, 1)?.reshape((length, heads * head_dim))?);
        }
        Tensor::cat(&outputs, 0)
    }
}
