//! Every operation, three ways: its fused form against its composed form (values and gradients by candle's
//! autograd), and its gradients against finite differences of its own forward pass.

#![expect(clippy::unwrap_used, reason = "this file is all test, including the functions beside the tests")]

use std::sync::Arc;

use candle_core::{Device, Tensor, Var};
use labelmix_nn::{
    Array, AttentionShape, Gelu, Lora, Mask, Result, RotaryTable, SequenceOffsets, Value, add, attention, gather_rows,
    gelu, layer_norm, linear, mean_of_sequences, rms_norm, rotary, soft_cross_entropy, swiglu, tanh,
};

/// Numbers that look random and are the same everywhere, in [-1, 1].
fn numbers(length: usize, seed: u32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9E37_79B9) | 1;
    (0..length)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            (f64::from(state) / f64::from(u32::MAX) * 2.0 - 1.0) as f32
        })
        .collect()
}

fn inputs_of(shapes: &[&[usize]]) -> Vec<Vec<f32>> {
    shapes.iter().zip(1..).map(|(shape, seed)| numbers(shape.iter().product(), seed)).collect()
}

/// A scalar that weighs every output differently: the product of the output, as one row, with fixed weights.
/// Built from operations that have their own checks.
fn weigh(output: &Value, on_host: bool) -> Result<Value> {
    let weights = numbers(output.shape().iter().product(), 77);
    let rows = output.shape()[0];
    let columns = output.shape()[1];
    let constant = |values: Vec<f32>, shape: &[usize]| {
        if on_host {
            Ok(Value::constant(Array::new(values, shape)))
        } else {
            Ok::<_, labelmix_nn::Error>(Value::constant_tensor(Tensor::from_vec(values, shape, &Device::Cpu)?))
        }
    };
    // out·Wᵀ is [rows, rows]; its diagonal's sum is wanted, so take one row at a time.
    let mut total: Option<Value> = None;
    for row in 0..rows {
        let picked = gather_rows(output, &[row as u32])?;
        let weighed = linear(
            &picked,
            &constant(weights[row * columns..(row + 1) * columns].to_vec(), &[1, columns])?,
            None,
            None,
        )?;
        total = Some(match total {
            None => weighed,
            Some(sum) => add(&sum, &weighed)?,
        });
    }
    Ok(total.expect("an output has rows"))
}

/// Checks `operation`, which maps leaves of the given shapes to a matrix (or to a scalar loss).
fn check(name: &str, shapes: &[&[usize]], operation: impl Fn(&[Value]) -> Result<Value>) {
    let inputs = inputs_of(shapes);
    let evaluate = |inputs: &[Vec<f32>]| {
        let leaves: Vec<Value> =
            inputs.iter().zip(shapes).map(|(values, shape)| Value::leaf(Array::new(values.clone(), shape))).collect();
        let output = operation(&leaves).unwrap();
        let scalar = if output.shape().is_empty() { output.clone() } else { weigh(&output, true).unwrap() };
        (leaves, output, scalar)
    };
    let (leaves, output, scalar) = evaluate(&inputs);
    let gradients = scalar.backward().unwrap();

    let variables: Vec<Var> = inputs
        .iter()
        .zip(shapes)
        .map(|(values, shape)| {
            Var::from_tensor(&Tensor::from_vec(values.clone(), *shape, &Device::Cpu).unwrap()).unwrap()
        })
        .collect();
    let composed_leaves: Vec<Value> = variables.iter().map(Value::leaf_variable).collect();
    let composed_output = operation(&composed_leaves).unwrap();
    assert_close(name, "value", &output.to_vec().unwrap(), &composed_output.to_vec().unwrap(), 2e-6);
    let composed_scalar =
        if composed_output.shape().is_empty() { composed_output } else { weigh(&composed_output, false).unwrap() };
    let composed_gradients = composed_scalar.backward().unwrap();

    for (index, (leaf, composed_leaf)) in leaves.iter().zip(&composed_leaves).enumerate() {
        let gradient = gradients.to_vec(leaf).unwrap().expect("every leaf has a gradient");
        let composed = composed_gradients.to_vec(composed_leaf).unwrap().expect("every leaf has a gradient");
        assert_close(name, &format!("gradient {index}"), &gradient, &composed, 1e-5);
        let step = 5e-3_f32;
        let largest = gradient.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
        for element in 0..gradient.len() {
            let shifted = |by: f32| {
                let mut inputs = inputs.clone();
                inputs[index][element] += by;
                f64::from(evaluate(&inputs).2.to_vec().unwrap()[0])
            };
            let difference = ((shifted(step) - shifted(-step)) / f64::from(2.0 * step)) as f32;
            assert!(
                (difference - gradient[element]).abs() <= 4e-3 * largest.max(0.1),
                "{name}: input {index}, element {element}: gradient {}, finite difference {difference}",
                gradient[element]
            );
        }
    }
}

