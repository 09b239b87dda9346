//! Scaled dot-product attention over concatenated sequences of different lengths.
//!
//! The score matrix of one head exists for one block of queries at a time, on the stack of work of one thread;
//! the backward pass computes it again from the saved logarithm of each row's sum (as Dao et al. 2022 do), so the
//! memory kept per layer is the output and one number per query and head, whatever the length.

use std::ops::Range;

use candle_core::{D, DType, Tensor};

use crate::array::{Array, Buffer};
use crate::error::{Error, Result};
use crate::matmul::{Matrix, MatrixMut, Threads, multiply};
use crate::parallel;
use crate::sequence::SequenceOffsets;
use crate::softmax::{differentiate_softmax_rows, restore_rows, softmax_rows};
use crate::value::{Backward, Existing, InputGradient, Operation, Value, apply};

/// Queries that are handled together: their scores against a thousand keys fill half a core's second-level cache.
const QUERY_BLOCK: usize = 64;

/// Which keys a query sees.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mask {
    /// All of its sequence (encoders).
    None,
    /// Itself and what comes before it in its sequence (decoders).
    Causal,
}

/// The heads of an attention layer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AttentionShape {
    /// The number of query heads.
    pub heads: usize,
    /// The number of key and value heads; `heads` is a multiple of it (grouped queries, Ainslie et al. 2023).
    pub key_value_heads: usize,
    /// The size of each head.
    pub head_dim: usize,
}

/// `softmax(q·kᵀ / sqrt(head_dim))·v`, head by head and sequence by sequence. `q [tokens, heads·head_dim]`,
/// `k` and `v [tokens, key_value_heads·head_dim]`; the result has the shape of q.
///
/// # Errors
/// If the shapes do not fit.
pub fn attention(
    q: &Value,
    k: &Value,
    v: &Value,
    shape: AttentionShape,
    mask: Mask,
    offsets: &SequenceOffsets,
) -> Result<Value> {
    let tokens = offsets.total();
    let query_columns = shape.heads * shape.head_dim;
    let key_columns = shape.key_value_heads * shape.head_dim;
    let fits = q.shape() == [tokens, query_columns]
        && k.shape() == [tokens, key_columns]
        && v.shape() == [tokens, key_columns]
        && shape.key_value_heads > 0
        && shape.heads.is_multiple_of(shape.key_value_heads);
    if !fits {
        return Err(Error::Shape {
            operation: "attention",
            expected: "q [tokens, heads·head_dim], k and v [tokens, key_value_heads·head_dim]",
            shapes: vec![
                q.shape().to_vec(),
                k.shape().to_vec(),
                v.shape().to_vec(),
                vec![tokens, query_columns, key_columns],
            ],
        });
    }
    apply(&Attention { shape, mask, offsets: offsets.clone() }, &[q, k, v])
}

#[derive(Clone)]
struct Attention {
    shape: AttentionShape,
    mask: Mask,
    offsets: SequenceOffsets,
}

/// The part of a layer's attention that one task computes: one sequence and one key/value head with the query
/// heads that share it. No two tasks write to the same memory.
struct Part {
    tokens: Range<usize>,
    key_value_head: usize,
    query_heads: Range<usize>,
}

/// A block of queries of one sequence, and the number of its keys that any of them sees.
struct Block {
    queries: Range<usize>,
    keys: usize,
}

impl Attention {
    fn scale(&self) -> f32 {
        1.0 / (self.shape.head_dim as f32).sqrt()
    }

    fn query_columns(&self) -> usize {
        self.shape.heads * self.shape.head_dim
    }

    fn key_columns(&self) -> usize {
        self.shape.key_value_heads * self.shape.head_dim
    }

