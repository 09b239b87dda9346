//! Weight matrices that never change, in the precision in which they are kept.
//!
//! The host computes in f32 whatever the precision: a product turns one panel of rows after the other into f32, in a
//! scratch buffer that fits the cache, and multiplies with that. The conversion of a panel costs as much as a product
//! with one or two tokens, so it vanishes in a batch; and since bf16 and f16 convert to f32 exactly, a checkpoint
//! that stores them gives the same numbers in half the memory.

use std::ops::Range;
use std::sync::Arc;

use candle_core::Tensor;
use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};

use crate::array::{Array, Buffer};
use crate::mapped::Mapped;
use crate::matmul::{Matrix, MatrixMut, Threads, multiply};
use crate::nf4::Nf4;
use crate::parallel;
use crate::value::Existing;

/// Elements of a panel: 1 MiB in f32.
const PANEL_ELEMENTS: usize = 256 * 1024;

/// A frozen matrix `[rows, columns]`. Cloning shares the memory.
#[derive(Clone, Debug)]
pub struct FrozenMatrix {
    /// Rows and columns.
    shape: [usize; 2],
    storage: Storage,
}

#[derive(Clone, Debug)]
enum Storage {
    F32(Array),
    F16(Half<f16>),
    Bf16(Half<bf16>),
    Nf4(Arc<Nf4>),
    Tensor(Tensor),
}

/// Numbers of half precision, in a file or in memory.
#[derive(Clone, Debug)]
enum Half<T> {
    Mapped(Mapped<T>),
    Owned(Arc<[T]>),
}

impl<T: bytemuck::AnyBitPattern> Half<T> {
    fn values(&self) -> &[T] {
        match self {
            Self::Mapped(mapped) => mapped.values(),
            Self::Owned(values) => values,
        }
    }
}

/// The precision in which a frozen matrix is kept.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Precision {
    /// 32-bit floats.
    F32,
    /// IEEE half precision.
    F16,
    /// The upper half of a 32-bit float.
    Bf16,
    /// 4-bit normal floats with doubly quantised scales (Dettmers et al. 2023).
    Nf4,
}

impl Precision {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::F32, Self::F16, Self::Bf16, Self::Nf4];

    /// The precision of a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|precision| precision.name() == name)
    }

    /// The name in messages and study files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
            Self::Nf4 => "nf4",
        }
    }

    /// The memory that a matrix of this many elements takes.
    #[must_use]
    pub fn bytes(self, elements: usize) -> usize {
        match self {
            Self::F32 => 4 * elements,
            Self::F16 | Self::Bf16 => 2 * elements,
            Self::Nf4 => Nf4::bytes_for(elements),
        }
    }
}

impl FrozenMatrix {
    fn new(rows: usize, columns: usize, elements: usize, storage: Storage) -> Self {
        assert_eq!(rows * columns, elements, "values do not fill a matrix of {rows} × {columns}");
        Self { shape: [rows, columns], storage }
    }

    /// A matrix in f32, of an array `[rows, columns]`.
    #[must_use]
    pub fn f32(array: Array) -> Self {
        let (rows, columns) = (array.rows(), array.columns());
        Self { shape: [rows, columns], storage: Storage::F32(array) }
    }

    /// A matrix over a file's own f16 numbers.
    #[must_use]
    pub fn mapped_f16(values: Mapped<f16>, rows: usize, columns: usize) -> Self {
        Self::new(rows, columns, values.len(), Storage::F16(Half::Mapped(values)))
    }

    /// A matrix over a file's own bf16 numbers.
    #[must_use]
    pub fn mapped_bf16(values: Mapped<bf16>, rows: usize, columns: usize) -> Self {
        Self::new(rows, columns, values.len(), Storage::Bf16(Half::Mapped(values)))
    }

    /// The same numbers in another precision of the host, each rounded to nearest (or quantised, for NF4).
    #[must_use]
    pub fn to_precision(&self, precision: Precision) -> Self {
        if self.precision() == Some(precision) {
            return self.clone();
        }
        let values = self.to_f32();
        let storage = match precision {
            Precision::F32 => Storage::F32(Array::new(values, &self.shape)),
            Precision::F16 => Storage::F16(Half::Owned(values.iter().map(|value| f16::from_f32(*value)).collect())),
            Precision::Bf16 => Storage::Bf16(Half::Owned(values.iter().map(|value| bf16::from_f32(*value)).collect())),
            Precision::Nf4 => Storage::Nf4(Arc::new(Nf4::quantize(&values))),
        };
        Self { shape: self.shape, storage }
    }

