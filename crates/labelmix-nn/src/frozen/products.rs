//! Products of activations with frozen matrices.
//!
//! In f32, one panel of rows after the other is turned into f32, in a scratch buffer that fits the cache, and
//! multiplied with; the conversion costs as much as a product with one or two tokens, so it vanishes in a batch. In
//! bf16, a matrix that is kept so is used where it lies.

use std::borrow::Cow;
use std::ops::Range;

use half::bf16;
use half::slice::HalfFloatSliceExt;

use super::{FrozenMatrix, MatmulPrecision, Storage};
use crate::array::Buffer;
use crate::matmul::{
    HalfMatrix, LowRank, Matrix, MatrixMut, Reading, Threads, multiply, multiply_halves, processor_multiplies_halves,
};
use crate::parallel;
use crate::value::Existing;

/// Elements of a panel: 1 MiB in f32.
const PANEL_ELEMENTS: usize = 256 * 1024;

/// Consecutive rows of a frozen matrix, in the precision to multiply in.
enum Panel<'a> {
    Wide(Matrix<'a>),
    Half(HalfMatrix<'a>),
}

impl Panel<'_> {
    fn multiply(
        &self,
        out: MatrixMut<'_>,
        existing: Existing,
        left: Matrix<'_>,
        reading: Reading,
        low_rank: Option<LowRank<'_>>,
    ) {
        match *self {
            Self::Half(half) => multiply_halves(out, existing, left, half, reading, low_rank),
            Self::Wide(matrix) => {
                let right = match reading {
                    Reading::Transposed => matrix.transposed(),
                    Reading::AsIs => matrix,
                };
                let mut out = out;
                multiply(out.reborrow(), existing, 1.0, left, right, Threads::All);
                if let Some(LowRank { left, right, scale }) = low_rank {
                    multiply(out, Existing::Gradient, scale, left, right, Threads::All);
                }
            }
        }
    }
}

impl FrozenMatrix {
    /// `out (+)= x · selfᵀ`, plus a low-rank term if there is one: `x [tokens, columns]`, `out [tokens, rows]`.
    pub(crate) fn multiply_transposed(
        &self,
        out: &mut [f32],
        existing: Existing,
        x: &[f32],
        low_rank: Option<LowRank<'_>>,
    ) {
        let tokens = x.len() / self.columns();
        let x = self.round_as_the_processor_cannot(x);
        self.over_panels(|rows, panel| {
            let out = MatrixMut::with_stride(&mut out[rows.start..], tokens, rows.len(), self.rows());
            let low_rank = low_rank
                .map(|low_rank| LowRank { right: low_rank.right.columns_from(rows.start, rows.len()), ..low_rank });
            panel.multiply(out, existing, Matrix::new(&x, tokens, self.columns()), Reading::Transposed, low_rank);
        });
    }

    /// `out (+)= y · self`, plus a low-rank term if there is one: `y [tokens, rows]`, `out [tokens, columns]`.
    pub(crate) fn multiply(
        &self,
        out: &mut [f32],
        mut existing: Existing,
        y: &[f32],
        mut low_rank: Option<LowRank<'_>>,
    ) {
        let tokens = y.len() / self.rows();
        let y = self.round_as_the_processor_cannot(y);
        self.over_panels(|rows, panel| {
            let y = Matrix::with_stride(&y[rows.start..], tokens, rows.len(), self.rows());
            let out = MatrixMut::new(out, tokens, self.columns());
            panel.multiply(out, existing, y, Reading::AsIs, low_rank.take());
            existing = Existing::Gradient;
        });
    }

    /// The left factor of a product, rounded to bf16 if the product is to be in bf16 and the processor does not
    /// round itself.
    fn round_as_the_processor_cannot<'a>(&self, values: &'a [f32]) -> Cow<'a, [f32]> {
        if self.matmul_precision == MatmulPrecision::Bf16 && !processor_multiplies_halves() {
            let mut rounded = values.to_vec();
            round(&mut rounded);
            rounded.into()
        } else {
            values.into()
        }
    }

    /// Calls `work` with groups of consecutive rows, in order.
    fn over_panels(&self, mut work: impl FnMut(Range<usize>, Panel<'_>)) {
        let (rows, columns) = (self.rows(), self.columns());
        let in_halves = self.matmul_precision == MatmulPrecision::Bf16 && processor_multiplies_halves();
        match &self.storage {
            Storage::F32(array) => return work(0..rows, Panel::Wide(Matrix::new(array.values(), rows, columns))),
            Storage::Bf16(half) if in_halves => {
                return work(0..rows, Panel::Half(HalfMatrix::new(half.values(), rows, columns)));
            }
            _ => {}
        }
        let height = (PANEL_ELEMENTS / columns).clamp(16, rows.max(16));
        let mut panel = Buffer::uninitialised(height * columns);
        // Two halves to a number.
        let mut halves = Buffer::uninitialised(if in_halves { (height * columns).div_ceil(2) } else { 0 });
        for start in (0..rows).step_by(height) {
            let panel_rows = start..(start + height).min(rows);
            let panel = &mut panel[..panel_rows.len() * columns];
            self.convert_rows(panel_rows.clone(), panel);
            if in_halves {
                let halves: &mut [bf16] = &mut bytemuck::cast_slice_mut(&mut halves)[..panel.len()];
                halves.convert_from_f32_slice(panel);
                work(panel_rows.clone(), Panel::Half(HalfMatrix::new(halves, panel_rows.len(), columns)));
            } else {
                if self.matmul_precision == MatmulPrecision::Bf16 {
                    round(panel);
                }
                work(panel_rows.clone(), Panel::Wide(Matrix::new(panel, panel_rows.len(), columns)));
            }
        }
    }
}

