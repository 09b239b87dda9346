//! Every way in which a user's file can be wrong: the message names file, row, column and value, the hint says
//! what to do.

use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, Int64Array, StringArray};
use insta::assert_snapshot;
use labelmix_data::{Balance, CleaningOptions, TextColumns, read_texts};
use parquet::basic::Compression;

use crate::scratch::{Scratch, TEST_JSONL, columns, load_files};

/// What is said about a training file of this name and content.
fn train_report(name: &str, content: impl AsRef<[u8]>) -> String {
    let scratch = Scratch::new();
    scratch.write(name, content);
    let error = scratch.load(name, &CleaningOptions::default()).unwrap_err();
    scratch.report(&error)
}

fn test_report(content: &str, options: &CleaningOptions) -> String {
    let scratch = Scratch::new();
    let train = scratch.write("train.csv", "text,gold,weak\na,0,0.1\nb,1,0.9\n");
    let test = scratch.write("test.jsonl", content);
    let error = load_files(&train, &test, &columns(), options).unwrap_err();
    scratch.report(&error)
}

fn parquet_report(columns: Vec<(&str, ArrayRef)>) -> String {
    let scratch = Scratch::new();
    scratch.write_parquet("train.parquet", Compression::SNAPPY, columns);
    let error = scratch.load("train.parquet", &CleaningOptions::default()).unwrap_err();
    scratch.report(&error)
}

fn texts() -> ArrayRef {
    Arc::new(StringArray::from(vec!["a", "b", "c"]))
}

