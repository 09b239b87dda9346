//! Weight matrices that never change, in the precision in which they are kept.
//!
//! Unless told otherwise, the host computes in f32 whatever the precision; and since bf16 and f16 convert to f32
//! exactly, a checkpoint that stores them gives the same numbers in half the memory.

mod products;

use std::ops::Range;
use std::sync::Arc;

use candle_core::Tensor;
use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};

use crate::array::Array;
use crate::mapped::Mapped;
use crate::nf4::Nf4;
use crate::parallel;

/// A frozen matrix `[rows, columns]`. Cloning shares the memory.
#[derive(Clone, Debug)]
pub struct FrozenMatrix {
    /// Rows and columns.
    shape: [usize; 2],
    storage: Storage,
    matmul_precision: MatmulPrecision,
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
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|precision| precision.name() == name)
    }

    /// The name in messages and study files.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
            Self::Nf4 => "nf4",
        }
    }

    /// The memory that a matrix of this many elements takes.
    pub fn bytes(self, elements: usize) -> usize {
        match self {
            Self::F32 => 4 * elements,
            Self::F16 | Self::Bf16 => 2 * elements,
            Self::Nf4 => Nf4::bytes_for(elements),
        }
    }
}

/// To what the factors of a product with a frozen matrix are rounded; sums are in f32.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum MatmulPrecision {
    /// Not at all.
    #[default]
    F32,
    /// To bf16, as under torch's autocast. Where the processor has no instruction for such products the same numbers
    /// are multiplied in f32.
    Bf16,
}

impl FrozenMatrix {
    fn new(rows: usize, columns: usize, elements: usize, storage: Storage) -> Self {
        assert_eq!(rows * columns, elements, "values do not fill a matrix of {rows} × {columns}");
        Self { shape: [rows, columns], storage, matmul_precision: MatmulPrecision::F32 }
    }

    /// A matrix in f32, of an array `[rows, columns]`.
    pub fn f32(array: Array) -> Self {
        let (rows, columns) = (array.rows(), array.columns());
        Self::new(rows, columns, array.values().len(), Storage::F32(array))
    }

    /// A matrix over a file's own f16 numbers.
    pub fn mapped_f16(values: Mapped<f16>, rows: usize, columns: usize) -> Self {
        Self::new(rows, columns, values.len(), Storage::F16(Half::Mapped(values)))
    }

    /// A matrix over a file's own bf16 numbers.
    pub fn mapped_bf16(values: Mapped<bf16>, rows: usize, columns: usize) -> Self {
        Self::new(rows, columns, values.len(), Storage::Bf16(Half::Mapped(values)))
    }

    /// The same numbers in another precision of the host, each rounded to nearest (or quantised, for NF4).
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
        Self { storage, ..self.clone() }
    }

    /// The same matrix for products of the given precision. For products in bf16, numbers of higher precision are
    /// rounded to bf16 here, once.
    pub fn for_products_in(&self, matmul_precision: MatmulPrecision) -> Self {
        let kept = match (matmul_precision, self.precision()) {
            (MatmulPrecision::Bf16, Some(Precision::F32 | Precision::F16)) => self.to_precision(Precision::Bf16),
            _ => self.clone(),
        };
        Self { matmul_precision, ..kept }
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
        Ok(Self { storage: Storage::Tensor(tensor), ..self.clone() })
    }

    /// Rows and columns.
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

    #[test]
    fn memory_is_what_the_precision_says() {
        let matrix = FrozenMatrix::f32(Array::new(vec![0.25; 64 * 1024], &[64, 1024]));
        for precision in Precision::ALL {
            assert_eq!(matrix.to_precision(precision).bytes(), precision.bytes(64 * 1024));
        }
        assert!(Precision::Nf4.bytes(1 << 20) as f64 <= 0.52 * f64::from(1 << 20));
    }
}
