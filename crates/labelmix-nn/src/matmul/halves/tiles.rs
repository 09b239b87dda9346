//! A product cut into tasks of one panel of columns each, and these into tiles.

use std::marker::PhantomData;
use std::ops::Range;

use super::avx512;
use super::{HalfMatrix, Reading, processor_multiplies_halves};
use crate::array::Buffer;
use crate::matmul::{LowRank, Matrix, MatrixMut, WORTH_SHARING};
use crate::parallel;
use crate::value::Existing;

/// Columns of the product that are computed together: two registers of sixteen sums.
pub(super) const PANEL: usize = 32;
/// Rows of the product that are computed together: with two registers each, 24 of the 32 registers hold sums.
pub(super) const TILE: usize = 12;
/// Terms of the sum that are written side by side at a time: a panel of weights then takes a quarter megabyte.
const TERMS: usize = 4096;
/// Rows that make a task worth writing a panel of weights for.
const ROWS_PER_TASK: usize = 8 * TILE;

/// `out = left · weight (+ low rank)`, or `out += …` where `existing` says that there is something to add to.
/// `left [rows, terms]`, whose rows are consecutive numbers, is rounded to bf16; the weight is read as `reading` says.
///
/// # Panics
/// If the shapes do not fit, or the processor lacks the instruction.
#[expect(clippy::needless_pass_by_value, reason = "a mutable view is used up by the product that writes to it")]
pub(crate) fn multiply_halves(
    out: MatrixMut<'_>,
    existing: Existing,
    left: Matrix<'_>,
    weight: HalfMatrix<'_>,
    reading: Reading,
    low_rank: Option<LowRank<'_>>,
) {
    assert!(processor_multiplies_halves(), "a product in bf16 on a processor that cannot");
    let (terms, columns) = weight.dimensions(reading);
    let rows = out.rows;
    let fits = left.rows == rows && left.columns == terms && left.column_stride == 1 && out.columns == columns;
    assert!(fits, "the shapes of a matrix product do not fit");
    if rows == 0 || columns == 0 {
        return;
    }
    let left = Rounded::new(left);
    let low_rank = low_rank.map(|low_rank| SideBySide::new(low_rank, rows, columns));
    let panels = columns.div_ceil(PANEL);
    // Panels alone may be fewer than threads: then each is written once for every group of rows.
    let wanted = (2 * rayon::current_num_threads()).div_ceil(panels.max(1));
    let rows_per_task = rows.div_ceil(wanted).max(ROWS_PER_TASK).next_multiple_of(TILE);
    let groups = rows.div_ceil(rows_per_task);
    let worth_sharing = rows * terms * columns >= WORTH_SHARING;
    let stride = out.row_stride;
    let shared = SharedRows::new(out.values, stride);
    parallel::over_tasks(panels * groups, worth_sharing, |task| {
        let first_column = task / groups * PANEL;
        let task_rows = task % groups * rows_per_task..((task % groups + 1) * rows_per_task).min(rows);
        let task_columns = first_column..(first_column + PANEL).min(columns);
        let mut panel = Buffer::uninitialised(terms.min(TERMS).div_ceil(2) * PANEL);
        let panel: &mut [u32] = bytemuck::cast_slice_mut(&mut panel);
        for first_term in (0..terms).step_by(TERMS) {
            let task_terms = first_term..(first_term + TERMS).min(terms);
            let last = task_terms.end == terms;
            // SAFETY: the processor has the instructions, as asserted above.
            unsafe { avx512::write_panel(panel, weight, reading, task_terms.clone(), task_columns.clone()) };
            for first_row in task_rows.clone().step_by(TILE) {
                let tile_rows = first_row..(first_row + TILE).min(task_rows.end);
                let tile = avx512::Tile {
                    rows: tile_rows.len(),
                    left: left.from(first_row, first_term),
                    left_stride: left.stride,
                    panel,
                    pairs: task_terms.len().div_ceil(2),
                    columns: task_columns.len(),
                    add: existing == Existing::Gradient || first_term > 0,
                    low_rank: low_rank
                        .as_ref()
                        .filter(|_| last)
                        .map(|low_rank| low_rank.tile(first_row, &task_columns)),
                };
                let out = shared.place(tile_rows, task_columns.clone());
                // SAFETY: no other task writes to these rows and columns; the processor has the instructions.
                unsafe { tile.compute(out, stride) };
            }
        }
    });
}

