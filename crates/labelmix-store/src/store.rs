//! Where outcomes are kept: plain files, a folder for each stage, named by its key.
//!
//! ```text
//! STORE/labelmix-store.json                  that it is a store, and of which format
//! STORE/stages/KEY/outcome.json              what the stage was, how it went, how good it is
//!                  test_log_odds.json        the test examples' ids and log-odds
//!                  adapter_model.safetensors what was trained, in PEFT's layout
//!                  adapter_config.json       (not there if nothing was trained)
//!                  prompt.json               what stands before texts, if something does
//!                  optimizer.safetensors     the optimizer's state, if a later stage starts with it
//!                  manifest.json             size and BLAKE3 hash of every other file
//! STORE/labelers/KEY/outcome.json            what made weak labels, and how good they are
//!                    labels.jsonl            the examples' ids and weak labels
//!                    adapter_*               what was trained, if it was trained for these labels
//!                    manifest.json           as above
//!                    prompt.json             what a language model of this machine was asked with
//! STORE/answers/KEY.jsonl                    what a language model behind a service was asked and answered, as it came; it is
//!                                            appended to and never taken away
//! STORE/features/KEY/outcome.json            whose features, and the ids of the texts
//!                    features.safetensors    what the pretrained model makes of these texts, for all stages
//!                    manifest.json           as above
//! STORE/runs/STUDY/RUN/run.json              a run: its record, and the keys of its stages
//!                      ledger.csv            the labels that it buys: id, kind, purpose, price_usd
//! STORE/studies/STUDY.json                   what the last sweep of a study consists of: its runs and their stages
//! STORE/test_sets/KEY.jsonl                  the texts of a test set with their labels, once for all studies that have it
//! STORE/checkpoints/KEY.safetensors          the state of a stage that is being trained, or was when it was interrupted
//! STORE/failures/KEY.json                    why a stage failed, until it succeeds
//! STORE/claims/KEY                           who is at a stage (`claims.rs`)
//! STORE/unfinished/                          folders that are being written, or were when a process was killed
//! STORE/damaged/                             folders that were found damaged, each with a damage.json
//! ```
//!
//! A stage is written beside its place and renamed, so it is there whole or not at all; a key determines the content,
//! so whoever comes second finds the same bytes and drops its own. Files are not forced to the disk one by one: what a
//! power cut tears is found by its manifest, and done again.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use labelmix_data::ExampleId;
use labelmix_econ::{LabelKind, Ledger};
use labelmix_files::{clear_leftovers, process_tag};
use labelmix_methods::{Recipe, StageHistory, StageOptions, TestMetrics};
use serde::{Deserialize, Serialize};

use crate::error::{Result, StoreError};
use crate::files::{entries, put, read_json, read_record, remove, write_json, write_record, write_whole};
use crate::key::StageKey;
use crate::ledger_file::to_csv;
use crate::manifest::{self, Scrutiny};
use crate::prompt_file::PromptFile;
use crate::run_file::RunFile;

/// A folder of outcomes.
#[derive(Clone, Debug)]
pub struct Store {
    pub(crate) root: PathBuf,
}

/// What a stage was, how it went, and how good it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StageOutcome {
    /// The stage's name.
    pub key: StageKey,
    /// The stage it started from.
    pub parent: Option<StageKey>,
    pub labels: LabelKind,
    /// How many labels it trained on, with those that it was stopped by.
    pub count: usize,
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
    /// The stages whose log-odds it averages, if it is no training of its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub averages: Vec<StageKey>,
    /// What is added to the average, so that 0 divides the classes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shift: Option<f32>,
    /// What its features were made by, if it reads features that stages share.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub features: Option<StageKey>,
    /// The versions and the device of whoever ran the model, if it was not labelmix itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<String>,
    /// How good the classifier is on the test set.
    pub metrics: TestMetrics,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants a reference")]
fn is_usual(options: &StageOptions) -> bool {
    *options == StageOptions::default()
}

/// What is kept of a stage that was done.
pub struct DoneStage {
    pub outcome: StageOutcome,
    pub log_odds: TestLogOdds,
    /// What stands before texts, if something does.
    pub prompt: Option<PromptFile>,
    /// The names of the files that were written to the stage's folder already.
    pub written: Vec<String>,
}

