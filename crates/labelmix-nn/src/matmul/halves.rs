//! Products of activations with frozen weights in bf16, on processors that multiply pairs of bf16 numbers
//! (AVX512-BF16): the factors are rounded to bf16 and the sums are kept in f32, as under torch's autocast.
//!
//! The weights are used where they lie. Of each panel of 32 columns of the product, a task writes the weights it needs
//! side by side (pairs of consecutive terms of the sum in 32 bits, as the instruction wants them), which costs what a
//! product with a handful of tokens costs, and goes over all rows with it. A low-rank term in f32 is added while the
//! sums are still in registers, so that LoRA costs no further pass over the result.

#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod tiles;

use half::bf16;

#[cfg(target_arch = "x86_64")]
pub(crate) use tiles::multiply_halves;

/// A frozen matrix in bf16, row by row.
#[derive(Clone, Copy)]
pub(crate) struct HalfMatrix<'a> {
    values: &'a [bf16],
    rows: usize,
    columns: usize,
}

/// How a product reads the frozen matrix.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Reading {
    /// `left · weightᵀ`: sums run along the matrix's rows.
    Transposed,
    /// `left · weight`: sums run along the matrix's columns.
    AsIs,
}

impl<'a> HalfMatrix<'a> {
    pub(crate) fn new(values: &'a [bf16], rows: usize, columns: usize) -> Self {
        assert_eq!(values.len(), rows * columns, "values do not fill a matrix of {rows} × {columns}");
        Self { values, rows, columns }
    }

    /// Terms of each sum and columns of the product.
    fn dimensions(&self, reading: Reading) -> (usize, usize) {
        match reading {
            Reading::Transposed => (self.columns, self.rows),
            Reading::AsIs => (self.rows, self.columns),
        }
    }
}

/// Whether this processor has the instruction.
pub(crate) fn processor_multiplies_halves() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::is_x86_feature_detected as has;
        has!("avx512bf16") && has!("avx512f") && has!("avx512bw")
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        false
    }
}

/// Processors of this architecture have no such instruction, and callers ask before they multiply.
#[cfg(not(target_arch = "x86_64"))]
pub(crate) fn multiply_halves(
    _: super::MatrixMut<'_>,
    _: super::Existing,
    _: super::Matrix<'_>,
    _: HalfMatrix<'_>,
    _: Reading,
    _: Option<super::LowRank<'_>>,
) {
    unreachable!("a product in bf16 on a processor that cannot");
}
