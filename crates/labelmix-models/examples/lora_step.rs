//! One LoRA training step, timed: our side of `bench/compare_lora_step.py`, which says what the folder holds.
//!
//! A second argument names the precision of the frozen weights: f32 (as stored), bf16 or nf4; a third that of products
//! with them: f32 or bf16; a fourth the sequences of a micro-batch, without which all are one.

mod steps;

use std::path::PathBuf;
use std::time::Instant;

use labelmix_models::{Classifier, LoadOptions, LoraSettings, Model, TokenBatch};
use labelmix_nn::{
    AdamW, AdamWSettings, Gradients, MatmulPrecision, Precision, clip_gradient_norm, soft_cross_entropy,
};
use safetensors::SafeTensors;
use steps::{Failure, Step};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const LEARNING_RATE: f64 = 5e-4;

fn main() -> Result<(), Failure> {
    // As the executor does: a thread outside the pool would be woken by the kernel after every operation.
    rayon::ThreadPoolBuilder::new().use_current_thread().build_global()?;
    let folder = PathBuf::from(std::env::args().nth(1).ok_or("usage: lora_step FOLDER [PRECISION [PRODUCTS]]")?);
    let precision = match std::env::args().nth(2) {
        Some(name) => Some(Precision::named(&name).ok_or("the precision is f32, f16, bf16 or nf4")?),
        None => None,
    };
    let matmul_precision = match std::env::args().nth(3).as_deref() {
        None | Some("f32") => MatmulPrecision::F32,
        Some("bf16") => MatmulPrecision::Bf16,
        Some(_) => return Err("the precision of products is f32 or bf16".into()),
    };
    let options = LoadOptions { precision, matmul_precision, ..LoadOptions::default() };
    let model = Classifier::new(&Model::load(&folder, &options)?, None)?;
    let mut adapter = model.initial_adapter(LoraSettings { rank: 8, alpha: 8.0 }, 0)?;
    adapter.load_file(&folder.join("adapter_init.safetensors"))?;
    let (sequences, targets) = read_batch(&std::fs::read(folder.join("batch.safetensors"))?)?;
    let sequences: Vec<&[u32]> = sequences.iter().map(Vec::as_slice).collect();
    let micro = std::env::args().nth(4).map_or(Ok(sequences.len()), |micro| micro.parse())?;
    let batches: Vec<(TokenBatch, &[f32])> =
        sequences.chunks(micro).map(|part| model.batch(part)).zip(targets.chunks(micro)).collect();
    let mut optimizer = AdamW::new(AdamWSettings { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weight_decay: 0.01 });
    steps::answer(|| {
        let start = Instant::now();
        let (mut value, mut forward_seconds) = (0.0, 0.0);
        let mut gradients = Gradients::default();
        for (batch, of_batch) in &batches {
            let forward = Instant::now();
            let loss = soft_cross_entropy(&model.logits(batch, &adapter)?, of_batch, targets.len() as f32)?;
            value += loss.to_vec()?[0];
            forward_seconds += forward.elapsed().as_secs_f64();
            gradients.accumulate(loss.backward()?)?;
        }
        let backward_seconds = start.elapsed().as_secs_f64() - forward_seconds;
        clip_gradient_norm(&mut gradients, adapter.parameters(), 1.0)?;
        optimizer.step(adapter.parameters_mut(), &gradients, LEARNING_RATE)?;
        Ok(Step { loss: value, forward_seconds, backward_seconds })
    })
}

/// Token ids `[sequences, length]` and soft targets `[sequences]`.
type Batch = (Vec<Vec<u32>>, Vec<f32>);

fn read_batch(bytes: &[u8]) -> Result<Batch, Failure> {
    let tensors = SafeTensors::deserialize(bytes)?;
    let targets = tensors.tensor("targets")?.data().as_chunks::<4>().0.iter().map(|c| f32::from_le_bytes(*c)).collect();
    Ok((steps::token_ids(&tensors)?, targets))
}