fn assert_close(name: &str, what: &str, ours: &[f32], reference: &[f32], tolerance: f32) {
    assert_eq!(ours.len(), reference.len(), "{name}: {what}");
    let largest = reference.iter().fold(1.0_f32, |largest, value| largest.max(value.abs()));
    for (element, (ours, reference)) in ours.iter().zip(reference).enumerate() {
        assert!(
            (ours - reference).abs() <= tolerance * largest,
            "{name}: {what}, element {element}: {ours} against {reference}"
        );
    }
}

#[test]
fn linear_layers() {
    check("linear", &[&[5, 7], &[3, 7]], |x| linear(&x[0], &x[1], None, None));
    check("linear with bias", &[&[5, 7], &[3, 7], &[3]], |x| linear(&x[0], &x[1], Some(&x[2]), None));
    check("linear with LoRA", &[&[5, 7], &[3, 7], &[2, 7], &[3, 2]], |x| {
        linear(&x[0], &x[1], None, Some(Lora { a: &x[2], b: &x[3], scale: 1.5 }))
    });
    check("linear with bias and LoRA", &[&[5, 7], &[3, 7], &[3], &[2, 7], &[3, 2]], |x| {
        linear(&x[0], &x[1], Some(&x[2]), Some(Lora { a: &x[3], b: &x[4], scale: 0.5 }))
    });
}

#[test]
fn normalizations() {
    check("rms_norm", &[&[3, 19], &[19]], |x| rms_norm(&x[0], &x[1], 1e-5));
    check("layer_norm", &[&[3, 19], &[19], &[19]], |x| layer_norm(&x[0], &x[1], &x[2], 1e-5));
}

#[test]
fn activations() {
    check("gelu", &[&[3, 21]], |x| gelu(&x[0], Gelu::Exact));
    check("gelu by tanh", &[&[3, 21]], |x| gelu(&x[0], Gelu::Tanh));
    check("tanh", &[&[3, 21]], |x| tanh(&x[0]));
    check("swiglu", &[&[3, 21], &[3, 21]], |x| swiglu(&x[0], &x[1]));
}

#[test]
fn sums_rows_and_means() {
    check("add", &[&[3, 4], &[3, 4]], |x| add(&x[0], &x[1]));
    check("add to itself", &[&[3, 4]], |x| add(&x[0], &x[0]));
    check("gather_rows", &[&[4, 3]], |x| gather_rows(&x[0], &[2, 0, 2, 3, 1]));
    let offsets = SequenceOffsets::from_lengths([3, 1, 2]);
    check("mean_of_sequences", &[&[6, 3]], |x| mean_of_sequences(&x[0], &offsets));
}

#[test]
fn rotary_embedding() {
    let table = RotaryTable::new(9, &[1.0, 0.3, 0.05]);
    let positions: Arc<[u32]> = Arc::from([0, 1, 8, 2]);
    check("rotary", &[&[4, 12]], |x| rotary(&x[0], &table, &positions));
}

#[test]
fn attention_over_sequences() {
    // Longer than one block of queries is checked against the composed form below: finite differences would be slow.
    let offsets = SequenceOffsets::from_lengths([4, 1, 3]);
    for (heads, key_value_heads) in [(2, 2), (4, 2), (2, 1)] {
        for mask in [Mask::None, Mask::Causal] {
            let shape = AttentionShape { heads, key_value_heads, head_dim: 3 };
            let (queries, keys) = ([8, heads * 3], [8, key_value_heads * 3]);
            check(&format!("attention {shape:?} {mask:?}"), &[&queries, &keys, &keys], |x| {
                attention(&x[0], &x[1], &x[2], shape, mask, &offsets)
            });
        }
    }
}