/// What classifies texts as a stage does.
pub struct KeptClassifiers {
    /// The folders of those whose log-odds are averaged.
    pub folders: Vec<PathBuf>,
    /// What is added to the average.
    pub shift: f32,
}

/// The test set's log-odds of class 1, item by item.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TestLogOdds {
    /// The test examples' ids.
    pub ids: Vec<ExampleId>,
    pub log_odds: Vec<f32>,
}

pub(crate) const OUTCOME_FILE: &str = "outcome.json";
const LOG_ODDS_FILE: &str = "test_log_odds.json";
pub(crate) const RUN_FILE: &str = "run.json";
pub(crate) const LEDGER_FILE: &str = "ledger.csv";
pub(crate) const PROMPT_FILE: &str = "prompt.json";
/// The name of the file of how answers are judged in a stage's folder.
pub const ANSWER_FILE: &str = "answer.json";
/// The name of the file of a linear probe in a stage's folder.
pub const PROBE_FILE: &str = "probe.json";
/// The name of the file of an optimizer's state in a stage's folder.
pub const OPTIMIZER_FILE: &str = "optimizer.safetensors";

impl Store {
    /// Where what a study submits to Slurm is written down.
    pub fn slurm_folder(&self, study: &str) -> PathBuf {
        self.root.join("slurm").join(study)
    }

    /// Opens a store, making the folder if needed.
    ///
    /// # Errors
    /// If the folder cannot be made or written to.
    pub fn open(root: &Path) -> Result<Self> {
        let store = Self { root: root.to_owned() };
        for folder in [store.root.join("stages"), store.root.join("runs"), store.unfinished()] {
            fs::create_dir_all(&folder).map_err(StoreError::io(&folder))?;
        }
        store.mark()?;
        // A folder that exists may still be read-only: better to know before the first hour of training.
        let probe = store.unfinished().join(format!("probe.{}", process_tag()));
        fs::write(&probe, b"").and_then(|()| fs::remove_file(&probe)).map_err(StoreError::io(&probe))?;
        Ok(store)
    }

    /// Opens a store to read what is in it.
    ///
    /// # Errors
    /// If the folder is no store.
    pub fn open_to_read(root: &Path) -> Result<Self> {
        if !root.join("stages").is_dir() {
            return Err(StoreError::NoStore { path: root.to_owned() });
        }
        let store = Self { root: root.to_owned() };
        match store.is_marked() {
            // Whoever wants to set it aside has to open the store.
            Ok(_) | Err(StoreError::Damaged { .. }) => Ok(store),
            Err(error) => Err(error),
        }
    }

    /// A store to look at, whether it is there or not: what is not there holds nothing.
    pub fn to_look_at(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// The store's folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn unfinished(&self) -> PathBuf {
        self.root.join("unfinished")
    }

    pub(crate) fn stages(&self) -> PathBuf {
        self.root.join("stages")
    }

    /// The folder of a stage.
    pub fn stage_folder(&self, key: &StageKey) -> PathBuf {
        self.stages().join(key.to_string())
    }

    /// The folder of a run.
    pub fn run_folder(&self, study: &str, run: &str) -> PathBuf {
        self.root.join("runs").join(study).join(run)
    }

    /// The file that is in a run's folder once the run is finished.
    pub(crate) fn run_file(folder: &Path) -> PathBuf {
        folder.join(RUN_FILE)
    }

    /// The file of the state of a stage or a labeler that is being trained, in a folder that is there.
    ///
    /// # Errors
    /// If the store cannot be read or written.
    pub fn checkpoint_file(&self, key: &str) -> Result<PathBuf> {
        let folder = self.root.join("checkpoints");
        fs::create_dir_all(&folder).map_err(StoreError::io(&folder))?;
        Ok(folder.join(format!("{key}.safetensors")))
    }

    /// Takes away what is no longer needed once a stage's outcome is kept: its checkpoint, and why it failed before.
    ///
    /// # Errors
    /// If the store cannot be read or written.
    pub fn remove_traces(&self, key: &StageKey) -> Result<()> {
        self.remove_checkpoint(key.as_str())?;
        self.remove_failure(key)
    }

    pub(crate) fn remove_checkpoint(&self, name: &str) -> Result<()> {
        let checkpoint = self.checkpoint_file(name)?;
        clear_leftovers(&checkpoint);
        remove(&checkpoint)
    }

