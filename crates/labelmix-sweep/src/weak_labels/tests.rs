//! Weak labels on the example's data.

use std::path::PathBuf;
use std::sync::Arc;

use labelmix_data::SplitFiles;
use tempfile::TempDir;

use super::*;
use crate::fake_engine::FakeEngine;

fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/reviews")
}

/// A store and a study on the example's data with this [labeler].
fn place(labeler: &str) -> (TempDir, Store, Study) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("study.toml");
    let example = example().display().to_string();
    let study = format!(
        "name = 'a'\n[task]\ntrain = '{example}/train.jsonl'\ntest = '{example}/test.jsonl'\n\
         [model]\npath = 'a'\n[labeler]\n{labeler}"
    );
    std::fs::write(&path, study).unwrap();
    let store = Store::open(&folder.path().join("store")).unwrap();
    let study = Study::read(&path).unwrap();
    (folder, store, study)
}

/// Labels a dataset with the example's checkpoint.
fn label(study: &Study, store: &Store, dataset: &mut Dataset) -> Result<StageKey> {
    let checkpoint = example().join("checkpoint");
    let labeling = WeakLabeling::made(store, Some(&checkpoint), &|_| ());
    let labeled = set_weak_labels(study, dataset, &EngineOptions::default(), &labeling)?;
    Ok(labeled.expect("the study has a labeler").0.key)
}

#[test]
fn a_labeler_reads_proxy_texts_where_there_are_any() {
    let keys = "model = 'a'\ntrain = 100\nvalidation = 50\nepochs = 1\nlearning_rate = 5e-3\n";
    let (_folder, store, study) = place(keys);
    let (_other, _, with_proxy) = place(&format!("{keys}proxy = true\n"));
    let dataset = study.load_data(&SplitFiles::new()).unwrap();
    let plain = label(&study, &store, &mut dataset.clone()).unwrap();
    let error = label(&with_proxy, &store, &mut dataset.clone()).unwrap_err();
    assert!(matches!(error, Error::NoProxyTexts));

    // Proxies that say the same: the same labels, found under the same key.
    let mut same = dataset.clone();
    same.train[0].proxy = Some(same.train[0].text.clone().into());
    assert_eq!(label(&with_proxy, &store, &mut same).unwrap(), plain);

    // Proxies that are all alike: nothing can be told from them. A labeler that is not asked for them does not care.
    let mut alike = dataset.clone();
    for example in alike.train.iter_mut().chain(&mut alike.test) {
        example.proxy = Some("the soup was good .".into());
    }
    assert_eq!(label(&study, &store, &mut alike).unwrap(), plain);
    assert_ne!(label(&with_proxy, &store, &mut alike).unwrap(), plain);
    let labels: std::collections::BTreeSet<u32> =
        alike.train.iter().filter_map(|example| example.weak).map(f32::to_bits).collect();
    assert_eq!(labels.len(), 1);
}

#[test]
fn a_labeler_may_have_gold_labels_of_its_own() {
    let keys = "model = 'a'\ntrain = 40\nvalidation = 40\nepochs = 1\nlearning_rate = 5e-3\n";
    let texts = |folder: &Path, rows: &str| std::fs::write(folder.join("own.jsonl"), rows).unwrap();
    let of_its_own = |number: usize, gold: usize| {
        format!("{{\"text\": \"this {} is {number}\", \"gold\": {gold}}}\n", ["bad", "good"][gold])
    };
    let (folder, store, study) = place(&format!("{keys}gold_file = 'own.jsonl'\n"));
    let dataset = study.load_data(&SplitFiles::new()).unwrap();
    let mut rows: String = (0..100).map(|number| of_its_own(number, number % 2)).collect();
    // A text that is for sale too, and one of the test set, which the labeler does not get to see.
    let row = |example: &Example, gold: u8| serde_json::json!({"text": &*example.text, "gold": gold}).to_string();
    let sold = (0..60).map(|index| row(&dataset.train[index], 1) + "\n").collect::<String>();
    rows += &(row(&dataset.test[0], 0) + "\n");
    texts(folder.path(), &(rows.clone() + &sold));

    let mut labeled = dataset.clone();
    let key = label(&study, &store, &mut labeled).unwrap();
    let unlabeled = labeled.train.iter().filter(|example| example.weak.is_none()).count();
    assert!(unlabeled > 0 && unlabeled < 40, "{unlabeled} of the 60 are among the 40 that it was trained on");
    assert_eq!(label(&study, &store, &mut dataset.clone()).unwrap(), key);

    // Other labels, another labeler; and labels of its own are not those of the pool.
    texts(folder.path(), &(rows.replace("\"gold\": 1", "\"gold\": 0") + &sold));
    assert_ne!(label(&study, &store, &mut dataset.clone()).unwrap(), key);
    texts(folder.path(), &row(&dataset.test[0], 0));
    let error = label(&study, &store, &mut dataset.clone()).unwrap_err();
    assert!(matches!(error, Error::LabelerStarves { train: 0, validation: 0 }), "{error}");
    std::fs::remove_file(folder.path().join("own.jsonl")).unwrap();
    assert!(label(&study, &store, &mut dataset.clone()).unwrap_err().to_string().contains("own.jsonl"));
}

