//! `[model]`: the pretrained model, and the names of its settings.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use labelmix_elicit::Recipe;
use labelmix_models::{Device, LoadOptions, MatmulPrecision, MemoryRequest, Pooling, Precision, Tokenizer};
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
    #[must_use]
    pub fn name(self) -> &'static str {
        self.precision().map_or("auto", Precision::name)
    }

    /// The precision to load with; `None` for as stored.
    #[must_use]
    pub fn precision(self) -> Option<Precision> {
        match self {
            Self::Auto => None,
            Self::F32 => Some(Precision::F32),
            Self::Bf16 => Some(Precision::Bf16),
            Self::Nf4 => Some(Precision::Nf4),
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

impl From<PoolingName> for Pooling {
    fn from(name: PoolingName) -> Self {
        match name {
            PoolingName::Last => Self::LastToken,
            PoolingName::Pooler => Self::Pooler,
            PoolingName::Mean => Self::Mean,
            PoolingName::Cls => Self::FirstToken,
            PoolingName::Max => Self::Max,
        }
    }
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
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants a reference")]
    pub(crate) fn is_error(&self) -> bool {
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

impl From<MatmulPrecisionName> for MatmulPrecision {
    fn from(name: MatmulPrecisionName) -> Self {
        match name {
            MatmulPrecisionName::F32 => Self::F32,
            MatmulPrecisionName::Bf16 => Self::Bf16,
        }
    }
}

impl ModelTable {
    /// The model of this path with the default settings.
    #[must_use]
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

    /// The tokenizer of the checkpoint in `folder`, with the limit for texts.
    ///
    /// # Errors
    /// If it cannot be read, or the model does not read texts of this length.
    pub(crate) fn tokenizer(&self, folder: &Path) -> labelmix_models::Result<Tokenizer> {
        limited(Tokenizer::load(folder)?, self.max_length)
    }

    /// How the checkpoint is loaded and run on a device.
    #[must_use]
    pub fn load_options(&self, device: &Device) -> LoadOptions {
        LoadOptions {
            device: device.clone(),
            precision: self.weights.precision(),
            matmul_precision: self.matmul_precision.into(),
            activation_checkpointing: self.activation_checkpointing,
        }
    }

    /// What training the model takes, where the longest text has so many tokens.
    pub(crate) fn memory_request(&self, device: &Device, recipe: &Recipe, longest: usize) -> MemoryRequest {
        MemoryRequest {
            tokens: recipe.micro_batch_tokens.max(longest),
            lora_rank: recipe.lora_rank,
            precision: self.load_options(device).kept_precision(),
            activation_checkpointing: self.activation_checkpointing,
        }
    }
}

/// A tokenizer with a limit for texts, if there is one.
pub(crate) fn limited(tokenizer: Tokenizer, max_length: Option<NonZeroUsize>) -> labelmix_models::Result<Tokenizer> {
    match max_length {
        Some(max_length) => tokenizer.with_max_length(max_length.get()),
        None => Ok(tokenizer),
    }
}
