//! `[model]`: the pretrained model, and the names of its settings.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// `[model]`: the pretrained model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelTable {
    /// A folder in the Hugging Face layout, or else a repository of the Hugging Face Hub, `organisation/name` with
    /// `@revision` if not its newest.
    pub path: PathBuf,
    /// The precision in which the frozen weights are kept: by default that of the checkpoint.
    #[serde(default, skip_serializing_if = "WeightPrecision::is_auto")]
    pub weights: WeightPrecision,
    /// To what the factors of products with the frozen weights are rounded.
    #[serde(default, skip_serializing_if = "MatmulPrecisionName::is_f32")]
    pub matmul_precision: MatmulPrecisionName,
    /// Whether activations are computed twice instead of kept: a third more work, much less memory.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub activation_checkpointing: bool,
    /// How a text becomes one vector: "last", "pooler" or "mean". By default what suits the checkpoint.
    pub pooling: Option<PoolingName>,
    /// The longest text in tokens, with the special ones, and the longest prompt. By default what the model reads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_length: Option<NonZeroUsize>,
    /// What to do with texts that are longer.
    #[serde(default)]
    pub too_long: TooLong,
}

/// A precision of frozen weights, by name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WeightPrecision {
    /// As the checkpoint stores them; bf16 on a graphics processor.
    #[default]
    Auto,
    /// 32-bit floats.
    F32,
    /// The upper halves of 32-bit floats.
    Bf16,
    /// 4-bit normal floats with doubly quantised scales (QLoRA).
    Nf4,
}

impl WeightPrecision {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Auto, Self::F32, Self::Bf16, Self::Nf4];

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants a reference")]
    fn is_auto(&self) -> bool {
        *self == Self::Auto
    }

    /// The name in study files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
            Self::Nf4 => "nf4",
        }
    }
}

/// A pooling's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PoolingName {
    /// The last token.
    Last,
    /// The first token, through the checkpoint's pooler.
    Pooler,
    /// The mean of the tokens.
    Mean,
    /// The first token as it is.
    Cls,
    /// The largest of the tokens, number by number.
    Max,
}

/// What to do with texts that are longer than `max_length`, or than the model's context.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TooLong {
    /// Stop with an error that names the first.
    #[default]
    Error,
    /// Leave them out.
    Drop,
    /// Cut them to the limit.
    Cut,
}

impl TooLong {
    /// Whether such texts are an error.
    pub fn is_error(&self) -> bool {
        *self == Self::Error
    }
}

/// A precision of products with frozen weights, by name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MatmulPrecisionName {
    /// 32-bit floats.
    #[default]
    F32,
    /// The upper halves of 32-bit floats, summed in 32 bits: faster where the processor has instructions for it. The
    /// frozen weights are then kept in bf16, unless they are in NF4.
    Bf16,
}

impl MatmulPrecisionName {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants a reference")]
    fn is_f32(&self) -> bool {
        *self == Self::F32
    }
}

impl ModelTable {
    /// The model of this path with the default settings.
    pub fn at(path: PathBuf) -> Self {
        Self {
            path,
            weights: WeightPrecision::default(),
            matmul_precision: MatmulPrecisionName::default(),
            activation_checkpointing: false,
            pooling: None,
            max_length: None,
            too_long: TooLong::default(),
        }
    }
}
