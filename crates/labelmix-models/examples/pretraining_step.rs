//! One step of training every weight of a language model, timed: our side of `bench/compare_pretraining_step.py`, which
//! says what the folder holds.

mod steps;

use std::path::PathBuf;
use std::time::Instant;

use labelmix_models::{TokenBatch, TrainableLanguageModel};
use labelmix_nn::{AdamW, AdamWSettings, Device, Muon, MuonSettings};
use safetensors::SafeTensors;
use steps::{Failure, Step};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<(), Failure> {
    // As the executor does: a thread outside the pool would be woken by the kernel after every operation.
    rayon::ThreadPoolBuilder::new().use_current_thread().build_global()?;
    let folder = PathBuf::from(std::env::args().nth(1).ok_or("usage: pretraining_step FOLDER")?);
    let mut model = TrainableLanguageModel::load(&folder, &Device::Host)?;
    let bytes = std::fs::read(folder.join("batch.safetensors"))?;
    let sequences = steps::token_ids(&SafeTensors::deserialize(&bytes)?)?;
    let batch = TokenBatch::new(sequences.iter().map(Vec::as_slice));
    let predicted = (batch.token_ids().len() - sequences.len()) as f32;
    let mut muon = Muon::new(MuonSettings { momentum: 0.95, weight_decay: 0.0 });
    let mut adamw = AdamW::new(AdamWSettings { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weight_decay: 0.0 });
    steps::answer(|| {
        let start = Instant::now();
        let loss = model.next_token_loss(&batch, None, predicted)?;
        let value = loss.to_vec()?[0];
        let forward_seconds = start.elapsed().as_secs_f64();
        let gradients = loss.backward()?;
        let backward_seconds = start.elapsed().as_secs_f64() - forward_seconds;
        let (matrices, others) = model.parameters_mut();
        muon.step(matrices, &gradients, 0.002)?;
        adamw.step(others, &gradients, 3e-4)?;
        Ok(Step { loss: value, forward_seconds, backward_seconds })
    })
}
