//! Elementwise non-linearities.

use candle_core::Tensor;
use multiversion::multiversion;

use crate::array::{Array, Buffer};
use crate::error::{Error, Result};
use crate::parallel;
use crate::simd;
use crate::value::{Backward, InputGradient, Operation, Value, apply};

/// A non-linearity, by the name that the literature gives it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Activation {
    /// The Gaussian error linear unit `x·Φ(x)` (Hendrycks & Gimpel 2016), with the error function.
    Gelu,
    /// The same by the hyperbolic tangent's approximation: transformers' `gelu_new` and `gelu_pytorch_tanh`.
    GeluTanh,
    /// `x / (1 + e^-x)`, also called swish.
    Silu,
    /// `max(x, 0)`.
    Relu,
    /// The hyperbolic tangent.
    Tanh,
}

/// The activation, element by element.
///
/// # Errors
/// If candle fails (on a device other than the host).
pub fn activation(x: &Value, kind: Activation) -> Result<Value> {
    apply(&Elementwise::Activation(kind), &[x])
}

/// `x · factor`, element by element.
///
/// # Errors
/// If candle fails (on a device other than the host).
pub fn scale(x: &Value, factor: f32) -> Result<Value> {
    apply(&Elementwise::Scale(factor), &[x])
}

/// `cap · tanh(x / cap)`, element by element: logits that cannot exceed `cap` (Gemma 2).
///
/// # Errors
/// If candle fails (on a device other than the host).
pub fn soft_cap(x: &Value, cap: f32) -> Result<Value> {
    apply(&Elementwise::SoftCap(cap), &[x])
}

/// `activation(gate) · up`, element by element: the gated linear units of Shazeer 2020 (SwiGLU with SiLU, GEGLU with
/// GELU).
///
/// # Errors
/// If the shapes differ.
pub fn gated(gate: &Value, up: &Value, kind: Activation) -> Result<Value> {
    if gate.shape() != up.shape() {
        let shapes = vec![gate.shape().to_vec(), up.shape().to_vec()];
        return Err(Error::Shape { operation: "gated", expected: "gate and up of one shape", shapes });
    }
    apply(&Gated(kind), &[gate, up])
}

/// sqrt(2/π), of the tanh form of GELU.
const SQRT_2_OVER_PI: f32 = 0.797_884_6;
/// The cubic coefficient of the tanh form of GELU.
const GELU_CUBIC: f32 = 0.044_715;

/// A function of one number with its derivative.
trait Function: Copy {
    fn value(self, x: f32) -> f32;
    fn derivative(self, x: f32) -> f32;
}

#[derive(Clone, Copy)]
struct Gelu;
#[derive(Clone, Copy)]
struct GeluTanh;
#[derive(Clone, Copy)]
struct Silu;
#[derive(Clone, Copy)]
struct Relu;
#[derive(Clone, Copy)]
struct Tanh;
#[derive(Clone, Copy)]
struct Scale(f32);
#[derive(Clone, Copy)]
struct SoftCap(f32);

impl Function for Gelu {
    #[inline(always)]
    fn value(self, x: f32) -> f32 {
        0.5 * x * (1.0 + simd::erf(x * std::f32::consts::FRAC_1_SQRT_2))
    }

    /// Φ(x) + x·φ(x)
    #[inline(always)]
    fn derivative(self, x: f32) -> f32 {
        let distribution = 0.5 * (1.0 + simd::erf(x * std::f32::consts::FRAC_1_SQRT_2));
        // φ(0) = 1/sqrt(2π) = ½·sqrt(2/π)
        let density = 0.5 * SQRT_2_OVER_PI * simd::exp(-0.5 * x * x);
        distribution + x * density
    }
}

impl Function for GeluTanh {
    #[inline(always)]
    fn value(self, x: f32) -> f32 {
        0.5 * x * (1.0 + simd::tanh(SQRT_2_OVER_PI * (x + GELU_CUBIC * x * x * x)))
    }

