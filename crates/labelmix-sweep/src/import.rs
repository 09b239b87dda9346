//! Runs of the published code: its result folders, read as records.
//!
//! The published code writes a folder for each run, `RESULTS/TASK/nw=640_no=0_m=Meta-Llama-3-8B_NAME_s42/`, with
//! `results.json` (test log-odds, gold labels, how many labels were used) and `config.json` (the model's full name). An
//! interrupted run leaves a file half written, and a re-run a second folder: what cannot be used is set aside, with the
//! reason.

mod folder_name;
mod grid;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use labelmix_econ::{Allocation, CorrectItems, MeasuredRun, Outcome};
use labelmix_methods::test_metrics;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use self::folder_name::FolderName;
pub use self::grid::{PUBLISHED_BUDGETS, published_points};
use crate::error::{Error, Result};
use labelmix_store::RunRecord;

/// The runs of a folder of results.
#[derive(Debug)]
pub struct ImportedRuns {
    /// The runs by task and model.
    pub studies: Vec<ImportedStudy>,
    /// The runs that cannot be used.
    pub set_aside: Vec<SetAside>,
}

/// The runs of one model on one task, which share a test set. There is at least one.
#[derive(Debug)]
pub struct ImportedStudy {
    /// The name of the folder that holds the runs; the published code names it after the dataset and the weak labeler.
    pub task: String,
    /// The model's name.
    pub model: String,
    /// The runs, by method, allocation and seed. Labels are counted once, however often a run looked at them.
    pub records: Vec<RunRecord>,
    /// The same with the test items that each got right.
    pub measured: Vec<MeasuredRun>,
    /// The share of the test items on whose side the weak label is; none if the runs do not say.
    pub weak_accuracy: Option<f64>,
}

/// A run that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetAside {
    pub folder: PathBuf,
    pub reason: String,
}

/// What is read of `results.json`. The numbers of labels stand in it, or, as newer versions have it, in a summary of the
/// method.
#[derive(Deserialize)]
struct Results {
    num_weak: Option<usize>,
    num_oracle: Option<usize>,
    reporter: Option<Counts>,
    ids: Option<Vec<serde_json::Value>>,
    calibrated_logodds: Vec<f32>,
    gt_soft_labels: Vec<f64>,
    weak_soft_labels: Option<Vec<f64>>,
}

#[derive(Deserialize)]
struct Counts {
    num_weak: usize,
    num_oracle: usize,
}

#[derive(Deserialize)]
struct Config {
    model: ModelName,
}

#[derive(Deserialize)]
struct ModelName {
    name: String,
}

/// A run as it was read.
struct PublishedRun {
    folder: PathBuf,
    task: String,
    model: String,
    name: FolderName,
    allocation: Allocation,
    items: Vec<Item>,
}

/// A test item, in the order of the items' ids.
struct Item {
    id: String,
    log_odds: f32,
    gold: bool,
    weak: Option<bool>,
}

/// Reads all runs below a folder: a folder of results, of one task's results, or of one run.
///
/// # Errors
/// If the folder cannot be read, or holds no run that can be used.
pub fn import_published(root: &Path) -> Result<ImportedRuns> {
    let mut set_aside = Vec::new();
    let mut groups: BTreeMap<(String, String), Vec<PublishedRun>> = BTreeMap::new();
    for folder in run_folders(root)? {
        match read_run(&folder) {
            Ok(run) => groups.entry((run.task.clone(), run.model.clone())).or_default().push(run),
            Err(reason) => set_aside.push(SetAside { folder, reason }),
        }
    }
    if groups.is_empty() {
        return Err(Error::NothingToImport {
            path: root.to_owned(),
            reason: match set_aside.first() {
                None => "no folder in it is named like a run (nw=640_no=0_m=MODEL_NAME_s42)".to_owned(),
                Some(first) => format!("no run in it can be used; {}: {}", first.folder.display(), first.reason),
            },
        });
    }
    let mut studies = Vec::new();
    for ((task, model), runs) in groups {
        studies.push(ImportedStudy::new(task, model, runs, &mut set_aside));
    }
    set_aside.sort_by(|a, b| a.folder.cmp(&b.folder));
    Ok(ImportedRuns { studies, set_aside })
}

