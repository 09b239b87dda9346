//! The backward pass of attention.

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
        let (query_columns, key_columns) = (attention.query_columns(), attention.key_columns());
        let head_dim = settings.head_dim;
        let length = part.tokens.len();
        let largest = attention.largest_block(length);
        let mut probabilities = Buffer::uninitialised(largest);
        let mut dscores = Buffer::uninitialised(largest);
        let mut slopes = Buffer::uninitialised(if settings.soft_cap.is_some() { largest } else { 0 });
        // Summed here over the query heads and blocks, then written once.
        let mut dk_sum = Buffer::zeros(length * head_dim);
        let mut dv_sum = Buffer::zeros(length * head_dim);
        for block in attention.blocks(length) {
            let (count, keys) = (block.queries.len(), block.keys.len());
            let query_tokens = part.tokens.start + block.queries.start..part.tokens.start + block.queries.end;
            let summed = block.keys.start * head_dim..block.keys.end * head_dim;
            let seen = part.tokens.start + block.keys.start..part.tokens.start + block.keys.end;
            let k = attention.head(self.k.values(), key_columns, part.key_value_head, seen.clone());
            let v = attention.head(self.v.values(), key_columns, part.key_value_head, seen);
            let p = &mut probabilities[..count * keys];
            let ds = &mut dscores[..count * keys];
            for head in part.query_heads.clone() {
                let q = attention.head(self.q.values(), query_columns, head, query_tokens.clone());
                let dout = attention.head(gradient, query_columns, head, query_tokens.clone());
                attention.scores(p, q, k);
                if let Some(cap) = settings.soft_cap {
                    cap_slopes(&mut slopes[..count * keys], p, cap);
                }
                let first_log_sum = head * attention.offsets.total() + query_tokens.start;
                restore_rows(p, &block.visible, &self.log_sums[first_log_sum..first_log_sum + count]);
                let ds_out = MatrixMut::new(ds, count, keys);
                multiply(ds_out, Existing::Arbitrary, 1.0, dout, v.transposed(), Threads::One);
                let dv_out = MatrixMut::new(&mut dv_sum[summed.clone()], keys, head_dim);
                multiply(dv_out, Existing::Gradient, 1.0, Matrix::new(p, count, keys).transposed(), dout, Threads::One);
                match about {
                    Some(about) => differentiate_rows_about(ds, p, &about[first_log_sum..first_log_sum + count]),
                    None => differentiate_softmax_rows(ds, p, keys),
                }
                if settings.soft_cap.is_some() {
                    multiply_by(ds, &slopes[..count * keys]);
                }
                let ds = Matrix::new(ds, count, keys);
                // SAFETY: this head of these tokens belongs to this part alone.
                let dq_out = unsafe { dq.head(head, query_tokens.clone()) };
                multiply(dq_out, Existing::Arbitrary, settings.scale, ds, k, Threads::One);
                let dk_out = MatrixMut::new(&mut dk_sum[summed.clone()], keys, head_dim);
                multiply(dk_out, Existing::Gradient, settings.scale, ds.transposed(), q, Threads::One);
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
