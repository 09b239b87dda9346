//! Frozen weights of low precision: NF4 as bitsandbytes has it, to the bit, and training on top of them.
//! `fixtures/make_nf4.py` made the references.

#![expect(clippy::unwrap_used, reason = "this file is all test, including the functions beside the tests")]

mod support;

use std::path::Path;

use labelmix_models::{Classifier, LoadOptions, LoraSettings, MatmulPrecision, Model, Precision, TokenBatch};
use labelmix_nn::{Array, FrozenMatrix, NF4_LEVELS, Nf4, soft_cross_entropy};
use safetensors::Dtype;
use safetensors::tensor::TensorView;

use support::{Tensors, fixture_folder};

#[test]
fn quantising_and_dequantising_agree_with_bitsandbytes_to_the_bit() {
    let reference = Tensors::read(&fixture_folder("nf4").join("nf4.safetensors"));
    for case in ["even", "odd"] {
        let floats = |name: &str| reference.floats[&format!("{case}.{name}")].as_slice();
        let bytes = |name: &str| reference.bytes[&format!("{case}.{name}")].as_slice();
        assert_eq!(floats("nf4_codebook"), NF4_LEVELS);
        let weight = floats("weight");
        let ours = Nf4::quantize(weight);
        assert!(ours.scale_levels() == bytes("absmax_codes"), "{case}: scales");
        assert!(ours.packed_levels() == bytes("packed"), "{case}: levels");
        // The mean of the scales is a sum in f32 there, whose last bits depend on its order.
        let offset = floats("absmax_offset")[0];
        assert_close(&[ours.offset()], &[offset]);
        assert_close(ours.scale_magnitudes(), floats("absmax_scale"));

        let theirs =
            Nf4::from_parts(weight.len(), bytes("packed"), bytes("absmax_codes"), floats("absmax_scale"), offset);
        let mut dequantized = vec![0.0; weight.len()];
        theirs.dequantize(0, &mut dequantized);
        let different = dequantized.iter().zip(floats("dequantized")).filter(|(ours, theirs)| ours != theirs).count();
        assert_eq!(different, 0, "{case}: dequantised");
    }
}

/// Equal but for the last bits.
fn assert_close(ours: &[f32], reference: &[f32]) {
    assert_eq!(ours.len(), reference.len());
    for (ours, reference) in ours.iter().zip(reference) {
        assert!((ours - reference).abs() <= 4.0 * f32::EPSILON * reference.abs(), "{ours} against {reference}");
    }
}

#[test]
fn four_bit_weights_take_little_more_than_half_a_byte_each() {
    for shape in [[2048, 2048], [5504, 2048], [8192, 28672]] {
        let elements: usize = shape.iter().product();
        assert!((Precision::Nf4.bytes(elements) as f64) < 0.52 * elements as f64);
    }
}

/// The checkpoint in `from` with its linear layers rounded to a precision and stored in f32 again.
fn write_rounded(from: &Path, to: &Path, precision: Precision) {
    std::fs::copy(from.join("config.json"), to.join("config.json")).unwrap();
    let tensors = Tensors::read(&from.join("model.safetensors"));
    let rounded: Vec<(&String, Vec<u8>)> = tensors
        .floats
        .iter()
        .map(|(name, values)| {
            let is_linear = name.ends_with("proj.weight");
            let shape = &tensors.shapes[name];
            let values = if is_linear {
                FrozenMatrix::f32(Array::new(values.clone(), shape)).to_precision(precision).to_f32()
            } else {
                values.clone()
            };
            (name, values.iter().flat_map(|value| value.to_le_bytes()).collect())
        })
        .collect();
    let views = rounded
        .iter()
        .map(|(name, bytes)| (*name, TensorView::new(Dtype::F32, tensors.shapes[*name].clone(), bytes).unwrap()));
    std::fs::write(to.join("model.safetensors"), safetensors::serialize(views, None).unwrap()).unwrap();
}