#[test]
fn the_key_knows_gold_labels_texts_and_the_seed_and_nothing_of_prices() {
    let symmetric = |more: &str| place(&format!("kind = 'symmetric'\ntarget_accuracy = 0.8\n{more}"));
    let (_folder, store, study) = symmetric("");
    let dataset = study.load_data(&SplitFiles::new()).unwrap();
    let key = |study: &Study, dataset: &Dataset| label(study, &store, &mut dataset.clone()).unwrap();
    let base = key(&study, &dataset);
    assert_eq!(key(&symmetric("[prices]\nweak = 0.5\n[recipe]\nbatch_size = 8\n").2, &dataset), base);
    assert_ne!(key(&symmetric("seed = 1\n").2, &dataset), base);
    let mut flipped = dataset.clone();
    flipped.train[0].gold = flipped.train[0].gold.map(|gold| !gold);
    assert_ne!(key(&study, &flipped), base);
    let mut shorter = dataset.clone();
    shorter.train.pop();
    assert_ne!(key(&study, &shorter), base);
}

#[test]
fn the_summary_counts_the_labels_that_were_made() {
    let (_folder, store, study) = place("kind = 'symmetric'\ntarget_accuracy = 0.8\n");
    let mut dataset = study.load_data(&SplitFiles::new()).unwrap();
    assert_eq!(dataset.summary.train.with_weak, 0);
    label(&study, &store, &mut dataset).unwrap();
    let summary = &dataset.summary.train;
    assert_eq!((summary.with_weak, summary.with_both), (summary.kept, summary.kept));
    assert!((summary.weak_accuracy.unwrap() - 0.8).abs() < 0.03);
}

const TRAINED: &str = "model = 'a'\ntrain = 100\nvalidation = 50\n";

/// Labels the example's data with an engine that trains nothing.
fn label_by_nothing(study: &Study, store: &Store, options: &ExecuteOptions) -> Result<(LabelsOutcome, Origin)> {
    let mut dataset = study.load_data(&SplitFiles::new()).unwrap();
    let labeling = WeakLabeling::made(store, Some(Path::new("none")), &|_| ()).with(options);
    let load = |_: &LabelerTable, _: &Path, texts: &[&str]| -> labelmix_engine::Result<LabelerEngine> {
        let engine = Box::new(FakeEngine {
            data: Arc::default(),
            slots: 1,
            script: Arc::new(|_| Ok(())),
            asked: Arc::default(),
        });
        Ok(LabelerEngine { engine, readable: vec![true; texts.len()], prompt: PromptTemplate::default() })
    };
    Ok(set_weak_labels_by(study, &mut dataset, &labeling, load)?.expect("the study has a labeler"))
}

#[test]
fn labels_are_made_once_by_whatever_engine_there_is() {
    let (_folder, store, study) = place(TRAINED);
    let options = ExecuteOptions::default();
    let (outcome, origin) = label_by_nothing(&study, &store, &options).unwrap();
    assert_eq!((origin, outcome.history.unwrap().n_train), (Origin::Made, 100));
    let adapter = store.labels_folder(&outcome.key).join("trained");
    assert_eq!(std::fs::read_to_string(adapter).unwrap(), "labeler");
    assert_eq!(label_by_nothing(&study, &store, &options).unwrap().1, Origin::Found);
}

#[test]
fn a_labeler_that_would_fail_again_is_tried_again_only_if_asked() {
    let (_folder, store, study) = place(&format!("{TRAINED}target_accuracy = 0.9\n"));
    let options = ExecuteOptions::default();
    let cause = |options: &ExecuteOptions| match label_by_nothing(&study, &store, options).unwrap_err() {
        Error::Labeler(failure) => failure.cause,
        error => panic!("{error}"),
    };
    let is_new = |cause: &StageError| matches!(cause, StageError::Engine(_));
    assert!(is_new(&cause(&options)));
    let StageError::FailedBefore { log, help } = cause(&options) else { panic!("it is known to fail") };
    assert!(log[0].contains("comes near the accuracy 0.9") && help.contains("--retry-failed"), "{log:?} {help}");
    assert!(is_new(&cause(&ExecuteOptions { retry_failed: true, ..options })));
    assert_eq!(store.failures().unwrap()[0].stage, "the weak labels");
}

#[test]
fn an_interrupted_labeler_leaves_no_failure_and_no_claim() {
    let (_folder, store, study) = place(TRAINED);
    let options = ExecuteOptions::default();
    options.interrupt.request();
    assert!(label_by_nothing(&study, &store, &options).unwrap_err().is_interruption());
    assert_eq!(store.failures().unwrap(), []);
    assert_eq!(label_by_nothing(&study, &store, &ExecuteOptions::default()).unwrap().1, Origin::Made);
}

#[test]
fn what_is_left_to_others_is_told_by_its_key() {
    let (_folder, store, study) = place(TRAINED);
    let mut dataset = study.load_data(&SplitFiles::new()).unwrap();
    let checkpoint = example().join("checkpoint");
    let labeling = WeakLabeling::made(&store, Some(&checkpoint), &|_| ()).unless_trained(&study);
    let error = set_weak_labels(&study, &mut dataset, &EngineOptions::default(), &labeling).unwrap_err();
    let Error::NoWeakLabels { key, .. } = error else { panic!("{error}") };
    assert_eq!(label(&study, &store, &mut dataset).unwrap(), key);
    // An annotator that is simulated takes no time.
    let (_folder, store, study) = place("kind = 'symmetric'\ntarget_accuracy = 0.8\n");
    let labeling = WeakLabeling::made(&store, None, &|_| ()).unless_trained(&study);
    set_weak_labels(&study, &mut dataset, &EngineOptions::default(), &labeling).unwrap();
}
