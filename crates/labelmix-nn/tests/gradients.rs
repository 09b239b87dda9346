//! Every operation, three ways: its fused form against its composed form (values and gradients by candle's
//! autograd), and its gradients against finite differences of its own forward pass.

#![expect(clippy::unwrap_used, reason = "this file is all test, including the functions beside the tests")]

use std::sync::Arc;

use candle_core::{Device, Tensor, Var};
use labelmix_nn::{
    Activation, Array, AttentionSettings, ColumnBlocks, FrozenMatrix, Gradients, KeyValues, Lora, Mask, Precision,
    Result, RotaryTable, SequenceOffsets, Value, Weight, activation, add, attention, checkpoint, columns,
    cross_entropy, gated, gather_frozen_rows, gather_rows, layer_norm, linear, max_of_sequences, mean_of_sequences,
    rms_norm, rotary, scale, soft_cap, soft_cross_entropy, weighted_soft_cross_entropy,
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
        let weights = constant(weights[row * columns..(row + 1) * columns].to_vec(), &[1, columns])?;
        let weighed = linear(&picked, Weight::Trained(&weights), None, None)?;
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
    use Weight::Trained;
    check("linear", &[&[5, 7], &[3, 7]], |x| linear(&x[0], Trained(&x[1]), None, None));
    check("linear with bias", &[&[5, 7], &[3, 7], &[3]], |x| linear(&x[0], Trained(&x[1]), Some(&x[2]), None));
    check("linear with LoRA", &[&[5, 7], &[3, 7], &[2, 7], &[3, 2]], |x| {
        linear(&x[0], Trained(&x[1]), None, Some(Lora { a: &x[2], b: &x[3], scale: 1.5 }))
    });
    check("linear with bias and LoRA", &[&[5, 7], &[3, 7], &[3], &[2, 7], &[3, 2]], |x| {
        linear(&x[0], Trained(&x[1]), Some(&x[2]), Some(Lora { a: &x[3], b: &x[4], scale: 0.5 }))
    });
}

#[test]
fn a_frozen_weight_of_any_precision_gives_the_gradients_of_its_own_values() {
    let kept_in_f32 = FrozenMatrix::f32(Array::new(numbers(6 * 70, 5), &[6, 70]));
    for precision in [Precision::F32, Precision::F16, Precision::Bf16, Precision::Nf4] {
        let frozen = kept_in_f32.to_precision(precision);
        let values = Value::constant(Array::new(frozen.to_f32(), &[6, 70]));
        let run = |weight: Weight<'_>| {
            let leaves = [[5, 70], [2, 70], [6, 2]]
                .map(|shape| Value::leaf(Array::new(numbers(shape[0] * shape[1], shape[0] as u32), &shape)));
            let lora = Lora { a: &leaves[1], b: &leaves[2], scale: 2.0 };
            let output = linear(&leaves[0], weight, None, Some(lora)).unwrap();
            let gradients = weigh(&output, true).unwrap().backward().unwrap();
            let gradients = leaves.each_ref().map(|leaf| gradients.to_vec(leaf).unwrap().unwrap());
            (output.to_vec().unwrap(), gradients)
        };
        let (ours, reference) = (run(Weight::Frozen(&frozen)), run(Weight::Trained(&values)));
        assert_close(precision.name(), "value", &ours.0, &reference.0, 2e-6);
        for (ours, reference) in ours.1.iter().zip(&reference.1) {
            assert_close(precision.name(), "gradient", ours, reference, 1e-5);
        }
        let rows = gather_frozen_rows(&frozen, &[4, 0]).unwrap().to_vec().unwrap();
        assert_eq!(rows, [&frozen.to_f32()[4 * 70..5 * 70], &frozen.to_f32()[..70]].concat());
    }
}

#[test]
fn normalizations() {
    check("rms_norm", &[&[3, 19], &[19]], |x| rms_norm(&x[0], &x[1], 1e-5));
    check("rms_norm of groups", &[&[3, 12], &[4]], |x| rms_norm(&x[0], &x[1], 1e-5));
    check("layer_norm", &[&[3, 19], &[19], &[19]], |x| layer_norm(&x[0], &x[1], Some(&x[2]), 1e-5));
    check("layer_norm without bias", &[&[3, 19], &[19]], |x| layer_norm(&x[0], &x[1], None, 1e-5));
}