#[test]
fn gold_label_of_2() {
    let content = [r#"{"text": "a", "gold": 1, "weak": 1}"#, r#"{"text": "b", "gold": 2, "weak": 0}"#].join("\n");
    assert_snapshot!(train_report("train.jsonl", content), @"
    train.jsonl, line 2, column `gold`: `2` is not a gold label
    hint: say in [task] which is class 0 and which class 1: `values = { 1 = 0, 2 = 1 }`
    ");
}

#[test]
fn gold_label_maybe() {
    assert_snapshot!(train_report("train.csv", "text,gold,weak\na,1,1\n\"two\nlines\",0,0\nb,maybe,0\n"), @r#"
    train.csv, line 5, column `gold`: `maybe` is not a gold label
    hint: labelmix does binary tasks only: keep two of the classes with `values = { 0 = 0, 1 = 1 }` and `drop = ["maybe"]` in [task], or name one class against the rest by giving all of them in `values`
    "#);
}

#[test]
fn gold_label_in_parquet() {
    let gold = Arc::new(Int64Array::from(vec![0, 1, 2]));
    let weak = Arc::new(Float64Array::from(vec![0.1, 0.9, 0.5]));
    assert_snapshot!(parquet_report(vec![("text", texts()), ("gold", gold), ("weak", weak)]), @r#"
    train.parquet, row 3, column `gold`: `2` is not a gold label
    hint: labelmix does binary tasks only: say in [task] from which value on a row is of class 1, `threshold = 1`, or keep two of the values: `values = { 0 = 0, 1 = 1 }` and `drop = ["2"]`
    "#);
}

#[test]
fn weak_label_out_of_range() {
    assert_snapshot!(train_report("train.jsonl", r#"{"text": "a", "gold": 1, "weak": 1.5}"#), @"
    train.jsonl, line 1, column `weak`: `1.5` is not a weak label
    hint: a weak label is the probability of class 1, from 0 to 1 (or 0, 1, false, true); leave the cell empty where there is none. Other values can be named in [task]: `values = { no = 0, yes = 1 }`
    ");
}

#[test]
fn weak_label_nan_in_csv() {
    assert_snapshot!(train_report("train.csv", "text,gold,weak\na,1,0.5\nb,0,nan\n"), @r#"
    train.csv, line 3, column `weak`: `nan` is not a weak label
    hint: say in [task] which marks are no label: `missing = ["NaN"]`
    "#);
}

#[test]
fn weak_label_nan_in_jsonl() {
    assert_snapshot!(train_report("train.jsonl", r#"{"text": "a", "gold": 1, "weak": NaN}"#), @r#"
    train.jsonl, line 1: not a JSON object: expected value at byte 34 of the line, `NaN}`
    hint: each row must be one complete object, such as {"text": "...", "gold": 1}; a missing value is null (JSON knows no NaN or Infinity)
    "#);
}

#[test]
fn weak_label_nan_in_parquet() {
    let gold = Arc::new(Int64Array::from(vec![0, 1, 1]));
    let weak = Arc::new(Float64Array::from(vec![0.1, f64::NAN, 0.5]));
    assert_snapshot!(parquet_report(vec![("text", texts()), ("gold", gold), ("weak", weak)]), @r#"
    train.parquet, row 2, column `weak`: `NaN` is not a weak label
    hint: say in [task] which marks are no label: `missing = ["NaN"]`
    "#);
}

#[test]
fn missing_text_column() {
    assert_snapshot!(train_report("train.jsonl", r#"{"Texts": "a", "gold": 1, "weak": 0.5}"#), @r"
    train.jsonl, line 1: there is no column `text`; the columns are `Texts`, `gold`, `weak`
    hint: did you mean `Texts`?
    ");
}

#[test]
fn missing_weak_column() {
    assert_snapshot!(train_report("train.csv", "text,gold,score\na,1,0.5\n"), @r"
    train.csv: there is no column `weak`; the columns are `text`, `gold`, `score`
    hint: name one of these columns, or add the one that is missing
    ");
}

#[test]
fn missing_weak_column_in_jsonl() {
    let content = [r#"{"text": "a", "gold": 1}"#, r#"{"text": "b"}"#].join("\n");
    assert_snapshot!(train_report("train.jsonl", content), @r"
    train.jsonl: there is no column `weak`; the columns are `gold`, `text`
    hint: name one of these columns, or add the one that is missing
    ");
}

#[test]
fn missing_column_in_parquet() {
    let weak = Arc::new(Float64Array::from(vec![0.1, 0.9, 0.5]));
    assert_snapshot!(parquet_report(vec![("sentence", texts()), ("weak", weak)]), @r"
    train.parquet: there is no column `text`; the columns are `sentence`, `weak`
    hint: name one of these columns, or add the one that is missing
    ");
}

#[test]
fn missing_gold_column_where_nothing_is_weak() {
    let scratch = Scratch::new();
    let train = scratch.write("train.csv", "text,weak\na,1\n");
    let test = scratch.write("test.jsonl", TEST_JSONL);
    let columns = TextColumns { weak: Vec::new(), ..columns() };
    let error = load_files(&train, &test, &columns, &CleaningOptions::default()).unwrap_err();
    assert_snapshot!(scratch.report(&error), @r"
    train.csv: there is no column `gold`; the columns are `text`, `weak`
    hint: name one of these columns, or add the one that is missing
    ");
}

#[test]
fn training_rows_without_any_label() {
    let content = [r#"{"text": "a", "weak": null}"#, "", r#"{"text": "b", "gold": null}"#].join("\n");
    assert_snapshot!(train_report("train.jsonl", content), @r#"
    train.jsonl: none of the 2 rows is left (2 without a label)
    hint: check the text column and that the training and the test file are different files
    "#);
}

#[test]
fn test_row_without_gold_label() {
    let content = format!("{TEST_JSONL}{{\"text\": \"third\", \"gold\": null, \"weak\": 0.5}}\n");
    assert_snapshot!(test_report(&content, &CleaningOptions::default()), @r"
    test.jsonl, line 3: there is no gold label in `gold`
    hint: every test example needs a gold label: add it, or delete the row
    ");
}

#[test]
fn invalid_utf8_in_jsonl() {
    let content = b"{\"text\": \"a\", \"gold\": 1, \"weak\": 1}\n{\"text\": \"caf\xe9\", \"gold\": 1, \"weak\": 1}\n";
    assert_snapshot!(train_report("train.jsonl", content), @r#"
    train.jsonl, line 2: byte 0xE9 at offset 49 of the file is not valid UTF-8
    hint: if the file is in windows-1252, say so: `encoding = "windows-1252"` in [task] of the study or [local] of a task file, `--encoding windows-1252` for a file named on the command line; or save the file as UTF-8
    "#);
}

#[test]
fn invalid_utf8_in_csv() {
    let content = b"text,gold,weak\na,1,1\n\"b\ncaf\xe9\",1,1\n";
    assert_snapshot!(train_report("train.csv", content), @r#"
    train.csv, line 4: byte 0xE9 at offset 27 of the file is not valid UTF-8
    hint: if the file is in windows-1252, say so: `encoding = "windows-1252"` in [task] of the study or [local] of a task file, `--encoding windows-1252` for a file named on the command line; or save the file as UTF-8
    "#);
}

#[test]
fn empty_files() {
    for name in ["train.jsonl", "train.csv", "train.parquet"] {
        assert!(train_report(name, "").starts_with(&format!("{name}: the file has no rows\n")));
    }
    assert!(train_report("train.jsonl", "\n\n").starts_with("train.jsonl: the file has no rows\n"));
    assert_snapshot!(train_report("train.csv", "text,gold,weak\n"), @r"
    train.csv: the file has no rows
    hint: check that it was written completely: it needs a row for each example
    ");
}

#[test]
fn one_class_in_training() {
    assert_snapshot!(train_report("train.csv", "text,gold,weak\na,1,0.9\nb,,0.7\n"), @r"
    train.csv: all 2 examples are of class 1
    hint: both classes, 0 and 1, are needed: check the label columns, or add examples of the other class
    ");
}

#[test]
fn one_class_in_the_test_file() {
    let content = [r#"{"text": "x", "gold": 0}"#, r#"{"text": "y", "gold": 0}"#].join("\n");
    assert_snapshot!(test_report(&content, &CleaningOptions::default()), @r"
    test.jsonl: all 2 examples are of class 0
    hint: both classes, 0 and 1, are needed: check the label columns, or add examples of the other class
    ");
    let unbalanced = CleaningOptions { balance: Balance::AsIs, max_test: None };
    assert!(test_report(&content, &unbalanced).starts_with("test.jsonl: all 2 examples are of class 0\n"));
}

#[test]
fn a_test_set_of_one() {
    let options = CleaningOptions { max_test: Some(1), ..CleaningOptions::default() };
    assert_snapshot!(test_report(TEST_JSONL, &options), @r"
    max_test is 1: a test set needs an example of each class
    hint: set max_test to 2 or more (1000 is usual), or leave it out
    ");
}

#[test]
fn nothing_left_but_the_test_texts() {
    let train =
        format!("{{\"text\": \" \", \"gold\": null}}\n{TEST_JSONL}{TEST_JSONL}{{\"text\": \"\", \"weak\": 1}}\n");
    assert_snapshot!(train_report("train.jsonl", train), @r"
    train.jsonl: none of the 6 rows is left (2 empty, 2 duplicate, 2 also in the test file)
    hint: check the text column and that the training and the test file are different files
    ");
}

#[test]
fn text_that_is_a_number() {
    assert_snapshot!(train_report("train.jsonl", r#"{"text": 17, "gold": 1, "weak": 1}"#), @r"
    train.jsonl, line 1, column `text`: `17`, where text is needed
    hint: name a column that holds text, or convert this one: texts are strings, labels are numbers, booleans or strings
    ");
}

#[test]
fn text_column_of_numbers_in_parquet() {
    let gold: ArrayRef = Arc::new(Int64Array::from(vec![0, 1, 1]));
    assert_snapshot!(parquet_report(vec![("text", gold.clone()), ("gold", gold.clone()), ("weak", gold)]), @r"
    train.parquet, column `text`: values of type Int64, where text is needed
    hint: name a column that holds text, or convert this one: texts are strings, labels are numbers, booleans or strings
    ");
}

#[test]
fn broken_json() {
    let content = [r#"{"text": "a", "gold": 1, "weak": 1}"#, r#"{"text": "b", "gold""#].join("\n");
    assert_snapshot!(train_report("train.jsonl", content), @r#"
    train.jsonl, line 2: not a JSON object: the line ends in the middle of it
    hint: each row must be one complete object, such as {"text": "...", "gold": 1}; a missing value is null (JSON knows no NaN or Infinity)
    "#);
}

#[test]
fn json_that_is_no_object() {
    assert_snapshot!(train_report("train.jsonl", r#"["a", 1, 0.5]"#), @r#"
    train.jsonl, line 1: not a JSON object: invalid type: string "a", expected a map at byte 3 of the line, `"`
    hint: each row must be one complete object, such as {"text": "...", "gold": 1}; a missing value is null (JSON knows no NaN or Infinity)
    "#);
}

#[test]
fn csv_record_with_a_field_too_many() {
    assert_snapshot!(train_report("train.csv", "text,gold,weak\na,1,1\nwell, well,0,0\n"), @r"
    train.csv, line 3: not a CSV record of this file: 4 fields, where the header has 3
    hint: every record needs as many fields as the header; a field with a separator (`,`) or a line break in it must be in double quotes
    ");
}

#[test]
fn truncated_parquet() {
    assert_snapshot!(train_report("train.parquet", "PAR1 and then nothing"), @r"
    train.parquet cannot be read as Parquet: Parquet error: Invalid Parquet file. Corrupt footer
    hint: check that the file is complete, or convert it to .jsonl or .csv
    ");
}

#[test]
fn unknown_extension() {
    assert_snapshot!(train_report("train.txt", "text\n"), @r"
    train.txt: there is no column `weak`; the columns are `text`
    hint: name one of these columns, or add the one that is missing
    ");
}

#[test]
fn no_such_file() {
    let scratch = Scratch::new();
    let error = read_texts(&scratch.path("new.jsonl"), "text").unwrap_err();
    assert_snapshot!(scratch.report(&error), @r"
    new.jsonl cannot be read: No such file or directory (os error 2)
    hint: check that the file is there and that you may read it
    ");
}
