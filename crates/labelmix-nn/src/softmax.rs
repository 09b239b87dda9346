//! The softmax of attention scores, row by row, and its derivative.

use multiversion::multiversion;

use crate::simd::{exp, maximum, sum};

/// Turns a row of scores into probabilities, of which all beyond `visible` are zero; returns the logarithm of the
/// sum of the scores' exponentials.
#[inline(always)]
fn softmax_row(scores: &mut [f32], visible: usize) -> f32 {
    let (seen, hidden) = scores.split_at_mut(visible);
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
    hidden.fill(0.0);
    largest + total.ln()
}

/// The probabilities again, from the scores and the saved logarithm of their sum.
#[inline(always)]
fn restore_row(scores: &mut [f32], visible: usize, log_sum: f32) {
    let (seen, hidden) = scores.split_at_mut(visible);
    for score in seen.iter_mut() {
        *score = exp(*score - log_sum);
    }
    hidden.fill(0.0);
}

/// The softmax of each row of `keys` scores, of which the first row sees `first_visible` and each later one `step`
/// more; the logarithms of the rows' sums go to `log_sums`.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma", "x86_64+avx2+fma"))]
pub(crate) fn softmax_rows(scores: &mut [f32], keys: usize, first_visible: usize, step: usize, log_sums: &mut [f32]) {
    for (index, (row, log_sum)) in scores.chunks_exact_mut(keys).zip(log_sums).enumerate() {
        *log_sum = softmax_row(row, first_visible + index * step);
    }
}

/// The same probabilities again, from the scores and the logarithms of their sums.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma", "x86_64+avx2+fma"))]
pub(crate) fn restore_rows(scores: &mut [f32], keys: usize, first_visible: usize, step: usize, log_sums: &[f32]) {
    for (index, (row, log_sum)) in scores.chunks_exact_mut(keys).zip(log_sums).enumerate() {
        restore_row(row, first_visible + index * step, *log_sum);
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