#[test]
fn activations() {
    for kind in [Activation::Gelu, Activation::GeluTanh, Activation::Silu, Activation::Tanh] {
        check(&format!("{kind:?}"), &[&[3, 21]], |x| activation(&x[0], kind));
        check(&format!("gated {kind:?}"), &[&[3, 21], &[3, 21]], |x| gated(&x[0], &x[1], kind));
    }
    // Away from zero, where ReLU has no derivative.
    check("relu", &[&[3, 21]], |x| {
        activation(&scale(&x[0], 2.0)?, Activation::Silu).and_then(|y| activation(&y, Activation::Relu))
    });
    check("scale", &[&[3, 21]], |x| scale(&x[0], -0.7));
    check("soft_cap", &[&[3, 21]], |x| soft_cap(&x[0], 0.6));
}

#[test]
fn picked_columns() {
    check("columns", &[&[3, 10]], |x| columns(&x[0], ColumnBlocks { first: 1, width: 2, stride: 4, blocks: 2 }));
    check("columns of one block", &[&[3, 10]], |x| columns(&x[0], ColumnBlocks::one(7, 3)));
}

#[test]
fn checkpointing_changes_no_gradient() {
    let run = |checkpointed: bool| {
        let leaves = [[5, 6], [2, 6], [6, 2]]
            .map(|shape| Value::leaf(Array::new(numbers(shape[0] * shape[1], shape[1] as u32), &shape)));
        let weight = FrozenMatrix::f32(Array::new(numbers(36, 9), &[6, 6]));
        let [x, a, b] = &leaves;
        let (kept_a, kept_b) = (a.clone(), b.clone());
        let block = move |x: &Value| {
            let lora = Lora { a: &kept_a, b: &kept_b, scale: 0.5 };
            let y = linear(x, Weight::Frozen(&weight), None, Some(lora))?;
            add(x, &activation(&y, Activation::Gelu)?)
        };
        // Twice the same block, so that its leaves get a sum of gradients.
        let block = Arc::new(block);
        let apply = |x: &Value| if checkpointed { checkpoint(x, &[a, b], block.clone()) } else { block(x) };
        let output = apply(&apply(x).unwrap()).unwrap();
        let gradients: Gradients = weigh(&output, true).unwrap().backward().unwrap();
        (output.to_vec().unwrap(), leaves.each_ref().map(|leaf| gradients.to_vec(leaf).unwrap().unwrap()))
    };
    assert_eq!(run(true), run(false));
}

#[test]
fn sums_rows_and_means() {
    check("add", &[&[3, 4], &[3, 4]], |x| add(&x[0], &x[1]));
    check("add to itself", &[&[3, 4]], |x| add(&x[0], &x[0]));
    check("gather_rows", &[&[4, 3]], |x| gather_rows(&x[0], &[2, 0, 2, 3, 1]));
    let offsets = SequenceOffsets::from_lengths([3, 1, 2]);
    check("mean_of_sequences", &[&[6, 3]], |x| mean_of_sequences(&x[0], &offsets));
    check("max_of_sequences", &[&[6, 3]], |x| max_of_sequences(&x[0], &offsets));
}

#[test]
fn rotary_embedding() {
    let positions: Arc<[u32]> = Arc::from([0, 1, 8, 2]);
    for (name, head_dim) in [("rotary", 6), ("rotary of a part of each head", 12)] {
        let table = RotaryTable::new(9, head_dim, &[1.0, 0.3, 0.05]);
        check(name, &[&[4, 12]], |x| rotary(&x[0], &table, &positions));
    }
}

const MASKS: [Mask; 4] = [Mask::None, Mask::Causal, Mask::CausalWindow(2), Mask::Window(1)];

fn settings(heads: usize, key_value_heads: usize, head_dim: usize, mask: Mask) -> AttentionSettings {
    let scale = 1.0 / (head_dim as f32).sqrt();
    AttentionSettings { heads, key_value_heads, head_dim, scale, soft_cap: None, mask }
}

#[test]
fn attention_over_sequences() {
    // Longer than one block of queries is checked against the composed form below: finite differences would be slow.
    let offsets = SequenceOffsets::from_lengths([4, 1, 3]);
    for (heads, key_value_heads) in [(2, 2), (4, 2), (2, 1)] {
        for mask in MASKS {
            for soft_cap in [None, Some(0.4)] {
                let settings = AttentionSettings { soft_cap, ..settings(heads, key_value_heads, 3, mask) };
                let (queries, keys) = ([8, heads * 3], [8, key_value_heads * 3]);
                check(&format!("attention {settings:?}"), &[&queries, &keys, &keys], |x| {
                    attention(&x[0], &x[1], &x[2], settings, &offsets, None)
                });
            }
        }
    }
}

