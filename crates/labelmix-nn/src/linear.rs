//! Linear layers, with LoRA folded in (Hu et al. 2021): `y = x·Wᵀ + bias + scale·(x·Aᵀ)·Bᵀ`.

use candle_core::Tensor;

use crate::array::{Array, Buffer};
use crate::error::{Error, Result};
use crate::frozen::FrozenMatrix;
use crate::matmul::{LowRank, Matrix, MatrixMut, Threads, multiply};
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

/// The weight of a linear layer, `[out, in]`.
#[derive(Clone, Copy)]
pub enum Weight<'a> {
    /// One that may be trained.
    Trained(&'a Value),
    /// One that never changes.
    Frozen(&'a FrozenMatrix),
}

impl Weight<'_> {
    fn shape(&self) -> &[usize] {
        match self {
            Self::Trained(value) => value.shape(),
            Self::Frozen(matrix) => matrix.dimensions(),
        }
    }
}

/// `x [rows, in]` times `weight [out, in]` transposed, plus `bias [out]`, plus the low-rank term: `[rows, out]`.
///
/// # Errors
/// If the shapes do not fit.
pub fn linear(x: &Value, weight: Weight<'_>, bias: Option<&Value>, lora: Option<Lora<'_>>) -> Result<Value> {
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
    let mut values = vec![x];
    let mut roles = Roles { weight: None, bias: None, lora: None };
    let mut give = |value| {
        values.push(value);
        values.len() - 1
    };
    let frozen = match weight {
        Weight::Trained(value) => {
            roles.weight = Some(give(value));
            None
        }
        Weight::Frozen(matrix) => Some(matrix.clone()),
    };
    roles.bias = bias.map(&mut give);
    roles.lora = lora.map(|Lora { a, b, scale }| LoraRoles { a: give(a), b: give(b), scale });
    if !shapes_fit {
        let mut shapes: Vec<Vec<usize>> = values.iter().map(|value| value.shape().to_vec()).collect();
        shapes.push(weight.shape().to_vec());
        return Err(Error::Shape {
            operation: "linear",
            expected: "x [rows, in], weight [out, in], bias [out], A [rank, in], B [out, rank]",
            shapes,
        });
    }
    if let Some(frozen) = &frozen
        && frozen.tensor().is_some() != x.tensor().is_some()
    {
        return Err(Error::MixedDevices { operation: "linear" });
    }
    apply(&Linear { frozen, roles }, &values)
}

struct Linear {
    frozen: Option<FrozenMatrix>,
    roles: Roles,
}

/// Where among the inputs (of which x is the first) each value stands.
#[derive(Clone, Copy)]
struct Roles {
    weight: Option<usize>,
    bias: Option<usize>,
    lora: Option<LoraRoles>,
}

#[derive(Clone, Copy)]
struct LoraRoles {
    a: usize,
    b: usize,
    scale: f32,
}

impl Linear {
    fn weight(&self, inputs: &[&Array]) -> FrozenMatrix {
        match (&self.frozen, self.roles.weight) {
            (Some(frozen), _) => frozen.clone(),
            (None, position) => FrozenMatrix::f32(inputs[position.expect("a weight is frozen or an input")].clone()),
        }
    }
}

impl Operation for Linear {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn fused(&self, inputs: &[&Array], differentiable: bool) -> (Array, Option<Box<dyn Backward>>) {
        let x = inputs[0];
        let weight = self.weight(inputs);
        let (rows, [outputs, _]) = (x.rows(), weight.shape());
        let mut y = Buffer::uninitialised(rows * outputs);
        let mut existing = Existing::Arbitrary;
        if let Some(position) = self.roles.bias {
            let bias = inputs[position].values();
            parallel::over_rows(&mut y, outputs, |_, chunk| {
                chunk.chunks_exact_mut(outputs).for_each(|row| row.copy_from_slice(bias));
            });
            existing = Existing::Gradient;
        }
        let lora = self.roles.lora.map(|LoraRoles { a, b, .. }| {
            let (a, b) = (inputs[a], inputs[b]);
            let rank = a.rows();
            let mut projected = Buffer::uninitialised(rows * rank);
            let projected_out = MatrixMut::new(&mut projected, rows, rank);
            multiply(projected_out, Existing::Arbitrary, 1.0, matrix(x), matrix(a).transposed(), Threads::All);
            SavedLora { a: a.clone(), b: b.clone(), projected: Array::from_buffer(projected, &[rows, rank]) }
        });
        let low_rank = lora.as_ref().zip(self.roles.lora).map(|(lora, LoraRoles { scale, .. })| LowRank {
            left: matrix(&lora.projected),
            right: matrix(&lora.b).transposed(),
            scale,
        });
        weight.multiply_transposed(&mut y, existing, x.values(), low_rank);
        let backward = differentiable.then(|| -> Box<dyn Backward> {
            // x is kept only for the gradients of weights that may have one.
            let x = (self.roles.weight.is_some() || lora.is_some()).then(|| x.clone());
            Box::new(LinearBackward { x, weight, roles: self.roles, lora })
        });
        (Array::from_buffer(y, &[rows, outputs]), backward)
    }

