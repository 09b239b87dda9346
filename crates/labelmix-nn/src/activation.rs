//! Elementwise non-linearities.

use candle_core::Tensor;
use multiversion::multiversion;

use crate::array::{Array, Buffer};
use crate::error::{Error, Result};
use crate::parallel;
use crate::simd;
use crate::value::{Backward, InputGradient, Operation, Value, apply};

/// Which of the two common forms of GELU.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Gelu {
    /// `x·Φ(x)` with the error function: transformers' "gelu".
    Exact,
    /// The hyperbolic tangent's approximation: transformers' `gelu_new` and `gelu_pytorch_tanh`.
    Tanh,
}

/// The Gaussian error linear unit (Hendrycks & Gimpel 2016), element by element.
///
/// # Errors
/// If candle fails (on a device other than the host).
pub fn gelu(x: &Value, form: Gelu) -> Result<Value> {
    apply(&Elementwise::Gelu(form), &[x])
}

/// The hyperbolic tangent, element by element.
///
/// # Errors
/// If candle fails (on a device other than the host).
pub fn tanh(x: &Value) -> Result<Value> {
    apply(&Elementwise::Tanh, &[x])
}

/// `silu(gate) · up` (Shazeer 2020), element by element, where `silu(x) = x / (1 + e^-x)`.
///
/// # Errors
/// If the shapes differ.
pub fn swiglu(gate: &Value, up: &Value) -> Result<Value> {
    if gate.shape() != up.shape() {
        let shapes = vec![gate.shape().to_vec(), up.shape().to_vec()];
        return Err(Error::Shape { operation: "swiglu", expected: "gate and up of one shape", shapes });
    }
    apply(&SwiGlu, &[gate, up])
}

#[derive(Clone, Copy)]
enum Elementwise {
    Gelu(Gelu),
    Tanh,
}

/// sqrt(2/π), of the tanh form of GELU.
const SQRT_2_OVER_PI: f32 = 0.797_884_6;
/// The cubic coefficient of the tanh form of GELU.
const GELU_CUBIC: f32 = 0.044_715;

impl Elementwise {
    #[inline(always)]
    fn value(self, x: f32) -> f32 {
        match self {
            Self::Gelu(Gelu::Exact) => 0.5 * x * (1.0 + simd::erf(x * std::f32::consts::FRAC_1_SQRT_2)),
            Self::Gelu(Gelu::Tanh) => 0.5 * x * (1.0 + simd::tanh(SQRT_2_OVER_PI * (x + GELU_CUBIC * x * x * x))),
            Self::Tanh => simd::tanh(x),
        }
    }

    #[inline(always)]
    fn derivative(self, x: f32) -> f32 {
        match self {
            // Φ(x) + x·φ(x)
            Self::Gelu(Gelu::Exact) => {
                let distribution = 0.5 * (1.0 + simd::erf(x * std::f32::consts::FRAC_1_SQRT_2));
                // φ(0) = 1/sqrt(2π) = ½·sqrt(2/π)
                let density = 0.5 * SQRT_2_OVER_PI * simd::exp(-0.5 * x * x);
                distribution + x * density
            }
            // With t = tanh(u(x)): ½(1 + t) + ½·x·(1 − t²)·u′(x)
            Self::Gelu(Gelu::Tanh) => {
                let t = simd::tanh(SQRT_2_OVER_PI * (x + GELU_CUBIC * x * x * x));
                let inner = SQRT_2_OVER_PI * (1.0 + 3.0 * GELU_CUBIC * x * x);
                0.5 * (1.0 + t) + 0.5 * x * (1.0 - t * t) * inner
            }
            Self::Tanh => {
                let t = simd::tanh(x);
                1.0 - t * t
            }
        }
    }

    /// The function over a slice.
    #[inline(always)]
    fn map(self, out: &mut [f32], x: &[f32]) {
        for (out, x) in out.iter_mut().zip(x) {
            *out = self.value(*x);
        }
    }

    /// The chain rule over a slice.
    #[inline(always)]
    fn multiply_by_derivative(self, gradient: &mut [f32], x: &[f32]) {
        for (gradient, x) in gradient.iter_mut().zip(x) {
            *gradient *= self.derivative(*x);
        }
    }
}

