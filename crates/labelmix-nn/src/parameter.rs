//! Trainable tensors.

use crate::array::Array;
use crate::device::Device;
use crate::error::Result;
use crate::value::Value;

/// A named trainable tensor.
#[derive(Clone)]
pub struct Parameter {
    name: String,
    value: Value,
}

impl Parameter {
    /// A parameter in host memory with its initial values.
    pub fn new(name: impl Into<String>, initial: Array) -> Self {
        Self { name: name.into(), value: Value::leaf(initial) }
    }

    /// The same parameter on a device.
    ///
    /// # Errors
    /// If the values cannot be copied there.
    pub fn to_device(&self, device: &Device) -> Result<Self> {
        Ok(Self { name: self.name.clone(), value: device.leaf(self.array()?)? })
    }

    /// The name under which checkpoints know it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The leaf to compute with.
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// Changes the elements. A computation that still holds the old value keeps the old elements.
    pub(crate) fn update(&mut self, change: impl FnOnce(&mut [f32])) -> Result<()> {
        self.value.update(change)
    }

    /// Copies the elements of another parameter of the same shape.
    ///
    /// # Errors
    /// If the values cannot be copied to the parameter's device.
    pub fn assign(&mut self, array: &Array) -> Result<()> {
        assert_eq!(self.value.shape(), array.shape(), "a parameter keeps its shape");
        self.update(|elements| elements.copy_from_slice(array.values()))
    }

    /// The elements: shared until the next update, or copied from another device.
    ///
    /// # Errors
    /// If another device cannot hand them over.
    pub fn array(&self) -> Result<Array> {
        self.value.to_array()
    }
}
