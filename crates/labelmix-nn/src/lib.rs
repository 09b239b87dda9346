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
mod checkpoint;
mod columns;
mod combine;
mod cross_entropy;
mod device;
mod error;
mod frozen;
mod gradients;
mod heads;
mod linear;
mod loss;
mod mapped;
mod mask;
mod matmul;
mod muon;
mod nf4;
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

pub use activation::{Activation, activation, gated, scale, soft_cap};
pub use array::Array;
pub use attention::{AttentionSettings, KeyValues, attention};
pub use checkpoint::{Part, checkpoint};
pub use columns::{ColumnBlocks, columns};
pub use combine::{add, gather_frozen_rows, gather_rows};
pub use cross_entropy::cross_entropy;
pub use device::Device;
pub use error::{Error, Result};
pub use frozen::{FrozenMatrix, MatmulPrecision, Precision};
pub use gradients::Gradients;
pub use linear::{Lora, Weight, linear};
pub use loss::{cross_entropy_of_log_odds, soft_cross_entropy, weighted_soft_cross_entropy};
pub use mapped::{Bytes, Mapped};
pub use mask::Mask;
pub use muon::{Muon, MuonSettings};
pub use nf4::{NF4_LEVELS, Nf4};
pub use normalization::{layer_norm, rms_norm};
pub use optimizer::{AdamW, AdamWSettings, clip_gradient_norm};
pub use parameter::Parameter;
pub use pooling::{max_of_sequences, mean_of_sequences};
pub use rotary::{RotaryTable, rotary};
pub use schedule::WarmupCosine;
pub use sequence::SequenceOffsets;
pub use value::Value;
