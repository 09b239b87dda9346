//! Real data, where it is at hand: SST-2 with weak labels of a bag-of-words model.

use std::path::Path;

use labelmix_data::{Boundary, CleaningOptions};

use crate::scratch::{columns, load_files};

#[test]
fn sst2_priced_loads() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/sst2-priced");
    if !folder.is_dir() {
        eprintln!("skipped: {} is not there", folder.display());
        return;
    }
    let options = CleaningOptions { max_test: Some(1000), ..CleaningOptions::default() };
    let dataset = load_files(&folder.join("train.jsonl"), &folder.join("test.jsonl"), &columns(), &options).unwrap();
    let summary = &dataset.summary;
    println!("{summary}");

    assert_eq!((summary.train.rows, summary.train.kept), (12_000, 12_000));
    let for_sale = summary.train.pools.unwrap();
    assert_eq!((summary.test.rows, summary.test.class_counts), (2_693, [500, 500]));
    let weak_accuracy = summary.train.weak_accuracy.unwrap();
    assert!((weak_accuracy - 0.75).abs() < 0.01, "{weak_accuracy}");

    let pools = dataset.pools(0, Boundary::Fixed(1024));
    println!("{} gold and {} weak labels for sale", pools.gold_size(), pools.weak_size());
    assert_eq!((for_sale.gold.for_sale[0], pools.gold_size()), (5_660, 1024));
}