    /// The same numbers on another device. Four-bit matrices are dequantised there.
    ///
    /// # Errors
    /// If the device's memory does not suffice.
    pub fn to_device(&self, device: &crate::Device) -> crate::Result<Self> {
        let crate::Device::Candle(device) = device else { return Ok(self.clone()) };
        let shape = (self.rows(), self.columns());
        let tensor = match &self.storage {
            Storage::F32(array) => Tensor::from_slice(array.values(), shape, device)?,
            Storage::F16(half) => Tensor::from_slice(half.values(), shape, device)?,
            Storage::Bf16(half) => Tensor::from_slice(half.values(), shape, device)?,
            Storage::Nf4(_) => {
                let halves: Vec<bf16> = self.to_f32().into_iter().map(bf16::from_f32).collect();
                Tensor::from_slice(&halves, shape, device)?
            }
            Storage::Tensor(tensor) => tensor.to_device(device)?,
        };
        Ok(Self { shape: self.shape, storage: Storage::Tensor(tensor) })
    }

    /// Rows and columns.
    #[must_use]
    pub fn shape(&self) -> [usize; 2] {
        self.shape
    }

    pub(crate) fn dimensions(&self) -> &[usize] {
        &self.shape
    }

    fn rows(&self) -> usize {
        self.shape[0]
    }

    fn columns(&self) -> usize {
        self.shape[1]
    }

    /// The precision in which the host keeps the matrix; `None` if another device holds it.
    #[must_use]
    pub fn precision(&self) -> Option<Precision> {
        match &self.storage {
            Storage::F32(_) => Some(Precision::F32),
            Storage::F16(_) => Some(Precision::F16),
            Storage::Bf16(_) => Some(Precision::Bf16),
            Storage::Nf4(_) => Some(Precision::Nf4),
            Storage::Tensor(_) => None,
        }
    }

    /// The memory that the numbers take (of a mapped file: its address space).
    #[must_use]
    pub fn bytes(&self) -> usize {
        match &self.storage {
            Storage::Tensor(tensor) => tensor.elem_count() * tensor.dtype().size_in_bytes(),
            Storage::Nf4(nf4) => nf4.bytes(),
            Storage::F32(_) | Storage::F16(_) | Storage::Bf16(_) => {
                self.precision().map_or(0, |precision| precision.bytes(self.rows() * self.columns()))
            }
        }
    }

    /// All elements in f32, row by row. Empty for a matrix on another device.
    #[must_use]
    pub fn to_f32(&self) -> Vec<f32> {
        let mut values = vec![0.0; self.rows() * self.columns()];
        self.convert_rows(0..self.rows(), &mut values);
        values
    }

    pub(crate) fn tensor(&self) -> Option<&Tensor> {
        match &self.storage {
            Storage::Tensor(tensor) => Some(tensor),
            _ => None,
        }
    }

    /// Writes some rows, in f32, to `out`.
    pub(crate) fn convert_rows(&self, rows: Range<usize>, out: &mut [f32]) {
        let first = rows.start * self.columns();
        assert_eq!(out.len(), rows.len() * self.columns());
        parallel::over_rows(out, self.columns(), |row, out| {
            let start = first + row * self.columns();
            let range = start..start + out.len();
            match &self.storage {
                Storage::F32(array) => out.copy_from_slice(&array.values()[range]),
                Storage::F16(half) => half.values()[range].convert_to_f32_slice(out),
                Storage::Bf16(half) => widen(&half.values()[range], out),
                Storage::Nf4(nf4) => nf4.dequantize(start, out),
                Storage::Tensor(_) => unreachable!("a matrix on a device meets tensors only"),
            }
        });
    }

