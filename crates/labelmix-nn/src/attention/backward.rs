//! The backward pass of attention.

use std::ops::Range;

use super::{Attention, Part};
use crate::array::{Array, Buffer};
use crate::heads::SharedHeads;
use crate::matmul::{Matrix, MatrixMut, Threads, multiply};
use crate::softmax::{cap_slopes, differentiate_rows_about, differentiate_softmax_rows, multiply_by, restore_rows};
use crate::value::{Backward, Existing, InputGradient};

pub(super) struct AttentionBackward {
    pub(super) attention: Attention,
    pub(super) q: Array,
    pub(super) k: Array,
    pub(super) v: Array,
    /// `[heads, tokens]`.
    pub(super) log_sums: Buffer,
    /// What came out, if sequences continue the first one.
    pub(super) given: Option<Array>,
}

/// Keys of one head that a block of queries sees, with their values.
pub(super) struct SeenKeys<'a> {
    pub(super) k: Matrix<'a>,
    pub(super) v: Matrix<'a>,
    /// For each query, which of them it sees.
    pub(super) visible: &'a [Range<usize>],
    /// `[heads, tokens]`, if queries see more than these: what the softmax's derivative is about.
    pub(super) about: Option<&'a [f32]>,
}

/// Memory for the scores of a block.
pub(super) struct Scratch {
    probabilities: Buffer,
    dscores: Buffer,
    /// Of the cap, if there is one.
    slopes: Buffer,
}

impl Scratch {
    pub(super) fn new(scores: usize, is_capped: bool) -> Self {
        let [probabilities, dscores, slopes] =
            [scores, scores, if is_capped { scores } else { 0 }].map(Buffer::uninitialised);
        Self { probabilities, dscores, slopes }
    }
}

impl AttentionBackward {
    /// Everything that one task owes: dq for its query heads, dk and dv for its key/value head. `about` is of queries that see
    /// more than their own sequence.
    fn differentiate_part(
        &self,
        part: &Part,
        gradient: &[f32],
        about: Option<&[f32]>,
        [dq, dk, dv]: [&SharedHeads<'_>; 3],
    ) {
        let attention = &self.attention;
        let settings = &attention.settings;
        let (key_columns, head_dim) = (attention.key_columns(), settings.head_dim);
        let length = part.tokens.len();
        let largest = attention.largest_block(length);
        let mut scratch = Scratch::new(largest, settings.soft_cap.is_some());
        // Summed here over the query heads and blocks, then written once.
        let mut dk_sum = Buffer::zeros(length * head_dim);
        let mut dv_sum = Buffer::zeros(length * head_dim);
        for block in attention.blocks(length) {
            let query_tokens = part.tokens.start + block.queries.start..part.tokens.start + block.queries.end;
            let summed = block.keys.start * head_dim..block.keys.end * head_dim;
            let seen = part.tokens.start + block.keys.start..part.tokens.start + block.keys.end;
            let keys = SeenKeys {
                k: attention.head(self.k.values(), key_columns, part.key_value_head, seen.clone()),
                v: attention.head(self.v.values(), key_columns, part.key_value_head, seen),
                visible: &block.visible,
                about,
            };
            for head in part.query_heads.clone() {
                // SAFETY: this head of these tokens belongs to this part alone.
                let dq = unsafe { dq.head(head, query_tokens.clone()) };
                let sums = [&mut dk_sum[summed.clone()], &mut dv_sum[summed.clone()]];
                let queries = (head, query_tokens.clone());
                self.differentiate_block(queries, &keys, gradient, &mut scratch, (dq, Existing::Arbitrary), sums);
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

    /// What one head of a block of queries owes for the keys that it sees: to dq, and to the sums of dk and dv.
    pub(super) fn differentiate_block(
        &self,
        (head, queries): (usize, Range<usize>),
        seen: &SeenKeys<'_>,
        gradient: &[f32],
        scratch: &mut Scratch,
        (dq, existing): (MatrixMut<'_>, Existing),
        [dk_sum, dv_sum]: [&mut [f32]; 2],
    ) {
        let attention = &self.attention;
        let (settings, columns) = (&attention.settings, attention.query_columns());
        let SeenKeys { k, v, visible, about } = *seen;
        let (count, keys, head_dim) = (queries.len(), k.rows(), settings.head_dim);
        let first_log_sum = head * attention.offsets.total() + queries.start;
        let of_block = first_log_sum..first_log_sum + count;
        let q = attention.head(self.q.values(), columns, head, queries.clone());
        let dout = attention.head(gradient, columns, head, queries);
        let p = &mut scratch.probabilities[..count * keys];
        let ds = &mut scratch.dscores[..count * keys];
        attention.scores(p, q, k);
        if let Some(cap) = settings.soft_cap {
            cap_slopes(&mut scratch.slopes[..count * keys], p, cap);
        }
        restore_rows(p, visible, &self.log_sums[of_block.clone()]);
        let ds_out = MatrixMut::new(ds, count, keys);
        multiply(ds_out, Existing::Arbitrary, 1.0, dout, v.transposed(), Threads::One);
        let dv_out = MatrixMut::new(dv_sum, keys, head_dim);
        multiply(dv_out, Existing::Gradient, 1.0, Matrix::new(p, count, keys).transposed(), dout, Threads::One);
        match about {
            Some(about) => differentiate_rows_about(ds, p, &about[of_block]),
            None => differentiate_softmax_rows(ds, p, keys),
        }
        if settings.soft_cap.is_some() {
            multiply_by(ds, &scratch.slopes[..count * keys]);
        }
        let ds = Matrix::new(ds, count, keys);
        multiply(dq, existing, settings.scale, ds, k, Threads::One);
        let dk_out = MatrixMut::new(dk_sum, keys, head_dim);
        multiply(dk_out, Existing::Gradient, settings.scale, ds.transposed(), q, Threads::One);
    }
}

impl Backward for AttentionBackward {
    fn backward(self: Box<Self>, gradient: Buffer, inputs: &mut [InputGradient]) {
        let mut dq = Buffer::uninitialised(self.q.values().len());
        let mut dk = Buffer::uninitialised(self.k.values().len());
        let mut dv = Buffer::uninitialised(self.v.values().len());
        let head_dim = self.attention.settings.head_dim;
        let shared_dq = SharedHeads::new(&mut dq, self.attention.query_columns(), head_dim);
        let shared_dk = SharedHeads::new(&mut dk, self.attention.key_columns(), head_dim);
        let shared_dv = SharedHeads::new(&mut dv, self.attention.key_columns(), head_dim);
        let shared = [&shared_dq, &shared_dk, &shared_dv];
        let about = self.given.as_ref().map(|given| self.products_with_output(&gradient, given));
        self.attention.over_parts(|part| self.differentiate_part(&part, &gradient, about.as_deref(), shared));
        if let Some(about) = &about {
            self.differentiate_shared(&gradient, about, shared);
        }
        inputs[0].give(dq);
        inputs[1].give(dk);
        inputs[2].give(dv);
    }
}
