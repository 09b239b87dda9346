//! Normalisation over the last dimension: RMSNorm (Zhang & Sennrich 2019) and LayerNorm (Ba et al. 2016).

use candle_core::{D, Tensor};
use multiversion::multiversion;

use crate::array::{Array, Buffer};
use crate::error::{Error, Result};
use crate::parallel;
use crate::simd::{sum, sum_of_pairs};
use crate::value::{Backward, Existing, InputGradient, Operation, Value, apply};

/// `x / sqrt(mean(x²) + epsilon) · weight`, row by row. `x [rows, columns]`, `weight [columns]`; or
/// `x [rows, groups · columns]`, where each group of columns is normalised by itself (every head of a projection).
///
/// # Errors
/// If the shapes do not fit.
pub fn rms_norm(x: &Value, weight: &Value, epsilon: f32) -> Result<Value> {
    check("rms_norm", &[x, weight])?;
    apply(&Normalization { kind: Kind::RootMeanSquare, epsilon }, &[x, weight])
}

/// `(x − mean(x)) / sqrt(var(x) + epsilon) · weight + bias`, row by row. `x [rows, columns]` (or several groups of
/// columns, as for [`rms_norm`]), the others `[columns]`.
///
/// # Errors
/// If the shapes do not fit.
pub fn layer_norm(x: &Value, weight: &Value, bias: Option<&Value>, epsilon: f32) -> Result<Value> {
    let mut values = vec![x, weight];
    values.extend(bias);
    check("layer_norm", &values)?;
    apply(&Normalization { kind: Kind::Layer, epsilon }, &values)
}

fn check(operation: &'static str, values: &[&Value]) -> Result<()> {
    let fits = match (values[0].shape(), values[1].shape()) {
        ([_, columns], [group]) => columns.is_multiple_of(*group) && values[2..].iter().all(|v| v.shape() == [*group]),
        _ => false,
    };
    if !fits {
        return Err(Error::Shape {
            operation,
            expected: "x [rows, columns], weight and bias [columns]",
            shapes: values.iter().map(|value| value.shape().to_vec()).collect(),
        });
    }
    Ok(())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    RootMeanSquare,
    Layer,
}

struct Normalization {
    kind: Kind,
    epsilon: f32,
}

