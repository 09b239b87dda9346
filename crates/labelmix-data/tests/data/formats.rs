//! The same examples from every format, and every column type that can hold them.

use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{
    ArrayRef, BooleanArray, DictionaryArray, Float32Array, Float64Array, Int8Array, Int64Array, LargeStringArray,
    StringArray, StringViewArray, UInt16Array,
};
use labelmix_data::{Balance, CleaningOptions, Dataset, Example, read_texts};
use parquet::basic::{Compression, GzipLevel, ZstdLevel};

use crate::scratch::{Scratch, columns, load_files};

const AS_IS: CleaningOptions = CleaningOptions { balance: Balance::AsIs, max_test: None };

fn load(scratch: &Scratch, train: &str) -> Dataset {
    scratch.load(train, &AS_IS).unwrap()
}

fn example(text: &str, gold: Option<bool>, weak: Option<f32>) -> Example {
    Example::new(text.to_owned(), gold, weak)
}

/// The training examples by text.
fn sorted(dataset: &Dataset) -> Vec<Example> {
    let mut train = dataset.train.clone();
    train.sort_by(|a, b| a.text.cmp(&b.text));
    train
}

#[test]
fn jsonl_csv_and_parquet_say_the_same() {
    let scratch = Scratch::new();
    scratch.write(
        "train.jsonl",
        concat!(
            "\u{feff}{\"text\": \"a, \\\"b\\\"\", \"gold\": 1, \"weak\": 0.1, \"other\": [1]}\r\n",
            "\n",
            "{\"weak\": null, \"text\": \"line\\nbreak\", \"gold\": false}\n",
            "{\"text\": \"ünïcode\", \"weak\": \"0.75\"}",
        ),
    );
    scratch.write(
        "train.csv",
        "\u{feff}id,weak,text, gold\r\n1,0.1,\"a, \"\"b\"\"\",1.0\r\n2,,\"line\nbreak\",False\r\n3,0.75,ünïcode,\r\n",
    );
    scratch.write_parquet(
        "train.parquet",
        Compression::SNAPPY,
        vec![
            ("weak", Arc::new(Float64Array::from(vec![Some(0.1), None, Some(0.75)]))),
            ("text", Arc::new(StringArray::from(vec!["a, \"b\"", "line\nbreak", "ünïcode"]))),
            ("gold", Arc::new(BooleanArray::from(vec![Some(true), Some(false), None]))),
        ],
    );

    let expected = [
        example("a, \"b\"", Some(true), Some(0.1)),
        example("line\nbreak", Some(false), None),
        example("ünïcode", None, Some(0.75)),
    ];
    let datasets = ["train.jsonl", "train.csv", "train.parquet"].map(|train| load(&scratch, train));
    for dataset in &datasets {
        assert_eq!(sorted(dataset), expected);
        assert_eq!(dataset.content_hash(), datasets[0].content_hash());
    }
}

#[test]
fn every_parquet_type_of_label_and_text() {
    let texts: [ArrayRef; 4] = [
        Arc::new(StringArray::from(vec!["x", "y"])),
        Arc::new(LargeStringArray::from(vec!["x", "y"])),
        Arc::new(StringViewArray::from(vec!["x", "y"])),
        Arc::new(DictionaryArray::<Int32Type>::from_iter(["x", "y"])),
    ];
    let labels: [ArrayRef; 8] = [
        Arc::new(Int8Array::from(vec![0, 1])),
        Arc::new(Int64Array::from(vec![0, 1])),
        Arc::new(UInt16Array::from(vec![0, 1])),
        Arc::new(Float32Array::from(vec![0.0, 1.0])),
        Arc::new(BooleanArray::from(vec![false, true])),
        Arc::new(StringArray::from(vec!["0", "1"])),
        Arc::new(LargeStringArray::from(vec!["false", "TRUE"])),
        Arc::new(DictionaryArray::<Int32Type>::from_iter(["0", "1"])),
    ];
    let scratch = Scratch::new();
    for (text, label) in texts.iter().cycle().zip(&labels) {
        let columns = vec![("text", text.clone()), ("gold", label.clone()), ("weak", label.clone())];
        scratch.write_parquet("train.parquet", Compression::UNCOMPRESSED, columns);
        let expected = [example("x", Some(false), Some(0.0)), example("y", Some(true), Some(1.0))];
        assert_eq!(sorted(&load(&scratch, "train.parquet")), expected, "{}", label.data_type());
    }
}

#[test]
fn every_usual_parquet_compression() {
    let compressions = [
        Compression::SNAPPY,
        Compression::GZIP(GzipLevel::default()),
        Compression::ZSTD(ZstdLevel::default()),
        Compression::LZ4_RAW,
    ];
    let scratch = Scratch::new();
    let texts: ArrayRef = Arc::new(StringArray::from(vec!["one text"; 1000]));
    for compression in compressions {
        let file = scratch.write_parquet("new.parquet", compression, vec![("text", texts.clone())]);
        assert_eq!(read_texts(&file, "text").unwrap(), vec!["one text"; 1000]);
    }
}

#[test]
fn texts_alone_are_read_row_by_row() {
    let scratch = Scratch::new();
    let jsonl = scratch.write("new.jsonl", "{\"text\": \"b\"}\n{\"text\": null, \"gold\": \"?\"}\n{\"text\": \"b\"}\n");
    assert_eq!(read_texts(&jsonl, "text").unwrap(), ["b", "", "b"]);
    let csv = scratch.write("new.csv", "text,gold\nb,?\n,\nb,\n");
    assert_eq!(read_texts(&csv, "text").unwrap(), ["b", "", "b"]);
}

#[test]
fn without_a_column_of_weak_labels_all_is_gold() {
    let scratch = Scratch::new();
    let train = scratch.write("train.csv", "text,gold,weak\na,0,?\nb,1,?\n");
    let test = scratch.write("test.csv", "text,gold\nx,0\ny,1\n");
    let columns = labelmix_data::TextColumns { weak: Vec::new(), ..columns() };
    let dataset = load_files(&train, &test, &columns, &AS_IS).unwrap();
    assert_eq!((dataset.summary.train.with_gold, dataset.summary.train.with_weak), (2, 0));
}

#[test]
fn without_a_column_of_gold_labels_all_is_weak() {
    let scratch = Scratch::new();
    scratch.write("train.csv", "text,weak\na,0\nb,1\n");
    let summary = load(&scratch, "train.csv").summary.train;
    assert_eq!((summary.with_gold, summary.with_weak), (0, 2));
}
