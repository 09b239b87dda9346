//! Where outcomes are kept: plain files, a folder for each stage, named by its key.
//!
//! ```text
//! STORE/stages/KEY/outcome.json              what the stage was, how it went, how good it is
//!                  test_log_odds.json        the test examples' ids and log-odds
//!                  adapter_model.safetensors what was trained, in PEFT's layout
//!                  adapter_config.json       (not there if nothing was trained)
//!                  prompt.json               what stands before texts, if something does
//!                  optimizer.safetensors     the optimizer's state, if a later stage starts with it
//! STORE/labelers/KEY/outcome.json            what made weak labels, and how good they are
//!                    labels.jsonl            the examples' ids and weak labels
//!                    adapter_*               what was trained, if it was trained for these labels
//! STORE/runs/STUDY/RUN/run.json              a run: its record, and the keys of its stages
//!                      ledger.csv            the labels that it buys: id, kind, purpose, price_usd
//! STORE/unfinished/                          stages that are being written, or were when a process was killed
//! ```
//!
//! A stage is written beside its place and renamed, so it is there whole or not at all; a key determines the content,
//! so whoever comes second finds the same bytes and drops its own.

mod labels;

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use labelmix_data::ExampleId;
use labelmix_econ::{Ledger, LedgerTotals};
use labelmix_elicit::{LabelKind, OptimizerState, Recipe, StageHistory, StageOptions, TestMetrics};
use labelmix_models::Adapter;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::execute::StageError;
use crate::key::StageKey;
use crate::ledger;
use crate::prompts::PromptFile;
use crate::record::RunRecord;
use crate::study::{MatmulPrecisionName, MethodTable, WeightPrecision};

pub(crate) use self::labels::KeptLabels;

/// A folder of outcomes.
#[derive(Clone, Debug)]
pub struct Store {
    root: PathBuf,
}

/// What a stage was, how it went, and how good it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StageOutcome {
    /// The stage's name.
    pub key: StageKey,
    /// The stage it started from.
    pub parent: Option<StageKey>,
    /// The kind of its labels.
    pub labels: LabelKind,
    /// How many labels it trained on, with those that it was stopped by.
    pub count: usize,
    /// Its seed.
    pub seed: u64,
    /// In what its training differs from the usual one.
    #[serde(default, skip_serializing_if = "is_usual")]
    pub options: StageOptions,
    /// Its hyper-parameters.
    pub recipe: Recipe,
    /// How the training went, if something was trained.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<StageHistory>,
    /// The examples that it trained on, in the order of purchase, if its parent's predictions decided which.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub chosen: Vec<ExampleId>,
    /// How good the classifier is on the test set.
    pub metrics: TestMetrics,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants a reference")]
fn is_usual(options: &StageOptions) -> bool {
    *options == StageOptions::default()
}

/// What is kept of a stage besides its outcome.
pub(crate) struct KeptParts<'a> {
    pub(crate) adapter: Option<&'a Adapter>,
    pub(crate) optimizer: Option<&'a OptimizerState>,
    pub(crate) prompt: Option<PromptFile>,
}

/// The test set's log-odds of class 1, item by item.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TestLogOdds {
    /// The test examples' ids.
    pub ids: Vec<ExampleId>,
    /// Their log-odds.
    pub log_odds: Vec<f32>,
}

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
    /// The hyper-parameters, for the adapter's shape.
    pub recipe: Recipe,
    /// The method with its options, if it has any that are not its defaults.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<MethodTable>,
}

const OUTCOME_FILE: &str = "outcome.json";
const LOG_ODDS_FILE: &str = "test_log_odds.json";
const RUN_FILE: &str = "run.json";
const LEDGER_FILE: &str = "ledger.csv";
const PROMPT_FILE: &str = "prompt.json";
pub(crate) const OPTIMIZER_FILE: &str = "optimizer.safetensors";

impl Store {
    /// Opens a store, making the folder if needed.
    ///
    /// # Errors
    /// If the folder cannot be made or written to.
    pub fn open(root: &Path) -> Result<Self> {
        let store = Self { root: root.to_owned() };
        for folder in [store.root.join("stages"), store.root.join("runs"), store.unfinished()] {
            fs::create_dir_all(&folder).map_err(Error::store(&folder))?;
        }
        // A folder that exists may still be read-only: better to know before the first hour of training.
        let probe = store.unfinished().join(format!("probe.{}", std::process::id()));
        fs::write(&probe, b"").and_then(|()| fs::remove_file(&probe)).map_err(Error::store(&probe))?;
        Ok(store)
    }

    fn unfinished(&self) -> PathBuf {
        self.root.join("unfinished")
    }

    /// The folder of a stage.
    #[must_use]
    pub fn stage_folder(&self, key: &StageKey) -> PathBuf {
        self.root.join("stages").join(key.to_string())
    }