/// The folders of runs at or below a folder, in the order of their paths. Nothing is looked for inside a run.
fn run_folders(root: &Path) -> Result<Vec<PathBuf>> {
    let unreadable = |path: &Path| {
        let path = path.to_owned();
        move |source| Error::ReadResults { path, source }
    };
    let root = root.canonicalize().map_err(unreadable(root))?;
    let (mut found, mut waiting) = (Vec::new(), vec![root]);
    while let Some(folder) = waiting.pop() {
        if FolderName::parse(&folder).is_some() {
            found.push(folder);
            continue;
        }
        for entry in fs::read_dir(&folder).map_err(unreadable(&folder))? {
            let entry = entry.map_err(unreadable(&folder))?;
            // Links are not followed: they may lead back.
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                waiting.push(entry.path());
            }
        }
    }
    found.sort();
    Ok(found)
}

fn read_run(folder: &Path) -> std::result::Result<PublishedRun, String> {
    let name = FolderName::parse(folder).expect("only folders with the name of a run are read");
    let results: Results = read_json(&folder.join("results.json"))?;
    let counts = match (results.num_weak, results.num_oracle, &results.reporter) {
        (Some(n_weak), Some(n_gold), _) => Some((n_weak, n_gold)),
        (_, _, Some(counts)) => Some((counts.num_weak, counts.num_oracle)),
        _ => None,
    };
    let (n_weak, n_gold) =
        counts.ok_or("results.json does not say how many labels were used (num_weak, num_oracle)")?;
    let model = match read_json::<Config>(&folder.join("config.json")) {
        Ok(config) => config.model.name,
        Err(_) => name.model.clone(),
    };
    let task = folder.parent().and_then(Path::file_name).map_or_else(String::new, |task| task.to_string_lossy().into());
    let items = results.items()?;
    Ok(PublishedRun { folder: folder.to_owned(), task, model, name, allocation: Allocation { n_weak, n_gold }, items })
}

fn read_json<T: DeserializeOwned>(path: &Path) -> std::result::Result<T, String> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let text = fs::read_to_string(path).map_err(|error| format!("{name}: {error}"))?;
    serde_json::from_str(&text).map_err(|error| format!("{name}: {error}"))
}

impl Results {
    fn items(self) -> std::result::Result<Vec<Item>, String> {
        let n_test = self.calibrated_logodds.len();
        let ids = self.ids.as_ref().map_or(n_test, Vec::len);
        let weak = self.weak_soft_labels.as_ref().map_or(n_test, Vec::len);
        if [self.gt_soft_labels.len(), ids, weak].iter().any(|length| *length != n_test) {
            return Err(format!(
                "results.json has {n_test} log-odds, {} gold labels, {ids} ids and {weak} weak labels",
                self.gt_soft_labels.len()
            ));
        }
        if n_test == 0 {
            return Err("results.json has no test items".to_owned());
        }
        if let Some(place) = self.calibrated_logodds.iter().position(|score| !score.is_finite()) {
            return Err(format!("results.json: the log-odds of test item {place} are not a number"));
        }
        let id = |place: usize| match &self.ids {
            None => format!("{place:06}"),
            Some(ids) => ids[place].as_str().map_or_else(|| ids[place].to_string(), str::to_owned),
        };
        let mut items: Vec<Item> = (0..n_test)
            .map(|place| Item {
                id: id(place),
                log_odds: self.calibrated_logodds[place],
                gold: self.gt_soft_labels[place] > 0.5,
                weak: self.weak_soft_labels.as_ref().map(|weak| weak[place] > 0.5),
            })
            .collect();
        items.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(items)
    }
}

impl PublishedRun {
    /// What it was tested on: ids and gold labels.
    fn test_set(&self) -> Vec<(&str, bool)> {
        self.items.iter().map(|item| (item.id.as_str(), item.gold)).collect()
    }

