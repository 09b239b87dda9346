//! Trainable tensors.

use crate::array::Array;
use crate::value::Value;

/// A named trainable tensor.
#[derive(Clone)]
pub struct Parameter {
    name: String,
    value: Value,
}

impl Parameter {
    /// A parameter in host memory with its initial values.
    #[must_use]
    pub fn new(name: impl Into<String>, initial: Array) -> Self {
        Self { name: name.into(), value: Value::leaf(initial) }
    }

    /// The name under which checkpoints know it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The leaf to compute with.
    #[must_use]
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// The elements for an update. A computation that still holds the old value keeps the old elements.
    pub(crate) fn elements_mut(&mut self) -> &mut [f32] {
        self.value.elements_mut()
    }

    /// Copies the elements of another parameter of the same shape.
    pub fn assign(&mut self, array: &Array) {
        assert_eq!(self.value.shape(), array.shape(), "a parameter keeps its shape");
        self.elements_mut().copy_from_slice(array.values());
    }

    /// The elements, shared until the next update.
    #[must_use]
    pub fn array(&self) -> Array {
        self.value.host_array().clone()
    }
}