#[test]
fn attention_over_more_than_one_block_of_queries() {
    let offsets = SequenceOffsets::from_lengths([150, 65]);
    let (queries, keys) = ([215, 8], [215, 4]);
    for mask in [Mask::None, Mask::Causal, Mask::CausalWindow(40), Mask::Window(30)] {
        let settings = AttentionSettings { soft_cap: Some(0.8), ..settings(2, 1, 4, mask) };
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
            let output = attention(&leaves[0], &leaves[1], &leaves[2], settings, &offsets, None).unwrap();
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

/// A first sequence that the others continue: outputs are those of whole sequences, and gradients, which flow into it from
/// all of them, those of the composed form.
#[test]
fn gradients_flow_through_a_shared_first_sequence() {
    for mask in [Mask::Causal, Mask::CausalWindow(5), Mask::CausalWindow(75)] {
        for (shared, lengths) in [(5, vec![2, 1]), (70, vec![3, 80, 1])] {
            let offsets = SequenceOffsets::behind(shared, lengths.clone());
            let tokens = offsets.total();
            for soft_cap in [None, Some(0.8)] {
                let settings = AttentionSettings { soft_cap, ..settings(4, 2, 3, mask) };
                let shapes: [&[usize]; 3] = [&[tokens, 12], &[tokens, 6], &[tokens, 6]];
                let inputs = inputs_of(&shapes);
                let (mut values, mut gradients) = (Vec::new(), Vec::new());
                for on_host in [true, false] {
                    let leaves: Vec<Value> = inputs
                        .iter()
                        .zip(shapes)
                        .map(|(values, shape)| {
                            let tensor = Tensor::from_vec(values.clone(), shape, &Device::Cpu).unwrap();
                            if on_host {
                                Value::leaf(Array::new(values.clone(), shape))
                            } else {
                                Value::leaf_variable(&Var::from_tensor(&tensor).unwrap())
                            }
                        })
                        .collect();
                    let output = attention(&leaves[0], &leaves[1], &leaves[2], settings, &offsets, None).unwrap();
                    values.push(output.to_vec().unwrap());
                    let found = weigh(&output, on_host).unwrap().backward().unwrap();
                    gradients.push([0, 1, 2].map(|leaf| found.to_vec(&leaves[leaf]).unwrap().unwrap()));
                }
                let case = format!("{mask:?} behind {shared}");
                assert_close(&case, "value", &values[0], &values[1], 2e-6);
                for (ours, reference) in gradients[0].iter().zip(&gradients[1]) {
                    assert_close(&case, "gradient", ours, reference, 1e-5);
                }
                // The last sequence alone, as a whole.
                let last = offsets.range(offsets.sequences() - 1);
                let whole = |input: &[f32], columns: usize| {
                    let rows = [&input[..shared * columns], &input[last.start * columns..]].concat();
                    let shape = [rows.len() / columns, columns];
                    Value::constant(Array::new(rows, &shape))
                };
                let alone = SequenceOffsets::from_lengths([shared + last.len()]);
                let [q, k, v] = [(0, 12), (1, 6), (2, 6)].map(|(input, columns)| whole(&inputs[input], columns));
                let expected = attention(&q, &k, &v, settings, &alone, None).unwrap().to_vec().unwrap();
                assert_close(&case, "last", &values[0][last.start * 12..], &expected[shared * 12..], 2e-6);
            }
        }
    }
}

/// The first rows of each sequence are a prefix that all share; behind it, the results are those of the whole.
#[test]
fn sequences_behind_a_shared_prefix_see_it() {
    let (prefix, lengths, head_dim) = (70, [3, 80, 1], 4);
    for mask in [Mask::None, Mask::Causal, Mask::CausalWindow(5), Mask::CausalWindow(75), Mask::Window(4)] {
        let settings = AttentionSettings { soft_cap: Some(0.8), ..settings(2, 1, head_dim, mask) };
        let own: usize = lengths.iter().sum();
        for on_host in [true, false] {
            let value = |values: &[f32], columns: usize| {
                let shape = [values.len() / columns, columns];
                if on_host {
                    Value::constant(Array::new(values.to_vec(), &shape))
                } else {
                    Value::constant_tensor(Tensor::from_slice(values, &shape, &Device::Cpu).unwrap())
                }
            };
            let parts = |columns: usize, seed: u32| (numbers(prefix * columns, seed), numbers(own * columns, seed + 1));
            let whole = |(shared, own): &(Vec<f32>, Vec<f32>), columns: usize| {
                let offsets = SequenceOffsets::from_lengths(lengths);
                let rows =
                    offsets.ranges().map(|range| [shared, &own[range.start * columns..range.end * columns]].concat());
                value(&rows.collect::<Vec<_>>().concat(), columns)
            };
            let (q, k, v) = (parts(8, 1), parts(4, 3), parts(4, 5));
            let shared = KeyValues { keys: value(&k.0, 4), values: value(&v.0, 4) };
            let offsets = SequenceOffsets::from_lengths(lengths);
            let continued =
                attention(&value(&q.1, 8), &value(&k.1, 4), &value(&v.1, 4), settings, &offsets, Some(&shared))
                    .unwrap();
            let all = SequenceOffsets::from_lengths(lengths.map(|length| prefix + length));
            let reference = attention(&whole(&q, 8), &whole(&k, 4), &whole(&v, 4), settings, &all, None).unwrap();
            let reference = reference.to_vec().unwrap();
            let expected: Vec<f32> =
                all.ranges().flat_map(|range| reference[(range.start + prefix) * 8..range.end * 8].to_vec()).collect();
            assert_close(&format!("{mask:?}"), "behind a prefix", &continued.to_vec().unwrap(), &expected, 2e-6);
        }
    }
}

#[test]
fn the_language_models_loss() {
    check("cross_entropy", &[&[4, 37]], |inputs| cross_entropy(&inputs[0], &[3, 36, 0, 3], &[1.0, 0.5, 0.0, 2.0], 5.0));
    let logits = Value::constant(Array::new(vec![0.0; 4], &[2, 2]));
    for (classes, weights) in [(&[0, 2][..], &[1.0, 1.0][..]), (&[0], &[1.0]), (&[0, 1], &[1.0])] {
        assert!(cross_entropy(&logits, classes, weights, 1.0).is_err());
    }
}

#[test]
fn the_classifier_loss() {
    check("soft_cross_entropy", &[&[4, 2]], |x| soft_cross_entropy(&x[0], &[0.0, 1.0, 0.3, 0.5], 4.0));
}

#[test]
fn a_loss_whose_examples_weigh_differently() {
    check("weighted soft_cross_entropy", &[&[4, 2]], |x| {
        weighted_soft_cross_entropy(&x[0], &[0.0, 1.0, 0.3, -0.2], &[1.0, 0.25, 0.0, 2.0], 4.0)
    });
    let logits = Value::leaf(Array::new(vec![0.0, 1.0, 0.5, -0.5], &[2, 2]));
    // softplus(1) − 1 at weight 3, softplus(−1) at weight ½, over 2.
    let loss = weighted_soft_cross_entropy(&logits, &[1.0, 0.0], &[3.0, 0.5], 2.0).unwrap().to_vec().unwrap()[0];
    assert!((loss - 0.548_208_06).abs() < 1e-6, "{loss}");
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let offsets = SequenceOffsets::from_lengths([200, 180, 132]);
            let x = Value::leaf(Array::new(numbers(512 * 128, 1), &[512, 128]));
            let frozen =
                |rows: usize, seed: u32| FrozenMatrix::f32(Array::new(numbers(rows * 128, seed), &[rows, 128]));
            let a = Value::leaf(Array::new(numbers(8 * 128, 3), &[8, 128]));
            let b = Value::leaf(Array::new(numbers(128 * 8, 4), &[128, 8]));
            let lora = Lora { a: &a, b: &b, scale: 1.0 };
            let y = linear(&x, Weight::Frozen(&frozen(128, 2)), None, Some(lora)).unwrap();
            let kv = linear(&x, Weight::Frozen(&frozen(64, 5).to_precision(Precision::Nf4)), None, None).unwrap();
            let y = attention(&y, &kv, &kv, settings(4, 2, 32, Mask::Causal), &offsets, None).unwrap();
            let y = gated(&y, &x, Activation::Silu).unwrap();
            let y = rms_norm(&y, &Value::constant(Array::new(numbers(128, 6), &[128])), 1e-5).unwrap();
            let y = mean_of_sequences(&y, &offsets).unwrap();
            let y = linear(&y, Weight::Frozen(&frozen(2, 7)), None, None).unwrap();
            let gradients = soft_cross_entropy(&y, &[0.0, 1.0, 0.5], 3.0).unwrap().backward().unwrap();
            [&x, &a, &b].map(|leaf| gradients.of(leaf).unwrap().to_vec())
        })
    };
    let one = run(1);
    assert!(one.iter().flatten().any(|value| *value != 0.0));
    assert_eq!(one, run(2));
    assert_eq!(one, run(3));
}
