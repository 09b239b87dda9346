//! Linear layers, with LoRA folded in (Hu et al. 2021): `y = x·Wᵀ + bias + scale·(x·Aᵀ)·Bᵀ`.

use candle_core::Tensor;

use crate::array::{Array, Buffer};
use crate::error::{Error, Result};
use crate::matmul::{Matrix, MatrixMut, Threads, multiply};
use crate::parallel;
use crate::value::{Backward, Existing, InputGradient, Operation, Value, apply};

/// A low-rank addition to a weight matrix.
#[derive(Clone, Copy)]
pub struct Lora<'a> {
    /// `[rank, in]`.
    pub a: &'a Value,
    /// `[out, rank]`.
    pub b: &'a Value,
    /// What the product is multiplied by: alpha / rank.
    pub scale: f32,
}

/// `x [rows, in]` times `weight [out, in]` transposed, plus `bias [out]`, plus the low-rank term: `[rows, out]`.
///
/// # Errors
/// If the shapes do not fit.
pub fn linear(x: &Value, weight: &Value, bias: Option<&Value>, lora: Option<Lora<'_>>) -> Result<Value> {
    let shapes_fit = match (x.shape(), weight.shape()) {
        ([_, columns], [outputs, inputs]) => {
            columns == inputs
                && bias.is_none_or(|bias| bias.shape() == [*outputs])
                && lora.is_none_or(|Lora { a, b, .. }| match (a.shape(), b.shape()) {
                    ([rank, a_inputs], [b_outputs, b_rank]) => {
                        rank == b_rank && a_inputs == inputs && b_outputs == outputs
                    }
                    _ => false,
                })
        }
        _ => false,
    };
    let mut values = vec![x, weight];
    values.extend(bias);
    if let Some(Lora { a, b, .. }) = lora {
        values.extend([a, b]);
    }
    if !shapes_fit {
        return Err(Error::Shape {
            operation: "linear",
            expected: "x [rows, in], weight [out, in], bias [out], A [rank, in], B [out, rank]",
            shapes: values.iter().map(|value| value.shape().to_vec()).collect(),
        });
    }
    apply(&Linear { bias: bias.is_some(), lora_scale: lora.map(|lora| lora.scale) }, &values)
}

struct Linear {
    bias: bool,
    lora_scale: Option<f32>,
}

impl Operation for Linear {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn fused(&self, inputs: &[&Array], differentiable: bool) -> (Array, Option<Box<dyn Backward>>) {
        let (x, weight) = (inputs[0], inputs[1]);
        let (rows, outputs) = (x.rows(), weight.rows());
        let mut y = Buffer::uninitialised(rows * outputs);
        let mut existing = Existing::Arbitrary;
        if self.bias {
            let bias = inputs[2].values();
            parallel::over_rows(&mut y, outputs, |_, chunk| {
                chunk.chunks_exact_mut(outputs).for_each(|row| row.copy_from_slice(bias));
            });
            existing = Existing::Gradient;
        }
        multiply(
            MatrixMut::new(&mut y, rows, outputs),
            existing,
            1.0,
            matrix(x),
            matrix(weight).transposed(),
            Threads::All,
        );
        let lora = self.lora_scale.map(|scale| {
            let (a, b) = (inputs[inputs.len() - 2], inputs[inputs.len() - 1]);
            let rank = a.rows();
            let mut projected = Buffer::uninitialised(rows * rank);
            let projected_out = MatrixMut::new(&mut projected, rows, rank);
            multiply(projected_out, Existing::Arbitrary, 1.0, matrix(x), matrix(a).transposed(), Threads::All);
            let projected = Array::from_buffer(projected, &[rows, rank]);
            let y_out = MatrixMut::new(&mut y, rows, outputs);
            multiply(y_out, Existing::Gradient, scale, matrix(&projected), matrix(b).transposed(), Threads::All);
            SavedLora { a: a.clone(), b: b.clone(), projected, scale }
        });
        let backward = differentiable.then(|| -> Box<dyn Backward> {
            Box::new(LinearBackward { x: x.clone(), weight: weight.clone(), bias: self.bias, lora })
        });
        (Array::from_buffer(y, &[rows, outputs]), backward)
    }

    fn composed(&self, inputs: &[&Tensor]) -> candle_core::Result<Tensor> {
        let x = inputs[0];
        let mut y = x.matmul(&inputs[1].t()?)?;
        if self.bias {
            y = y.broadcast_add(inputs[2])?;
        }
        if let Some(scale) = self.lora_scale {
            let (a, b) = (inputs[inputs.len() - 2], inputs[inputs.len() - 1]);
            y = (y + (x.matmul(&a.t()?)?.matmul(&b.t()?)? * f64::from(scale))?)?;
        }
        Ok(y)
    }
}

struct SavedLora {
    a: Array,
    b: Array,
    /// `x·Aᵀ`, `[rows, rank]`.
    projected: Array,
    scale: f32,
}

struct LinearBackward {
    x: Array,
    weight: Array,
    bias: bool,
    lora: Option<SavedLora>,
}

impl Backward for LinearBackward {
    fn backward(self: Box<Self>, gradient: Buffer, inputs: &mut [InputGradient]) {
        let (rows, outputs, columns) = (self.x.rows(), self.weight.rows(), self.weight.columns());
        let dy = Matrix::new(&gradient, rows, outputs);
        if let Some((dx, existing)) = inputs[0].memory() {
            multiply(MatrixMut::new(dx, rows, columns), existing, 1.0, dy, matrix(&self.weight), Threads::All);
        }
        if let Some((dweight, existing)) = inputs[1].memory() {
            let out = MatrixMut::new(dweight, outputs, columns);
            multiply(out, existing, 1.0, dy.transposed(), matrix(&self.x), Threads::All);
        }
        if self.bias
            && let Some((dbias, existing)) = inputs[2].memory()
        {
            if existing == Existing::Arbitrary {
                dbias.fill(0.0);
            }
            for row in gradient.chunks_exact(outputs) {
                parallel::add_assign(dbias, row);
            }
        }
        if let Some(SavedLora { a, b, projected, scale }) = &self.lora {
            let rank = a.rows();
            let position = inputs.len() - 2;
            let mut dprojected = Buffer::uninitialised(rows * rank);
            let out = MatrixMut::new(&mut dprojected, rows, rank);
            multiply(out, Existing::Arbitrary, *scale, dy, matrix(b), Threads::All);
            let dprojected = Matrix::new(&dprojected, rows, rank);
            if let Some((dx, existing)) = inputs[0].memory() {
                multiply(MatrixMut::new(dx, rows, columns), existing, 1.0, dprojected, matrix(a), Threads::All);
            }
            if let Some((da, existing)) = inputs[position].memory() {
                let out = MatrixMut::new(da, rank, columns);
                multiply(out, existing, 1.0, dprojected.transposed(), matrix(&self.x), Threads::All);
            }
            if let Some((db, existing)) = inputs[position + 1].memory() {
                let out = MatrixMut::new(db, outputs, rank);
                multiply(out, existing, *scale, dy.transposed(), matrix(projected), Threads::All);
            }
        }
    }
}

fn matrix(array: &Array) -> Matrix<'_> {
    Matrix::new(array.values(), array.rows(), array.columns())
}
