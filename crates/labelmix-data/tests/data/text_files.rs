//! Files of texts: labels as people write them, rows of one text, and test sets that are a part of the training file.

use std::fmt::Write;

use insta::assert_snapshot;
use labelmix_data::{
    CleaningOptions, Contradictions, DataError, Dataset, LabelValues, TestSize, TestTexts, TextColumns, TextFiles,
    TextOptions, TextSource,
};

use crate::scratch::Scratch;

const TEST: &str = "text,gold\nheld out one,1\nheld out zero,0\n";

fn files(scratch: &Scratch, train: &str, columns: TextColumns) -> TextFiles {
    TextFiles {
        train: scratch.write("train.csv", train),
        test: TestTexts::File(scratch.write("test.csv", TEST)),
        columns,
        contradictions: Contradictions::Refuse,
    }
}

fn load(files: &TextFiles) -> Result<Dataset, DataError> {
    Dataset::load(files, &TextOptions::default())
}

/// The error that a training file gives, with its remedy.
fn refused(train: &str) -> String {
    let scratch = Scratch::new();
    let columns = TextColumns { weak: Vec::new(), ..TextColumns::default() };
    let error = load(&files(&scratch, train, columns)).unwrap_err();
    scratch.report(&error)
}

fn summary(scratch: &Scratch, dataset: &Dataset) -> String {
    dataset.summary.to_string().replace(&format!("{}", scratch.path("").display()), "")
}

fn said(lines: &str) -> LabelValues {
    toml::from_str(lines).unwrap()
}

