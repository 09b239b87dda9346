//! Weak labels that come with the data: one column, several annotators, a file of their own.

use insta::assert_snapshot;
use labelmix_data::{Dataset, LoadOptions, OneOrMore, WeakTable};

use super::{AS_IS, examples, hub_rows, load, own_task, with_rows, with_splits};
use crate::scratch::Scratch;

const TRAIN: &str = "key,text,label,ann,bob,cy\n1,a,0,0,1,\n2,b,1,1,,0.5\n3,c,,1,1,\n4,d,1,,,\n5,e,,,,\n";
const TEST: &str = "{\"key\": 6, \"text\": \"x\", \"label\": 0}\n{\"key\": 7, \"text\": \"y\", \"label\": 1}\n";

fn scratch() -> Scratch {
    let scratch = Scratch::new();
    scratch.write("train.csv", TRAIN);
    scratch.write("test.jsonl", TEST);
    scratch
}

/// The weak label of each training example, by text.
fn weak(dataset: &Dataset) -> Vec<(&str, Option<f32>)> {
    let mut labels: Vec<_> = dataset.train.iter().map(|example| (example.text.as_str(), example.weak)).collect();
    labels.sort_by_key(|(text, _)| *text);
    labels
}

#[test]
fn a_column_of_the_data() {
    let scratch = scratch();
    let dataset = load(&own_task(&scratch, "", "[weak]\ncolumns = 'bob'").unwrap()).unwrap();
    // Example e has no label at all.
    assert_eq!(weak(&dataset), [("a", Some(1.0)), ("b", None), ("c", Some(1.0)), ("d", None)]);
    assert_eq!((dataset.summary.train.dropped.unlabeled, dataset.summary.train.with_gold), (1, 3));
    assert!(dataset.train.iter().all(|example| example.votes.is_empty()));
}

#[test]
fn several_annotators_are_kept_and_averaged() {
    let scratch = scratch();
    let task = own_task(&scratch, "", "[weak]\ncolumns = ['ann', 'bob', 'cy']").unwrap();
    let dataset = load(&task).unwrap();
    assert_eq!(weak(&dataset), [("a", Some(0.5)), ("b", Some(0.75)), ("c", Some(1.0)), ("d", None)]);
    let of_b = dataset.train.iter().find(|example| example.text == "b").unwrap();
    assert_eq!(*of_b.votes, [Some(1.0), None, Some(0.5)]);
}

#[test]
fn votes_are_merged_all_at_once() {
    let scratch = scratch();
    let task = own_task(&scratch, "", "[weak]\ncolumns = ['ann', 'bob', 'cy']").unwrap();
    let merge = |votes: &[&[Option<f32>]]| {
        // The training examples before the test examples, which have no such columns and no votes.
        assert_eq!(votes.len(), 7);
        votes.iter().map(|votes| votes[0]).collect()
    };
    let options = LoadOptions { cleaning: AS_IS, merge_votes: Some(&merge), ..LoadOptions::default() };
    let dataset = task.load(&task.local_files().unwrap(), &options).unwrap();
    assert_eq!(weak(&dataset), [("a", Some(0.0)), ("b", Some(1.0)), ("c", Some(1.0)), ("d", None)]);
}

#[test]
fn a_file_joined_by_a_key() {
    let scratch = scratch();
    scratch.write("crowd.jsonl", "{\"key\": \"1\", \"w\": 0.25}\n{\"key\": 3, \"w\": 1}\n{\"key\": 1, \"w\": 0.25}\n{\"key\": 9, \"w\": 0}\n{\"key\": 7, \"w\": 0.5}\n");
    let more = "[weak]\ncolumns = 'w'\nfile = 'crowd.jsonl'\nkey = 'key'";
    let dataset = load(&own_task(&scratch, "", more).unwrap()).unwrap();
    assert_eq!(weak(&dataset), [("a", Some(0.25)), ("b", None), ("c", Some(1.0)), ("d", None)]);
    let summary = dataset.summary.to_string().replace(&format!("{}/", scratch.path("").display()), "");
    let summary = summary.replace(&format!("{}", scratch.path("").display()), "");
    assert_snapshot!(summary, @r"
    train: train.csv: 5 rows, 4 kept (1 of class 0, 3 of class 1)
           dropped: 1 without a label
           labels: 3 gold, 2 weak, 1 both (weak agrees with gold in 100.0%)
    test:  test.jsonl: 2 rows, 2 kept (1 of class 0, 1 of class 1)
           dropped: nothing
           labels: 2 gold, 1 weak, 1 both (weak agrees with gold in 100.0%)
    weak:  crowd.jsonl: 5 rows, 1 repeated, 1 of no row of the data; 4 rows of the data without a weak label
    ");
}

#[test]
fn a_file_joined_by_the_examples_ids() {
    let scratch = Scratch::new();
    let task = with_rows(&scratch, "sciq", &hub_rows("sciq"));
    let mut lines = vec!["id,ann,bob".to_owned(), "0123456789012345,1,1".to_owned()];
    lines.extend(examples(&task).iter().map(|example| format!("{},1,0.5", example.id)));
    let file = scratch.write("crowd.csv", lines.join("\n"));
    let columns = OneOrMore::More(vec!["ann".to_owned(), "bob".to_owned()]);
    let task = with_splits("sciq", |splits| {
        splits.insert("test_size".to_owned(), 3.into());
    });
    let task = task.with_weak(WeakTable { columns, file: Some(file), key: None }).unwrap();
    let task = task.with_folder(&scratch.path("data"));
    let dataset = load(&task).unwrap();
    assert!(dataset.train.iter().chain(&dataset.test).all(|example| example.weak == Some(0.75)));
    let account = dataset.summary.weak_file.unwrap();
    // Each of the three splits has the four rows.
    assert_eq!((account.rows, account.repeated, account.unmatched, account.without), (13, 8, 1, 0));
}

#[test]
fn labels_that_contradict_each_other() {
    let complaint = |crowd: &str| {
        let scratch = scratch();
        scratch.write("crowd.csv", crowd);
        let more = "[weak]\ncolumns = ['w', 'v']\nfile = 'crowd.csv'\nkey = 'key'";
        let error = load(&own_task(&scratch, "", more).unwrap()).unwrap_err();
        scratch.report(&error)
    };
    assert_snapshot!(complaint("key,w,v\n1,0,1\n2,1,1\n1,0,0\n"), @r"
    crowd.csv, line 4: weak labels for `1` that differ from those on line 2
    hint: keep one row for each key; several annotators' labels belong into one row, a column for each
    ");
    assert_snapshot!(complaint("key,w,v\n1,0,2\n"), @"
    crowd.csv, line 2, column `v`: `2` is not a weak label
    hint: a weak label is the probability of class 1, from 0 to 1 (or 0, 1, false, true); leave the cell empty where there is none. Other values can be named in [task]: `values = { no = 0, yes = 1 }`
    ");
    assert_snapshot!(complaint("key,w\n1,0\n"), @r"
    crowd.csv: there is no column `v`; the columns are `key`, `w`
    hint: name one of these columns, or add the one that is missing
    ");
    assert_snapshot!(complaint("id,w,v\n1,0,1\n"), @r"
    crowd.csv: there is no column `key`; the columns are `id`, `w`, `v`
    hint: name one of these columns, or add the one that is missing
    ");
}
