//! Tensors in safetensors files, to and from f32.

use std::path::Path;

use half::{bf16, f16};
use labelmix_nn::Array;
use safetensors::Dtype;
use safetensors::tensor::TensorView;

use crate::error::{Error, Result};

/// Little-endian bytes of a float type as f32; `None` for other types.
pub(crate) fn to_f32(dtype: Dtype, bytes: &[u8]) -> Option<Vec<f32>> {
    let halves = |convert: fn([u8; 2]) -> f32| bytes.as_chunks::<2>().0.iter().map(|pair| convert(*pair)).collect();
    match dtype {
        Dtype::F32 => Some(bytes.as_chunks::<4>().0.iter().map(|chunk| f32::from_le_bytes(*chunk)).collect()),
        Dtype::F16 => Some(halves(|pair| f16::from_le_bytes(pair).to_f32())),
        Dtype::BF16 => Some(halves(|pair| bf16::from_le_bytes(pair).to_f32())),
        _ => None,
    }
}

/// f32 numbers as little-endian bytes of a float type that [`to_f32`] reads.
fn to_bytes(dtype: Dtype, values: &[f32]) -> Vec<u8> {
    match dtype {
        Dtype::F16 => values.iter().flat_map(|value| f16::from_f32(*value).to_le_bytes()).collect(),
        Dtype::BF16 => values.iter().flat_map(|value| bf16::from_f32(*value).to_le_bytes()).collect(),
        _ => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
    }
}

/// Writes named tensors of one type.
///
/// # Errors
/// If the file cannot be written.
pub(crate) fn write_tensors<'a>(
    path: &Path,
    dtype: Dtype,
    tensors: impl Iterator<Item = (&'a str, Array)>,
) -> Result<()> {
    let tensors: Vec<(&str, Vec<usize>, Vec<u8>)> =
        tensors.map(|(name, array)| (name, array.shape().to_vec(), to_bytes(dtype, array.values()))).collect();
    let views = tensors.iter().map(|(name, shape, bytes)| {
        (name, TensorView::new(dtype, shape.clone(), bytes).expect("an array has as many values as its shape says"))
    });
    let serialized = safetensors::serialize(views, None)
        .map_err(|error| Error::Weights { path: path.into(), reason: error.to_string() })?;
    std::fs::write(path, serialized).map_err(|source| Error::Read { path: path.into(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_precision_weights_become_f32() {
        let halves: Vec<u8> = [1.5_f32, -0.25].iter().flat_map(|value| f16::from_f32(*value).to_le_bytes()).collect();
        assert_eq!(to_f32(Dtype::F16, &halves), Some(vec![1.5, -0.25]));
        let brains: Vec<u8> =
            [1.5_f32, -3.0e38].iter().flat_map(|value| bf16::from_f32(*value).to_le_bytes()).collect();
        assert_eq!(to_f32(Dtype::BF16, &brains), Some(vec![1.5, bf16::from_f32(-3.0e38).to_f32()]));
        assert_eq!(to_f32(Dtype::I64, &[0; 8]), None);
    }

    #[test]
    fn what_is_written_is_read_again_to_the_precision_of_its_type() {
        let values = [1.0, -0.333_333_34, 65000.0];
        for (dtype, tolerance) in [(Dtype::F32, 0.0), (Dtype::F16, 1e-3), (Dtype::BF16, 1e-2)] {
            let read = to_f32(dtype, &to_bytes(dtype, &values)).unwrap();
            assert!(values.iter().zip(read).all(|(value, read)| (value - read).abs() <= tolerance * value.abs()));
        }
    }
}
