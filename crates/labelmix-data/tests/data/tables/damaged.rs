//! Damaged files are errors, whatever the library that reads them makes of them.

use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow_ipc::CompressionType;
use labelmix_data::{CleaningOptions, field_names};
use parquet::basic::Compression;

use super::binary::{arrow_stream, sheet_row, spreadsheet};
use crate::scratch::Scratch;

fn columns() -> Vec<(&'static str, ArrayRef)> {
    let texts: Vec<String> = (0..40).map(|row| format!("the text of row {row}")).collect();
    vec![
        ("text", Arc::new(StringArray::from(texts))),
        ("gold", Arc::new((0..40).map(|row| Some(row % 2)).collect::<Int64Array>())),
        ("weak", Arc::new((0..40).map(|row| Some(f64::from(row % 3) / 2.0)).collect::<Float64Array>())),
    ]
}

/// Reads the file with one byte after the other changed in several ways, and cut short: it is read, or refused.
fn read_with_every_fault(name: &str, bytes: &[u8], step: usize) {
    let scratch = Scratch::new();
    let read = |damaged: &[u8]| {
        let file = scratch.write(name, damaged);
        let _ = scratch.load(name, &CleaningOptions::default());
        let _ = field_names(&file);
    };
    let mut damaged = bytes.to_vec();
    for position in (0..bytes.len()).step_by(step) {
        for fault in [0x01, 0x80, 0xff] {
            damaged[position] ^= fault;
            read(&damaged);
            damaged[position] = bytes[position];
        }
        read(&bytes[..position]);
    }
}

#[test]
fn arrow() {
    for compression in [None, Some(CompressionType::ZSTD), Some(CompressionType::LZ4_FRAME)] {
        let bytes = arrow_stream(&RecordBatch::try_from_iter(columns()).unwrap(), compression);
        read_with_every_fault("t.arrow", &bytes, 3);
    }
}

#[test]
fn parquet() {
    let scratch = Scratch::new();
    let bytes = std::fs::read(scratch.write_parquet("t.parquet", Compression::SNAPPY, columns())).unwrap();
    read_with_every_fault("t.parquet", &bytes, 5);
}

#[test]
fn spreadsheets() {
    let rows: String = (2..6).map(|row| sheet_row(row, &["a text", "=1", "=0.5"])).collect();
    let bytes = spreadsheet(&[("Sheet", &(sheet_row(1, &["text", "gold", "weak"]) + &rows))]);
    read_with_every_fault("t.xlsx", &bytes, 11);
}