    /// The folder of a run.
    #[must_use]
    pub fn run_folder(&self, study: &str, run: &str) -> PathBuf {
        self.root.join("runs").join(study).join(run)
    }

    /// A stage's outcome, if it is there.
    ///
    /// # Errors
    /// If it is there and damaged.
    pub fn outcome(&self, key: &StageKey) -> Result<Option<StageOutcome>> {
        read_json(&self.stage_folder(key).join(OUTCOME_FILE))
    }

    /// A stage's predictions of the test set, if it is there.
    ///
    /// # Errors
    /// If it is there and damaged.
    pub fn test_log_odds(&self, key: &StageKey) -> Result<Option<TestLogOdds>> {
        read_json(&self.stage_folder(key).join(LOG_ODDS_FILE))
    }

    /// The run kept in `folder`, and the folder of its last stage.
    ///
    /// # Errors
    /// If there is none, or it is damaged.
    pub fn read_run(folder: &Path) -> Result<(RunFile, PathBuf)> {
        let no_such_run = || Error::NoSuchRun { path: folder.to_owned() };
        let run: RunFile = read_json(&folder.join(RUN_FILE))?.ok_or_else(no_such_run)?;
        let last = run.stages.last().ok_or_else(no_such_run)?;
        let stage = Self::of_run(folder)?.stage_folder(last);
        Ok((run, stage))
    }

    /// The store that keeps the run in `folder`, for reading.
    pub(crate) fn of_run(folder: &Path) -> Result<Self> {
        let root = folder.ancestors().nth(3).ok_or_else(|| Error::NoSuchRun { path: folder.to_owned() })?;
        Ok(Self { root: root.to_owned() })
    }

    /// What stands before texts in the stage kept in `folder`; `None` if nothing does.
    ///
    /// # Errors
    /// If it is there and damaged.
    pub fn read_prompt(folder: &Path) -> Result<Option<PromptFile>> {
        read_json(&folder.join(PROMPT_FILE))
    }

    pub(crate) fn write_stage(
        &self,
        outcome: &StageOutcome,
        log_odds: &TestLogOdds,
        parts: &KeptParts<'_>,
        base_model: &str,
    ) -> std::result::Result<(), StageError> {
        let folder = self.unfinished().join(format!("{}.{}", outcome.key, std::process::id()));
        fs::create_dir_all(&folder).map_err(Error::store(&folder))?;
        if let Some(adapter) = parts.adapter {
            adapter.save(&folder, base_model)?;
        }
        if let Some(optimizer) = parts.optimizer {
            optimizer.save(&folder.join(OPTIMIZER_FILE))?;
        }
        if let Some(prompt) = &parts.prompt {
            write_json(&folder.join(PROMPT_FILE), prompt)?;
        }
        write_json(&folder.join(LOG_ODDS_FILE), log_odds)?;
        write_json(&folder.join(OUTCOME_FILE), outcome)?;
        Ok(put(&folder, self.stage_folder(&outcome.key))?)
    }

    /// The ledger first: a run that is there has one.
    pub(crate) fn write_run(&self, study: &str, run: &RunFile, ledger: &Ledger) -> Result<()> {
        let folder = self.run_folder(study, &run.record.run);
        fs::create_dir_all(&folder).map_err(Error::store(&folder))?;
        write_whole(&folder.join(LEDGER_FILE), &ledger::to_csv(ledger))?;
        write_json(&folder.join(RUN_FILE), run)
    }
}

/// Moves a folder with an outcome that was written beside its place to that place.
fn put(folder: &Path, place: PathBuf) -> Result<()> {
    match fs::rename(folder, &place) {
        Ok(()) => Ok(()),
        // Another process was faster; the same key means the same bytes.
        Err(_) if place.join(OUTCOME_FILE).exists() => fs::remove_dir_all(folder).map_err(Error::store(folder)),
        Err(source) => Err(Error::Store { path: place, source }),
    }
}

/// Reads a JSON file; `None` if there is no such file.
fn read_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(Error::Store { path: path.into(), source }),
    };
    serde_json::from_slice(&bytes)
        .map(Some)
        .map_err(|error| Error::Damaged { path: path.into(), reason: error.to_string() })
}

fn write_json(path: &Path, value: &impl Serialize) -> Result<()> {
    let mut bytes = serde_json::to_vec_pretty(value).expect("records have string keys");
    bytes.push(b'\n');
    write_whole(path, &bytes)
}

/// Writes a file beside its place and renames it.
fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let beside = path.with_added_extension(std::process::id().to_string());
    fs::File::create(&beside)
        .and_then(|mut file| file.write_all(bytes))
        .and_then(|()| fs::rename(&beside, path))
        .map_err(Error::store(path))
}
