//! Matrix products over strided views of host memory.

mod halves;

use gemm::Parallelism;

use crate::value::Existing;
pub(crate) use halves::{HalfMatrix, Reading, multiply_halves, processor_multiplies_halves};

/// Below this many multiply-adds, one thread is faster than two.
const WORTH_SHARING: usize = 1 << 20;

/// A read-only matrix whose elements lie at regular strides.
#[derive(Clone, Copy)]
pub(crate) struct Matrix<'a> {
    values: &'a [f32],
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

impl<'a> Matrix<'a> {
    /// Consecutive rows of `columns` elements.
    pub(crate) fn new(values: &'a [f32], rows: usize, columns: usize) -> Self {
        Self::with_stride(values, rows, columns, columns)
    }

    /// Rows of `columns` elements that begin `row_stride` elements apart.
    pub(crate) fn with_stride(values: &'a [f32], rows: usize, columns: usize, row_stride: usize) -> Self {
        assert!(rows == 0 || (rows - 1) * row_stride + columns <= values.len(), "a matrix reaches past its memory");
        Self { values, rows, columns, row_stride, column_stride: 1 }
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// The same rows from one column on, `columns` of them.
    pub(crate) fn columns_from(self, first: usize, columns: usize) -> Self {
        assert!(first + columns <= self.columns, "a matrix has no such columns");
        Self { values: &self.values[(first * self.column_stride).min(self.values.len())..], columns, ..self }
    }

    pub(crate) fn transposed(self) -> Self {
        Self {
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
            ..self
        }
    }
}

/// A product of two thin matrices that is added to another product: `scale · left · right`, with
/// `left [rows, rank]` and `right [rank, columns]`.
#[derive(Clone, Copy)]
pub(crate) struct LowRank<'a> {
    pub(crate) left: Matrix<'a>,
    pub(crate) right: Matrix<'a>,
    pub(crate) scale: f32,
}

/// A matrix to write to, with rows `row_stride` apart.
pub(crate) struct MatrixMut<'a> {
    values: &'a mut [f32],
    rows: usize,
    columns: usize,
    row_stride: usize,
}

impl<'a> MatrixMut<'a> {
    /// Consecutive rows of `columns` elements.
    pub(crate) fn new(values: &'a mut [f32], rows: usize, columns: usize) -> Self {
        Self::with_stride(values, rows, columns, columns)
    }

    /// Rows of `columns` elements that begin `row_stride` elements apart.
    pub(crate) fn with_stride(values: &'a mut [f32], rows: usize, columns: usize, row_stride: usize) -> Self {
        assert!(rows == 0 || (rows - 1) * row_stride + columns <= values.len(), "a matrix reaches past its memory");
        Self { values, rows, columns, row_stride }
    }
}

impl MatrixMut<'_> {
    /// The same matrix for a shorter while.
    pub(crate) fn reborrow(&mut self) -> MatrixMut<'_> {
        MatrixMut { values: self.values, ..*self }
    }
}

/// Whether a product may use the other threads of the pool.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Threads {
    /// The caller is one of many tasks.
    One,
    /// The caller is alone.
    All,
}

/// `out = scale · left · right`, or `out += …` where `existing` says that there is something to add to.
#[expect(clippy::needless_pass_by_value, reason = "a mutable view is used up by the product that writes to it")]
pub(crate) fn multiply(
    out: MatrixMut<'_>,
    existing: Existing,
    scale: f32,
    left: Matrix<'_>,
    right: Matrix<'_>,
    threads: Threads,
) {
    let (m, k, n) = (left.rows, left.columns, right.columns);
    assert!(k == right.rows && out.rows == m && out.columns == n, "the shapes of a matrix product do not fit");
    let parallelism = if threads == Threads::All && rayon::current_num_threads() > 1 && m * n * k >= WORTH_SHARING {
        Parallelism::Rayon(0)
    } else {
        Parallelism::None
    };
    // SAFETY: the constructors checked that each matrix lies within its slice, `out` is borrowed mutably and so
    // overlaps neither input, and the shapes were compared above.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out.values.as_mut_ptr(),
            1,
            out.row_stride.cast_signed(),
            existing == Existing::Gradient,
            left.values.as_ptr(),
            left.column_stride.cast_signed(),
            left.row_stride.cast_signed(),
            right.values.as_ptr(),
            right.column_stride.cast_signed(),
            right.row_stride.cast_signed(),
            1.0,
            scale,
            false,
            false,
            false,
            parallelism,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strided_and_transposed_products() {
        // left = [[1, 2], [3, 4]] inside rows of three; right given as its transpose.
        let left = Matrix::with_stride(&[1.0, 2.0, 9.0, 3.0, 4.0], 2, 2, 3);
        let right = Matrix::new(&[5.0, 6.0, 7.0, 8.0], 2, 2).transposed();
        let mut out = [1.0; 4];
        multiply(MatrixMut::new(&mut out, 2, 2), Existing::Gradient, 2.0, left, right, Threads::One);
        assert_eq!(out, [1.0 + 34.0, 1.0 + 46.0, 1.0 + 78.0, 1.0 + 106.0]);
        multiply(MatrixMut::new(&mut out, 2, 2), Existing::Arbitrary, 1.0, left, right, Threads::One);
        assert_eq!(out, [17.0, 23.0, 39.0, 53.0]);
    }
}
