//! An engine that trains nothing, and a study for it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use labelmix_methods::Role;
use labelmix_store::{OPTIMIZER_FILE, Shortened, Store, StoreError};
use labelmix_study::Study;
use labelmix_train::{Continuation, StageProgress};
use tempfile::TempDir;

use super::Silent;
use crate::engine::{Calibration, Engine, StageData, StageJob, StageScores};
use crate::execute::{Execution, execute};
use crate::key::Fingerprint;
use crate::options::ExecuteOptions;
use crate::stage_error::StageError;
use crate::sweep::{Loaded, Sweep};

pub(super) type Script = dyn Fn(&StageJob<'_>) -> Result<(), StageError> + Send + Sync;

/// What an engine was asked for.
#[derive(Default)]
pub(super) struct Asked {
    /// Stages that were begun, in words.
    begun: Mutex<Vec<String>>,
    now: AtomicUsize,
    pub(super) most_at_once: AtomicUsize,
}

/// An engine whose stages do what a script says, and score by what they were trained on.
pub(super) struct FakeEngine {
    data: Arc<StageData>,
    slots: usize,
    script: Arc<Script>,
    asked: Arc<Asked>,
}

/// A stage in words: its labels and its seed.
pub(super) fn in_words(job: &StageJob<'_>) -> String {
    let own = job.drawn.iter().find(|drawn| drawn.draw.role == Role::Train).unwrap();
    format!("{} {} seed {}", own.places.len(), own.draw.labels().unwrap().name(), job.seed)
}

impl Engine for FakeEngine {
    fn slots(&self) -> usize {
        self.slots
    }

    fn memory_bytes(&self) -> u64 {
        1 << 20
    }

    fn do_stage(
        &self,
        job: &StageJob<'_>,
        out: &Path,
        continuation: Continuation<'_>,
        observe: &mut dyn FnMut(StageProgress),
    ) -> Result<StageScores, StageError> {
        self.asked.begun.lock().unwrap().push(in_words(job));
        let now = self.asked.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.asked.most_at_once.fetch_max(now, Ordering::SeqCst);
        let done = (self.script)(job).and_then(|()| continuation.interrupt.check().map_err(StageError::from));
        self.asked.now.fetch_sub(1, Ordering::SeqCst);
        done?;
        observe(StageProgress {
            step: 1,
            scheduled_steps: 1,
            training_loss: 0.5,
            learning_rate: 0.1,
            evaluation: None,
        });
        // What a child starts from has to be there.
        for folder in job.parent.iter().chain(&job.reads) {
            assert!(folder.join("trained").exists(), "{} is there", folder.display());
        }
        let write = |name: &str| fs::write(out.join(name), in_words(job));
        fs::create_dir_all(out)
            .and_then(|()| write("trained"))
            .map_err(|source| StageError::from(StoreError::Io { path: out.to_owned(), source }))?;
        if job.plan.training().unwrap().keep_optimizer {
            write(OPTIMIZER_FILE).unwrap();
        }
        let sign = |gold: Option<bool>| if gold == Some(true) { 1.0 } else { -1.0 };
        let log_odds = job.data.test.iter().map(|example| sign(example.gold) * job.plan.count() as f32);
        Ok(StageScores {
            history: None,
            chosen: Vec::new(),
            log_odds: log_odds.collect(),
            shortened: Shortened::default(),
        })
    }

    fn score(&self, texts: &[&str], _: &Path) -> Result<Vec<Option<f32>>, StageError> {
        Ok(vec![Some(0.0); texts.len()])
    }

    fn calibrate(&self) -> crate::error::Result<Calibration> {
        assert!(!self.data.test.is_empty());
        Ok(Calibration { train_seconds: 2.0, read_seconds: 0.0 })
    }
}

/// A study of 64 texts in a folder of its own, and a store.
pub(super) struct Place {
    pub(super) folder: TempDir,
    pub(super) grid: String,
    pub(super) slots: usize,
    pub(super) script: Arc<Script>,
    pub(super) asked: Arc<Asked>,
}

impl Place {
    pub(super) fn new(grid: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let row = |part: &str, number: usize| {
            let gold = number % 2;
            format!("{{\"text\": \"{part} {number}\", \"gold\": {gold}, \"weak\": {gold}}}\n")
        };
        for (part, rows) in [("train", 64), ("test", 8)] {
            let rows: String = (0..rows).map(|number| row(part, number)).collect();
            fs::write(folder.path().join(format!("{part}.jsonl")), rows).unwrap();
        }
        let (script, asked): (Arc<Script>, _) = (Arc::new(|_| Ok(())), Arc::default());
        Self { folder, grid: grid.to_owned(), slots: 2, script, asked }
    }

    pub(super) fn script(
        self,
        script: impl Fn(&StageJob<'_>) -> Result<(), StageError> + Send + Sync + 'static,
    ) -> Self {
        Self { script: Arc::new(script), ..self }
    }

    pub(super) fn sweep(&self) -> Sweep {
        let file = self.folder.path().join("study.toml");
        let head = "name = 'fake'\n[task]\ntrain = 'train.jsonl'\ntest = 'test.jsonl'\n[model]\npath = 'none'\n";
        fs::write(&file, format!("{head}{}", self.grid)).unwrap();
        let study = Study::read(&file).unwrap();
        let data = study.load_data(&labelmix_data::SplitFiles::new()).unwrap();
        let load = |_: &Study, data: &Arc<StageData>, _: &[crate::expansion::Chain<'_>]| {
            let (data, script, asked) = (Arc::clone(data), Arc::clone(&self.script), Arc::clone(&self.asked));
            let engine = Box::new(FakeEngine { data, slots: self.slots, script, asked });
            let (model, tokenizer) = ([1; 32], [2; 32]);
            let fingerprint = Fingerprint { model, rounding: None, tokenizer, pooling: "mean", max_length: None };
            Ok(Loaded { engine, fingerprint, parameters: 0, too_long: 0, shortened: Vec::new() })
        };
        Sweep::with_engine(study, data, None, "none".into(), load).unwrap()
    }

    pub(super) fn store(&self) -> Store {
        Store::open(&self.folder.path().join("store")).unwrap()
    }

    pub(super) fn execute(&self, options: &ExecuteOptions) -> Execution {
        execute(&self.sweep(), &self.store(), options, &Silent).unwrap()
    }

    /// The stages that engines were asked for since this was last asked, sorted.
    pub(super) fn begun(&self) -> Vec<String> {
        let mut begun = std::mem::take(&mut *self.asked.begun.lock().unwrap());
        begun.sort();
        begun
    }

    /// Every file of the store's stages and runs, by its path.
    pub(super) fn kept(&self) -> BTreeMap<String, Vec<u8>> {
        fn walk(folder: &Path, files: &mut BTreeMap<String, Vec<u8>>) {
            for entry in fs::read_dir(folder).into_iter().flatten() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    walk(&path, files);
                } else if path.file_name() != Some("run.json".as_ref()) {
                    let name =
                        path.components().rev().take(3).map(|part| part.as_os_str().to_string_lossy().into_owned());
                    files.insert(name.collect::<Vec<_>>().join("<"), fs::read(&path).unwrap());
                }
            }
        }
        let mut files = BTreeMap::new();
        for kind in ["stages", "runs"] {
            walk(&self.folder.path().join("store").join(kind), &mut files);
        }
        files
    }

    /// What is in a folder of the store.
    pub(super) fn left(&self, folder: &str) -> usize {
        fs::read_dir(self.folder.path().join("store").join(folder)).map_or(0, Iterator::count)
    }
}
