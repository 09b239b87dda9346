//! What cleaning drops, what it keeps, and that the rows' order makes no difference.

use std::collections::{HashMap, HashSet};
use std::fmt::Write;

use insta::assert_snapshot;
use labelmix_data::{Balance, Boundary, CleaningOptions, Dataset, Example};
use proptest::prelude::*;

use crate::scratch::{Scratch, columns, load_files};

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
    load_files(&train, &test, &columns(), options).unwrap()
}

#[test]
fn the_summary_accounts_for_every_row() {
    let scratch = Scratch::new();
    let train = scratch
        .write("train.csv", "text,gold,weak\na,1,0.9\nb,1,0.2\nc,0,0.1\na,1,0\n,,\nx,1,1\nd,,0.8\ne,0,\nf,,0.6\n");
    let test = scratch.write("test.csv", "text,gold\nx,1\ny,0\nz,1\n");
    let dataset = load_files(&train, &test, &columns(), &CleaningOptions::default()).unwrap();
    let summary = dataset.summary.to_string().replace(&format!("{}", scratch.path("").display()), "");
    assert_snapshot!(summary, @"
    train: train.csv: 9 rows, 6 kept
           dropped: 1 empty, 1 duplicate, 1 also in the test file
           labels: 4 gold, 5 weak, 3 both (weak agrees with gold in 33.3%)
           gold:   2 of class 0, 2 of class 1 (50.0%)
           weak:   3 of class 0, 2 of class 1 (40.0%); balancing takes 1 of class 0 off sale
           note: texts with several weak labels, merged into one: 1
    test:  test.csv: 3 rows, 2 kept (1 of class 0, 1 of class 1)
           dropped: 1 to balance the classes
           labels: 2 gold, 0 weak, 0 both
           before balancing: 1 of class 0, 2 of class 1 (66.7%)
    ");
    assert_snapshot!(serde_json::to_string(&dataset.summary.test.dropped).unwrap(), @r#"{"empty":0,"duplicates":0,"in_test":0,"undersampled":1,"beyond_limit":0}"#);
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

/// One gold label for each text: rows that contradict each other are refused.
fn agreeing(rows: Vec<Row>) -> Vec<Row> {
    let mut known = HashMap::new();
    let row = |(text, gold, weak): Row| (text, *known.entry(text).or_insert(gold), weak);
    rows.into_iter().map(row).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_test_text_is_for_sale(
        train in rows(0..60).prop_map(agreeing), test in rows(40..80).prop_map(agreeing), balance in balance(), seed: u64) {
        let dataset = load(&train, &test, &CleaningOptions { balance, max_test: None });
        let held_out: HashSet<_> = jsonl(&test).lines().map(str::to_owned).map(|line| {
            let row: serde_json::Value = serde_json::from_str(&line).unwrap();
            row["text"].as_str().unwrap().to_owned()
        }).collect();
        let pools = dataset.pools(seed, Boundary::Fixed(10));
        let gold = pools.gold(pools.gold_size()).unwrap();
        let weak = pools.weak(pools.weak_size()).unwrap();
        for index in gold.iter().chain(weak) {
            prop_assert!(!held_out.contains(&dataset.train[*index].text));
        }
    }

    /// Each kind is balanced by its own labels, and nothing is dropped for a label of the other kind.
    #[test]
    fn balance_is_exact_and_the_account_adds_up(
        train in rows(0..60).prop_map(agreeing), test in rows(60..100).prop_map(agreeing), max_test in prop::option::of(2usize..20),
    ) {
        let dataset = load(&train, &test, &CleaningOptions { balance: Balance::Undersample, max_test });
        let summary = &dataset.summary;
        for (split, rows) in [(&summary.train, &train), (&summary.test, &test)] {
            let dropped = split.dropped;
            let gone = dropped.empty + dropped.duplicates + dropped.in_test + dropped.undersampled + dropped.beyond_limit;
            prop_assert_eq!((split.rows, gone + split.kept), (rows.len(), rows.len()));
        }
        prop_assert_eq!(summary.test.class_counts[0], summary.test.class_counts[1]);
        prop_assert_eq!(summary.train.dropped.undersampled, 0);
        let pools = summary.train.pools.unwrap();
        for kind in [pools.gold, pools.weak] {
            prop_assert_eq!(kind.for_sale, [kind.all[0].min(kind.all[1]); 2]);
        }
        let sold = |sold: fn(&Example) -> bool| dataset.train.iter().filter(|example| sold(example)).count();
        prop_assert_eq!(sold(|example| example.for_sale.gold.is_some()), 2 * pools.gold.for_sale[0]);
        prop_assert_eq!(sold(|example| example.for_sale.weak.is_some()), 2 * pools.weak.for_sale[0]);
        prop_assert!(dataset.test.len() <= max_test.unwrap_or(usize::MAX));
    }

    /// What is printed is what a few lines of another language would count.
    #[test]
    fn shares_and_the_weak_labels_accuracy_are_those_of_the_file(
        labels in prop::collection::vec((any::<bool>(), any::<bool>(), 0u8..=100), 2..60), bias in 1u8..100, balance in balance(),
    ) {
        let row = |(number, (gold, is_known, weak)): (usize, (bool, bool, u8))| {
            (number as u8 + 1, is_known.then_some(gold), Some(f32::from(u8::from(weak < bias))))
        };
        let of_either_class = [(80, None, Some(0.0)), (81, None, Some(1.0))];
        let train: Vec<Row> = labels.into_iter().enumerate().map(row).chain(of_either_class).collect();
        let test = [(90, Some(true), None), (91, Some(false), None)];
        let summary = load(&train, &test, &CleaningOptions { balance, max_test: None }).summary.train;
        let pools = summary.pools.unwrap();
        let gold = |class| train.iter().filter(|(_, gold, _)| *gold == Some(class)).count();
        let weak = |class: f32| train.iter().filter(|(_, _, weak)| *weak == Some(class)).count();
        prop_assert_eq!(pools.gold.all, [gold(false), gold(true)]);
        prop_assert_eq!(pools.weak.all, [weak(0.0), weak(1.0)]);
        let both: Vec<bool> = train.iter().filter_map(|(_, gold, weak)| Some((*gold)? == ((*weak)? == 1.0))).collect();
        let accuracy = both.iter().filter(|right| **right).count() as f64 / both.len() as f64;
        prop_assert_eq!(summary.weak_accuracy, (!both.is_empty()).then_some(accuracy));
    }

    #[test]
    fn the_order_of_rows_makes_no_difference(
        (train, shuffled) in rows(0..60).prop_map(agreeing).prop_flat_map(|rows| (Just(rows.clone()), Just(rows).prop_shuffle())),
        balance in balance(),
    ) {
        let test = [(90, Some(true), None), (91, Some(false), None)];
        let options = CleaningOptions { balance, max_test: None };
        let (dataset, other) = (load(&train, &test, &options), load(&shuffled, &test, &options));
        prop_assert_eq!(&dataset.train, &other.train);
        prop_assert_eq!(dataset.content_hash(), other.content_hash());
    }
}
