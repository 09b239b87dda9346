//! Real data, where it is at hand: SST-2 with weak labels of a bag-of-words model.

use std::path::Path;

use labelmix_data::{CleaningOptions, Dataset};

use crate::scratch::columns;

#[test]
fn sst2_priced_loads() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/sst2-priced");
    if !folder.is_dir() {
        eprintln!("skipped: {} is not there", folder.display());
        return;
    }
    let options = CleaningOptions { max_test: Some(1000), ..CleaningOptions::default() };
    let dataset = Dataset::load(&folder.join("train.jsonl"), &folder.join("test.jsonl"), &columns(), &options).unwrap();
    let summary = &dataset.summary;
    println!("{summary}");

    assert_eq!((summary.train.rows, summary.train.kept), (12_000, 11_320));
    assert_eq!((summary.test.rows, summary.test.class_counts), (2_693, [500, 500]));
    let weak_accuracy = summary.train.weak_accuracy.unwrap();
    assert!((weak_accuracy - 0.75).abs() < 0.01, "{weak_accuracy}");

    let pools = dataset.pools(0, 1024);
    assert_eq!((pools.gold_size(), pools.weak_size()), (1024, 11_320 - 1024));
}
