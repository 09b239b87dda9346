//! The softmax of attention scores, row by row, and its derivative.

use std::ops::Range;

use multiversion::multiversion;

use crate::mask::Mask;
use crate::simd::{exp, maximum, sum, tanh};

/// What the rows and columns of a block of scores stand for.
#[derive(Clone)]
pub(crate) struct ScoreBlock {
    pub(crate) mask: Mask,
    /// The position of the first row's query in its sequence; each later row is the next query.
    pub(crate) position: usize,
    /// The keys that the columns stand for.
    pub(crate) keys: Range<usize>,
    /// The keys of the whole sequence.
    pub(crate) sequence: usize,
}

impl ScoreBlock {
    /// The columns that a row sees.
    #[inline(always)]
    fn visible(&self, row: usize) -> Range<usize> {
        let keys = self.mask.visible(self.position + row, self.sequence);
        keys.start - self.keys.start..keys.end - self.keys.start
    }
}

/// Turns a row of scores into probabilities, of which all that are not visible are zero; returns the logarithm of
/// the sum of the scores' exponentials.
#[inline(always)]
fn softmax_row(scores: &mut [f32], visible: Range<usize>) -> f32 {
    scores[..visible.start].fill(0.0);
    scores[visible.end..].fill(0.0);
    let seen = &mut scores[visible];
    let largest = maximum(seen);
    for score in seen.iter_mut() {
        *score = exp(*score - largest);
    }
    let seen_now = &*seen;
    let total = sum(seen_now.len(), |i| seen_now[i]);
    let reciprocal = 1.0 / total;
    for score in seen.iter_mut() {
        *score *= reciprocal;
    }
    largest + total.ln()
}

/// The probabilities again, from the scores and the saved logarithm of their sum.
#[inline(always)]
fn restore_row(scores: &mut [f32], visible: Range<usize>, log_sum: f32) {
    scores[..visible.start].fill(0.0);
    scores[visible.end..].fill(0.0);
    for score in &mut scores[visible] {
        *score = exp(*score - log_sum);
    }
}

/// The softmax of each row over the keys that it sees; the logarithms of the rows' sums go to `log_sums`.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma", "x86_64+avx2+fma"))]
pub(crate) fn softmax_rows(scores: &mut [f32], block: &ScoreBlock, log_sums: &mut [f32]) {
    for (index, (row, log_sum)) in scores.chunks_exact_mut(block.keys.len()).zip(log_sums).enumerate() {
        *log_sum = softmax_row(row, block.visible(index));
    }
}

/// The same probabilities again, from the scores and the logarithms of their sums.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma", "x86_64+avx2+fma"))]
pub(crate) fn restore_rows(scores: &mut [f32], block: &ScoreBlock, log_sums: &[f32]) {
    for (index, (row, log_sum)) in scores.chunks_exact_mut(block.keys.len()).zip(log_sums).enumerate() {
        restore_row(row, block.visible(index), *log_sum);
    }
}

/// `cap · tanh(score / cap)`, for every score.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma", "x86_64+avx2+fma"))]
pub(crate) fn cap_scores(scores: &mut [f32], cap: f32) {
    let reciprocal = 1.0 / cap;
    for score in scores {
        *score = cap * tanh(*score * reciprocal);
    }
}

/// The cap's derivative, `1 − (capped / cap)²`, from the capped scores.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma", "x86_64+avx2+fma"))]
pub(crate) fn cap_slopes(slopes: &mut [f32], capped: &[f32], cap: f32) {
    let reciprocal = 1.0 / cap;
    for (slope, capped) in slopes.iter_mut().zip(capped) {
        let t = capped * reciprocal;
        *slope = 1.0 - t * t;
    }
}

/// `values *= factors`, element by element.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma", "x86_64+avx2+fma"))]
pub(crate) fn multiply_by(values: &mut [f32], factors: &[f32]) {
    for (value, factor) in values.iter_mut().zip(factors) {
        *value *= factor;
    }
}

/// The softmax's derivative, row by row: `dS = P ∘ (dP − Σ P ∘ dP)`, written over dP.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma", "x86_64+avx2+fma"))]
pub(crate) fn differentiate_softmax_rows(dprobabilities: &mut [f32], probabilities: &[f32], keys: usize) {
    for (dp, p) in dprobabilities.chunks_exact_mut(keys).zip(probabilities.chunks_exact(keys)) {
        let dp_now = &*dp;
        let projection = sum(keys, |i| p[i] * dp_now[i]);
        for (dp, p) in dp.iter_mut().zip(p) {
            *dp = p * (*dp - projection);
        }
    }
}