    fn record(&self) -> RunRecord {
        let log_odds: Vec<f32> = self.items.iter().map(|item| item.log_odds).collect();
        let gold: Vec<bool> = self.items.iter().map(|item| item.gold).collect();
        RunRecord {
            run: self.folder.file_name().map_or_else(String::new, |name| name.to_string_lossy().into()),
            method: self.name.method.clone(),
            task: self.task.clone(),
            model: self.model.clone(),
            seed: self.name.seed,
            allocation: self.allocation,
            cost_usd: None,
            metrics: test_metrics(&log_odds, &gold),
        }
    }

    fn measured(&self) -> MeasuredRun {
        let correct: Vec<bool> = self.items.iter().map(|item| (item.log_odds > 0.0) == item.gold).collect();
        MeasuredRun {
            task: self.task.clone(),
            method: self.name.method.clone(),
            allocation: self.allocation,
            seed: self.name.seed,
            outcome: Outcome::Items(CorrectItems::new(&correct)),
            gpu_hours: None,
        }
    }

    fn weak_accuracy(&self) -> Option<f64> {
        let right: Option<Vec<bool>> = self.items.iter().map(|item| Some(item.weak? == item.gold)).collect();
        right.map(|right| right.iter().filter(|right| **right).count() as f64 / right.len() as f64)
    }
}

