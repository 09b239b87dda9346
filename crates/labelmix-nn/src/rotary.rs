//! Rotary position embedding (Su et al. 2021), in the half-split form of Llama: dimension i of a head turns
//! together with dimension i + head size / 2.

use std::sync::Arc;

use candle_core::Tensor;
use multiversion::multiversion;

use crate::array::{Array, Buffer};
use crate::error::{Error, Result};
use crate::parallel;
use crate::value::{Backward, InputGradient, Operation, Value, apply};

/// The cosine and sine of every position's angles.
#[derive(Clone, Debug)]
pub struct RotaryTable {
    /// `[positions, head_dim / 2]` each.
    cosine: Arc<[f32]>,
    sine: Arc<[f32]>,
    half: usize,
}

impl RotaryTable {
    /// Angles `position · frequency` for positions below `positions` and the given frequencies, one for each
    /// pair of dimensions.
    #[must_use]
    pub fn new(positions: usize, frequencies: &[f32]) -> Self {
        let angles =
            (0..positions).flat_map(|position| frequencies.iter().map(move |frequency| position as f32 * frequency));
        // transformers computes the angle in f32 too; its cosine is taken in f64 here and rounded once.
        let (cosine, sine) = angles
            .map(|angle| (f64::from(angle).cos() as f32, f64::from(angle).sin() as f32))
            .unzip::<_, _, Vec<_>, Vec<_>>();
        Self { cosine: cosine.into(), sine: sine.into(), half: frequencies.len() }
    }

    /// The number of positions that the table knows.
    #[must_use]
    pub fn positions(&self) -> usize {
        self.cosine.len() / self.half.max(1)
    }

    fn row(values: &[f32], position: u32, half: usize) -> &[f32] {
        &values[position as usize * half..(position as usize + 1) * half]
    }
}

/// Turns every head of `x [tokens, heads · head_dim]` by its token's position.
///
/// # Errors
/// If the shapes do not fit, or a position lies outside the table.
pub fn rotary(x: &Value, table: &RotaryTable, positions: &Arc<[u32]>) -> Result<Value> {
    let fits = matches!(x.shape(), [tokens, columns] if *tokens == positions.len() && columns % (2 * table.half) == 0);
    let known = positions.iter().all(|position| (*position as usize) < table.positions());
    if !fits || !known {
        let shapes = vec![x.shape().to_vec(), vec![positions.len()], vec![table.positions(), table.half]];
        let expected = "x [tokens, heads·head_dim], positions [tokens] within the table";
        return Err(Error::Shape { operation: "rotary", expected, shapes });
    }
    apply(&Rotary { table: table.clone(), positions: Arc::clone(positions) }, &[x])
}

#[derive(Clone)]
struct Rotary {
    table: RotaryTable,
    positions: Arc<[u32]>,
}

/// Which way to turn: the gradient of a rotation is the rotation back.
#[derive(Clone, Copy)]
enum Turn {
    Forward,
    Back,
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma", "x86_64+avx2+fma"))]
fn turn_rows(rows: &mut [f32], columns: usize, table: &RotaryTable, positions: &[u32], turn: Turn) {
    let half = table.half;
    let sign = match turn {
        Turn::Forward => 1.0,
        Turn::Back => -1.0,
    };
    for (row, &position) in rows.chunks_exact_mut(columns).zip(positions) {
        let cosine = RotaryTable::row(&table.cosine, position, half);
        let sine = RotaryTable::row(&table.sine, position, half);
        for head in row.chunks_exact_mut(2 * half) {
            let (low, high) = head.split_at_mut(half);
            for (((low, high), cosine), sine) in low.iter_mut().zip(high).zip(cosine).zip(sine) {
                let (a, b) = (*low, *high);
                *low = a * cosine - sign * b * sine;
                *high = b * cosine + sign * a * sine;
            }
        }
    }
}

impl Operation for Rotary {
    fn name(&self) -> &'static str {
        "rotary"
    }

    fn fused(&self, inputs: &[&Array], differentiable: bool) -> (Array, Option<Box<dyn Backward>>) {
        let x = inputs[0];
        let columns = x.columns();
        let mut out = Buffer::uninitialised(x.values().len());
        parallel::over_rows(&mut out, columns, |first, rows| {
            rows.copy_from_slice(&x.values()[first * columns..first * columns + rows.len()]);
            turn_rows(rows, columns, &self.table, &self.positions[first..], Turn::Forward);
        });
        let backward = differentiable
            .then(|| -> Box<dyn Backward> { Box::new(RotaryBackward { rotation: self.clone(), columns }) });
        (Array::from_buffer(out, x.shape()), backward)
    }

    fn composed(&self, inputs: &[&Tensor]) -> candle_core::Result<Tensor> {
        let x = inputs[0];
        let (tokens, columns) = x.dims2()?;
        let half = self.table.half;
        let angles = |values: &[f32]| {
            let rows: Vec<f32> =
                self.positions.iter().flat_map(|&position| RotaryTable::row(values, position, half).to_vec()).collect();
            Tensor::from_vec(rows, (tokens, 1, half), x.device())?.to_dtype(x.dtype())
        };
        let (cosine, sine) = (angles(&self.table.cosine)?, angles(&self.table.sine)?);
        let heads = x.reshape((tokens, columns / (2 * half), 2 * half))?;
        let (low, high) = (heads.narrow(2, 0, half)?, heads.narrow(2, half, half)?);
        let turned_low = (low.broadcast_mul(&cosine)? - high.broadcast_mul(&sine)?)?;
        let turned_high = (high.broadcast_mul(&cosine)? + low.broadcast_mul(&sine)?)?;
        Tensor::cat(&[turned_low, turned_high], 2)?.reshape((tokens, columns))
    }
}

struct RotaryBackward {
    rotation: Rotary,
    columns: usize,
}

impl Backward for RotaryBackward {
    fn backward(self: Box<Self>, mut gradient: Buffer, inputs: &mut [InputGradient]) {
        parallel::over_rows(&mut gradient, self.columns, |first, rows| {
            let Rotary { table, positions } = &self.rotation;
            turn_rows(rows, self.columns, table, &positions[first..], Turn::Back);
        });
        inputs[0].give(gradient);
    }
}