    /// Calls `work` with groups of consecutive rows, in f32 and in order.
    fn over_panels(&self, mut work: impl FnMut(Range<usize>, Matrix<'_>)) {
        if let Storage::F32(array) = &self.storage {
            return work(0..self.rows(), Matrix::new(array.values(), self.rows(), self.columns()));
        }
        let height = (PANEL_ELEMENTS / self.columns()).clamp(16, self.rows().max(16));
        let mut panel = Buffer::uninitialised(height * self.columns());
        for start in (0..self.rows()).step_by(height) {
            let rows = start..(start + height).min(self.rows());
            let panel = &mut panel[..rows.len() * self.columns()];
            self.convert_rows(rows.clone(), panel);
            work(rows.clone(), Matrix::new(panel, rows.len(), self.columns()));
        }
    }

    /// `out (+)= x · selfᵀ`: `x [tokens, columns]`, `out [tokens, rows]`.
    pub(crate) fn multiply_transposed(&self, out: &mut [f32], existing: Existing, x: &[f32]) {
        let tokens = x.len() / self.columns();
        self.over_panels(|rows, panel| {
            let out = MatrixMut::with_stride(&mut out[rows.start..], tokens, rows.len(), self.rows());
            multiply(out, existing, 1.0, Matrix::new(x, tokens, self.columns()), panel.transposed(), Threads::All);
        });
    }

    /// `out (+)= y · self`: `y [tokens, rows]`, `out [tokens, columns]`.
    pub(crate) fn multiply(&self, out: &mut [f32], mut existing: Existing, y: &[f32]) {
        let tokens = y.len() / self.rows();
        self.over_panels(|rows, panel| {
            let y = Matrix::with_stride(&y[rows.start..], tokens, rows.len(), self.rows());
            multiply(MatrixMut::new(out, tokens, self.columns()), existing, 1.0, y, panel, Threads::All);
            existing = Existing::Gradient;
        });
    }
}

#[multiversion::multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma", "x86_64+avx2+fma"))]
fn widen(halves: &[bf16], out: &mut [f32]) {
    for (out, half) in out.iter_mut().zip(halves) {
        *out = f32::from_bits(u32::from(half.to_bits()) << 16);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(length: usize) -> Vec<f32> {
        (0..length).map(|index| ((index * 37 % 101) as f32 - 50.0) / 64.0).collect()
    }

    #[test]
    fn every_precision_multiplies_like_its_own_f32_values() {
        // Several panels, the last of them not full.
        let (rows, columns, tokens) = (300, 1100, 3);
        let matrix = FrozenMatrix::f32(Array::new(numbers(rows * columns), &[rows, columns]));
        let (x, y) = (numbers(tokens * columns), numbers(tokens * rows));
        for precision in Precision::ALL {
            let kept = matrix.to_precision(precision);
            assert_eq!(kept.precision(), Some(precision));
            let wide = FrozenMatrix::f32(Array::new(kept.to_f32(), &[rows, columns]));
            let (mut ours, mut reference) = (vec![0.5; tokens * rows], vec![0.5; tokens * rows]);
            kept.multiply_transposed(&mut ours, Existing::Gradient, &x);
            wide.multiply_transposed(&mut reference, Existing::Gradient, &x);
            assert_close(&ours, &reference);
            let (mut ours, mut reference) = (vec![f32::NAN; tokens * columns], vec![f32::NAN; tokens * columns]);
            kept.multiply(&mut ours, Existing::Arbitrary, &y);
            wide.multiply(&mut reference, Existing::Arbitrary, &y);
            assert_close(&ours, &reference);
        }
    }

    fn assert_close(ours: &[f32], reference: &[f32]) {
        for (ours, reference) in ours.iter().zip(reference) {
            assert!((ours - reference).abs() <= 1e-4 * reference.abs().max(1.0), "{ours} against {reference}");
        }
    }

    #[test]
    fn memory_is_what_the_precision_says() {
        let matrix = FrozenMatrix::f32(Array::new(numbers(64 * 1024), &[64, 1024]));
        for precision in Precision::ALL {
            assert_eq!(matrix.to_precision(precision).bytes(), precision.bytes(64 * 1024));
        }
        assert!(Precision::Nf4.bytes(1 << 20) as f64 <= 0.52 * f64::from(1 << 20));
    }
}
