//! Rotary position embedding (Su et al. 2021), in the half-split form of Llama: dimension i of a head turns
//! together with dimension i + half the number of dimensions that turn.

use std::sync::{Arc, OnceLock};

use candle_core::Tensor;
use multiversion::multiversion;

use crate::array::{Array, Buffer};
use crate::error::{Error, Result};
use crate::parallel;
use crate::value::{Backward, InputGradient, Operation, Value, apply};

/// Positions whose angles are computed together, when the first of them is met.
const CHUNK: usize = 256;

/// The cosine and sine of every position's angles, computed when they are first needed. Cloning shares them.
#[derive(Clone, Debug)]
pub struct RotaryTable {
    frequencies: Arc<[f32]>,
    chunks: Arc<[OnceLock<Angles>]>,
    positions: usize,
    head_dim: usize,
}

/// Cosines and sines, `[CHUNK, pairs]` each.
#[derive(Debug)]
struct Angles {
    cosine: Box<[f32]>,
    sine: Box<[f32]>,
}

impl RotaryTable {
    /// Angles `position · frequency` for positions below `positions` and the given frequencies, one for each
    /// pair of dimensions. The first `2 · frequencies` of a head's `head_dim` dimensions turn, the others stay.
    pub fn new(positions: usize, head_dim: usize, frequencies: &[f32]) -> Self {
        assert!(2 * frequencies.len() <= head_dim, "more pairs of dimensions than a head has");
        let chunks = (0..positions.div_ceil(CHUNK)).map(|_| OnceLock::new()).collect();
        Self { frequencies: frequencies.into(), chunks, positions, head_dim }
    }

    /// The number of positions that the table knows.
    pub fn positions(&self) -> usize {
        self.positions
    }

    fn pairs(&self) -> usize {
        self.frequencies.len()
    }

    /// The cosines and sines of one position.
    fn row(&self, position: u32) -> (&[f32], &[f32]) {
        let (chunk, offset) = (position as usize / CHUNK, position as usize % CHUNK * self.pairs());
        let angles = self.chunks[chunk].get_or_init(|| {
            let positions = chunk * CHUNK..(chunk + 1) * CHUNK;
            // transformers computes the angle in f32 too; its cosine is taken in f64 here and rounded once.
            let (cosine, sine): (Vec<f32>, Vec<f32>) = positions
                .flat_map(|position| self.frequencies.iter().map(move |frequency| position as f32 * frequency))
                .map(|angle| (f64::from(angle).cos() as f32, f64::from(angle).sin() as f32))
                .unzip();
            Angles { cosine: cosine.into(), sine: sine.into() }
        });
        let range = offset..offset + self.pairs();
        (&angles.cosine[range.clone()], &angles.sine[range])
    }
}

/// Turns every head of `x [tokens, heads · head_dim]` by its token's position.
///
/// # Errors
/// If the shapes do not fit, or a position lies outside the table.
pub fn rotary(x: &Value, table: &RotaryTable, positions: &Arc<[u32]>) -> Result<Value> {
    let fits = matches!(x.shape(), [tokens, columns] if *tokens == positions.len() && columns % table.head_dim == 0);
    let known = positions.iter().all(|position| (*position as usize) < table.positions);
    if !fits || !known {
        let shapes = vec![x.shape().to_vec(), vec![positions.len()], vec![table.positions, table.head_dim]];
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
    let pairs = table.pairs();
    let sign = match turn {
        Turn::Forward => 1.0,
        Turn::Back => -1.0,
    };
    for (row, &position) in rows.chunks_exact_mut(columns).zip(positions) {
        let (cosine, sine) = table.row(position);
        for head in row.chunks_exact_mut(table.head_dim) {
            let (low, high) = head[..2 * pairs].split_at_mut(pairs);
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
        let (pairs, head_dim) = (self.table.pairs(), self.table.head_dim);
        let (cosine, sine): (Vec<&[f32]>, Vec<&[f32]>) =
            self.positions.iter().map(|&position| self.table.row(position)).unzip();
        let angles =
            |rows: Vec<&[f32]>| Tensor::from_vec(rows.concat(), (tokens, 1, pairs), x.device())?.to_dtype(x.dtype());
        let (cosine, sine) = (angles(cosine)?, angles(sine)?);
        let heads = x.reshape((tokens, columns / head_dim, head_dim))?;
        let (low, high) = (heads.narrow(2, 0, pairs)?, heads.narrow(2, pairs, pairs)?);
        let rest = heads.narrow(2, 2 * pairs, head_dim - 2 * pairs)?;
        let turned_low = (low.broadcast_mul(&cosine)? - high.broadcast_mul(&sine)?)?;
        let turned_high = (high.broadcast_mul(&cosine)? + low.broadcast_mul(&sine)?)?;
        let parts =
            if rest.elem_count() == 0 { vec![turned_low, turned_high] } else { vec![turned_low, turned_high, rest] };
        Tensor::cat(&parts, 2)?.reshape((tokens, columns))
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
