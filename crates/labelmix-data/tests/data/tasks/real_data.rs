//! The tasks on real rows, where they are at hand. The published pool sizes count repeated texts;
//! ours do not, and a multiple choice loses to balancing what its draws happen to be apart.

use labelmix_data::{CleaningOptions, DataSummary, LoadOptions, Task};

use super::{examples, shared_data, with_splits};

/// Loads a task from the real rows of a dataset; `None` where they are missing.
fn summary(task: &str, dataset: &str) -> Option<DataSummary> {
    let task = Task::named(task).unwrap().with_folder(&shared_data(dataset)?);
    let cleaning = CleaningOptions { max_test: Some(5000), ..CleaningOptions::default() };
    let options = LoadOptions { cleaning, ..LoadOptions::default() };
    let dataset = task.load(&task.local_files().unwrap(), &options).unwrap();
    Some(dataset.summary)
}

/// Training rows, examples for sale, test rows, test examples.
fn sizes(summary: &DataSummary) -> [usize; 4] {
    [summary.train.rows, summary.train.kept, summary.test.rows, summary.test.kept]
}

/// 2,528 sentences are not acceptable, twice as many are the published pool of 5,056; 13 of them are repeated or in
/// the test split.
#[test]
fn cola() {
    if let Some(summary) = summary("cola", "cola") {
        assert_eq!(sizes(&summary), [8551, 5030, 1043, 644]);
    }
}

/// The published pool is 10,674 of 10,679.
#[test]
fn sciq() {
    if let Some(summary) = summary("sciq", "sciq") {
        assert_eq!(sizes(&summary), [10_679, 10_652, 3000, 2988]);
    }
    if let Some(summary) = self::summary("sciq-with-support", "sciq") {
        assert_eq!(sizes(&summary), [10_679, 10_634, 3000, 2970]);
    }
}

/// The published pool is 33,402 of 33,410.
#[test]
fn social_i_qa() {
    if let Some(summary) = summary("social_i_qa", "social_i_qa") {
        assert_eq!(sizes(&summary), [33_410, 33_258, 1954, 1908]);
    }
}

#[test]
fn sst2() {
    if let Some(summary) = summary("sst2", "sst2") {
        assert_eq!(sizes(&summary), [67_349, 59_294, 872, 856]);
    }
}

#[test]
fn mc_taco() {
    if let Some(summary) = summary("mc_taco", "mc_taco") {
        assert_eq!(sizes(&summary), [9442, 6396, 3783, 2458]);
    }
}

#[test]
fn mmlu() {
    if let Some(summary) = summary("mmlu", "mmlu") {
        assert_eq!(sizes(&summary), [12_858, 12_714, 3000, 2980]);
    }
}

/// Only the validation splits of these are at hand.
#[test]
fn boolq_and_hellaswag_render() {
    for (name, rows) in [("boolq", 3270), ("hellaswag", 10_042)] {
        let Some(folder) = shared_data(name) else { continue };
        let task = with_splits(name, |splits| {
            splits.insert("train".to_owned(), "validation".into());
        });
        let task = task.with_folder(&folder);
        let examples = examples(&task);
        assert_eq!(examples.len(), rows);
        assert!(examples.iter().all(|example| example.gold.is_some() && example.text.len() > 20));
    }
}