/// The mean that is subtracted from a row and the reciprocal of what it is divided by.
#[inline(always)]
fn row_statistics(row: &[f32], kind: Kind, epsilon: f32) -> (f32, f32) {
    let columns = row.len() as f32;
    let mean = match kind {
        Kind::RootMeanSquare => 0.0,
        Kind::Layer => sum(row, |x| x) / columns,
    };
    let variance = sum(row, |x| (x - mean) * (x - mean)) / columns;
    (mean, 1.0 / (variance + epsilon).sqrt())
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma", "x86_64+avx2+fma"))]
fn normalize_rows(out: &mut [f32], x: &[f32], weight: &[f32], bias: Option<&[f32]>, kind: Kind, epsilon: f32) {
    let columns = weight.len();
    for (out, x) in out.chunks_exact_mut(columns).zip(x.chunks_exact(columns)) {
        let (mean, scale) = row_statistics(x, kind, epsilon);
        match bias {
            None => {
                for ((out, x), weight) in out.iter_mut().zip(x).zip(weight) {
                    *out = (x - mean) * scale * weight;
                }
            }
            Some(bias) => {
                for (((out, x), weight), bias) in out.iter_mut().zip(x).zip(weight).zip(bias) {
                    *out = (x - mean) * scale * weight + bias;
                }
            }
        }
    }
}

/// With x̂ = (x − mean)·scale and g = dy·weight: `dx = scale·(g − mean(g) − x̂·mean(g·x̂))`, where the mean of g
/// falls away for RMSNorm, which subtracts no mean. Written over `gradient`.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma", "x86_64+avx2+fma"))]
fn differentiate_rows(gradient: &mut [f32], x: &[f32], weight: &[f32], kind: Kind, epsilon: f32) {
    let columns = weight.len();
    for (dy, x) in gradient.chunks_exact_mut(columns).zip(x.chunks_exact(columns)) {
        let (mean, scale) = row_statistics(x, kind, epsilon);
        for (dy, weight) in dy.iter_mut().zip(weight) {
            *dy *= weight;
        }
        let projection = sum_of_pairs(dy, x, |g, x| g * (x - mean)) * scale / columns as f32;
        let shift = match kind {
            Kind::RootMeanSquare => 0.0,
            Kind::Layer => sum(dy, |g| g) / columns as f32,
        };
        for (dy, x) in dy.iter_mut().zip(x) {
            *dy = scale * (*dy - shift - (x - mean) * scale * projection);
        }
    }
}

impl Operation for Normalization {
    fn name(&self) -> &'static str {
        match self.kind {
            Kind::RootMeanSquare => "rms_norm",
            Kind::Layer => "layer_norm",
        }
    }

    fn fused(&self, inputs: &[&Array], differentiable: bool) -> (Array, Option<Box<dyn Backward>>) {
        let (x, weight) = (inputs[0], inputs[1]);
        let bias = inputs.get(2).map(|bias| bias.values());
        let mut out = Buffer::uninitialised(x.values().len());
        parallel::over_rows(&mut out, weight.columns(), |first, rows| {
            let offset = first * weight.columns();
            let x = &x.values()[offset..offset + rows.len()];
            normalize_rows(rows, x, weight.values(), bias, self.kind, self.epsilon);
        });
        let backward = differentiable.then(|| -> Box<dyn Backward> {
            Box::new(NormalizationBackward {
                x: x.clone(),
                weight: weight.clone(),
                kind: self.kind,
                epsilon: self.epsilon,
            })
        });
        (Array::from_buffer(out, x.shape()), backward)
    }

    fn composed(&self, inputs: &[&Tensor]) -> candle_core::Result<Tensor> {
        let group = inputs[1].elem_count();
        let x = &inputs[0].reshape((inputs[0].elem_count() / group, group))?;
        let centred = match self.kind {
            Kind::RootMeanSquare => x.clone(),
            Kind::Layer => x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?,
        };
        let variance = centred.sqr()?.mean_keepdim(D::Minus1)?;
        let normalized = centred.broadcast_div(&(variance + f64::from(self.epsilon))?.sqrt()?)?;
        let scaled = normalized.broadcast_mul(inputs[1])?;
        let shifted = match inputs.get(2) {
            None => scaled,
            Some(bias) => scaled.broadcast_add(bias)?,
        };
        shifted.reshape(inputs[0].shape())
    }
}

struct NormalizationBackward {
    x: Array,
    weight: Array,
    kind: Kind,
    epsilon: f32,
}

impl NormalizationBackward {
    /// Adds the gradients of weight and bias, the sums over rows of dy·x̂ and of dy.
    fn add_weight_gradients(&self, gradient: &[f32], inputs: &mut [InputGradient]) {
        let columns = self.weight.columns();
        let (weight_slot, bias_slot) = inputs[1..].split_at_mut(1);
        let mut targets = [weight_slot[0].memory(), bias_slot.first_mut().and_then(InputGradient::memory)];
        for (target, existing) in targets.iter_mut().flatten() {
            if *existing == Existing::Arbitrary {
                target.fill(0.0);
            }
        }
        for (dy, x) in gradient.chunks_exact(columns).zip(self.x.values().chunks_exact(columns)) {
            let (mean, scale) = row_statistics(x, self.kind, self.epsilon);
            if let Some((dweight, _)) = &mut targets[0] {
                for ((dweight, dy), x) in dweight.iter_mut().zip(dy).zip(x) {
                    *dweight += dy * (x - mean) * scale;
                }
            }
            if let Some((dbias, _)) = &mut targets[1] {
                for (dbias, dy) in dbias.iter_mut().zip(dy) {
                    *dbias += dy;
                }
            }
        }
    }
}

impl Backward for NormalizationBackward {
    fn backward(self: Box<Self>, mut gradient: Buffer, inputs: &mut [InputGradient]) {
        if inputs[1..].iter().any(InputGradient::is_needed) {
            self.add_weight_gradients(&gradient, inputs);
        }
        if inputs[0].is_needed() {
            let columns = self.weight.columns();
            parallel::over_rows(&mut gradient, columns, |first, rows| {
                let x = &self.x.values()[first * columns..first * columns + rows.len()];
                differentiate_rows(rows, x, self.weight.values(), self.kind, self.epsilon);
            });
            inputs[0].give(gradient);
        }
    }
}
