//! Fields of rows that are kept with the examples: of tasks and of files of texts, in every format.

use insta::assert_snapshot;
use labelmix_data::{Dataset, FieldValue, LoadOptions, Task, TaskError, TextColumns, field_names};
use serde_json::{Value, json};

use super::files::{arrow_stream, batch, parquet_bytes};
use super::{AS_IS, jsonl, own_task};
use crate::scratch::{Scratch, columns, load_with_fields};

fn rows() -> Vec<Value> {
    vec![
        json!({"text": "bread", "label": 0, "source": "web", "meta": {"page": 3, "tags": ["a", "b"]}}),
        json!({"text": "room", "label": 1, "source": " shop ", "meta": {"page": 7.5, "tags": []}}),
        json!({"text": "soup", "label": 1, "source": "", "meta": {"page": null, "tags": null}}),
        json!({"text": "tea", "label": 0, "source": null, "meta": null}),
    ]
}

/// A task whose training rows are these. Its test rows have none of the fields.
fn task(scratch: &Scratch) -> Task {
    scratch.write("train.jsonl", jsonl(&rows()));
    scratch.write("test.csv", "text,label\nyes,1\nno,0\n");
    own_task(scratch, "", "").unwrap()
}

fn names<const N: usize>(names: [&str; N]) -> Vec<String> {
    names.map(str::to_owned).to_vec()
}

fn load(task: &Task, fields: &[String]) -> Result<Dataset, TaskError> {
    task.load(&task.local_files()?, &LoadOptions { cleaning: AS_IS, fields, ..LoadOptions::default() })
}

/// The kept fields of the training examples, by text.
fn kept(dataset: &Dataset) -> Vec<Vec<FieldValue>> {
    let mut train: Vec<_> = dataset.train.iter().collect();
    train.sort_by(|a, b| a.text.cmp(&b.text));
    train.into_iter().map(|example| example.fields.to_vec()).collect()
}

fn text(value: &str) -> FieldValue {
    FieldValue::Text(value.into())
}

#[test]
fn fields_and_nested_ones_are_kept_from_every_format() {
    use FieldValue::{Missing, Number};
    let scratch = Scratch::new();
    let task = task(&scratch);
    let batch = batch(&rows());
    scratch.write("train.parquet", parquet_bytes(&batch));
    scratch.write("train.arrow", arrow_stream(&batch));
    let expected = [
        [text("web"), Number(3.0), text("[\"a\",\"b\"]")],
        [text("shop"), Number(7.5), text("[]")],
        [Missing, Missing, Missing],
        [Missing, Missing, Missing],
    ];
    let wanted = names(["source", "meta.page", "meta.tags"]);
    for format in ["jsonl", "parquet", "arrow"] {
        let files = [("train", format!("train.{format}")), ("test", "test.csv".to_owned())];
        let files = files.map(|(split, file)| (split.to_owned(), vec![scratch.path(&file)])).into();
        let options = LoadOptions { cleaning: AS_IS, fields: &wanted, ..LoadOptions::default() };
        let dataset = task.load(&files, &options).unwrap();
        assert_eq!(kept(&dataset), expected, "{format}");
        assert!(dataset.test.iter().all(|example| *example.fields == [Missing, Missing, Missing]));
    }
}

#[test]
fn files_of_texts_keep_fields_too() {
    let scratch = Scratch::new();
    let train = scratch.write("train.csv", "gold,meta.page,text,year\n1,3,soup,1999\n0,,bread,\n");
    let test = scratch.write("test.csv", "gold,text\n1,yes\n0,no\n");
    // Flattened tables have the dots in their columns' names.
    let (columns, fields) = (TextColumns { weak: Vec::new(), ..columns() }, names(["meta.page", "year", "gold"]));
    let dataset = load_with_fields(&train, &test, &columns, &AS_IS, &fields).unwrap();
    let missing = || FieldValue::Missing;
    assert_eq!(kept(&dataset), [[missing(), missing(), text("0")], [text("3"), text("1999"), text("1")]]);
    // The weak labels come between.
    let train = scratch.write("weak.csv", "weak,gold,text,year\n0.5,1,soup,1999\n0.25,0,bread,\n");
    let (columns, fields) = (crate::scratch::columns(), names(["year"]));
    let dataset = load_with_fields(&train, &test, &columns, &AS_IS, &fields).unwrap();
    assert_eq!(kept(&dataset), [[missing()], [text("1999")]]);
    assert!(dataset.train.iter().all(|example| example.weak.is_some()));
}

