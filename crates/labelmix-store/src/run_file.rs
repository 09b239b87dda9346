//! A finished run as it is kept.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use labelmix_data::TextSource;
use labelmix_econ::LedgerTotals;
use labelmix_methods::Recipe;
use labelmix_study::{EngineTable, MatmulPrecisionName, MethodTable, TooLong, WeightPrecision};
use serde::{Deserialize, Serialize};

use crate::key::StageKey;
use crate::record::RunRecord;

/// A run as it is kept: everything that is needed to use its classifier again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunFile {
    /// What came out.
    pub record: RunRecord,
    /// Its ledger in numbers; none in files from before there were ledgers.
    #[serde(default)]
    pub labels: Option<LedgerTotals>,
    /// A hash of its ledger's file; none in files from before this was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ledger_blake3: Option<String>,
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
    /// A hash of the checkpoint; none in files from before this was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_blake3: Option<String>,
    /// Who ran it; none in files of labelmix itself.
    #[serde(default, skip_serializing_if = "EngineTable::is_native")]
    pub engine: EngineTable,
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
