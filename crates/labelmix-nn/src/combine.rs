//! Sums, and rows picked out of a matrix.

use std::sync::Arc;

use candle_core::{DType, Tensor};

use crate::array::{Array, Buffer};
use crate::error::{Error, Result};
use crate::frozen::FrozenMatrix;
use crate::parallel;
use crate::value::{Backward, Existing, InputGradient, Operation, Value, apply};

/// `left + right`, element by element.
///
/// # Errors
/// If the shapes differ.
pub fn add(left: &Value, right: &Value) -> Result<Value> {
    if left.shape() != right.shape() {
        let shapes = vec![left.shape().to_vec(), right.shape().to_vec()];
        return Err(Error::Shape { operation: "add", expected: "two values of one shape", shapes });
    }
    apply(&Add, &[left, right])
}

/// The rows of `table [rows, columns]` with the given indices: `[indices, columns]`. An embedding, or the last token
/// of every sequence.
///
/// # Errors
/// If an index is not below the number of rows.
pub fn gather_rows(table: &Value, indices: &[u32]) -> Result<Value> {
    let rows = table.shape()[0];
    if indices.iter().any(|index| *index as usize >= rows) {
        let shapes = vec![table.shape().to_vec(), vec![indices.iter().max().map_or(0, |index| *index as usize)]];
        return Err(Error::Shape { operation: "gather_rows", expected: "indices below the number of rows", shapes });
    }
    apply(&GatherRows { indices: indices.into() }, &[table])
}

/// The rows of a frozen table, as [`gather_rows`], in f32.
///
/// # Errors
/// If an index is not below the number of rows.
pub fn gather_frozen_rows(table: &FrozenMatrix, indices: &[u32]) -> Result<Value> {
    let [rows, columns] = table.shape();
    if let Some(index) = indices.iter().find(|index| **index as usize >= rows) {
        let shapes = vec![vec![rows, columns], vec![*index as usize]];
        return Err(Error::Shape {
            operation: "gather_frozen_rows",
            expected: "indices below the number of rows",
            shapes,
        });
    }
    if let Some(tensor) = table.tensor() {
        let indices = Tensor::from_slice(indices, indices.len(), tensor.device())?;
        return Ok(Value::constant_tensor(tensor.index_select(&indices, 0)?.to_dtype(DType::F32)?));
    }
    let mut out = Buffer::uninitialised(indices.len() * columns);
    for (row, &index) in out.chunks_exact_mut(columns).zip(indices) {
        table.convert_rows(index as usize..index as usize + 1, row);
    }
    Ok(Value::constant(Array::from_buffer(out, &[indices.len(), columns])))
}

struct Add;

impl Operation for Add {
    fn name(&self) -> &'static str {
        "add"
    }

    fn fused(&self, inputs: &[&Array], differentiable: bool) -> (Array, Option<Box<dyn Backward>>) {
        let (left, right) = (inputs[0].values(), inputs[1].values());
        let mut out = Buffer::uninitialised(left.len());
        parallel::over_rows(&mut out, 1, |first, chunk| {
            let range = first..first + chunk.len();
            for ((out, left), right) in chunk.iter_mut().zip(&left[range.clone()]).zip(&right[range]) {
                *out = left + right;
            }
        });
        let backward = differentiable.then(|| -> Box<dyn Backward> { Box::new(AddBackward) });
        (Array::from_buffer(out, inputs[0].shape()), backward)
    }

    fn composed(&self, inputs: &[&Tensor]) -> candle_core::Result<Tensor> {
        inputs[0] + inputs[1]
    }
}

struct AddBackward;

impl Backward for AddBackward {
    fn backward(self: Box<Self>, gradient: Buffer, inputs: &mut [InputGradient]) {
        inputs[0].give_copy(&gradient);
        inputs[1].give(gradient);
    }
}

struct GatherRows {
    indices: Arc<[u32]>,
}

impl Operation for GatherRows {
    fn name(&self) -> &'static str {
        "gather_rows"
    }

    fn fused(&self, inputs: &[&Array], differentiable: bool) -> (Array, Option<Box<dyn Backward>>) {
        let table = inputs[0];
        let columns = table.columns();
        let mut out = Buffer::uninitialised(self.indices.len() * columns);
        for (row, &index) in out.chunks_exact_mut(columns).zip(self.indices.iter()) {
            let start = index as usize * columns;
            row.copy_from_slice(&table.values()[start..start + columns]);
        }
        let backward = differentiable.then(|| -> Box<dyn Backward> {
            Box::new(GatherRowsBackward { indices: Arc::clone(&self.indices), columns })
        });
        (Array::from_buffer(out, &[self.indices.len(), columns]), backward)
    }

    fn composed(&self, inputs: &[&Tensor]) -> candle_core::Result<Tensor> {
        let indices = Tensor::from_slice(&self.indices, self.indices.len(), inputs[0].device())?;
        inputs[0].contiguous()?.index_select(&indices, 0)
    }
}

struct GatherRowsBackward {
    indices: Arc<[u32]>,
    columns: usize,
}

impl Backward for GatherRowsBackward {
    fn backward(self: Box<Self>, gradient: Buffer, inputs: &mut [InputGradient]) {
        if let Some((dtable, existing)) = inputs[0].memory() {
            if existing == Existing::Arbitrary {
                dtable.fill(0.0);
            }
            for (row, &index) in gradient.chunks_exact(self.columns).zip(self.indices.iter()) {
                let start = index as usize * self.columns;
                for (sum, value) in dtable[start..start + self.columns].iter_mut().zip(row) {
                    *sum += value;
                }
            }
        }
    }
}
