//! Attention to a prefix that all sequences continue.
//!
//! All tokens of a batch see the same keys, so they are taken in blocks across sequences: short queries behind a long
//! prefix, as few-shot prompts have them, then cost few tall products instead of many flat ones. What comes out is
//! joined with each sequence's attention to itself by the sums of the scores' exponentials (as Dao et al. 2022 join
//! blocks of keys).

use super::{Attention, QUERY_BLOCK};
use crate::array::{Array, Buffer};
use crate::heads::SharedHeads;
use crate::matmul::{Matrix, MatrixMut, Threads, multiply};
use crate::parallel;
use crate::softmax::{join_attention, softmax_rows};
use crate::value::Existing;

impl Attention {
    /// Joins to `out`, the attention of every sequence to itself with the logarithms of its sums, the attention to a
    /// prefix's keys and values, `[prefix tokens, key_value_heads·head_dim]`.
    pub(super) fn attend_to_prefix(&self, out: &mut [f32], log_sums: &[f32], q: &Array, prefix: [&Array; 2]) {
        let (tokens, head_dim, columns) = (self.offsets.total(), self.settings.head_dim, self.query_columns());
        let length = prefix[0].rows();
        let positions = self.offsets.positions();
        let blocks = tokens.div_ceil(QUERY_BLOCK);
        let out = SharedHeads::new(out, columns, head_dim);
        parallel::over_tasks(blocks * self.settings.heads, true, |task| {
            let (head, first) = (task % self.settings.heads, task / self.settings.heads * QUERY_BLOCK);
            let queries = first..(first + QUERY_BLOCK).min(tokens);
            let count = queries.len();
            let key_value_head = head * self.settings.key_value_heads / self.settings.heads;
            let [k, v] = prefix.map(|array| self.head(array.values(), self.key_columns(), key_value_head, 0..length));
            // Seen from behind the prefix; what is seen of the own sequence is counted elsewhere.
            let visible: Vec<_> = queries
                .clone()
                .map(|token| self.settings.mask.visible(length + positions[token] as usize, usize::MAX))
                .map(|seen| seen.start.min(length)..seen.end.min(length))
                .collect();
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
                join_attention(out, log_sums[head * tokens + token], given, prefix_log_sum);
            }
        });
    }
}
