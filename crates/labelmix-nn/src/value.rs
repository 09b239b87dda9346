//! Values and their history: reverse-mode differentiation.
//!
//! Why not candle's autograd for everything: it starts every gradient from a tensor of zeros and adds to it, keeps
//! every activation until the end of the backward pass, and computes the gradient of each argument whether it is
//! wanted or not. Over a LoRA step, in which nearly all weights are frozen, that is a third of the time and most of
//! the memory. The walk below hands each operation the gradient buffers of its inputs to accumulate into (a matrix
//! product does so for free), asks only for the gradients that are needed, and drops an operation's saved
//! activations as soon as its backward pass is done.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use candle_core::{Tensor, Var};

use crate::array::{Array, Buffer};
use crate::error::{Error, Result};
use crate::gradients::Gradients;
use crate::parallel;

/// Where a value's numbers are.
#[derive(Clone, Debug)]
pub(crate) enum Data {
    /// In host memory, in f32: operations run in their fused form and keep a [`History`].
    Host(Array),
    /// In a candle tensor: operations run in their composed form and candle keeps the history.
    Tensor(Tensor),
}

/// A tensor in a computation, together with how it was computed. Cloning shares it.
#[derive(Clone)]
pub struct Value(Arc<Inner>);

struct Inner {
    /// Values are numbered as they are made, so inputs always have smaller numbers than results.
    id: u64,
    data: Data,
    needs_gradient: bool,
    history: Mutex<Option<History>>,
}

/// How a value came about: the operation's backward pass, and the inputs that it gives gradients to.
struct History {
    backward: Box<dyn Backward>,
    inputs: Vec<Value>,
}

/// The backward pass of one application of an operation, with whatever it saved in the forward pass.
pub(crate) trait Backward: Send {
    /// Adds to each input's gradient, given the result's gradient, whose memory may be reused.
    fn backward(self: Box<Self>, gradient: Buffer, inputs: &mut [InputGradient]);
}

/// An operation in both its forms.
pub(crate) trait Operation {
    fn name(&self) -> &'static str;
    /// The fused form, on the host. `differentiable` tells whether a backward pass will be wanted at all.
    fn fused(&self, inputs: &[&Array], differentiable: bool) -> (Array, Option<Box<dyn Backward>>);
    /// The same, composed of candle's operations.
    fn composed(&self, inputs: &[&Tensor]) -> candle_core::Result<Tensor>;
}

fn next_id() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

impl Value {
    fn new(data: Data, needs_gradient: bool, history: Option<History>) -> Self {
        Self(Arc::new(Inner { id: next_id(), data, needs_gradient, history: Mutex::new(history) }))
    }

    /// A value that never changes: a frozen weight, an input.
    pub fn constant(array: Array) -> Self {
        Self::new(Data::Host(array), false, None)
    }

    /// A leaf whose gradient is wanted.
    pub fn leaf(array: Array) -> Self {
        Self::new(Data::Host(array), true, None)
    }

    /// A constant on the tensor's device; operations on it run in their composed form.
    pub fn constant_tensor(tensor: Tensor) -> Self {
        Self::new(Data::Tensor(tensor), false, None)
    }

    /// A leaf on the variable's device.
    pub fn leaf_variable(variable: &Var) -> Self {
        Self::new(Data::Tensor(variable.as_tensor().clone()), true, None)
    }

    pub fn shape(&self) -> &[usize] {
        match &self.0.data {
            Data::Host(array) => array.shape(),
            Data::Tensor(tensor) => tensor.dims(),
        }
    }

    /// The elements, row by row, brought to the host if they are elsewhere.
    ///
    /// # Errors
    /// If another device cannot hand them over.
    pub fn to_vec(&self) -> Result<Vec<f32>> {
        match &self.0.data {
            Data::Host(array) => Ok(array.values().to_vec()),
            Data::Tensor(tensor) => Ok(tensor.to_dtype(candle_core::DType::F32)?.flatten_all()?.to_vec1()?),
        }
    }