/// The loss, and the gradients of everything that is trained.
fn loss_and_gradients(folder: &Path, options: &LoadOptions) -> (f32, Vec<Vec<f32>>) {
    let model = Model::load(folder, options).unwrap();
    let model = Classifier::new(&model, None).unwrap();
    let mut adapter = model.initial_adapter(LoraSettings { rank: 4, alpha: 8.0 }, 0).unwrap();
    let values: Vec<Array> = adapter
        .parameters()
        .iter()
        .map(|parameter| {
            let shape = parameter.value().shape();
            let length: usize = shape.iter().product();
            Array::new((0..length).map(|index| 0.1 * (0.37 * index as f32).sin()).collect(), shape)
        })
        .collect();
    adapter.restore(&values).unwrap();
    let batch = TokenBatch::new([&[3, 1, 4, 1, 5, 9, 2, 6][..], &[2, 7, 1]]);
    let loss = soft_cross_entropy(&model.logits(&batch, &adapter).unwrap(), &[0.2, 1.0], 2.0).unwrap();
    let value = loss.to_vec().unwrap()[0];
    let gradients = loss.backward().unwrap();
    (value, adapter.parameters().iter().map(|p| gradients.to_vec(p.value()).unwrap().unwrap()).collect())
}

#[test]
fn a_lora_step_on_a_rounded_base_has_the_gradients_of_the_rounded_values_in_f32() {
    let folder = fixture_folder("qwen2");
    for precision in [Precision::Bf16, Precision::F16, Precision::Nf4] {
        let rounded = tempfile::tempdir().unwrap();
        write_rounded(&folder, rounded.path(), precision);
        let options = LoadOptions { precision: Some(precision), ..LoadOptions::default() };
        let (loss, gradients) = loss_and_gradients(&folder, &options);
        let (reference_loss, reference) = loss_and_gradients(rounded.path(), &LoadOptions::default());
        let (unrounded_loss, _) = loss_and_gradients(&folder, &LoadOptions::default());
        assert_ne!(reference_loss, unrounded_loss, "rounding changes something");
        assert!((loss - reference_loss).abs() < 1e-6, "{}: {loss} against {reference_loss}", precision.name());
        for (ours, reference) in gradients.iter().zip(&reference) {
            let largest = reference.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
            for (ours, reference) in ours.iter().zip(reference) {
                assert!((ours - reference).abs() <= 1e-5 * largest, "{}: {ours} against {reference}", precision.name());
            }
        }
    }
}

#[test]
fn products_in_bf16_change_gradients_by_their_rounding_only() {
    let folder = fixture_folder("qwen2");
    let (exact_loss, exact) = loss_and_gradients(&folder, &LoadOptions::default());
    for precision in [None, Some(Precision::F32), Some(Precision::Nf4)] {
        let in_f32 = LoadOptions { precision, ..LoadOptions::default() };
        let in_bf16 = LoadOptions { matmul_precision: MatmulPrecision::Bf16, ..in_f32.clone() };
        let (loss, gradients) = loss_and_gradients(&folder, &in_bf16);
        let (reference_loss, reference) = if precision == Some(Precision::Nf4) {
            loss_and_gradients(&folder, &in_f32)
        } else {
            (exact_loss, exact.clone())
        };
        assert_ne!(loss, reference_loss, "rounding changes something");
        assert!((loss - reference_loss).abs() < 0.01 * reference_loss, "{loss} against {reference_loss}");
        // A factor has eight significant bits: half a percent, which narrow layers average little and blocks add up.
        let squares = |values: &mut dyn Iterator<Item = f32>| values.map(|value| value * value).sum::<f32>();
        let pairs = || gradients.iter().flatten().zip(reference.iter().flatten());
        let error = squares(&mut pairs().map(|(ours, reference)| ours - reference)).sqrt();
        let size = squares(&mut reference.iter().flatten().copied()).sqrt();
        assert!(error < 0.05 * size, "{precision:?}: {error} of {size}");
    }
}
