//! Differentiable operations for fine-tuning transformers: what PyTorch's autograd and peft's LoRA layers are to
//! the published system.
//!
//! A computation is made of [`Value`]s. On the host, every operation has one fused form with a hand-written
//! backward pass, vectorised at run time for the processor at hand; on any other device the same operation is
//! composed of candle's own operations and candle's autograd differentiates it. The composed form is also what
//! the tests hold the fused form against.
//!
//! Batches are never padded: sequences are concatenated and [`SequenceOffsets`] says where each begins.

mod activation;
mod array;
mod attention;
mod combine;
mod error;
mod linear;
mod loss;
mod matmul;
mod normalization;
mod optimizer;
mod parallel;
mod parameter;
mod pooling;
mod rotary;
mod schedule;
mod sequence;
mod simd;
mod softmax;
mod value;

pub use activation::{Gelu, gelu, swiglu, tanh};
pub use array::Array;
pub use attention::{AttentionShape, Mask, attention};
pub use combine::{add, gather_rows};
pub use error::{Error, Result};
pub use linear::{Lora, linear};
pub use loss::{cross_entropy_of_log_odds, soft_cross_entropy};
pub use normalization::{layer_norm, rms_norm};
pub use optimizer::{AdamW, AdamWSettings, clip_gradient_norm};
pub use parameter::Parameter;
pub use pooling::mean_of_sequences;
pub use rotary::{RotaryTable, rotary};
pub use schedule::WarmupCosine;
pub use sequence::SequenceOffsets;
pub use value::{Gradients, Value};