/// Rows rounded to bf16, two numbers in 32 bits.
struct Rounded {
    pairs: Buffer,
    /// In pairs. An odd number of cache lines, so that equal places of consecutive rows do not share a cache set.
    stride: usize,
}

impl Rounded {
    fn new(matrix: Matrix<'_>) -> Self {
        let columns = matrix.columns;
        let stride = columns.div_ceil(32) * 16;
        let stride = if (stride / 16).is_multiple_of(2) { stride + 16 } else { stride };
        let mut pairs = Buffer::uninitialised(matrix.rows * stride);
        parallel::over_rows(&mut pairs, stride, |first, chunk| {
            let chunk: &mut [u32] = bytemuck::cast_slice_mut(chunk);
            for (row, pairs) in chunk.chunks_exact_mut(stride).enumerate() {
                let row = &matrix.values[(first + row) * matrix.row_stride..][..columns];
                // SAFETY: `multiply_halves` asserts that the processor has the instructions.
                unsafe { avx512::round_row(pairs, row) };
            }
        });
        Self { pairs, stride }
    }

    /// The pairs of one row from one term on, and all that follow.
    fn from(&self, row: usize, term: usize) -> &[u32] {
        &bytemuck::cast_slice(&self.pairs)[row * self.stride + term / 2..]
    }
}

/// A low-rank term with its scale in the right factor and both factors row by row.
struct SideBySide<'a> {
    rank: usize,
    columns: usize,
    /// `[rows, rank]`.
    left: &'a [f32],
    /// `[rank, columns]`.
    right: Buffer,
}

/// The factors of one tile: `left [tile rows, rank]`, and the right one's rows, `stride` apart.
#[derive(Clone, Copy)]
pub(super) struct LowRankTile<'a> {
    pub(super) rank: usize,
    pub(super) left: &'a [f32],
    pub(super) right: &'a [f32],
    pub(super) stride: usize,
}

impl<'a> SideBySide<'a> {
    fn new(LowRank { left, right, scale }: LowRank<'a>, rows: usize, columns: usize) -> Self {
        let rank = left.columns;
        let fits = left.rows == rows && right.rows == rank && right.columns == columns;
        assert!(fits && left.column_stride == 1 && left.row_stride == rank, "the shapes of a low-rank term do not fit");
        let mut scaled = Buffer::uninitialised(rank * columns);
        for (row, out) in scaled.chunks_exact_mut(columns).enumerate() {
            let values = right.values[row * right.row_stride..].iter().step_by(right.column_stride);
            out.iter_mut().zip(values).for_each(|(out, value)| *out = scale * value);
        }
        Self { rank, columns, left: left.values, right: scaled }
    }

    fn tile(&self, first_row: usize, columns: &Range<usize>) -> LowRankTile<'_> {
        let (left, right) = (&self.left[first_row * self.rank..], &self.right[columns.start..]);
        LowRankTile { rank: self.rank, left, right, stride: self.columns }
    }
}

/// Memory of which tasks write disjoint rows and columns.
struct SharedRows<'a> {
    start: *mut f32,
    length: usize,
    stride: usize,
    memory: PhantomData<&'a mut [f32]>,
}

// SAFETY: the pointers that `place` hands out are written through by one task each.
unsafe impl Sync for SharedRows<'_> {}

impl<'a> SharedRows<'a> {
    fn new(memory: &'a mut [f32], stride: usize) -> Self {
        Self { start: memory.as_mut_ptr(), length: memory.len(), stride, memory: PhantomData }
    }

    /// Where some rows and columns begin; they lie within the memory.
    fn place(&self, rows: Range<usize>, columns: Range<usize>) -> *mut f32 {
        assert!((rows.end - 1) * self.stride + columns.end <= self.length, "a tile reaches past its memory");
        self.start.wrapping_add(rows.start * self.stride + columns.start)
    }
}
