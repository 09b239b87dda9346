//! A finished run as it is kept, and its classifier put together again.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use labelmix_data::TextSource;
use labelmix_econ::LedgerTotals;
use labelmix_elicit::Recipe;
use labelmix_models::{Adapter, Classifier, Device, LoadOptions, Model, Pooling, Tokenizer};
use serde::{Deserialize, Serialize};

use crate::key::StageKey;
use crate::record::RunRecord;
use crate::study::{MatmulPrecisionName, MethodTable, TooLong, WeightPrecision, limited};

/// A run as it is kept: everything that is needed to use its classifier again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunFile {
    /// What came out.
    pub record: RunRecord,
    /// Its ledger in numbers; none in files from before there were ledgers.
    #[serde(default)]
    pub labels: Option<LedgerTotals>,
    /// Its stages, first to last.
    pub stages: Vec<StageKey>,
    /// The study's file, where the run's test set is named; none in files from before this was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub study_file: Option<PathBuf>,
    /// Where the text of a row is, for runs on files of texts; none for those on tasks, and in files from before this was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<TextSource>,
    /// The checkpoint's folder.
    pub model_path: PathBuf,
    /// The precision in which the frozen weights were kept.
    #[serde(default)]
    pub weights: WeightPrecision,
    /// The precision of products with them.
    #[serde(default)]
    pub matmul_precision: MatmulPrecisionName,
    /// How texts become vectors: a pooling's name.
    pub pooling: String,
    /// The longest text in tokens, where the study sets it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_length: Option<NonZeroUsize>,
    /// What the study does with longer texts; files from before this was kept do not say.
    #[serde(default, skip_serializing_if = "TooLong::is_error")]
    pub too_long: TooLong,
    /// The hyper-parameters, for the adapter's shape.
    pub recipe: Recipe,
    /// The method with its options, if it has any that are not its defaults.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<MethodTable>,
}

impl RunFile {
    /// The tokenizer of the run's checkpoint, with the limit for texts.
    ///
    /// # Errors
    /// If it cannot be read, or is not that of the run.
    pub fn tokenizer(&self) -> labelmix_models::Result<Tokenizer> {
        limited(Tokenizer::load(&self.model_path)?, self.max_length)
    }

    /// How the run's checkpoint is loaded to use what was trained.
    #[must_use]
    pub fn load_options(&self, device: &Device) -> LoadOptions {
        LoadOptions {
            device: device.clone(),
            precision: self.weights.precision(),
            matmul_precision: self.matmul_precision.into(),
            activation_checkpointing: false,
        }
    }

    /// The run's checkpoint with a head, pooled as the run does.
    ///
    /// # Errors
    /// If the checkpoint is not that of the run.
    pub fn classifier(&self, model: &Model) -> labelmix_models::Result<Classifier> {
        Classifier::new(model, Pooling::ALL.into_iter().find(|pooling| pooling.name() == self.pooling))
    }

    /// What the stage kept in a folder trained.
    ///
    /// # Errors
    /// If it is missing or damaged, or was trained on another model.
    pub fn adapter(&self, classifier: &Classifier, stage: &Path) -> labelmix_models::Result<Adapter> {
        let mut adapter = classifier.initial_adapter(self.recipe.lora(), 0)?;
        adapter.load(stage)?;
        Ok(adapter)
    }
}