    fn over_parts(&self, work: impl Fn(Part) + Sync + Send) {
        let key_value_heads = self.shape.key_value_heads;
        let group = self.shape.heads / key_value_heads;
        let worth_sharing = self.offsets.total() * self.shape.heads * self.shape.head_dim >= 16 * 1024;
        parallel::over_tasks(self.offsets.sequences() * key_value_heads, worth_sharing, |task| {
            let key_value_head = task % key_value_heads;
            work(Part {
                tokens: self.offsets.range(task / key_value_heads),
                key_value_head,
                query_heads: key_value_head * group..(key_value_head + 1) * group,
            });
        });
    }

    fn blocks(&self, length: usize) -> impl Iterator<Item = Block> {
        let mask = self.mask;
        (0..length).step_by(QUERY_BLOCK).map(move |start| {
            let end = (start + QUERY_BLOCK).min(length);
            let keys = match mask {
                Mask::None => length,
                Mask::Causal => end,
            };
            Block { queries: start..end, keys }
        })
    }

    /// The rows of one head of one sequence, from `array [tokens, columns]`.
    fn head<'a>(&self, values: &'a [f32], columns: usize, head: usize, tokens: Range<usize>) -> Matrix<'a> {
        let head_dim = self.shape.head_dim;
        Matrix::with_stride(&values[tokens.start * columns + head * head_dim..], tokens.len(), head_dim, columns)
    }

    /// The number of keys that the first query of a block sees, and by how many it grows from query to query.
    fn visibility(&self, block: &Block) -> (usize, usize) {
        match self.mask {
            Mask::None => (block.keys, 0),
            Mask::Causal => (block.queries.start + 1, 1),
        }
    }
}

/// Memory that tasks write disjoint head columns of.
struct SharedHeads {
    start: *mut f32,
    length: usize,
    columns: usize,
    head_dim: usize,
}

// SAFETY: `head` hands out each region to one task only (its callers' duty), so the pointer is never used to write
// to one place from two threads.
unsafe impl Sync for SharedHeads {}

impl SharedHeads {
    fn new(memory: &mut [f32], columns: usize, head_dim: usize) -> Self {
        Self { start: memory.as_mut_ptr(), length: memory.len(), columns, head_dim }
    }

    /// The rows of one head for the given tokens.
    ///
    /// # Safety
    /// The result spans the rows between its first and its last element, and with them other heads' columns: the
    /// caller writes only through a matrix of `head_dim` columns, and no other thread uses this head of these
    /// tokens meanwhile.
    unsafe fn head(&self, head: usize, tokens: Range<usize>) -> MatrixMut<'_> {
        let first = tokens.start * self.columns + head * self.head_dim;
        let span = (tokens.len() - 1) * self.columns + self.head_dim;
        assert!(first + span <= self.length);
        // SAFETY: within the memory, as just checked; exclusive by the caller's promise.
        let values = unsafe { std::slice::from_raw_parts_mut(self.start.add(first), span) };
        MatrixMut::with_stride(values, tokens.len(), self.head_dim, self.columns)
    }

    /// `length` consecutive elements.
    ///
    /// # Safety
    /// No other thread uses these elements meanwhile.
    #[expect(clippy::mut_from_ref, reason = "each task takes a region of its own")]
    unsafe fn elements(&self, first: usize, length: usize) -> &mut [f32] {
        assert!(first + length <= self.length);
        // SAFETY: within the memory, as just checked; exclusive by the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(first), length) }
    }
}

