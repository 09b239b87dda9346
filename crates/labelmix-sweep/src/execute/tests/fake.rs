//! A study for the engine that trains nothing.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use labelmix_engine::{Result, StageData, StageJob};
use labelmix_store::Store;
use labelmix_study::Study;
use tempfile::TempDir;

use super::Silent;
use crate::execute::{Execution, execute};
use crate::fake_engine::{Asked, FakeEngine, Script};
use crate::options::ExecuteOptions;
use crate::sweep::{Loaded, Sweep};

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

    pub(super) fn script(self, script: impl Fn(&StageJob<'_>) -> Result<()> + Send + Sync + 'static) -> Self {
        Self { script: Arc::new(script), ..self }
    }

    /// The same store, asked something else.
    pub(super) fn asking(self, grid: &str) -> Self {
        Self { grid: grid.to_owned(), ..self }
    }

    pub(super) fn sweep(&self) -> Sweep {
        let file = self.folder.path().join("study.toml");
        let head = "name = 'fake'\n[task]\ntrain = 'train.jsonl'\ntest = 'test.jsonl'\n[model]\npath = 'none'\n";
        fs::write(&file, format!("{head}{}[recipe]\nschedule = 'early-stopping'\n", self.grid)).unwrap();
        let study = Study::read(&file).unwrap();
        let data = study.load_data(&labelmix_data::SplitFiles::new()).unwrap();
        let load = |_: &Study, data: &Arc<StageData>, _: &[crate::expansion::Chain<'_>]| {
            let (data, script, asked) = (Arc::clone(data), Arc::clone(&self.script), Arc::clone(&self.asked));
            let engine = Box::new(FakeEngine { data, slots: self.slots, script, asked });
            Ok(Loaded { engine, too_long: 0, shortened: Vec::new() })
        };
        Sweep::with_engine(study, labelmix_data::PromptTemplate::default(), data, None, "none".into(), load).unwrap()
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