#[test]
fn words_are_proposed_as_the_line_to_paste() {
    assert_snapshot!(refused("text,gold\na,positive\nb,negative\n"), @r#"
    train.csv, line 2, column `gold`: `positive` is not a gold label
    hint: say in [task] what they mean: `values = { negative = 0, positive = 1 }`
    "#);
    assert_snapshot!(refused("text,gold\na,0\nb,1\nc,N/A\n"), @r#"
    train.csv, line 4, column `gold`: `N/A` is not a gold label
    hint: say in [task] which marks are no label: `missing = ["N/A"]`
    "#);
    assert_snapshot!(refused("text,gold\na,Spam\nb,Ham\nc,?\n"), @r#"
    train.csv, line 2, column `gold`: `Spam` is not a gold label
    hint: say in [task] what they mean: `values = { Ham = 0, Spam = 1 }` and `missing = ["?"]`
    "#);
    assert_snapshot!(refused("text,gold\na,cat\nb,dog\n"), @r"
    train.csv, line 2, column `gold`: `cat` is not a gold label
    hint: say in [task] which is class 0 and which class 1: `values = { cat = 0, dog = 1 }`
    ");
}

#[test]
fn three_classes_and_scores() {
    assert_snapshot!(refused("text,gold\na,neutral\nb,pos\nc,neg\nd,neutral\n"), @r#"
    train.csv, line 2, column `gold`: `neutral` is not a gold label
    hint: labelmix does binary tasks only: keep two of the classes with `values = { neg = 0, pos = 1 }` and `drop = ["neutral"]` in [task], or name one class against the rest by giving all of them in `values`
    "#);
    assert_snapshot!(refused("text,gold\na,5\nb,1\nc,3\nd,4\n"), @r#"
    train.csv, line 2, column `gold`: `5` is not a gold label
    hint: labelmix does binary tasks only: say in [task] from which value on a row is of class 1, `threshold = 3`, or keep two of the values: `values = { 1 = 0, 3 = 1 }` and `drop = ["4", "5"]`
    "#);
    let mut scores = "text,gold\n".to_owned();
    (0..100).for_each(|number| writeln!(scores, "text {number},{number}.5").unwrap());
    assert_snapshot!(refused(&scores), @"
    train.csv, line 2, column `gold`: `0.5` is not a gold label
    hint: labelmix does binary tasks only: if this column is a score, say in [task] from which value on it is class 1, `threshold = 3.5` for instance; if it is text, name another column
    ");
}

#[test]
fn what_a_study_says_of_values_holds_in_both_columns() {
    let scratch = Scratch::new();
    let values = said("values = { negative = 0, positive = 1 }\nmissing = ['NA']\ndrop = ['neutral']");
    let train = "text,gold,weak\na,positive,0.8\nb,Negative,negative\nc,NA,positive\nd,neutral,positive\ne,,neutral\n";
    let mut files = files(&scratch, train, TextColumns { values, ..TextColumns::default() });
    files.test = TestTexts::File(scratch.write("test.csv", "text,gold\nx,positive\ny,negative\n"));
    let dataset = load(&files).unwrap();
    assert_snapshot!(summary(&scratch, &dataset), @"
    train: train.csv: 5 rows, 3 kept
           dropped: 1 left out by the task, 1 without a label
           left out: 1 (gold is neutral)
           labels: 2 gold, 3 weak, 2 both (weak agrees with gold in 100.0%)
           gold:   1 of class 0, 1 of class 1 (50.0%)
           weak:   1 of class 0, 2 of class 1 (66.7%); balancing takes 1 of class 1 off sale
    test:  test.csv: 2 rows, 2 kept (1 of class 0, 1 of class 1)
           dropped: nothing
           labels: 2 gold, 0 weak, 0 both
    ");
}

#[test]
fn minus_one_is_an_abstention_unless_it_stands_for_zero() {
    let scratch = Scratch::new();
    let train = "text,weak\na,1\nb,0\nc,-1\nd,-1.0\n";
    let dataset = load(&files(&scratch, train, TextColumns::default())).unwrap();
    assert_eq!(dataset.summary.train.notes.abstentions, [0, 2]);
    assert_eq!((dataset.summary.train.with_weak, dataset.unlabeled.len()), (2, 2));
    assert_snapshot!(refused("text,gold\na,1\nb,-1\n"), @r#"
    train.csv, column `gold`: there is -1, and nothing below 1 beside it
    hint: if -1 is class 0, say so in [task]: `values = { -1 = 0, 1 = 1 }`; if it is no label, `missing = ["-1"]`
    "#);
}

#[test]
fn rows_of_one_text_are_votes_and_joined_labels() {
    let scratch = Scratch::new();
    let train = "text,gold,weak\na,1,0\na,,1\na ,,1\nb,,0\nb,0,\n";
    let dataset = load(&files(&scratch, train, TextColumns::default())).unwrap();
    let labels = |text: &str| {
        let example = dataset.train.iter().find(|example| example.text == text).unwrap();
        (example.gold, example.weak, example.votes.len())
    };
    assert_eq!(labels("a"), (Some(true), Some(2.0 / 3.0), 3));
    assert_eq!(labels("b"), (Some(false), Some(0.0), 0));
    assert_eq!((dataset.summary.train.notes.voted, dataset.summary.train.dropped.duplicates), (1, 3));
}

#[test]
fn gold_labels_that_contradict_each_other() {
    assert_snapshot!(refused("text,gold\nsame,1\nother,0\nsame,0\n"), @r#"
    train.csv: line 2 has the gold label 1, and line 4, the same text, has 0: "same"
    hint: decide which row holds and delete the other, or say in [task] what is to be done: `contradictions = "drop"` leaves such texts out, `"majority"` takes what most rows say
    "#);
    let scratch = Scratch::new();
    let train = "text,gold\na,1\na,0\na,1\nb,1\nb,0\nc,1\nd,0\n";
    let mut files = files(&scratch, train, TextColumns { weak: Vec::new(), ..TextColumns::default() });
    let texts = |files: &TextFiles| {
        let dataset = load(files).unwrap();
        let mut texts: Vec<String> =
            dataset.train.iter().map(|example| format!("{} {}", example.text, example.class())).collect();
        texts.sort();
        (texts.join(", "), dataset.summary.train.dropped.contradictory)
    };
    files.contradictions = Contradictions::Drop;
    assert_eq!(texts(&files), ("c true, d false".to_owned(), 2));
    files.contradictions = Contradictions::Majority;
    assert_eq!(texts(&files), ("a true, c true, d false".to_owned(), 1));
}

#[test]
fn a_leak_by_a_space_or_by_composition_is_none_and_near_texts_are_named() {
    let scratch = Scratch::new();
    let train = "text,gold\nheld out one ,1\nheld\u{a0}out  zero,0\nHeld out: one,1\nfresh,0\n";
    let dataset = load(&files(&scratch, train, TextColumns { weak: Vec::new(), ..TextColumns::default() })).unwrap();
    assert_snapshot!(summary(&scratch, &dataset), @"
    train: train.csv: 4 rows, 2 kept
           dropped: 2 also in the test file
           labels: 2 gold, 0 weak, 0 both
           gold:   1 of class 0, 1 of class 1 (50.0%)
           note: training texts that are nearly a test text (but for capitals, punctuation or one word): 1 (line 4 ~ line 2 of the test set)
    test:  test.csv: 2 rows, 2 kept (1 of class 0, 1 of class 1)
           dropped: nothing
           labels: 2 gold, 0 weak, 0 both
    ");
}

#[test]
fn a_text_is_a_column_several_or_a_template() {
    let scratch = Scratch::new();
    let train = "title,body,gold\nGood,very,1\nBad,,0\n";
    let texts = |text: TextSource| {
        let mut files = files(&scratch, train, TextColumns { text, weak: Vec::new(), ..TextColumns::default() });
        files.test = TestTexts::File(scratch.write("test.csv", "title,body,gold\nx,x,1\ny,y,0\n"));
        load(&files).map(|dataset| {
            let mut texts: Vec<String> = dataset.train.into_iter().map(|example| example.text).collect();
            texts.sort();
            texts
        })
    };
    let columns = TextSource::Columns(vec!["title".to_owned(), "body".to_owned()]);
    assert_eq!(texts(columns).unwrap(), ["Bad", "Good\nvery"]);
    let template = TextSource::Template("{{ title }}{% if body %}: {{ body }}{% endif %}".to_owned());
    assert_eq!(texts(template).unwrap(), ["Bad", "Good: very"]);
    let error = texts(TextSource::Template("{{ title }} {{ gold }}".to_owned())).unwrap_err();
    assert_snapshot!(scratch.report(&error), @"
    the template in [task] shows `gold`, which is a label
    hint: take it out of the template: a model that is shown the label has nothing to learn
    ");
}

/// 40 texts of class 0, 20 of class 1, and 40 without a gold label, in 20 groups.
fn texts_in_groups() -> String {
    let mut rows = "text,gold,weak,author\n".to_owned();
    for number in 0..100 {
        let gold = match number % 5 {
            0 | 1 => "0",
            2 => "1",
            _ => "",
        };
        writeln!(rows, "text {number},{gold},{},author {}", number % 2, number / 5).unwrap();
    }
    rows
}

#[test]
fn without_a_test_file_a_stratified_part_is_tested_on() {
    let scratch = Scratch::new();
    let mut files = files(&scratch, &texts_in_groups(), TextColumns::default());
    files.test = TestTexts::Part { size: TestSize::default(), seed: 0 };
    let as_they_are = CleaningOptions { balance: labelmix_data::Balance::AsIs, max_test: Some(1000) };
    let load = |files: &TextFiles| {
        Dataset::load(files, &TextOptions { cleaning: as_they_are, ..TextOptions::default() }).unwrap()
    };
    let dataset = load(&files);
    assert_eq!(dataset.summary.test.class_counts, [8, 4], "a fifth of either class");
    assert_eq!((dataset.train.len(), dataset.summary.train.with_gold), (88, 48));
    assert_eq!(load(&files).test, dataset.test);
    files.test = TestTexts::Part { size: TestSize::Count(30), seed: 1 };
    let other = load(&files);
    assert_eq!(other.summary.test.class_counts, [20, 10]);

    files.columns.group = Some("author".to_owned());
    let grouped = load(&files);
    assert_eq!(grouped.summary.test.class_counts, [20, 10]);
    let author = |text: &str| text.strip_prefix("text ").unwrap().parse::<usize>().unwrap() / 5;
    let tested: std::collections::BTreeSet<usize> = grouped.test.iter().map(|example| author(&example.text)).collect();
    assert_eq!(tested.len(), 10, "whole groups");
    assert!(grouped.train.iter().all(|example| !tested.contains(&author(&example.text))));
    assert_eq!(grouped.summary.train.dropped.in_test_group, 20);

    files.test = TestTexts::Part { size: TestSize::Count(60), seed: 0 };
    let error = Dataset::load(&files, &TextOptions::default()).unwrap_err();
    assert_snapshot!(scratch.report(&error), @"
    train.csv: a test set of 60 cannot be taken from 60 texts with a gold label
    hint: without `test` in [task], a fifth of the texts with a gold label are the test set: set `test_size` to a number that leaves some for sale (or a share such as 0.3), name a file as `test`, or get more gold labels
    ");
}

/// Labels that were bought later change nothing of what was for sale before.
#[test]
fn later_rounds_take_nothing_back() {
    let scratch = Scratch::new();
    let first = "text,gold,weak\na,1,1\nb,1,0\nc,1,1\nd,0,0\ne,,1\nf,,0\n";
    let later = "text,gold,weak,labelmix_gold_round\na,1,1,\nb,1,0,\nc,1,1,\nd,0,0,\ne,0,1,1\nf,0,0,1\n";
    let sold = |train: &str| {
        let dataset = load(&files(&scratch, train, TextColumns::default())).unwrap();
        let pools = dataset.pools(0, labelmix_data::Boundary::ForChoosing(0));
        let texts = |indices: Option<&[usize]>| -> Vec<String> {
            indices.unwrap().iter().map(|index| dataset.train[*index].text.clone()).collect()
        };
        (texts(pools.gold(pools.gold_size())), texts(pools.weak(pools.weak_size())))
    };
    let ((gold, weak), (more_gold, same_weak)) = (sold(first), sold(later));
    assert_eq!((gold.len(), more_gold.len()), (2, 6));
    assert_eq!(more_gold[..2], gold);
    assert_eq!(same_weak, weak);
}

#[test]
fn texts_without_any_label_wait_for_a_labeler_and_its_labels_are_for_sale() {
    let scratch = Scratch::new();
    let train = "text,gold\none,1\nnought,0\nthird,\nfourth,\n";
    let columns = TextColumns { weak: Vec::new(), ..TextColumns::default() };
    let options = TextOptions { weak_from_elsewhere: true, ..TextOptions::default() };
    let mut dataset = Dataset::load(&files(&scratch, train, columns), &options).unwrap();
    assert_eq!((dataset.train.len(), dataset.unlabeled.len()), (4, 0));
    // It leaves one text out.
    let labels: Vec<Option<f32>> = dataset
        .train
        .iter()
        .map(|example| (example.text != "fourth").then_some(if example.text == "third" { 0.9 } else { 0.1 }))
        .collect();
    dataset.set_weak_labels(&labels, &[None, None]);
    let for_sale = |example: &&labelmix_data::Example| example.for_sale.weak.is_some();
    let sold: Vec<&str> = dataset.train.iter().filter(for_sale).map(|example| example.text.as_str()).collect();
    // Balanced: one of class 1, and one of the two of class 0.
    assert!(sold.len() == 2 && sold.contains(&"third"), "{sold:?}");
    assert_eq!(dataset.unlabeled.iter().map(|example| &*example.text).collect::<Vec<_>>(), ["fourth"]);
}