#[test]
fn attention_over_more_than_one_block_of_queries() {
    let offsets = SequenceOffsets::from_lengths([150, 65]);
    let shape = AttentionShape { heads: 2, key_value_heads: 1, head_dim: 4 };
    let (queries, keys) = ([215, 8], [215, 4]);
    for mask in [Mask::None, Mask::Causal] {
        let inputs = inputs_of(&[&queries, &keys, &keys]);
        let shapes: [&[usize]; 3] = [&queries, &keys, &keys];
        let host: Vec<Value> =
            inputs.iter().zip(shapes).map(|(values, shape)| Value::leaf(Array::new(values.clone(), shape))).collect();
        let variables: Vec<Var> = inputs
            .iter()
            .zip(shapes)
            .map(|(values, shape)| {
                Var::from_tensor(&Tensor::from_vec(values.clone(), shape, &Device::Cpu).unwrap()).unwrap()
            })
            .collect();
        let composed: Vec<Value> = variables.iter().map(Value::leaf_variable).collect();
        let mut results = Vec::new();
        for (leaves, on_host) in [(&host, true), (&composed, false)] {
            let output = attention(&leaves[0], &leaves[1], &leaves[2], shape, mask, &offsets).unwrap();
            let values = output.to_vec().unwrap();
            let gradients = weigh(&output, on_host).unwrap().backward().unwrap();
            let gradients: Vec<Vec<f32>> = leaves.iter().map(|leaf| gradients.to_vec(leaf).unwrap().unwrap()).collect();
            results.push((values, gradients));
        }
        assert_close("long attention", "value", &results[0].0, &results[1].0, 2e-6);
        for (ours, reference) in results[0].1.iter().zip(&results[1].1) {
            assert_close("long attention", "gradient", ours, reference, 1e-5);
        }
    }
}

#[test]
fn the_classifier_loss() {
    check("soft_cross_entropy", &[&[4, 2]], |x| soft_cross_entropy(&x[0], &[0.0, 1.0, 0.3, 0.5], 4.0));
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let offsets = SequenceOffsets::from_lengths([200, 180, 132]);
            let x = Value::leaf(Array::new(numbers(512 * 128, 1), &[512, 128]));
            let weight = Value::constant(Array::new(numbers(128 * 128, 2), &[128, 128]));
            let a = Value::leaf(Array::new(numbers(8 * 128, 3), &[8, 128]));
            let b = Value::leaf(Array::new(numbers(128 * 8, 4), &[128, 8]));
            let lora = Lora { a: &a, b: &b, scale: 1.0 };
            let y = linear(&x, &weight, None, Some(lora)).unwrap();
            let shape = AttentionShape { heads: 4, key_value_heads: 2, head_dim: 32 };
            let kv = linear(&x, &Value::constant(Array::new(numbers(64 * 128, 5), &[64, 128])), None, None).unwrap();
            let y = attention(&y, &kv, &kv, shape, Mask::Causal, &offsets).unwrap();
            let y = swiglu(&y, &x).unwrap();
            let y = rms_norm(&y, &Value::constant(Array::new(numbers(128, 6), &[128])), 1e-5).unwrap();
            let y = mean_of_sequences(&y, &offsets).unwrap();
            let y = linear(&y, &Value::constant(Array::new(numbers(256, 7), &[2, 128])), None, None).unwrap();
            let gradients = soft_cross_entropy(&y, &[0.0, 1.0, 0.5], 3.0).unwrap().backward().unwrap();
            [&x, &a, &b].map(|leaf| gradients.of(leaf).unwrap().to_vec())
        })
    };
    let one = run(1);
    assert!(one.iter().flatten().any(|value| *value != 0.0));
    assert_eq!(one, run(2));
    assert_eq!(one, run(3));
}
