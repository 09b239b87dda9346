//! What cleaning drops, what it keeps, and that the rows' order makes no difference.

use std::collections::HashSet;
use std::fmt::Write;

use insta::assert_snapshot;
use labelmix_data::{Balance, CleaningOptions, Dataset};
use proptest::prelude::*;

use crate::scratch::{Scratch, columns};

/// A row of a random file: the text's number, its gold and its weak label.
type Row = (u8, Option<bool>, Option<f32>);

fn jsonl(rows: &[Row]) -> String {
    rows.iter().fold(String::new(), |mut lines, (text, gold, weak)| {
        let text = match text {
            0 => " ".to_owned(),
            number => format!("text {number}"),
        };
        let row = serde_json::json!({"text": text, "gold": gold, "weak": weak});
        writeln!(lines, "{row}").unwrap();
        lines
    })
}

fn load(train: &[Row], test: &[Row], options: &CleaningOptions) -> Dataset {
    let scratch = Scratch::new();
    let train = scratch.write("train.jsonl", jsonl(train));
    let test = scratch.write("test.jsonl", jsonl(test));
    Dataset::load(&train, &test, &columns(), options).unwrap()
}

#[test]
fn the_summary_accounts_for_every_row() {
    let scratch = Scratch::new();
    let train = scratch
        .write("train.csv", "text,gold,weak\na,1,0.9\nb,1,0.2\nc,0,0.1\na,0,0\n,,\nx,1,1\nd,,0.8\ne,0,\nf,,0.6\n");
    let test = scratch.write("test.csv", "text,gold\nx,1\ny,0\nz,1\n");
    let dataset = Dataset::load(&train, &test, &columns(), &CleaningOptions::default()).unwrap();
    let summary = dataset.summary.to_string().replace(&format!("{}", scratch.path("").display()), "");
    assert_snapshot!(summary, @r"
    train: train.csv: 9 rows, 4 kept (2 of class 0, 2 of class 1)
           dropped: 1 empty, 1 duplicate, 1 also in the test file, 2 to balance the classes
           labels: 2 gold, 3 weak, 1 both (weak agrees with gold in 100.0%)
    test:  test.csv: 3 rows, 2 kept (1 of class 0, 1 of class 1)
           dropped: 1 to balance the classes
           labels: 2 gold, 0 weak, 0 both
    ");
    assert_snapshot!(serde_json::to_string(&dataset.summary.test.dropped).unwrap(), @r#"{"empty":0,"duplicates":0,"in_test":0,"undersampled":1,"beyond_limit":0}"#);
}

#[test]
fn of_two_labels_for_one_text_the_first_counts() {
    let rows = [(1, Some(true), None), (1, Some(false), None), (2, Some(false), None)];
    let test = [(3, Some(true), None), (4, Some(false), None)];
    let dataset = load(&rows, &test, &CleaningOptions::default());
    let kept = dataset.train.iter().find(|example| example.text == "text 1").unwrap();
    assert_eq!(kept.gold, Some(true));
}

#[test]
fn test_texts_beyond_max_test_stay_out_of_training() {
    let train: Vec<Row> = (1..40).map(|n| (n, Some(n % 2 == 0), Some(0.5))).collect();
    let test: Vec<Row> = (21..60).map(|n| (n, Some(n % 2 == 0), None)).collect();
    let options = CleaningOptions { max_test: Some(6), ..CleaningOptions::default() };
    let limited = load(&train, &test, &options);
    let unlimited = load(&train, &test, &CleaningOptions::default());
    assert_eq!(limited.test.len(), 6);
    assert_eq!(limited.test.iter().filter(|example| example.class()).count(), 3);
    assert_eq!(limited.train, unlimited.train);
    assert_eq!(limited.train.len(), 20);
    assert!(limited.test.iter().all(|example| unlimited.test.contains(example)));
}

/// At least one row of each class with a text of its own, before whatever else comes.
fn rows(texts: std::ops::Range<u8>) -> impl Strategy<Value = Vec<Row>> {
    let weak = prop::option::of((0u8..=4).prop_map(|quarters| f32::from(quarters) / 4.0));
    let both_classes = vec![(texts.start + 1, Some(false), Some(0.0)), (texts.start + 2, Some(true), Some(1.0))];
    prop::collection::vec((texts, any::<bool>().prop_map(Some), weak), 0..40)
        .prop_map(move |more| [both_classes.clone(), more].concat())
}

fn balance() -> impl Strategy<Value = Balance> {
    prop_oneof![Just(Balance::Undersample), Just(Balance::AsIs)]
}

/// One label per text, so that the order of rows decides nothing.
fn without_repeats(rows: Vec<Row>) -> Vec<Row> {
    let mut seen = HashSet::new();
    rows.into_iter().filter(|(text, ..)| seen.insert(*text)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_test_text_is_for_sale(train in rows(0..60), test in rows(40..80), balance in balance(), seed: u64) {
        let dataset = load(&train, &test, &CleaningOptions { balance, max_test: None });
        let held_out: HashSet<_> = jsonl(&test).lines().map(str::to_owned).map(|line| {
            let row: serde_json::Value = serde_json::from_str(&line).unwrap();
            row["text"].as_str().unwrap().to_owned()
        }).collect();
        let pools = dataset.pools(seed, 10);
        let gold = pools.gold(pools.gold_size()).unwrap();
        let weak = pools.weak(pools.weak_size()).unwrap();
        for index in gold.iter().chain(weak) {
            prop_assert!(!held_out.contains(&dataset.train[*index].text));
        }
    }

    #[test]
    fn balance_is_exact_and_the_account_adds_up(
        train in rows(0..60), test in rows(60..100), max_test in prop::option::of(2usize..20),
    ) {
        let dataset = load(&train, &test, &CleaningOptions { balance: Balance::Undersample, max_test });
        for (split, rows) in [(&dataset.summary.train, &train), (&dataset.summary.test, &test)] {
            prop_assert_eq!(split.class_counts[0], split.class_counts[1]);
            let dropped = split.dropped;
            let gone = dropped.empty + dropped.duplicates + dropped.in_test + dropped.undersampled + dropped.beyond_limit;
            prop_assert_eq!((split.rows, gone + split.kept), (rows.len(), rows.len()));
        }
        prop_assert!(dataset.test.len() <= max_test.unwrap_or(usize::MAX));
    }

    #[test]
    fn the_order_of_rows_makes_no_difference(
        (train, shuffled) in rows(0..60).prop_map(without_repeats).prop_flat_map(|rows| (Just(rows.clone()), Just(rows).prop_shuffle())),
        balance in balance(),
    ) {
        let test = [(90, Some(true), None), (91, Some(false), None)];
        let options = CleaningOptions { balance, max_test: None };
        let (dataset, other) = (load(&train, &test, &options), load(&shuffled, &test, &options));
        prop_assert_eq!(&dataset.train, &other.train);
        prop_assert_eq!(dataset.content_hash(), other.content_hash());
    }
}