// Each arm is a loop of its own, so that no loop chooses a function per element.

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma", "x86_64+avx2+fma"))]
fn elementwise_forward(function: Elementwise, out: &mut [f32], x: &[f32]) {
    match function {
        Elementwise::Gelu(Gelu::Exact) => Elementwise::Gelu(Gelu::Exact).map(out, x),
        Elementwise::Gelu(Gelu::Tanh) => Elementwise::Gelu(Gelu::Tanh).map(out, x),
        Elementwise::Tanh => Elementwise::Tanh.map(out, x),
    }
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma", "x86_64+avx2+fma"))]
fn elementwise_backward(function: Elementwise, gradient: &mut [f32], x: &[f32]) {
    match function {
        Elementwise::Gelu(Gelu::Exact) => Elementwise::Gelu(Gelu::Exact).multiply_by_derivative(gradient, x),
        Elementwise::Gelu(Gelu::Tanh) => Elementwise::Gelu(Gelu::Tanh).multiply_by_derivative(gradient, x),
        Elementwise::Tanh => Elementwise::Tanh.multiply_by_derivative(gradient, x),
    }
}

impl Operation for Elementwise {
    fn name(&self) -> &'static str {
        match self {
            Self::Gelu(_) => "gelu",
            Self::Tanh => "tanh",
        }
    }

    fn fused(&self, inputs: &[&Array], differentiable: bool) -> (Array, Option<Box<dyn Backward>>) {
        let x = inputs[0];
        let mut out = Buffer::uninitialised(x.values().len());
        parallel::over_rows(&mut out, 1, |first, chunk| {
            elementwise_forward(*self, chunk, &x.values()[first..first + chunk.len()]);
        });
        let backward = differentiable
            .then(|| -> Box<dyn Backward> { Box::new(ElementwiseBackward { function: *self, x: x.clone() }) });
        (Array::from_buffer(out, x.shape()), backward)
    }

    fn composed(&self, inputs: &[&Tensor]) -> candle_core::Result<Tensor> {
        let x = inputs[0];
        match self {
            Self::Gelu(Gelu::Exact) => x.gelu_erf(),
            Self::Gelu(Gelu::Tanh) => x.gelu(),
            Self::Tanh => x.tanh(),
        }
    }
}

struct ElementwiseBackward {
    function: Elementwise,
    x: Array,
}

impl Backward for ElementwiseBackward {
    fn backward(self: Box<Self>, mut gradient: Buffer, inputs: &mut [InputGradient]) {
        parallel::over_rows(&mut gradient, 1, |first, chunk| {
            elementwise_backward(self.function, chunk, &self.x.values()[first..first + chunk.len()]);
        });
        inputs[0].give(gradient);
    }
}

struct SwiGlu;

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma", "x86_64+avx2+fma"))]
fn swiglu_forward(out: &mut [f32], gate: &[f32], up: &[f32]) {
    for ((out, gate), up) in out.iter_mut().zip(gate).zip(up) {
        *out = gate * simd::sigmoid(*gate) * up;
    }
}

/// With s = sigmoid(gate): `dup = dy·gate·s` (written over the gradient), `dgate = dy·up·s·(1 + gate·(1 − s))`.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma", "x86_64+avx2+fma"))]
fn swiglu_backward(gradient: &mut [f32], dgate: &mut [f32], gate: &[f32], up: &[f32]) {
    for (((gradient, dgate), gate), up) in gradient.iter_mut().zip(dgate).zip(gate).zip(up) {
        let s = simd::sigmoid(*gate);
        *dgate = *gradient * up * s * (1.0 + gate * (1.0 - s));
        *gradient *= gate * s;
    }
}

impl Operation for SwiGlu {
    fn name(&self) -> &'static str {
        "swiglu"
    }

    fn fused(&self, inputs: &[&Array], differentiable: bool) -> (Array, Option<Box<dyn Backward>>) {
        let (gate, up) = (inputs[0], inputs[1]);
        let mut out = Buffer::uninitialised(gate.values().len());
        parallel::over_rows(&mut out, 1, |first, chunk| {
            let range = first..first + chunk.len();
            swiglu_forward(chunk, &gate.values()[range.clone()], &up.values()[range]);
        });
        let backward = differentiable
            .then(|| -> Box<dyn Backward> { Box::new(SwiGluBackward { gate: gate.clone(), up: up.clone() }) });
        (Array::from_buffer(out, gate.shape()), backward)
    }

    fn composed(&self, inputs: &[&Tensor]) -> candle_core::Result<Tensor> {
        inputs[0].silu()? * inputs[1]
    }
}

struct SwiGluBackward {
    gate: Array,
    up: Array,
}

impl Backward for SwiGluBackward {
    fn backward(self: Box<Self>, mut gradient: Buffer, inputs: &mut [InputGradient]) {
        let mut dgate = Buffer::uninitialised(gradient.len());
        parallel::over_row_pairs(&mut gradient, &mut dgate, 1, |first, gradient, dgate| {
            let range = first..first + gradient.len();
            swiglu_backward(gradient, dgate, &self.gate.values()[range.clone()], &self.up.values()[range]);
        });
        inputs[0].give(dgate);
        inputs[1].give(gradient);
    }
}