    fn composed(&self, inputs: &[&Tensor]) -> candle_core::Result<Tensor> {
        let x = inputs[0];
        let weight = match (&self.frozen, self.roles.weight) {
            (Some(frozen), _) => frozen.tensor(),
            (None, position) => position.map(|position| inputs[position]),
        };
        let weight = weight.ok_or_else(|| candle_core::Error::Msg("a linear layer's weight is on the host".into()))?;
        // The frozen weight may be of half precision; everything else is in f32.
        let mut y = x.to_dtype(weight.dtype())?.matmul(&weight.t()?)?.to_dtype(x.dtype())?;
        if let Some(position) = self.roles.bias {
            y = y.broadcast_add(inputs[position])?;
        }
        if let Some(LoraRoles { a, b, scale }) = self.roles.lora {
            y = (y + (x.matmul(&inputs[a].t()?)?.matmul(&inputs[b].t()?)? * f64::from(scale))?)?;
        }
        Ok(y)
    }
}

struct SavedLora {
    a: Array,
    b: Array,
    /// `x·Aᵀ`, `[rows, rank]`.
    projected: Array,
}

struct LinearBackward {
    x: Option<Array>,
    weight: FrozenMatrix,
    roles: Roles,
    lora: Option<SavedLora>,
}

impl Backward for LinearBackward {
    fn backward(self: Box<Self>, gradient: Buffer, inputs: &mut [InputGradient]) {
        let [outputs, columns] = self.weight.shape();
        let rows = gradient.len() / outputs;
        let dy = Matrix::new(&gradient, rows, outputs);
        let lora = self.lora.as_ref().zip(self.roles.lora);
        let dprojected = lora.map(|(SavedLora { b, .. }, LoraRoles { scale, .. })| {
            let rank = b.columns();
            let mut dprojected = Buffer::uninitialised(rows * rank);
            let out = MatrixMut::new(&mut dprojected, rows, rank);
            multiply(out, Existing::Arbitrary, scale, dy, matrix(b), Threads::All);
            Array::from_buffer(dprojected, &[rows, rank])
        });
        if let Some((dx, existing)) = inputs[0].memory() {
            let low_rank = lora.zip(dprojected.as_ref()).map(|((SavedLora { a, .. }, _), dprojected)| LowRank {
                left: matrix(dprojected),
                right: matrix(a),
                scale: 1.0,
            });
            self.weight.multiply(dx, existing, &gradient, low_rank);
        }
        if let (Some(position), Some(x)) = (self.roles.weight, &self.x)
            && let Some((dweight, existing)) = inputs[position].memory()
        {
            let out = MatrixMut::new(dweight, outputs, columns);
            multiply(out, existing, 1.0, dy.transposed(), matrix(x), Threads::All);
        }
        if let Some(position) = self.roles.bias
            && let Some((dbias, existing)) = inputs[position].memory()
        {
            if existing == Existing::Arbitrary {
                dbias.fill(0.0);
            }
            for row in gradient.chunks_exact(outputs) {
                parallel::add_assign(dbias, row);
            }
        }
        if let (Some((SavedLora { projected, .. }, roles)), Some(dprojected), Some(x)) = (lora, &dprojected, &self.x) {
            let rank = projected.columns();
            if let Some((da, existing)) = inputs[roles.a].memory() {
                let out = MatrixMut::new(da, rank, columns);
                multiply(out, existing, 1.0, matrix(dprojected).transposed(), matrix(x), Threads::All);
            }
            if let Some((db, existing)) = inputs[roles.b].memory() {
                let out = MatrixMut::new(db, outputs, rank);
                multiply(out, existing, roles.scale, dy.transposed(), matrix(projected), Threads::All);
            }
        }
    }
}

fn matrix(array: &Array) -> Matrix<'_> {
    Matrix::new(array.values(), array.rows(), array.columns())
}
