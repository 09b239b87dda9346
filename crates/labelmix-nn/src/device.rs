//! Where computations run.

use candle_core::Tensor;

use crate::array::Array;
use crate::error::Result;
use crate::value::Value;

/// A device. The host runs the fused form of every operation; any other device runs the composed form.
#[derive(Clone, Debug, Default)]
pub enum Device {
    /// This machine's processor, with our own operations.
    #[default]
    Host,
    /// A device of candle's, for tests: the composed form is the reference.
    Candle(candle_core::Device),
}

impl Device {
    /// The composed form of every operation on this machine's processor: slow, for tests.
    pub fn composed_on_host() -> Self {
        Self::Candle(candle_core::Device::Cpu)
    }

    /// A value that never changes, on this device.
    ///
    /// # Errors
    /// If the device's memory does not suffice.
    pub fn constant(&self, array: Array) -> Result<Value> {
        match self {
            Self::Host => Ok(Value::constant(array)),
            Self::Candle(device) => Ok(Value::constant_tensor(tensor_of(&array, device)?)),
        }
    }

    /// A leaf whose gradient is wanted, on this device.
    pub(crate) fn leaf(&self, array: Array) -> Result<Value> {
        match self {
            Self::Host => Ok(Value::leaf(array)),
            Self::Candle(device) => {
                Ok(Value::leaf_variable(&candle_core::Var::from_tensor(&tensor_of(&array, device)?)?))
            }
        }
    }
}

fn tensor_of(array: &Array, device: &candle_core::Device) -> Result<Tensor> {
    Ok(Tensor::from_slice(array.values(), array.shape(), device)?)
}
