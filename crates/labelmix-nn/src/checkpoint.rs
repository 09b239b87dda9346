//! Activation checkpointing (Chen et al. 2016): a part of a computation keeps its input only, and is computed again
//! when its gradient is wanted. A third more work, and the memory of one part instead of all.

use std::sync::Arc;

use crate::array::{Array, Buffer};
use crate::error::Result;
use crate::value::{Backward, InputGradient, Value, backward_on_host, from_history};

/// A part of a computation, as a function of its input.
pub type Part = dyn Fn(&Value) -> Result<Value> + Send + Sync;

/// `part(x)`, without keeping what was computed on the way. `leaves` are all the leaves that the part reads besides x
/// (parameters whose gradients are wanted); the part must compute the same thing both times.
///
/// On a device other than the host, candle keeps the history and the part is computed as it is.
///
/// # Errors
/// Those of the part.
pub fn checkpoint(x: &Value, leaves: &[&Value], part: Arc<Part>) -> Result<Value> {
    let Some(input) = x.host_array() else { return part(x) };
    let differentiable = x.needs_gradient() || leaves.iter().any(|leaf| leaf.needs_gradient());
    if !differentiable {
        return part(x);
    }
    // The history that this builds is dropped with the value, at once.
    let output = part(x)?.host_array().expect("host values make host values").clone();
    let backward = Checkpoint { part, input: input.clone(), leaves: leaves.iter().map(|&leaf| leaf.clone()).collect() };
    let inputs = std::iter::once(x).chain(leaves.iter().copied()).cloned().collect();
    Ok(from_history(output, Box::new(backward), inputs))
}

struct Checkpoint {
    part: Arc<Part>,
    input: Array,
    leaves: Vec<Value>,
}

impl Backward for Checkpoint {
    fn backward(self: Box<Self>, gradient: Buffer, inputs: &mut [InputGradient]) {
        let x = if inputs[0].is_needed() { Value::leaf(self.input) } else { Value::constant(self.input) };
        let output = (self.part)(&x).expect("what was computed once can be computed again");
        let mut gradients = backward_on_host(output, gradient);
        for (input, leaf) in inputs.iter_mut().zip(std::iter::once(&x).chain(&self.leaves)) {
            if let Some(gradient) = gradients.take(leaf) {
                input.give(gradient);
            }
        }
    }
}
