//! How fast products with frozen weights are, in GFLOP/s: what a training step can reach at best.
//!
//! `x [1024, in]` times a frozen weight `[out, in]` transposed (forward) and the gradient of x (backward), in f32 and in
//! bf16 products, on all threads: medians of 30 calls, the ways taking turns.

use std::hint::black_box;
use std::time::Instant;

use labelmix_nn::{
    Array, FrozenMatrix, MatmulPrecision, Result, SequenceOffsets, Value, Weight, linear, mean_of_sequences,
    soft_cross_entropy,
};

const TOKENS: usize = 1024;
const CALLS: usize = 30;

fn main() -> Result<()> {
    rayon::ThreadPoolBuilder::new().use_current_thread().build_global().expect("the global pool is started once");
    println!("| in → out | f32 forward | f32 backward | bf16 forward | bf16 backward |\n|---|---|---|---|---|");
    for [inputs, outputs] in [[384, 384], [384, 1024], [1024, 384], [1024, 4096], [2048, 2048]] {
        let weight = FrozenMatrix::f32(numbers(outputs, inputs));
        let ways = [MatmulPrecision::F32, MatmulPrecision::Bf16].map(|precision| weight.for_products_in(precision));
        let x = Value::leaf(numbers(TOKENS, inputs));
        let mut seconds = [const { Vec::new() }; 4];
        for _ in 0..CALLS {
            for (way, weight) in ways.iter().enumerate() {
                let start = Instant::now();
                let y = linear(&x, Weight::Frozen(weight), None, None)?;
                seconds[2 * way].push(start.elapsed().as_secs_f64());
                // Something small that depends on all of y, so that there is a gradient to begin with.
                let head = Value::constant(numbers(2, outputs));
                let mean = mean_of_sequences(&y, &SequenceOffsets::from_lengths([TOKENS]))?;
                let loss = soft_cross_entropy(&linear(&mean, Weight::Trained(&head), None, None)?, &[1.0], 1.0)?;
                let start = Instant::now();
                black_box(loss.backward()?);
                seconds[2 * way + 1].push(start.elapsed().as_secs_f64());
            }
        }
        let operations = 2.0 * (TOKENS * inputs * outputs) as f64;
        let speeds = seconds.map(|mut seconds| {
            seconds.sort_by(f64::total_cmp);
            format!("{:.0}", operations / seconds[CALLS / 2] / 1e9)
        });
        println!("| {inputs} → {outputs} | {} |", speeds.join(" | "));
    }
    Ok(())
}

fn numbers(rows: usize, columns: usize) -> Array {
    Array::new((0..rows * columns).map(|index| (index as f32 * 0.37).sin()).collect(), &[rows, columns])
}
