//! Which files are which split, on the Hub and on this machine, and the same examples from every format.

use std::io::Cursor;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_ipc::writer::{FileWriter, StreamWriter};
use arrow_json::reader::{ReaderBuilder, infer_json_schema};
use insta::assert_snapshot;
use labelmix_data::{DataSource, SplitFiles, Task};
use parquet::arrow::ArrowWriter;
use serde_json::Value;

use super::{examples, hub_rows, jsonl, with_rows};
use crate::scratch::Scratch;

/// Rows as Arrow has them, in lists and structs.
pub(super) fn batch(rows: &[Value]) -> RecordBatch {
    let text = jsonl(rows);
    let (schema, _) = infer_json_schema(Cursor::new(&text), None).unwrap();
    let mut reader = ReaderBuilder::new(Arc::new(schema)).build(Cursor::new(&text)).unwrap();
    reader.next().unwrap().unwrap()
}

pub(super) fn parquet_bytes(batch: &RecordBatch) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
    bytes
}

pub(super) fn arrow_stream(batch: &RecordBatch) -> Vec<u8> {
    let mut writer = StreamWriter::try_new(Vec::new(), &batch.schema()).unwrap();
    writer.write(batch).unwrap();
    writer.into_inner().unwrap()
}

fn arrow_file(batch: &RecordBatch) -> Vec<u8> {
    let mut writer = FileWriter::try_new(Vec::new(), &batch.schema()).unwrap();
    writer.write(batch).unwrap();
    writer.into_inner().unwrap()
}

/// The files of a listing that a task takes, a line for each split.
fn taken(task: &Task, listing: &[&str]) -> String {
    let scratch = Scratch::new();
    let listing: Vec<String> = listing.iter().map(|path| (*path).to_owned()).collect();
    match task.hub_files(&listing) {
        Ok(files) => {
            let lines = files.iter().map(|(split, files)| format!("{split}: {}", files.join(", ")));
            lines.collect::<Vec<_>>().join("\n")
        }
        Err(error) => scratch.report(&error),
    }
}

#[test]
fn every_task_finds_its_files_on_the_hub() {
    for task in Task::all() {
        let DataSource::Hub(hub) = task.source() else { panic!("{} is not on the Hub", task.name()) };
        let file = |split: &str| match (&hub.revision, &hub.config) {
            (Some(_), config) => format!("{}/{split}/0000.parquet", config.as_deref().unwrap_or("default")),
            (None, config) => format!("{}/{split}-00000-of-00001.parquet", config.as_deref().unwrap_or("data")),
        };
        let listing: Vec<String> = task.splits().into_iter().map(file).chain(["README.md".to_owned()]).collect();
        let files = task.hub_files(&listing).unwrap();
        assert_eq!(files.len(), task.splits().len(), "{}", task.name());
        for split in task.splits() {
            assert_eq!(files[split], [file(split)]);
        }
    }
}