impl Operation for Attention {
    fn name(&self) -> &'static str {
        "attention"
    }

    fn fused(&self, inputs: &[&Array], differentiable: bool) -> (Array, Option<Box<dyn Backward>>) {
        let (q, k, v) = (inputs[0], inputs[1], inputs[2]);
        let (heads, tokens) = (self.shape.heads, self.offsets.total());
        let mut out = Buffer::uninitialised(q.values().len());
        // Head by head, so that one task's numbers lie together.
        let mut log_sums = Buffer::uninitialised(heads * tokens);
        let shared_out = SharedHeads::new(&mut out, self.query_columns(), self.shape.head_dim);
        let shared_log_sums = SharedHeads::new(&mut log_sums, 1, 1);
        self.over_parts(|part| {
            let length = part.tokens.len();
            let mut scores = Buffer::uninitialised(QUERY_BLOCK.min(length) * length);
            let mut block_log_sums = [0.0_f32; QUERY_BLOCK];
            for head in part.query_heads.clone() {
                for block in self.blocks(length) {
                    let count = block.queries.len();
                    let queries = part.tokens.start + block.queries.start..part.tokens.start + block.queries.end;
                    let keys = part.tokens.start..part.tokens.start + block.keys;
                    let scores = &mut scores[..count * block.keys];
                    let q = self.head(q.values(), self.query_columns(), head, queries.clone());
                    let k = self.head(k.values(), self.key_columns(), part.key_value_head, keys.clone());
                    let v = self.head(v.values(), self.key_columns(), part.key_value_head, keys);
                    let scores_out = MatrixMut::new(scores, count, block.keys);
                    multiply(scores_out, Existing::Arbitrary, self.scale(), q, k.transposed(), Threads::One);
                    let (first, step) = self.visibility(&block);
                    softmax_rows(scores, block.keys, first, step, &mut block_log_sums[..count]);
                    // SAFETY: this head of these tokens belongs to this part alone.
                    let out = unsafe { shared_out.head(head, queries.clone()) };
                    multiply(out, Existing::Arbitrary, 1.0, Matrix::new(scores, count, block.keys), v, Threads::One);
                    // SAFETY: as above, with one column per "head" and the heads stacked below each other.
                    let saved = unsafe { shared_log_sums.elements(head * tokens + queries.start, count) };
                    saved.copy_from_slice(&block_log_sums[..count]);
                }
            }
        });
        let out = Array::from_buffer(out, q.shape());
        let backward = differentiable.then(|| -> Box<dyn Backward> {
            Box::new(AttentionBackward { attention: self.clone(), q: q.clone(), k: k.clone(), v: v.clone(), log_sums })
        });
        (out, backward)
    }

    fn composed(&self, inputs: &[&Tensor]) -> candle_core::Result<Tensor> {
        let AttentionShape { heads, key_value_heads, head_dim } = self.shape;
        let group = heads / key_value_heads;
        let mut outputs = Vec::new();
        for tokens in self.offsets.ranges() {
            let length = tokens.len();
            let split = |x: &Tensor, heads: usize| {
                x.narrow(0, tokens.start, length)?.reshape((length, heads, head_dim))?.transpose(0, 1)?.contiguous()
            };
            let repeat = |x: Tensor| {
                x.unsqueeze(1)?
                    .broadcast_as((key_value_heads, group, length, head_dim))?
                    .reshape((heads, length, head_dim))
            };
            let q = split(inputs[0], heads)?;
            let k = repeat(split(inputs[1], key_value_heads)?)?;
            let v = repeat(split(inputs[2], key_value_heads)?)?;
            let mut scores = (q.matmul(&k.transpose(1, 2)?.contiguous()?)? * f64::from(self.scale()))?;
            if self.mask == Mask::Causal {
                let hidden: Vec<f32> = (0..length)
                    .flat_map(|query| (0..length).map(move |key| if key > query { f32::NEG_INFINITY } else { 0.0 }))
                    .collect();
                let hidden =
                    Tensor::from_vec(hidden, (1, length, length), scores.device())?.to_dtype(scores.dtype())?;
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

struct AttentionBackward {
    attention: Attention,
    q: Array,
    k: Array,
    v: Array,
    /// `[heads, tokens]`.
    log_sums: Buffer,
}

impl AttentionBackward {
    /// Everything that one task owes: dq for its query heads, dk and dv for its key/value head.
    fn differentiate_part(&self, part: &Part, gradient: &[f32], dq: &SharedHeads, dk: &SharedHeads, dv: &SharedHeads) {
        let attention = &self.attention;
        let (query_columns, key_columns) = (attention.query_columns(), attention.key_columns());
        let (head_dim, scale) = (attention.shape.head_dim, attention.scale());
        let length = part.tokens.len();
        let mut probabilities = Buffer::uninitialised(QUERY_BLOCK.min(length) * length);
        let mut dscores = Buffer::uninitialised(QUERY_BLOCK.min(length) * length);
        // Summed here over the query heads and blocks, then written once.
        let mut dk_sum = Buffer::zeros(length * head_dim);
        let mut dv_sum = Buffer::zeros(length * head_dim);
        for head in part.query_heads.clone() {
            for block in attention.blocks(length) {
                let (count, keys) = (block.queries.len(), block.keys);
                let query_tokens = part.tokens.start + block.queries.start..part.tokens.start + block.queries.end;
                let key_tokens = part.tokens.start..part.tokens.start + keys;
                let q = attention.head(self.q.values(), query_columns, head, query_tokens.clone());
                let dout = attention.head(gradient, query_columns, head, query_tokens.clone());
                let k = attention.head(self.k.values(), key_columns, part.key_value_head, key_tokens.clone());
                let v = attention.head(self.v.values(), key_columns, part.key_value_head, key_tokens);
                let p = &mut probabilities[..count * keys];
                let ds = &mut dscores[..count * keys];
                let p_out = MatrixMut::new(p, count, keys);
                multiply(p_out, Existing::Arbitrary, scale, q, k.transposed(), Threads::One);
                let (first, step) = attention.visibility(&block);
                let first_log_sum = head * attention.offsets.total() + query_tokens.start;
                restore_rows(p, keys, first, step, &self.log_sums[first_log_sum..first_log_sum + count]);
                let ds_out = MatrixMut::new(ds, count, keys);
                multiply(ds_out, Existing::Arbitrary, 1.0, dout, v.transposed(), Threads::One);
                let dv_out = MatrixMut::new(&mut dv_sum[..keys * head_dim], keys, head_dim);
                multiply(dv_out, Existing::Gradient, 1.0, Matrix::new(p, count, keys).transposed(), dout, Threads::One);
                differentiate_softmax_rows(ds, p, keys);
                let ds = Matrix::new(ds, count, keys);
                // SAFETY: this head of these tokens belongs to this part alone.
                let dq_out = unsafe { dq.head(head, query_tokens) };
                multiply(dq_out, Existing::Arbitrary, scale, ds, k, Threads::One);
                let dk_out = MatrixMut::new(&mut dk_sum[..keys * head_dim], keys, head_dim);
                multiply(dk_out, Existing::Gradient, scale, ds.transposed(), q, Threads::One);
            }
        }
        for (target, sum) in [(dk, &dk_sum), (dv, &dv_sum)] {
            for (index, values) in sum.chunks_exact(head_dim).enumerate() {
                let token = part.tokens.start + index;
                // SAFETY: this key/value head of these tokens belongs to this part alone.
                unsafe { target.elements(token * key_columns + part.key_value_head * head_dim, head_dim) }
                    .copy_from_slice(values);
            }
        }
    }
}

impl Backward for AttentionBackward {
    fn backward(self: Box<Self>, gradient: Buffer, inputs: &mut [InputGradient]) {
        let mut dq = Buffer::uninitialised(self.q.values().len());
        let mut dk = Buffer::uninitialised(self.k.values().len());
        let mut dv = Buffer::uninitialised(self.v.values().len());
        let head_dim = self.attention.shape.head_dim;
        let shared_dq = SharedHeads::new(&mut dq, self.attention.query_columns(), head_dim);
        let shared_dk = SharedHeads::new(&mut dk, self.attention.key_columns(), head_dim);
        let shared_dv = SharedHeads::new(&mut dv, self.attention.key_columns(), head_dim);
        self.attention.over_parts(|part| self.differentiate_part(&part, &gradient, &shared_dq, &shared_dk, &shared_dv));
        inputs[0].give(dq);
        inputs[1].give(dk);
        inputs[2].give(dv);
    }
}