    /// Changes the elements in place. If a computation still holds this leaf, it keeps the old elements and this
    /// becomes a new leaf; on a device other than the host it always does.
    pub(crate) fn update(&mut self, change: impl FnOnce(&mut [f32])) -> Result<()> {
        if let Data::Tensor(tensor) = &self.0.data {
            let mut elements = self.to_vec()?;
            change(&mut elements);
            let updated = Tensor::from_vec(elements, tensor.shape(), tensor.device())?;
            *self = Self::leaf_variable(&Var::from_tensor(&updated)?);
            return Ok(());
        }
        if let (None, Data::Host(array)) = (Arc::get_mut(&mut self.0).map(|_| ()), &self.0.data) {
            *self = Self::leaf(array.clone());
        }
        let inner = Arc::get_mut(&mut self.0).expect("the leaf was just made unique");
        match &mut inner.data {
            Data::Host(array) => change(array.values_mut()),
            Data::Tensor(_) => unreachable!("tensors were updated above"),
        }
        Ok(())
    }

    /// The elements in host memory: shared if they are there, else copied.
    ///
    /// # Errors
    /// If another device cannot hand them over.
    pub fn to_array(&self) -> Result<Array> {
        match &self.0.data {
            Data::Host(array) => Ok(array.clone()),
            Data::Tensor(_) => Ok(Array::new(self.to_vec()?, self.shape())),
        }
    }

    pub(crate) fn id(&self) -> u64 {
        self.0.id
    }

    pub(crate) fn data(&self) -> &Data {
        &self.0.data
    }

    /// The array of a value that is in host memory.
    pub(crate) fn host_array(&self) -> Option<&Array> {
        match &self.0.data {
            Data::Host(array) => Some(array),
            Data::Tensor(_) => None,
        }
    }

    pub(crate) fn tensor(&self) -> Option<&Tensor> {
        match &self.0.data {
            Data::Host(_) => None,
            Data::Tensor(tensor) => Some(tensor),
        }
    }

    /// Whether a gradient flows through this value.
    pub fn needs_gradient(&self) -> bool {
        self.0.needs_gradient
    }

    /// Differentiates this scalar with respect to every leaf that it depends on. The history is consumed.
    ///
    /// # Errors
    /// If candle's backward pass fails (on a device other than the host).
    pub fn backward(self) -> Result<Gradients> {
        match &self.0.data {
            Data::Host(array) => {
                if array.values().len() != 1 {
                    let shapes = vec![array.shape().to_vec()];
                    return Err(Error::Shape { operation: "backward", expected: "a scalar", shapes });
                }
                let mut one = Buffer::zeros(1);
                one[0] = 1.0;
                Ok(backward_on_host(self, one))
            }
            Data::Tensor(tensor) => {
                let store = tensor.backward()?;
                Ok(Gradients::of_tensors(&store))
            }
        }
    }
}

/// A value on the host that was computed in a way of its own.
pub(crate) fn from_history(array: Array, backward: Box<dyn Backward>, inputs: Vec<Value>) -> Value {
    Value::new(Data::Host(array), true, Some(History { backward, inputs }))
}

/// Applies an operation to inputs that all live in one place.
pub(crate) fn apply(operation: &impl Operation, inputs: &[&Value]) -> Result<Value> {
    let needs_gradient = inputs.iter().any(|input| input.0.needs_gradient);
    let arrays: Vec<&Array> = inputs
        .iter()
        .filter_map(|input| match &input.0.data {
            Data::Host(array) => Some(array),
            Data::Tensor(_) => None,
        })
        .collect();
    if arrays.len() == inputs.len() {
        let (array, backward) = operation.fused(&arrays, needs_gradient);
        let history = needs_gradient
            .then(|| Some(History { backward: backward?, inputs: inputs.iter().map(|&value| value.clone()).collect() }))
            .flatten();
        return Ok(Value::new(Data::Host(array), needs_gradient, history));
    }
    if !arrays.is_empty() {
        return Err(Error::MixedDevices { operation: operation.name() });
    }
    let tensors: Vec<&Tensor> = inputs
        .iter()
        .filter_map(|input| match &input.0.data {
            Data::Tensor(tensor) => Some(tensor),
            Data::Host(_) => None,
        })
        .collect();
    Ok(Value::new(Data::Tensor(operation.composed(&tensors)?), needs_gradient, None))
}