    /// With t = tanh(u(x)): ½(1 + t) + ½·x·(1 − t²)·u′(x)
    #[inline(always)]
    fn derivative(self, x: f32) -> f32 {
        let t = simd::tanh(SQRT_2_OVER_PI * (x + GELU_CUBIC * x * x * x));
        let inner = SQRT_2_OVER_PI * (1.0 + 3.0 * GELU_CUBIC * x * x);
        0.5 * (1.0 + t) + 0.5 * x * (1.0 - t * t) * inner
    }
}

impl Function for Silu {
    #[inline(always)]
    fn value(self, x: f32) -> f32 {
        x * simd::sigmoid(x)
    }

    /// With s = sigmoid(x): s·(1 + x·(1 − s))
    #[inline(always)]
    fn derivative(self, x: f32) -> f32 {
        let s = simd::sigmoid(x);
        s * (1.0 + x * (1.0 - s))
    }
}

impl Function for Relu {
    #[inline(always)]
    fn value(self, x: f32) -> f32 {
        x.max(0.0)
    }

    #[inline(always)]
    fn derivative(self, x: f32) -> f32 {
        if x > 0.0 { 1.0 } else { 0.0 }
    }
}

impl Function for Tanh {
    #[inline(always)]
    fn value(self, x: f32) -> f32 {
        simd::tanh(x)
    }

    #[inline(always)]
    fn derivative(self, x: f32) -> f32 {
        let t = simd::tanh(x);
        1.0 - t * t
    }
}

impl Function for Scale {
    #[inline(always)]
    fn value(self, x: f32) -> f32 {
        self.0 * x
    }

    #[inline(always)]
    fn derivative(self, _: f32) -> f32 {
        self.0
    }
}

impl Function for SoftCap {
    #[inline(always)]
    fn value(self, x: f32) -> f32 {
        self.0 * simd::tanh(x / self.0)
    }

    #[inline(always)]
    fn derivative(self, x: f32) -> f32 {
        Tanh.derivative(x / self.0)
    }
}

/// What runs over a slice: a loop of its own for each function, so that no loop chooses a function per element.
#[derive(Clone, Copy)]
enum Elementwise {
    Activation(Activation),
    Scale(f32),
    SoftCap(f32),
}

/// Hands the function that an [`Elementwise`] names to a generic piece of code.
macro_rules! with_function {
    ($kind:expr, $function:ident => $body:expr) => {
        match $kind {
            Elementwise::Activation(Activation::Gelu) => {
                let $function = Gelu;
                $body
            }
            Elementwise::Activation(Activation::GeluTanh) => {
                let $function = GeluTanh;
                $body
            }
            Elementwise::Activation(Activation::Silu) => {
                let $function = Silu;
                $body
            }
            Elementwise::Activation(Activation::Relu) => {
                let $function = Relu;
                $body
            }
            Elementwise::Activation(Activation::Tanh) => {
                let $function = Tanh;
                $body
            }
            Elementwise::Scale(factor) => {
                let $function = Scale(factor);
                $body
            }
            Elementwise::SoftCap(cap) => {
                let $function = SoftCap(cap);
                $body
            }
        }
    };
}

#[inline(always)]
fn map(function: impl Function, out: &mut [f32], x: &[f32]) {
    for (out, x) in out.iter_mut().zip(x) {
        *out = function.value(*x);
    }
}

#[inline(always)]
fn multiply_by_derivative(function: impl Function, gradient: &mut [f32], x: &[f32]) {
    for (gradient, x) in gradient.iter_mut().zip(x) {
        *gradient *= function.derivative(*x);
    }
}

#[inline(always)]
fn map_gated(function: impl Function, out: &mut [f32], gate: &[f32], up: &[f32]) {
    for ((out, gate), up) in out.iter_mut().zip(gate).zip(up) {
        *out = function.value(*gate) * up;
    }
}

