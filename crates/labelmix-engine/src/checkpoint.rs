//! Checkpoints of studies and runs: how they are loaded, read and pooled.

use std::num::NonZeroUsize;
use std::path::Path;

use labelmix_methods::Recipe;
use labelmix_models::{
    Adapter, Classifier, Device, LoadOptions, MatmulPrecision, MemoryRequest, Model, Pooling, Precision, Tokenizer,
};
use labelmix_store::{RunFile, StoreError, check_folder};
use labelmix_study::{MatmulPrecisionName, ModelTable, PoolingName, WeightPrecision};
use labelmix_train::Backend;

/// The tokenizer of the checkpoint in `folder`, with the limit for texts.
///
/// # Errors
/// If it cannot be read, or the model does not read texts of this length.
pub fn tokenizer(folder: &Path, max_length: Option<NonZeroUsize>) -> labelmix_models::Result<Tokenizer> {
    let tokenizer = Tokenizer::load(folder)?;
    match max_length {
        Some(max_length) => tokenizer.with_max_length(max_length.get()),
        None => Ok(tokenizer),
    }
}

/// The precision to load weights with; `None` for as stored.
pub fn weight_precision(weights: WeightPrecision) -> Option<Precision> {
    match weights {
        WeightPrecision::Auto => None,
        WeightPrecision::F32 => Some(Precision::F32),
        WeightPrecision::Bf16 => Some(Precision::Bf16),
        WeightPrecision::Nf4 => Some(Precision::Nf4),
    }
}

/// How a checkpoint is loaded and run .
pub(crate) fn load_options(weights: WeightPrecision, products: MatmulPrecisionName) -> LoadOptions {
    LoadOptions {
        device: Device::Host,
        precision: weight_precision(weights),
        matmul_precision: match products {
            MatmulPrecisionName::F32 => MatmulPrecision::F32,
            MatmulPrecisionName::Bf16 => MatmulPrecision::Bf16,
        },
        activation_checkpointing: false,
    }
}

/// How a study's checkpoint is loaded and run .
pub(crate) fn load_options_of(model: &ModelTable) -> LoadOptions {
    let options = load_options(model.weights, model.matmul_precision);
    LoadOptions { activation_checkpointing: model.activation_checkpointing, ..options }
}

/// What training a model takes, where the longest text has so many tokens.
pub(crate) fn memory_request(model: &ModelTable, recipe: &Recipe, longest: usize) -> MemoryRequest {
    MemoryRequest {
        tokens: recipe.micro_batch_tokens.max(longest),
        lora_rank: recipe.lora_rank,
        precision: load_options_of(model).kept_precision(),
        activation_checkpointing: model.activation_checkpointing,
    }
}

pub(crate) fn pooling(name: PoolingName) -> Pooling {
    match name {
        PoolingName::Last => Pooling::LastToken,
        PoolingName::Pooler => Pooling::Pooler,
        PoolingName::Mean => Pooling::Mean,
        PoolingName::Cls => Pooling::FirstToken,
        PoolingName::Max => Pooling::Max,
    }
}

/// How a run's checkpoint is loaded to use what was trained.
pub fn run_load_options(run: &RunFile) -> LoadOptions {
    load_options(run.weights, run.matmul_precision)
}

/// A run's checkpoint with a head, pooled as the run does.
///
/// # Errors
/// If the checkpoint is not that of the run.
pub fn run_classifier(run: &RunFile, model: &Model) -> labelmix_models::Result<Classifier> {
    Classifier::new(model, run_pooling(run))
}

/// How a run pools.
pub(crate) fn run_pooling(run: &RunFile) -> Option<Pooling> {
    Pooling::ALL.into_iter().find(|pooling| pooling.name() == run.pooling)
}

/// Writes an adapter; that the disk is full is said of the store, and not of the model. The names of its files.
pub(crate) fn save_adapter(adapter: &Adapter, folder: &Path, base_model: &str) -> crate::error::Result<Vec<String>> {
    adapter.save(folder, base_model).map_err(|error| match error {
        labelmix_models::Error::Write { path, source } => crate::error::Error::from(StoreError::Io { path, source }),
        error => error.into(),
    })?;
    Ok(Adapter::FILES.map(str::to_owned).to_vec())
}

/// Loads what a stage trained, if it is what was written.
pub(crate) fn load_adapter(model: &dyn Backend, stage: &Path) -> crate::error::Result<Adapter> {
    check_folder(stage)?;
    Ok(model.kept_adapter(stage)?)
}

/// How numbers are rounded beyond what the checkpoint does, if at all: in what results differ from those of a host that
/// computes in f32.
pub(crate) fn rounding(options: &LoadOptions) -> Option<String> {
    let precision = options.precision.filter(|precision| *precision != Precision::F32).map(Precision::name);
    let products = (options.matmul_precision == MatmulPrecision::Bf16).then_some(" in products of bf16");
    if precision.is_none() && products.is_none() {
        return None;
    }
    Some([precision.or(Some("auto")), products].into_iter().flatten().collect())
}