    /// Takes such things away where a process was killed before it could.
    ///
    /// # Errors
    /// If the store cannot be read or written.
    pub fn tidy(&self, is_done: impl Fn(&str) -> bool) -> Result<()> {
        for folder in ["checkpoints", "failures", "claims"] {
            for (name, path) in entries(&self.root.join(folder))? {
                if is_done(name.split('.').next().unwrap_or_default()) {
                    remove(&path)?;
                }
            }
        }
        Ok(())
    }

    /// What time it is by the clock of the file system that the store is on; by this machine's if it cannot be written to.
    pub(crate) fn now(&self) -> SystemTime {
        let probe = self.unfinished().join(format!("probe.{}", process_tag()));
        let touched = fs::write(&probe, b"").and_then(|()| fs::metadata(&probe)).and_then(|probe| probe.modified());
        // A probe that stays is garbage, and will be taken for it.
        let _ = fs::remove_file(&probe);
        touched.unwrap_or_else(|_| SystemTime::now())
    }

    /// A stage's outcome, if it is there.
    ///
    /// # Errors
    /// If it is there and damaged.
    pub fn outcome(&self, key: &StageKey) -> Result<Option<StageOutcome>> {
        read_json(&self.stage_folder(key).join(OUTCOME_FILE))
    }

    /// Whether a stage is there.
    pub fn has_outcome(&self, key: &StageKey) -> bool {
        self.stage_folder(key).join(OUTCOME_FILE).exists()
    }

    /// A stage's outcome, if it is there and its files are what was written.
    ///
    /// # Errors
    /// If it is there and damaged.
    pub fn sound_outcome(&self, key: &StageKey, scrutiny: Scrutiny) -> Result<Option<StageOutcome>> {
        let folder = self.stage_folder(key);
        if !folder.exists() {
            return Ok(None);
        }
        match manifest::damage(&folder, scrutiny)? {
            Some(damage) => Err(damage.into()),
            None => self.outcome(key),
        }
    }

    /// When a stage's outcome was written, if it is there, by the clock of the file system.
    pub fn finished_at(&self, key: &StageKey) -> Option<SystemTime> {
        fs::metadata(self.stage_folder(key).join(OUTCOME_FILE)).ok()?.modified().ok()
    }

    /// A stage's predictions of the test set, if it is there.
    ///
    /// # Errors
    /// If it is there and damaged.
    pub fn test_log_odds(&self, key: &StageKey) -> Result<Option<TestLogOdds>> {
        let folder = self.stage_folder(key);
        if folder.exists()
            && let Some(damage) = manifest::damage(&folder, Scrutiny::Texts)?
        {
            return Err(damage.into());
        }
        Self::read_log_odds(&folder)
    }

    /// The same from a stage's folder whose texts have been checked.
    pub(crate) fn read_log_odds(folder: &Path) -> Result<Option<TestLogOdds>> {
        read_json(&folder.join(LOG_ODDS_FILE))
    }

    /// The run kept in `folder`, and the folder of its last stage, whose texts are what was written. What was trained is not
    /// read: whoever uses it asks for the [`classifiers`](Self::classifiers).
    ///
    /// # Errors
    /// If there is none, or one of them is damaged.
    pub fn read_run(folder: &Path) -> Result<(RunFile, PathBuf)> {
        let no_such_run = || StoreError::NoSuchRun { path: folder.to_owned() };
        let run = Self::read_run_file(folder)?.ok_or_else(no_such_run)?;
        let last = run.stages.last().ok_or_else(no_such_run)?;
        let stage = Self::of_run(folder)?.stage_folder(last);
        match manifest::damage(&stage, Scrutiny::Texts)? {
            Some(damage) => Err(damage.into()),
            None => Ok((run, stage)),
        }
    }

    /// The record of the run kept in `folder`; `None` if it is not finished.
    pub(crate) fn read_run_file(folder: &Path) -> Result<Option<RunFile>> {
        let path = folder.join(RUN_FILE);
        let Some(run) = read_record::<RunFile>(&path)? else { return Ok(None) };
        if folder.file_name().is_some_and(|name| name != run.record.run.as_str()) {
            return Err(StoreError::Damaged { path, reason: format!("it is the record of {:?}", run.record.run) });
        }
        Ok(Some(run))
    }