/// `dup = dy·f(gate)` (written over the gradient), `dgate = dy·up·f′(gate)`.
#[inline(always)]
fn differentiate_gated(function: impl Function, gradient: &mut [f32], dgate: &mut [f32], gate: &[f32], up: &[f32]) {
    for (((gradient, dgate), gate), up) in gradient.iter_mut().zip(dgate).zip(gate).zip(up) {
        *dgate = *gradient * up * function.derivative(*gate);
        *gradient *= function.value(*gate);
    }
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma", "x86_64+avx2+fma"))]
fn elementwise_forward(kind: Elementwise, out: &mut [f32], x: &[f32]) {
    with_function!(kind, function => map(function, out, x));
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma", "x86_64+avx2+fma"))]
fn elementwise_backward(kind: Elementwise, gradient: &mut [f32], x: &[f32]) {
    with_function!(kind, function => multiply_by_derivative(function, gradient, x));
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma", "x86_64+avx2+fma"))]
fn gated_forward(kind: Elementwise, out: &mut [f32], gate: &[f32], up: &[f32]) {
    with_function!(kind, function => map_gated(function, out, gate, up));
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+fma", "x86_64+avx2+fma"))]
fn gated_backward(kind: Elementwise, gradient: &mut [f32], dgate: &mut [f32], gate: &[f32], up: &[f32]) {
    with_function!(kind, function => differentiate_gated(function, gradient, dgate, gate, up));
}

/// An activation, composed of candle's operations.
fn composed_activation(kind: Activation, x: &Tensor) -> candle_core::Result<Tensor> {
    match kind {
        Activation::Gelu => x.gelu_erf(),
        Activation::GeluTanh => x.gelu(),
        Activation::Silu => x.silu(),
        Activation::Relu => x.relu(),
        Activation::Tanh => x.tanh(),
    }
}

impl Operation for Elementwise {
    fn name(&self) -> &'static str {
        match self {
            Self::Activation(_) => "activation",
            Self::Scale(_) => "scale",
            Self::SoftCap(_) => "soft_cap",
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
        match *self {
            Self::Activation(kind) => composed_activation(kind, x),
            Self::Scale(factor) => x * f64::from(factor),
            Self::SoftCap(cap) => (x / f64::from(cap))?.tanh()? * f64::from(cap),
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

struct Gated(Activation);

impl Operation for Gated {
    fn name(&self) -> &'static str {
        "gated"
    }

    fn fused(&self, inputs: &[&Array], differentiable: bool) -> (Array, Option<Box<dyn Backward>>) {
        let (gate, up) = (inputs[0], inputs[1]);
        let kind = Elementwise::Activation(self.0);
        let mut out = Buffer::uninitialised(gate.values().len());
        parallel::over_rows(&mut out, 1, |first, chunk| {
            let range = first..first + chunk.len();
            gated_forward(kind, chunk, &gate.values()[range.clone()], &up.values()[range]);
        });
        let backward = differentiable
            .then(|| -> Box<dyn Backward> { Box::new(GatedBackward { kind, gate: gate.clone(), up: up.clone() }) });
        (Array::from_buffer(out, gate.shape()), backward)
    }

    fn composed(&self, inputs: &[&Tensor]) -> candle_core::Result<Tensor> {
        composed_activation(self.0, inputs[0])? * inputs[1]
    }
}

struct GatedBackward {
    kind: Elementwise,
    gate: Array,
    up: Array,
}

impl Backward for GatedBackward {
    fn backward(self: Box<Self>, mut gradient: Buffer, inputs: &mut [InputGradient]) {
        let mut dgate = Buffer::uninitialised(gradient.len());
        parallel::over_row_pairs(&mut gradient, &mut dgate, 1, |first, gradient, dgate| {
            let range = first..first + gradient.len();
            gated_backward(self.kind, gradient, dgate, &self.gate.values()[range.clone()], &self.up.values()[range]);
        });
        inputs[0].give(dgate);
        inputs[1].give(gradient);
    }
}
