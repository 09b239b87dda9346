//! Where computations run.

use candle_core::Tensor;

use crate::array::Array;
use crate::error::{Error, Result};
use crate::value::Value;

/// A device. The host runs the fused form of every operation; any other device runs the composed form.
#[derive(Clone, Debug, Default)]
pub enum Device {
    /// This machine's processor, with our own operations.
    #[default]
    Host,
    /// A device of candle's.
    Candle(candle_core::Device),
}

impl Device {
    /// The device of a name: `cpu`, `cuda:N` (or `cuda`, the first), `metal`, or `auto`: the first GPU that this build
    /// can use, else the processor.
    ///
    /// # Errors
    /// If there is no such device, or this build cannot use it.
    pub fn named(name: &str) -> Result<Self> {
        match name {
            "auto" if cfg!(feature = "cuda") && candle_core::utils::cuda_is_available() => Self::cuda(0),
            "auto" if cfg!(feature = "metal") && candle_core::utils::metal_is_available() => Self::metal(),
            "auto" | "cpu" => Ok(Self::Host),
            "cuda" => Self::cuda(0),
            "metal" => Self::metal(),
            _ => match name.strip_prefix("cuda:").map(str::parse) {
                Some(Ok(number)) => Self::cuda(number),
                _ => Err(Error::UnknownDevice { name: name.to_owned() }),
            },
        }
    }

    /// The composed form of every operation on this machine's processor: slow, for tests.
    pub fn composed_on_host() -> Self {
        Self::Candle(candle_core::Device::Cpu)
    }

    fn cuda(number: usize) -> Result<Self> {
        if cfg!(feature = "cuda") {
            Ok(Self::Candle(candle_core::Device::new_cuda(number)?))
        } else {
            Err(Error::DeviceNotBuilt { feature: "cuda" })
        }
    }

    fn metal() -> Result<Self> {
        if cfg!(feature = "metal") {
            Ok(Self::Candle(candle_core::Device::new_metal(0)?))
        } else {
            Err(Error::DeviceNotBuilt { feature: "metal" })
        }
    }

    /// Whether this is a graphics processor, where frozen weights are best kept in bf16.
    pub fn is_gpu(&self) -> bool {
        matches!(self, Self::Candle(device) if !device.is_cpu())
    }

    /// The name in messages.
    pub fn name(&self) -> String {
        match self {
            Self::Host => "cpu".to_owned(),
            Self::Candle(device) => match device.location() {
                candle_core::DeviceLocation::Cpu => "cpu, composed operations".to_owned(),
                candle_core::DeviceLocation::Cuda { gpu_id } => format!("cuda:{gpu_id}"),
                candle_core::DeviceLocation::Metal { .. } => "metal".to_owned(),
            },
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_devices() {
        assert!(matches!(Device::named("cpu"), Ok(Device::Host)));
        let error = Device::named("gpu7").unwrap_err().to_string();
        assert_eq!(error, "there is no device named \"gpu7\": use auto, cpu, cuda:N or metal");
        if !cfg!(feature = "cuda") {
            let error = Device::named("cuda:1").unwrap_err().to_string();
            assert_eq!(error, "this labelmix was built without the feature \"cuda\"");
        }
    }
}