/// Walks the history from `output`, whose gradient is given, towards the leaves, latest value first.
pub(crate) fn backward_on_host(output: Value, gradient: Buffer) -> Gradients {
    let mut gradients = Gradients::default();
    let mut pending: BTreeMap<u64, (Value, Buffer)> = BTreeMap::new();
    pending.insert(output.0.id, (output, gradient));
    while let Some((id, (value, gradient))) = pending.pop_last() {
        let history = value.0.history.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(History { backward, inputs }) = history else {
            gradients.add_on_host(id, gradient);
            continue;
        };
        // The activation itself is not needed any more unless the operation saved it.
        drop(value);
        let mut slots: Vec<InputGradient> = inputs
            .iter()
            .map(|input| InputGradient {
                needed: input.0.needs_gradient,
                length: input.shape().iter().product(),
                buffer: pending.remove(&input.0.id).map(|(_, buffer)| buffer),
            })
            .collect();
        backward.backward(gradient, &mut slots);
        for (input, slot) in inputs.into_iter().zip(slots) {
            let Some(buffer) = slot.buffer else { continue };
            match pending.get_mut(&input.0.id) {
                // One value was given to the operation twice.
                Some((_, existing)) => parallel::add_assign(existing, &buffer),
                None => drop(pending.insert(input.0.id, (input, buffer))),
            }
        }
    }
    gradients
}

/// The gradient of one input of an operation, to be added to.
pub(crate) struct InputGradient {
    needed: bool,
    length: usize,
    buffer: Option<Buffer>,
}

/// What is in the memory that an operation writes an input's gradient to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Existing {
    /// Nothing of meaning: overwrite.
    Arbitrary,
    /// A gradient from another use of the input: add.
    Gradient,
}

impl InputGradient {
    /// Whether anything upstream wants this gradient.
    pub(crate) fn is_needed(&self) -> bool {
        self.needed
    }

    /// The memory to write to, if the gradient is needed, and whether to add or to overwrite.
    pub(crate) fn memory(&mut self) -> Option<(&mut [f32], Existing)> {
        if !self.needed {
            return None;
        }
        let existing = if self.buffer.is_some() { Existing::Gradient } else { Existing::Arbitrary };
        let length = self.length;
        Some((self.buffer.get_or_insert_with(|| Buffer::uninitialised(length)), existing))
    }

    /// Adds a finished contribution, keeping its memory if it is the first.
    pub(crate) fn give(&mut self, contribution: Buffer) {
        if !self.needed {
            return;
        }
        match &mut self.buffer {
            Some(buffer) => parallel::add_assign(buffer, &contribution),
            None => self.buffer = Some(contribution),
        }
    }

    /// As [`give`](Self::give), for a contribution that is needed elsewhere too.
    pub(crate) fn give_copy(&mut self, contribution: &Buffer) {
        if self.needed {
            match &mut self.buffer {
                Some(buffer) => parallel::add_assign(buffer, contribution),
                None => self.buffer = Some(Buffer::copy_of(contribution)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::combine::add;

    #[test]
    fn a_value_used_twice_in_one_operation_gets_both_gradients() {
        let x = Value::leaf(Array::new(vec![3.0], &[1]));
        let twice = add(&x, &x).unwrap();
        let gradients = add(&twice, &x).unwrap().backward().unwrap();
        assert_eq!(gradients.of(&x), Some(&[3.0_f32][..]));
    }

    #[test]
    fn mixing_devices_names_the_operation() {
        let host = Value::constant(Array::new(vec![1.0], &[1]));
        let tensor =
            Value::constant_tensor(Tensor::ones(1, candle_core::DType::F32, &candle_core::Device::Cpu).unwrap());
        let error = add(&host, &tensor).err().unwrap();
        assert_eq!(error.to_string(), "add: the inputs live on different devices");
    }
}