impl ImportedStudy {
    /// Of runs, at least one, those on the most common test set; of runs that are there twice, the first.
    fn new(task: String, model: String, mut runs: Vec<PublishedRun>, set_aside: &mut Vec<SetAside>) -> Self {
        let mut uses: HashMap<Vec<(&str, bool)>, usize> = HashMap::new();
        for run in &runs {
            *uses.entry(run.test_set()).or_default() += 1;
        }
        // Of equally common test sets the one of the first run: `max_by_key` takes the last of equals.
        let place = |run: &PublishedRun| uses[&run.test_set()];
        let most_common = (0..runs.len()).rev().max_by_key(|index| place(&runs[*index])).expect("there is a run");
        let fits: Vec<bool> = runs.iter().map(|run| run.test_set() == runs[most_common].test_set()).collect();
        let mut seen = HashSet::new();
        let mut fits = fits.into_iter();
        runs.retain(|run| {
            let reason = if !fits.next().expect("one for each run") {
                "it was tested on other items than most runs of its task"
            } else if !seen.insert((run.name.method.clone(), run.allocation, run.name.seed)) {
                "another folder has a run of this method with as many labels and this seed"
            } else {
                return true;
            };
            set_aside.push(SetAside { folder: run.folder.clone(), reason: reason.to_owned() });
            false
        });
        runs.sort_by(|a, b| {
            (&a.name.method, a.allocation, a.name.seed).cmp(&(&b.name.method, b.allocation, b.name.seed))
        });
        Self {
            task,
            model,
            weak_accuracy: runs.iter().find_map(PublishedRun::weak_accuracy),
            records: runs.iter().map(PublishedRun::record).collect(),
            measured: runs.iter().map(PublishedRun::measured).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A run's folder, of four test items.
    fn write_run(root: &Path, folder: &str, results: &serde_json::Value) {
        let folder = root.join(folder);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("results.json"), results.to_string()).unwrap();
        fs::write(folder.join("config.json"), r#"{"model": {"name": "meta-llama/Meta-Llama-3-8B"}}"#).unwrap();
    }

    fn results(n_weak: usize, n_gold: usize) -> serde_json::Value {
        json!({
            "auroc": 0.75, "acc": 0.75, "ids": ["b", "a", "c", "d"],
            "calibrated_logodds": [1.5, -0.25, 0.5, -2.0], "gt_soft_labels": [1.0, 0.0, 1.0, 1.0],
            "weak_soft_labels": [0.9, 0.2, 0.4, 0.3],
            "reporter": {"method": "ModularSftReporter", "num_weak": n_weak, "num_oracle": n_gold},
        })
    }

    #[test]
    fn both_forms_of_results_are_read_item_by_item() {
        let root = tempfile::tempdir().unwrap();
        write_run(root.path(), "boolq_Qwen1.5-0.5B/nw=610_no=3_m=Meta-Llama-3-8B_seq_sft_s7", &results(610, 3));
        let mut older = results(0, 0);
        older.as_object_mut().unwrap().remove("reporter");
        (older["num_weak"], older["num_oracle"]) = (640.into(), 0.into());
        write_run(root.path(), "boolq_Qwen1.5-0.5B/nw=640_no=0_m=Meta-Llama-3-8B_seq_sft_s7", &older);

        let imported = import_published(root.path()).unwrap();
        assert_eq!(imported.set_aside, []);
        let [study] = &imported.studies[..] else { panic!("one task and one model") };
        assert_eq!((&*study.task, &*study.model), ("boolq_Qwen1.5-0.5B", "meta-llama/Meta-Llama-3-8B"));
        assert_eq!(study.weak_accuracy, Some(0.5));
        let allocations: Vec<_> = study.records.iter().map(|run| run.allocation).collect();
        assert_eq!(allocations, [(610, 3), (640, 0)].map(|(n_weak, n_gold)| Allocation { n_weak, n_gold }));
        let record = &study.records[0];
        assert_eq!((&*record.method, record.seed, record.cost_usd), ("seq_sft", 7, None));
        assert_eq!((record.metrics.n_test, record.metrics.accuracy), (4, 0.75));
        // Items are in the order of their ids: a, b, c right, d wrong.
        let Outcome::Items(items) = &study.measured[0].outcome else { panic!("items are known") };
        assert_eq!((0..4).map(|item| items.is_correct(item)).collect::<Vec<_>>(), [true, true, true, false]);
    }

    #[test]
    fn what_cannot_be_used_is_set_aside_with_the_reason() {
        let root = tempfile::tempdir().unwrap();
        let run = |name: &str| format!("sciq/nw=8_no=0_m=Tiny_{name}");
        write_run(root.path(), &run("a_s1"), &results(8, 0));
        write_run(root.path(), &run("a_s2"), &results(8, 0));
        // Requested as another number of labels, but as many were used.
        write_run(root.path(), "sciq/nw=9_no=0_m=Tiny_a_s1", &results(8, 0));
        let mut other_items = results(8, 0);
        other_items["ids"] = json!(["a", "b", "c", "e"]);
        write_run(root.path(), &run("b_s1"), &other_items);
        let mut short = results(8, 0);
        short["ids"] = json!(["a"]);
        write_run(root.path(), &run("c_s1"), &short);
        let mut uncounted = results(8, 0);
        uncounted.as_object_mut().unwrap().remove("reporter");
        write_run(root.path(), &run("d_s1"), &uncounted);
        fs::create_dir_all(root.path().join(run("e_s1"))).unwrap();
        fs::write(root.path().join(run("e_s1")).join("results.json"), "").unwrap();
        fs::create_dir_all(root.path().join(run("f_s1"))).unwrap();

        let imported = import_published(root.path()).unwrap();
        assert_eq!(imported.studies[0].records.len(), 2);
        let line =
            |aside: &SetAside| format!("{}: {}", aside.folder.file_name().unwrap().to_str().unwrap(), aside.reason);
        insta::assert_snapshot!(imported.set_aside.iter().map(line).collect::<Vec<_>>().join("\n"), @"
        nw=8_no=0_m=Tiny_b_s1: it was tested on other items than most runs of its task
        nw=8_no=0_m=Tiny_c_s1: results.json has 4 log-odds, 4 gold labels, 1 ids and 4 weak labels
        nw=8_no=0_m=Tiny_d_s1: results.json does not say how many labels were used (num_weak, num_oracle)
        nw=8_no=0_m=Tiny_e_s1: results.json: EOF while parsing a value at line 1 column 0
        nw=8_no=0_m=Tiny_f_s1: results.json: No such file or directory (os error 2)
        nw=9_no=0_m=Tiny_a_s1: another folder has a run of this method with as many labels and this seed
        ");
    }

    #[test]
    fn a_folder_without_runs_is_refused() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("nw=8_no=0")).unwrap();
        let error = import_published(root.path()).unwrap_err().to_string();
        assert!(error.ends_with("no folder in it is named like a run (nw=640_no=0_m=MODEL_NAME_s42)"), "{error}");
        let missing = root.path().join("not there");
        assert!(matches!(import_published(&missing), Err(Error::ReadResults { path, .. }) if path == missing));
    }
}
