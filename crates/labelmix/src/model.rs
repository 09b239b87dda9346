//! The model and the device that arguments name.

use labelmix_models::Device;
use labelmix_sweep::WeightPrecision;
use miette::Diagnostic;

use crate::arguments::DeviceArgument;

/// A device that cannot be used.
#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("--device: {0}")]
#[diagnostic(help(
    "cpu is always there; graphics processors need a build with --features cuda or --features metal (docs/devices.md)"
))]
pub(crate) struct UnusableDevice(String);

/// The device of an argument.
pub(crate) fn device(argument: &DeviceArgument) -> Result<Device, UnusableDevice> {
    Device::named(&argument.device).map_err(|error| UnusableDevice(error.to_string()))
}

/// A name that no precision has.
#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("--weights: there is no precision named {0:?}")]
#[diagnostic(help("use auto, f32, bf16 or nf4"))]
pub(crate) struct UnknownPrecision(String);

/// The precision of an argument.
pub(crate) fn precision(name: &str) -> Result<WeightPrecision, UnknownPrecision> {
    WeightPrecision::ALL
        .into_iter()
        .find(|precision| precision.name() == name)
        .ok_or_else(|| UnknownPrecision(name.to_owned()))
}