#[test]
fn layouts_of_the_hub() {
    let sciq = Task::named("sciq").unwrap();
    assert_snapshot!(taken(&sciq, &[
        "data/validation-00000-of-00001.parquet",
        "data/train-00001-of-00002-0123456789abcdef.parquet",
        "data/train-00000-of-00002-0123456789abcdef.parquet",
        "data/test-00000-of-00001.parquet",
        ".gitattributes",
    ]), @r"
    test: data/test-00000-of-00001.parquet
    train: data/train-00000-of-00002-0123456789abcdef.parquet, data/train-00001-of-00002-0123456789abcdef.parquet
    validation: data/validation-00000-of-00001.parquet
    ");
    let cola = Task::named("cola").unwrap();
    assert_snapshot!(taken(&cola, &[
        "cola/train-00000-of-00001.parquet",
        "cola/validation-00000-of-00001.parquet",
        "sst2/train-00000-of-00001.parquet",
    ]), @r"
    train: cola/train-00000-of-00001.parquet
    validation: cola/validation-00000-of-00001.parquet
    ");
    assert_snapshot!(taken(&cola, &["cola/partial-train/0001.parquet", "cola/partial-train/0000.parquet", "cola/validation/0000.parquet"]), @r"
    train: cola/partial-train/0000.parquet, cola/partial-train/0001.parquet
    validation: cola/validation/0000.parquet
    ");
}

#[test]
fn listings_that_lack_something() {
    let cola = Task::named("cola").unwrap();
    assert_snapshot!(taken(&cola, &["cola.py", "README.md"]), @r"
    nyu-mll/glue has no Parquet files
    hint: a dataset of the Hub that has only a script, or other files, is in its branch `refs/convert/parquet`; name local files as their splits, such as train.jsonl
    ");
    assert_snapshot!(taken(&cola, &["mrpc/train/0000.parquet", "sst2/train/0000.parquet"]), @r"
    nyu-mll/glue has no configuration `cola`; its configurations are `mrpc`, `sst2`
    hint: name one of these as the `config` in the task's [hub] or [local]
    ");
    assert_snapshot!(taken(&cola, &["cola/train/0000.parquet", "cola/test/0000.parquet"]), @r"
    nyu-mll/glue (configuration `cola`) has no split `validation`; its splits are `test`, `train`
    hint: name one of these in the task's [splits]
    ");
    assert_snapshot!(taken(&cola, &["cola/train-00000-of-00002.parquet", "cola/validation-00000-of-00001.parquet"]), @r"
    nyu-mll/glue (configuration `cola`): split `train` has 1 of its 2 files
    hint: download the rest, or remove the split's files and download them again
    ");
    let sst2 = Task::named("sst2").unwrap();
    assert_snapshot!(taken(&sst2, &["a/train/0000.parquet", "b/train/0000.parquet"]), @r"
    stanfordnlp/sst2 has several configurations, and none is named; its configurations are `a`, `b`
    hint: name one of these as the `config` in the task's [hub] or [local]
    ");
}

#[test]
fn every_task_reads_every_format_alike() {
    for name in Task::names() {
        let rows = hub_rows(name);
        let scratch = Scratch::new();
        let task = with_rows(&scratch, name, &rows);
        let expected = examples(&task);
        assert!(expected.len() >= 2, "{name}");
        let batch = batch(&rows);
        let contents =
            [("parquet", parquet_bytes(&batch)), ("arrow", arrow_stream(&batch)), ("arrow", arrow_file(&batch))];
        for (extension, bytes) in contents {
            let file = scratch.write(&format!("other.{extension}"), bytes);
            let splits = task.splits().into_iter().map(|split| (split.to_owned(), vec![file.clone()]));
            let files: SplitFiles = splits.collect();
            assert_eq!(task.first_examples(&files, usize::MAX).unwrap(), expected, "{name} from .{extension}");
        }
    }
}

#[test]
fn csv_has_what_needs_no_nesting() {
    let scratch = Scratch::new();
    let expected = examples(&with_rows(&scratch, "social_i_qa", &hub_rows("social_i_qa")));
    let columns = ["label", "question", "answerC", "answerB", "answerA", "context"];
    let mut lines = vec![columns.join(",")];
    for row in hub_rows("social_i_qa") {
        lines.push(columns.map(|column| format!("\"{}\"", row[column].as_str().unwrap())).join(","));
    }
    let csv = lines.join("\n");
    scratch.write("csv/train.csv", &csv);
    scratch.write("csv/validation.csv", &csv);
    let task = Task::named("social_i_qa").unwrap().with_folder(&scratch.path("csv"));
    assert_eq!(examples(&task), expected);
}

#[test]
fn several_files_of_a_split_are_one() {
    let scratch = Scratch::new();
    let rows = hub_rows("quail");
    let expected = examples(&with_rows(&scratch, "quail", &rows));
    for (part, row) in rows.iter().enumerate() {
        let bytes = parquet_bytes(&batch(std::slice::from_ref(row)));
        scratch.write(&format!("parts/quail/train-0000{part}-of-00003.parquet"), bytes);
    }
    scratch.write("parts/quail/validation.jsonl", jsonl(&rows));
    let task = Task::named("quail").unwrap().with_folder(&scratch.path("parts"));
    assert_eq!(examples(&task), expected);
}

#[test]
fn what_save_to_disk_writes() {
    let scratch = Scratch::new();
    let rows = hub_rows("openbookqa");
    let expected = examples(&with_rows(&scratch, "openbookqa", &rows));
    let state = |split: &str| {
        format!(
            r#"{{"_data_files": [{{"filename": "data-00000-of-00001.arrow"}}], "_fingerprint": "f", "_split": "{split}"}}"#
        )
    };
    scratch.write("saved/dataset_dict.json", r#"{"splits": ["train", "test"]}"#);
    for split in ["train", "test"] {
        scratch.write(&format!("saved/{split}/data-00000-of-00001.arrow"), arrow_stream(&batch(&rows)));
        scratch.write(&format!("saved/{split}/state.json"), state(split));
    }
    let task = Task::named("openbookqa").unwrap().with_folder(&scratch.path("saved"));
    assert_eq!(examples(&task), expected);

    let sst2 = Task::named("sst2").unwrap();
    let task = sst2.clone().with_folder(&scratch.path("saved"));
    assert_snapshot!(scratch.report(&task.local_files().unwrap_err()), @r"
    saved has no split `validation`; its splits are `train`, `test`
    hint: name one of these in the task's [splits]
    ");
    let task = sst2.with_folder(&scratch.path("saved/train"));
    assert_snapshot!(scratch.report(&task.local_files().unwrap_err()), @r"
    saved/train has no split `validation`; its splits are `train`
    hint: name one of these in the task's [splits]
    ");
    std::fs::remove_file(scratch.path("saved/test/state.json")).unwrap();
    let task = Task::named("openbookqa").unwrap().with_folder(&scratch.path("saved"));
    assert_snapshot!(scratch.report(&task.local_files().unwrap_err()), @r"
    saved/test/state.json cannot be read: there is no such file, though `save_to_disk` writes one for each split
    hint: check that the file is there and that you may read it
    ");
}

#[test]
fn truncated_arrow() {
    let scratch = Scratch::new();
    let bytes = arrow_stream(&batch(&hub_rows("sst2")));
    let file = scratch.write("train.arrow", &bytes[..bytes.len() / 2]);
    let files: SplitFiles = [("train".to_owned(), vec![file])].into();
    let error = Task::named("sst2").unwrap().first_examples(&files, 1).unwrap_err();
    assert_snapshot!(scratch.report(&error), @r"
    train.arrow cannot be read as Arrow: it is cut short
    hint: check that the file is complete, or write it again as .parquet or .jsonl
    ");
}

#[test]
fn a_split_in_two_formats() {
    let scratch = Scratch::new();
    let task = with_rows(&scratch, "sst2", &hub_rows("sst2"));
    scratch.write("data/train.csv", "sentence,label\n");
    assert_snapshot!(scratch.report(&task.local_files().unwrap_err()), @r"
    data: split `train` is there in several forms: `train.csv`, `train.jsonl`
    hint: keep the files of one format, or name the files in the task's [local]
    ");
}

#[test]
fn files_by_name_beside_the_task_file() {
    let scratch = Scratch::new();
    let rows = hub_rows("sst2");
    scratch.write("data/a.jsonl", jsonl(&rows[..1]));
    scratch.write("data/b.jsonl", jsonl(&rows[1..2]));
    let text = "description = 'd'\ntemplate = '{{ sentence }}'\n[binary]\nlabel = 'label'\n\
                [local.files]\ntrain = ['data/a.jsonl', 'data/b.jsonl']\nheld-out = 'data/b.jsonl'\n";
    let read = |splits: &str| Task::read(&scratch.write("mine.toml", format!("{text}{splits}"))).unwrap();
    let task = read("[splits]\ntest = 'held-out'\n");
    assert_eq!(examples(&task).len(), 2);
    assert_snapshot!(scratch.report(&read("").local_files().unwrap_err()), @r"
    [local] of task mine.toml has no split `test`; its splits are `held-out`, `train`
    hint: name one of these in the task's [splits]
    ");
}