#[test]
fn what_is_kept_changes_nothing_else() {
    let scratch = Scratch::new();
    let row = |number: usize| json!({"text": format!("text {number}"), "label": number % 2, "ann": 0.5, "n": number});
    scratch.write("train.jsonl", jsonl(&(0..200).map(row).collect::<Vec<_>>()));
    let test: Vec<String> = (0..40).map(|number| format!("test {number},{}\n", number % 2)).collect();
    scratch.write("test.csv", "text,label\n".to_owned() + &test.concat());
    let task = own_task(&scratch, "", "[splits]\nshare = 0.5\n[weak]\ncolumns = ['ann']\n").unwrap();
    let without = load(&task, &[]).unwrap();
    let with = load(&task, &names(["n", "ann", "text"])).unwrap();
    assert_eq!(with.content_hash(), without.content_hash());
    assert_eq!(with.summary, without.summary);
    assert!(without.train.iter().all(|example| example.fields.is_empty()));
    for example in &with.train {
        let number: f64 = example.text.strip_prefix("text ").unwrap().parse().unwrap();
        assert_eq!(*example.fields, [FieldValue::Number(number), FieldValue::Number(0.5), text(&example.text)]);
    }
}

#[test]
fn unknown_fields() {
    let scratch = Scratch::new();
    let task = task(&scratch);
    let refused = |name: &str| scratch.report(&load(&task, &names([name])).unwrap_err());
    assert_snapshot!(refused("sorce"), @r#"
train.jsonl: there is no column `sorce`; the columns are `label`, `meta.page`, `meta.tags`, `source`, `text`
hint: did you mean `source`?
"#);
    assert_snapshot!(refused("meta.pages"), @r#"
train.jsonl: there is no column `meta.pages`; the columns are `label`, `meta.page`, `meta.tags`, `source`, `text`
hint: did you mean `meta.page`?
"#);
    assert_snapshot!(refused("source.page"), @r#"
train.jsonl: there is no column `source.page`; the columns are `label`, `meta.page`, `meta.tags`, `source`, `text`
hint: did you mean `source`?
"#);
    let train = scratch.write("plain.csv", "gold,text,year\n1,soup,1999\n0,bread,\n");
    let (columns, fields) = (TextColumns { weak: Vec::new(), ..columns() }, names(["yaer"]));
    let test = scratch.write("plain_test.csv", "gold,text\n1,yes\n0,no\n");
    let error = load_with_fields(&train, &test, &columns, &AS_IS, &fields).unwrap_err();
    assert_snapshot!(scratch.report(&error), @r#"
plain.csv: there is no column `yaer`; the columns are `gold`, `text`, `year`
hint: did you mean `year`?
"#);
}

#[test]
fn a_field_that_is_always_missing_is_known() {
    let scratch = Scratch::new();
    let train = scratch.write("train.csv", "gold,text,year\n1,soup,\n0,bread,\n");
    let test = scratch.write("test.csv", "gold,text\n1,yes\n0,no\n");
    let (columns, fields) = (TextColumns { weak: Vec::new(), ..columns() }, names(["year"]));
    let dataset = load_with_fields(&train, &test, &columns, &AS_IS, &fields).unwrap();
    assert_eq!(kept(&dataset), [[FieldValue::Missing], [FieldValue::Missing]]);
}

#[test]
fn the_fields_of_a_file_have_names() {
    let scratch = Scratch::new();
    let expected = ["label", "meta.page", "meta.tags", "source", "text"];
    let batch = batch(&rows());
    let files = [
        scratch.write("rows.jsonl", jsonl(&rows())),
        scratch.write("rows.parquet", parquet_bytes(&batch)),
        scratch.write("rows.arrow", arrow_stream(&batch)),
        scratch.write("rows.csv", "label,meta.page, meta.tags ,source,text\n"),
    ];
    for file in files {
        let mut found = field_names(&file).unwrap();
        found.sort();
        assert_eq!(found, expected, "{}", file.display());
    }
    assert!(field_names(&scratch.write("rows.txt", "%PDF-1.7")).is_err());
}