    /// The classifiers of the stage kept in `folder`, whose mean log-odds with a shift are its own: itself, unless it
    /// averages others. Every byte of them is what was written.
    ///
    /// # Errors
    /// If its outcome is not there, or one of them is damaged.
    pub fn classifiers(folder: &Path) -> Result<KeptClassifiers> {
        let path = folder.join(OUTCOME_FILE);
        let outcome: StageOutcome = read_json(&path)?
            .ok_or_else(|| StoreError::Damaged { path: path.clone(), reason: "the file is not there".to_owned() })?;
        let members = outcome.averages.iter().map(|key| folder.with_file_name(key.to_string()));
        let folders: Vec<PathBuf> =
            if outcome.averages.is_empty() { vec![folder.to_owned()] } else { members.collect() };
        for folder in &folders {
            if let Some(damage) = manifest::damage(folder, Scrutiny::Everything)? {
                return Err(damage.into());
            }
        }
        Ok(KeptClassifiers { folders, shift: outcome.shift.unwrap_or(0.0) })
    }

    /// The store that keeps the run in `folder`, for reading.
    pub(crate) fn of_run(folder: &Path) -> Result<Self> {
        let root = folder.ancestors().nth(3).ok_or_else(|| StoreError::NoSuchRun { path: folder.to_owned() })?;
        Ok(Self { root: root.to_owned() })
    }

    /// What stands before texts in the stage kept in `folder`; `None` if nothing does.
    ///
    /// # Errors
    /// If it is there and damaged.
    pub fn read_prompt(folder: &Path) -> Result<Option<PromptFile>> {
        read_json(&folder.join(PROMPT_FILE))
    }

    /// Keeps what a stage came to: `work` writes what was trained to the folder that it is given, which it makes if there is
    /// something to write, and says the rest.
    ///
    /// # Errors
    /// If it fails, or the outcome cannot be written; nothing is left of the stage then.
    pub fn write_stage<E: From<StoreError>>(
        &self,
        key: &StageKey,
        work: impl FnOnce(&Path) -> std::result::Result<DoneStage, E>,
    ) -> std::result::Result<StageOutcome, E> {
        self.write_folder(&key.to_string(), &self.stage_folder(key), |folder| {
            let DoneStage { outcome, log_odds, prompt, mut written } = work(folder)?;
            fs::create_dir_all(folder).map_err(StoreError::io(folder))?;
            if let Some(prompt) = &prompt {
                written.push(Self::write_prompt(folder, prompt)?);
            }
            write_json(&folder.join(LOG_ODDS_FILE), &log_odds)?;
            write_json(&folder.join(OUTCOME_FILE), &outcome)?;
            written.extend([LOG_ODDS_FILE, OUTCOME_FILE].map(str::to_owned));
            Ok((outcome, written))
        })
    }

    /// Writes a folder beside its place, with a manifest, and moves it there; `write` makes it, and names its files. If that fails, nothing is left of
    /// it: on a full disk it would be in everybody's way.
    pub(crate) fn write_folder<T, E: From<StoreError>>(
        &self,
        name: &str,
        place: &Path,
        write: impl FnOnce(&Path) -> std::result::Result<(T, Vec<String>), E>,
    ) -> std::result::Result<T, E> {
        let folder = self.unfinished().join(format!("{name}.{}", process_tag()));
        let written = write(&folder).and_then(|(written, files)| {
            manifest::write_manifest(&folder, &files).and_then(|()| put(&folder, place))?;
            Ok(written)
        });
        if written.is_err() {
            // The first error is the one to report.
            let _ = remove(&folder);
        }
        written
    }

    /// Keeps a run, its ledger first: a run that is there has one.
    ///
    /// # Errors
    /// If the store cannot be read or written.
    pub fn write_run(&self, study: &str, run: &RunFile, ledger: &Ledger) -> Result<()> {
        let folder = self.run_folder(study, &run.record.run);
        fs::create_dir_all(&folder).map_err(StoreError::io(&folder))?;
        let ledger = to_csv(ledger);
        write_whole(&folder.join(LEDGER_FILE), &ledger)?;
        let ledger_blake3 = Some(blake3::hash(&ledger).to_hex().to_string());
        write_record(&folder.join(RUN_FILE), &RunFile { ledger_blake3, ..run.clone() })
    }
}
