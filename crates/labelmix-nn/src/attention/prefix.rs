//! Attention to a prefix that sequences continue, and its backward pass.
//!
//! All tokens of a batch see the same keys, so they are taken in blocks across sequences: short queries behind a long
//! prefix, as few-shot prompts have them, then cost few tall products instead of many flat ones. What comes out is
//! joined with each sequence's attention to itself by the sums of the scores' exponentials (as Dao et al. 2022 join
//! blocks of keys).

use std::ops::Range;

use super::backward::{AttentionBackward, Scratch, SeenKeys};
use super::{Attention, QUERY_BLOCK};
use crate::array::{Array, Buffer};
use crate::heads::SharedHeads;
use crate::matmul::{Matrix, MatrixMut, Threads, multiply};
use crate::parallel;
use crate::softmax::{join_attention, softmax_rows};
use crate::value::Existing;

/// The first so many rows of keys and values, `[tokens, key_value_heads·head_dim]`, and the first token of those that
/// continue them.
#[derive(Clone, Copy)]
pub(super) struct Prefix<'a> {
    pub(super) keys: &'a Array,
    pub(super) values: &'a Array,
    pub(super) length: usize,
    pub(super) continued_from: usize,
}

impl Attention {
    /// What tokens see of a prefix of so many tokens; what they see of their own sequence is counted elsewhere.
    fn visible_of_prefix(&self, length: usize, tokens: Range<usize>, positions: &[u32]) -> Vec<Range<usize>> {
        // Positions count from the beginning of a prefix that is among the sequences.
        let before = length - self.offsets.shared();
        let seen = |token: usize| self.settings.mask.visible(before + positions[token] as usize, usize::MAX);
        tokens.map(seen).map(|seen| seen.start.min(length)..seen.end.min(length)).collect()
    }

    /// Joins to `out`, the attention of every sequence to itself with the logarithms of its sums, the attention to a
    /// prefix; the logarithms become those of both.
    pub(super) fn attend_to_prefix(&self, out: &mut [f32], log_sums: &mut [f32], q: &Array, prefix: Prefix<'_>) {
        let Prefix { keys, values, length, continued_from } = prefix;
        let (tokens, head_dim, columns) = (self.offsets.total(), self.settings.head_dim, self.query_columns());
        let positions = self.offsets.positions();
        let blocks = (tokens - continued_from).div_ceil(QUERY_BLOCK);
        let out = SharedHeads::new(out, columns, head_dim);
        let log_sums = SharedHeads::new(log_sums, 1, 1);
        parallel::over_tasks(blocks * self.settings.heads, true, |task| {
            let head = task % self.settings.heads;
            let first = continued_from + task / self.settings.heads * QUERY_BLOCK;
            let queries = first..(first + QUERY_BLOCK).min(tokens);
            let count = queries.len();
            let key_value_head = head * self.settings.key_value_heads / self.settings.heads;
            let [k, v] =
                [keys, values].map(|array| self.head(array.values(), self.key_columns(), key_value_head, 0..length));
            let visible = self.visible_of_prefix(length, queries.clone(), &positions);
            let mut scores = Buffer::uninitialised(count * length);
            let mut prefix_log_sums = [0.0_f32; QUERY_BLOCK];
            self.scores(&mut scores, self.head(q.values(), columns, head, queries.clone()), k);
            softmax_rows(&mut scores, &visible, &mut prefix_log_sums[..count]);
            let mut given = Buffer::uninitialised(count * head_dim);
            let given_out = MatrixMut::new(&mut given, count, head_dim);
            multiply(given_out, Existing::Arbitrary, 1.0, Matrix::new(&scores, count, length), v, Threads::One);
            for ((token, given), prefix_log_sum) in queries.zip(given.chunks_exact(head_dim)).zip(prefix_log_sums) {
                // SAFETY: this head of this token belongs to this task alone.
                let out = unsafe { out.elements(token * columns + head * head_dim, head_dim) };
                // SAFETY: as above, with the heads stacked below each other.
                let log_sum = unsafe { &mut log_sums.elements(head * tokens + token, 1)[0] };
                *log_sum = join_attention(out, *log_sum, given, prefix_log_sum);
            }
        });
    }
}

impl AttentionBackward {
    /// What the attention to a shared first sequence adds to the gradients: dq of what continues it, dk and dv of its own.
    /// `about` is the sum of the gradient's products with what came out, `[heads, tokens]`.
    pub(super) fn differentiate_shared(&self, gradient: &[f32], about: &[f32], [dq, dk, dv]: [&SharedHeads<'_>; 3]) {
        let attention = &self.attention;
        let settings = &attention.settings;
        let (tokens, shared, head_dim) = (attention.offsets.total(), attention.offsets.shared(), settings.head_dim);
        let key_columns = attention.key_columns();
        let positions = attention.offsets.positions();
        let group = settings.heads / settings.key_value_heads;
        parallel::over_tasks(settings.key_value_heads, true, |key_value_head| {
            let [k, v] =
                [&self.k, &self.v].map(|array| attention.head(array.values(), key_columns, key_value_head, 0..shared));
            let mut scratch = Scratch::new(QUERY_BLOCK * shared, settings.soft_cap.is_some());
            let mut dk_sum = Buffer::zeros(shared * head_dim);
            let mut dv_sum = Buffer::zeros(shared * head_dim);
            for first in (shared..tokens).step_by(QUERY_BLOCK) {
                let queries = first..(first + QUERY_BLOCK).min(tokens);
                let visible = attention.visible_of_prefix(shared, queries.clone(), &positions);
                let seen = SeenKeys { k, v, visible: &visible, about: Some(about) };
                for head in key_value_head * group..(key_value_head + 1) * group {
                    // SAFETY: these query heads belong to this key/value head's task alone.
                    let dq = unsafe { dq.head(head, queries.clone()) };
                    let (queries, sums) = ((head, queries.clone()), [&mut *dk_sum, &mut *dv_sum]);
                    self.differentiate_block(queries, &seen, gradient, &mut scratch, (dq, Existing::Gradient), sums);
                }
            }
            for (target, sum) in [(dk, &dk_sum), (dv, &dv_sum)] {
                for (token, values) in sum.chunks_exact(head_dim).enumerate() {
                    // SAFETY: this key/value head belongs to this task alone.
                    let target = unsafe { target.elements(token * key_columns + key_value_head * head_dim, head_dim) };
                    target.iter_mut().zip(values).for_each(|(target, value)| *target += value);
                }
            }
        });
    }

    /// The sums of the gradient's products with what came out, `[heads, tokens]`: what a softmax's derivative is about
    /// (Dao et al. 2022), over all keys that a query sees.
    pub(super) fn products_with_output(&self, gradient: &[f32], given: &Array) -> Buffer {
        let settings = &self.attention.settings;
        let (tokens, head_dim) = (self.attention.offsets.total(), settings.head_dim);
        let mut about = Buffer::uninitialised(settings.heads * tokens);
        let rows = gradient.chunks_exact(head_dim).zip(given.values().chunks_exact(head_dim));
        for (place, (gradient, given)) in rows.enumerate() {
            let (token, head) = (place / settings.heads, place % settings.heads);
            about[head * tokens + token] = gradient.iter().zip(given).map(|(a, b)| a * b).sum();
        }
        about
    }
}
