//! Work over rows, on all the threads of the current rayon pool or on this one alone.
//!
//! A pool of one thread (one run per core) never enters rayon's queues. How work is cut never changes a result:
//! every output element is computed by the same operations in the same order whatever the number of threads.

use multiversion::multiversion;
use rayon::prelude::*;

/// Below this many elements, waking another thread costs more than it saves.
const WORTH_SHARING: usize = 32 * 1024;

/// How many rows of `columns` elements make one task, or `None` if the rows should be done here and now.
fn rows_per_task(rows: usize, columns: usize) -> Option<usize> {
    let threads = rayon::current_num_threads();
    if threads == 1 || rows * columns < WORTH_SHARING {
        return None;
    }
    Some(rows.div_ceil(threads * 4).max(1))
}

/// Calls `work(first_row, rows)` on consecutive groups of rows of `out`, each `columns` long.
pub(crate) fn over_rows(out: &mut [f32], columns: usize, work: impl Fn(usize, &mut [f32]) + Sync) {
    match rows_per_task(out.len() / columns.max(1), columns) {
        None => work(0, out),
        Some(rows) => out.par_chunks_mut(rows * columns).enumerate().for_each(|(task, chunk)| work(task * rows, chunk)),
    }
}

/// As [`over_rows`], on the same rows of two arrays.
pub(crate) fn over_row_pairs(
    left: &mut [f32],
    right: &mut [f32],
    columns: usize,
    work: impl Fn(usize, &mut [f32], &mut [f32]) + Sync,
) {
    assert_eq!(left.len(), right.len());
    match rows_per_task(left.len() / columns.max(1), columns) {
        None => work(0, left, right),
        Some(rows) => left
            .par_chunks_mut(rows * columns)
            .zip(right.par_chunks_mut(rows * columns))
            .enumerate()
            .for_each(|(task, (left, right))| work(task * rows, left, right)),
    }
}

/// Calls `work(task)` for every task; tasks may write to memory that they divided among themselves.
pub(crate) fn over_tasks(tasks: usize, worth_sharing: bool, work: impl Fn(usize) + Sync + Send) {
    if worth_sharing && tasks > 1 && rayon::current_num_threads() > 1 {
        (0..tasks).into_par_iter().for_each(&work);
    } else {
        (0..tasks).for_each(&work);
    }
}

/// `out += values`, element by element.
pub(crate) fn add_assign(out: &mut [f32], values: &[f32]) {
    assert_eq!(out.len(), values.len());
    over_rows(out, 1, |first, chunk| add_slices(chunk, &values[first..first + chunk.len()]));
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma", "x86_64+avx2+fma"))]
fn add_slices(out: &mut [f32], values: &[f32]) {
    for (out, value) in out.iter_mut().zip(values) {
        *out += value;
    }
}
