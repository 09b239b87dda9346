//! What a training step allocates, against what was computed from the configuration.

#![expect(clippy::unwrap_used, reason = "this file is all test, including the functions beside the tests")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use labelmix_models::{Classifier, LoadOptions, LoraSettings, MemoryRequest, Model, ModelShape, TokenBatch};
use labelmix_nn::{AdamW, AdamWSettings, clip_gradient_norm, soft_cross_entropy};

/// The system's allocator, which notes how much is in use and how much was at most.
struct Counting;

static IN_USE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is the system allocator's own, with the same arguments.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = IN_USE.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        PEAK.fetch_max(now, Ordering::Relaxed);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// One measurement at a time.
static TURN: Mutex<()> = Mutex::new(());

/// So many that it does not matter what a matrix product sets aside for a moment: the size of a processor's cache, a
/// megabyte or two.
const SEQUENCES: u32 = 1536;
const TOKENS: u32 = 14;

/// The most that two training steps have in use beyond the loaded model, and what was computed.
fn measured_and_computed(case: &str, activation_checkpointing: bool, sequences: u32, rank: usize) -> (f64, f64) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(case);
    let options = LoadOptions { activation_checkpointing, ..LoadOptions::default() };
    let model = Classifier::new(&Model::load(&folder, &options).unwrap(), None).unwrap();
    let texts: Vec<Vec<u32>> =
        (0..sequences).map(|index| (0..TOKENS).map(|token| 1 + (index + token) % 40).collect()).collect();
    let batch = TokenBatch::new(texts.iter().map(Vec::as_slice));
    let targets: Vec<f32> = (0..sequences).map(|index| f64::from(index % 2) as f32).collect();
    let before = IN_USE.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    let mut adapter = model.initial_adapter(LoraSettings { rank, alpha: 8.0 }, 0).unwrap();
    let mut optimizer = AdamW::new(AdamWSettings { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weight_decay: 0.01 });
    let mut best = Vec::new();
    for _ in 0..2 {
        let logits = model.logits(&batch, &adapter).unwrap();
        let mut gradients = soft_cross_entropy(&logits, &targets, sequences as f32).unwrap().backward().unwrap();
        clip_gradient_norm(&mut gradients, adapter.parameters(), 1.0).unwrap();
        optimizer.step(adapter.parameters_mut(), &gradients, 1e-3).unwrap();
        drop(gradients);
        best = adapter.snapshot().unwrap();
    }
    assert!(!best.is_empty());
    let measured = PEAK.load(Ordering::Relaxed) - before;
    let request = MemoryRequest {
        tokens: (sequences * TOKENS) as usize,
        lora_rank: rank,
        precision: None,
        activation_checkpointing,
    };
    // All steps are of one length.
    let plan = ModelShape::read(&folder).unwrap().memory(&request);
    (measured as f64, (plan.per_run() - plan.spare) as f64)
}

#[test]
fn a_step_takes_about_what_was_computed() {
    let _turn = TURN.lock().unwrap();
    // Each measurement in a thread of its own: buffers that are kept for reuse belong to a thread.
    for case in ["llama_gqa", "qwen3", "gemma2", "gemma3", "gpt_neox", "gpt2", "bert_mean", "modernbert"] {
        // Once the activations decide, once the adapter.
        for (checkpointing, sequences, rank) in [(false, SEQUENCES, 4), (true, SEQUENCES, 4), (false, 8, 8192)] {
            let (measured, computed) = std::thread::spawn(move || {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(1).use_current_thread().build().unwrap();
                pool.install(|| measured_and_computed(case, checkpointing, sequences, rank))
            })
            .join()
            .unwrap();
            let ratio = measured / computed;
            println!(
                "{case}, checkpointing {checkpointing}, rank {rank}: {measured:.0} bytes, {ratio:.2} of what was computed"
            );
            assert!((0.7..1.15).contains(&ratio), "{case}, checkpointing {checkpointing}, rank {rank}: {ratio:.2}");
        }
    }
}
