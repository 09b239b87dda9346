//! The softmax of attention scores, row by row, and its derivative.

use std::ops::Range;

use multiversion::multiversion;

use crate::simd::{exp, maximum, sum, sum_of_pairs, tanh};

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
    let total = sum(seen, |probability| probability);
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

/// The softmax of each row over the columns that it sees; the logarithms of the rows' sums go to `log_sums`, negative
/// infinity for a row that sees none.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma", "x86_64+avx2+fma"))]
pub(crate) fn softmax_rows(scores: &mut [f32], visible: &[Range<usize>], log_sums: &mut [f32]) {
    let columns = scores.len() / visible.len();
    for ((row, visible), log_sum) in scores.chunks_exact_mut(columns).zip(visible).zip(log_sums) {
        *log_sum = softmax_row(row, visible.clone());
    }
}

/// The same probabilities again, from the scores and the logarithms of their sums.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma", "x86_64+avx2+fma"))]
pub(crate) fn restore_rows(scores: &mut [f32], visible: &[Range<usize>], log_sums: &[f32]) {
    let columns = scores.len() / visible.len();
    for ((row, visible), log_sum) in scores.chunks_exact_mut(columns).zip(visible).zip(log_sums) {
        restore_row(row, visible.clone(), *log_sum);
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
        let projection = sum_of_pairs(p, dp, |p, dp| p * dp);
        for (dp, p) in dp.iter_mut().zip(p) {
            *dp = p * (*dp - projection);
        }
    }
}

/// The same for rows that are parts of longer ones, whose sums Σ P ∘ dP are given.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma", "x86_64+avx2+fma"))]
pub(crate) fn differentiate_rows_about(dprobabilities: &mut [f32], probabilities: &[f32], sums: &[f32]) {
    let keys = probabilities.len() / sums.len();
    let rows = dprobabilities.chunks_exact_mut(keys).zip(probabilities.chunks_exact(keys));
    for ((dp, p), sum) in rows.zip(sums) {
        for (dp, p) in dp.iter_mut().zip(p) {
            *dp = p * (*dp - sum);
        }
    }
}

/// Joins the attention to some keys with that to others: `out` becomes the mean of both, weighted by the sums of the
/// scores' exponentials, of which the logarithms are given. At least one of them is finite. Returns the logarithm of both.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma", "x86_64+avx2+fma"))]
pub(crate) fn join_attention(out: &mut [f32], log_sum: f32, other: &[f32], other_log_sum: f32) -> f32 {
    let largest = log_sum.max(other_log_sum);
    let (own, theirs) = (exp(log_sum - largest), exp(other_log_sum - largest));
    let both = own + theirs;
    let (own, theirs) = (own / both, theirs / both);
    for (out, other) in out.iter_mut().zip(other) {
        *out = own * *out + theirs * other;
    }
    largest + both.ln()
}