/// Rounds numbers to bf16.
fn round(values: &mut [f32]) {
    parallel::over_rows(values, 1, |_, chunk| {
        for value in chunk {
            *value = bf16::from_f32(*value).to_f32();
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Array;
    use crate::frozen::Precision;

    fn numbers(length: usize) -> Vec<f32> {
        (0..length).map(|index| ((index * 37 % 101) as f32 - 50.0) / 64.0).collect()
    }

    fn assert_close(ours: &[f32], reference: &[f32]) {
        for (ours, reference) in ours.iter().zip(reference) {
            assert!((ours - reference).abs() <= 1e-4 * reference.abs().max(1.0), "{ours} against {reference}");
        }
    }

    /// Both products of `kept`, with a low-rank term, against those of its own numbers in f32 with the left factor
    /// rounded or not.
    fn check_products(kept: &FrozenMatrix, tokens: usize) {
        let [rows, columns] = kept.shape();
        let wide = FrozenMatrix::f32(Array::new(kept.to_f32(), &[rows, columns]));
        let rank = 3;
        let (left, right) = (numbers(tokens * rank), numbers(rank * rows.max(columns)));
        // x [tokens, columns] · selfᵀ, then y [tokens, rows] · self.
        for (reading, terms, width) in [(Reading::Transposed, columns, rows), (Reading::AsIs, rows, columns)] {
            let low_rank = LowRank {
                left: Matrix::new(&left, tokens, rank),
                right: Matrix::new(&right[..width * rank], width, rank).transposed(),
                scale: 0.5,
            };
            let x = numbers(tokens * terms);
            let mut rounded = x.clone();
            if kept.matmul_precision == MatmulPrecision::Bf16 {
                round(&mut rounded);
            }
            for (existing, before) in [(Existing::Gradient, 0.5), (Existing::Arbitrary, f32::NAN)] {
                let (mut ours, mut reference) = (vec![before; tokens * width], vec![before; tokens * width]);
                match reading {
                    Reading::Transposed => {
                        kept.multiply_transposed(&mut ours, existing, &x, Some(low_rank));
                        wide.multiply_transposed(&mut reference, existing, &rounded, Some(low_rank));
                    }
                    Reading::AsIs => {
                        kept.multiply(&mut ours, existing, &x, Some(low_rank));
                        wide.multiply(&mut reference, existing, &rounded, Some(low_rank));
                    }
                }
                assert_close(&ours, &reference);
            }
        }
    }

    #[test]
    fn every_precision_multiplies_like_its_own_f32_values() {
        // Several panels, the last of them not full.
        let (rows, columns) = (300, 1100);
        let matrix = FrozenMatrix::f32(Array::new(numbers(rows * columns), &[rows, columns]));
        for precision in Precision::ALL {
            let kept = matrix.to_precision(precision);
            assert_eq!(kept.precision(), Some(precision));
            check_products(&kept, 3);
        }
    }

    #[test]
    fn products_in_bf16_are_those_of_the_rounded_numbers() {
        // Fewer and more than a tile of rows, a panel of columns and a vector of terms; odd ones among them.
        for (rows, columns, tokens) in [(1, 1, 1), (2, 33, 5), (45, 7, 12), (64, 96, 25), (37, 130, 13), (70, 4099, 3)]
        {
            let numbers = numbers(rows * columns).into_iter().map(|value| bf16::from_f32(value).to_f32()).collect();
            let matrix = FrozenMatrix::f32(Array::new(numbers, &[rows, columns]));
            check_products(&matrix.for_products_in(MatmulPrecision::Bf16), tokens);
        }
        // 4-bit weights are rounded to bf16 after they are dequantised.
        let (rows, columns) = (300, 1100);
        let matrix = FrozenMatrix::f32(Array::new(numbers(rows * columns), &[rows, columns]));
        let quantised = matrix.to_precision(Precision::Nf4);
        let mut rounded = quantised.to_f32();
        round(&mut rounded);
        let kept = quantised.for_products_in(MatmulPrecision::Bf16);
        let rounded = FrozenMatrix::f32(Array::new(rounded, &[rows, columns])).for_products_in(MatmulPrecision::Bf16);
        let x = numbers(2 * columns);
        let (mut ours, mut reference) = (vec![0.0; 2 * rows], vec![0.0; 2 * rows]);
        kept.multiply_transposed(&mut ours, Existing::Arbitrary, &x, None);
        rounded.multiply_transposed(&mut reference, Existing::Arbitrary, &x, None);
        assert_eq!(ours, reference);
    }
}
