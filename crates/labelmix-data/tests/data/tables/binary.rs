//! Parquet, Arrow and spreadsheets.

use std::fmt::Write as _;
use std::io::{Cursor, Write as _};
use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{
    Array, ArrayRef, BinaryArray, BinaryViewArray, DictionaryArray, FixedSizeBinaryArray, Float64Array,
    LargeBinaryArray, LargeStringArray, RecordBatch, StringArray, StringViewArray,
};
use arrow_ipc::CompressionType;
use arrow_ipc::writer::{FileWriter, IpcWriteOptions, StreamWriter};
use insta::assert_snapshot;
use labelmix_data::{Balance, CleaningOptions, field_names, read_texts};
use parquet::basic::{BrotliLevel, Compression, GzipLevel, ZstdLevel};
use zip::write::SimpleFileOptions;

use super::kinds::gzip;
use super::refusal_of;
use crate::scratch::Scratch;

const TEXTS: [&str; 3] = ["straße", "", "b"];

fn arrays_of_texts() -> Vec<ArrayRef> {
    let bytes: Vec<&[u8]> = TEXTS.iter().map(|text| text.as_bytes()).collect();
    let padded: Vec<[u8; 8]> = TEXTS
        .iter()
        .map(|text| {
            let mut padded = [0; 8];
            padded[..text.len()].copy_from_slice(text.as_bytes());
            padded
        })
        .collect();
    vec![
        Arc::new(StringArray::from(TEXTS.to_vec())),
        Arc::new(LargeStringArray::from(TEXTS.to_vec())),
        Arc::new(StringViewArray::from(TEXTS.to_vec())),
        Arc::new(DictionaryArray::<Int32Type>::from_iter(TEXTS)),
        Arc::new(BinaryArray::from(bytes.clone())),
        Arc::new(LargeBinaryArray::from(bytes.clone())),
        Arc::new(BinaryViewArray::from(bytes)),
        Arc::new(FixedSizeBinaryArray::try_from_iter(padded.into_iter()).unwrap()),
    ]
}

fn batch(array: &ArrayRef) -> RecordBatch {
    RecordBatch::try_from_iter([("text", Arc::clone(array))]).unwrap()
}

fn arrow_file(batch: &RecordBatch, compression: Option<CompressionType>) -> Vec<u8> {
    let options = IpcWriteOptions::default().try_with_compression(compression).unwrap();
    let mut writer = FileWriter::try_new_with_options(Vec::new(), &batch.schema(), options).unwrap();
    writer.write(batch).unwrap();
    writer.into_inner().unwrap()
}

pub(super) fn arrow_stream(batch: &RecordBatch, compression: Option<CompressionType>) -> Vec<u8> {
    let options = IpcWriteOptions::default().try_with_compression(compression).unwrap();
    let mut writer = StreamWriter::try_new_with_options(Vec::new(), &batch.schema(), options).unwrap();
    writer.write(batch).unwrap();
    writer.into_inner().unwrap()
}

#[test]
fn every_type_of_text_in_parquet_and_arrow() {
    let scratch = Scratch::new();
    for array in arrays_of_texts() {
        let file = scratch.write_parquet("t.parquet", Compression::SNAPPY, vec![("text", array.clone())]);
        assert_eq!(read_texts(&file, "text").unwrap(), TEXTS, "{} in Parquet", array.data_type());
        for bytes in [arrow_file(&batch(&array), None), arrow_stream(&batch(&array), None)] {
            let file = scratch.write("t.arrow", bytes);
            assert_eq!(read_texts(&file, "text").unwrap(), TEXTS, "{} in Arrow", array.data_type());
        }
    }
}

#[test]
fn every_compression_of_parquet_and_arrow_under_every_name() {
    let scratch = Scratch::new();
    let texts: ArrayRef = Arc::new(StringArray::from(vec!["one text"; 20_000]));
    let compressions = [
        Compression::UNCOMPRESSED,
        Compression::SNAPPY,
        Compression::GZIP(GzipLevel::default()),
        Compression::BROTLI(BrotliLevel::default()),
        Compression::LZ4,
        Compression::LZ4_RAW,
        Compression::ZSTD(ZstdLevel::default()),
    ];
    for compression in compressions {
        let file = scratch.write_parquet("t.csv", compression, vec![("text", texts.clone())]);
        assert_eq!(read_texts(&file, "text").unwrap(), vec!["one text"; 20_000], "{compression:?}");
    }
    for compression in [None, Some(CompressionType::LZ4_FRAME), Some(CompressionType::ZSTD)] {
        for bytes in [arrow_file(&batch(&texts), compression), arrow_stream(&batch(&texts), compression)] {
            for (name, bytes) in [("t.feather", bytes.clone()), ("t.dat", gzip(&bytes))] {
                let file = scratch.write(name, bytes);
                assert_eq!(read_texts(&file, "text").unwrap().len(), 20_000, "{compression:?} {name}");
                assert_eq!(field_names(&file).unwrap(), ["text"]);
            }
        }
    }
}

#[test]
fn labels_as_bytes() {
    let scratch = Scratch::new();
    let labels: ArrayRef = Arc::new(BinaryArray::from(vec![Some(b"1".as_slice()), Some(b"0.0"), None]));
    let texts: ArrayRef = Arc::new(StringArray::from(vec!["a", "b", "c"]));
    let weak: ArrayRef = Arc::new(Float64Array::from(vec![0.5, 0.5, 0.5]));
    scratch.write_parquet("t.parquet", Compression::SNAPPY, vec![("text", texts), ("gold", labels), ("weak", weak)]);
    let dataset = scratch.load("t.parquet", &CleaningOptions { balance: Balance::AsIs, max_test: None }).unwrap();
    assert_eq!(dataset.summary.train.with_gold, 2);
}

#[test]
fn bytes_that_are_no_text() {
    let scratch = Scratch::new();
    let texts: ArrayRef = Arc::new(BinaryArray::from(vec![b"a".as_slice(), b"\xff\xfe"]));
    let file = scratch.write_parquet("t.parquet", Compression::SNAPPY, vec![("text", texts)]);
    assert_snapshot!(scratch.report(&read_texts(&file, "text").unwrap_err()), @r"
    t.parquet, row 2, column `text`: values of type Binary (bytes that are no UTF-8), where a value that can be written out is needed
    hint: name a column that holds a value that can be written out, or convert this one: texts are strings, labels are numbers, booleans or strings
    ");
}

/// A spreadsheet with these sheets: their names, and the XML of their rows.
pub(super) fn spreadsheet(sheets: &[(&str, &str)]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let mut add = |name: &str, content: String| {
        zip.start_file(name, SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored)).unwrap();
        zip.write_all(format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>{content}").as_bytes()).unwrap();
    };
    let main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
    let relations = "http://schemas.openxmlformats.org/package/2006/relationships";
    let office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
    add(
        "[Content_Types].xml",
        "<Types xmlns=\"http://schemas.openxmlformats.org/package/2006/content-types\"/>".to_owned(),
    );
    let root = format!("<Relationship Id=\"r\" Type=\"{office}/officeDocument\" Target=\"xl/workbook.xml\"/>");
    add("_rels/.rels", format!("<Relationships xmlns=\"{relations}\">{root}</Relationships>"));
    let (mut listed, mut related) = (String::new(), String::new());
    for (index, (name, rows)) in sheets.iter().enumerate() {
        write!(listed, "<sheet name=\"{name}\" sheetId=\"{}\" r:id=\"r{index}\"/>", index + 1).unwrap();
        write!(
            related,
            "<Relationship Id=\"r{index}\" Type=\"{office}/worksheet\" Target=\"worksheets/{index}.xml\"/>"
        )
        .unwrap();
        let sheet = format!("<worksheet xmlns=\"{main}\"><sheetData>{rows}</sheetData></worksheet>");
        add(&format!("xl/worksheets/{index}.xml"), sheet);
    }
    add(
        "xl/workbook.xml",
        format!("<workbook xmlns=\"{main}\" xmlns:r=\"{office}\"><sheets>{listed}</sheets></workbook>"),
    );
    add("xl/_rels/workbook.xml.rels", format!("<Relationships xmlns=\"{relations}\">{related}</Relationships>"));
    zip.finish().unwrap().into_inner()
}

/// A row of a sheet; cells that begin with `=` are numbers or truth values.
pub(super) fn sheet_row(number: u32, cells: &[&str]) -> String {
    let cell = |(column, cell): (char, &&str)| match cell.strip_prefix('=') {
        _ if cell.is_empty() => String::new(),
        Some("TRUE") => format!("<c r=\"{column}{number}\" t=\"b\"><v>1</v></c>"),
        Some(value) => format!("<c r=\"{column}{number}\"><v>{value}</v></c>"),
        None => format!("<c r=\"{column}{number}\" t=\"inlineStr\"><is><t xml:space=\"preserve\">{cell}</t></is></c>"),
    };
    format!("<row r=\"{number}\">{}</row>", ('A'..).zip(cells).map(cell).collect::<String>())
}

fn workbook(rows: &[(u32, &[&str])]) -> Vec<u8> {
    let rows: String = rows.iter().map(|(number, cells)| sheet_row(*number, cells)).collect();
    let notes = sheet_row(1, &["how these were labelled"]);
    spreadsheet(&[("Notes", &notes), ("Reviews", &rows)])
}

#[test]
fn a_spreadsheet_is_read_from_the_sheet_that_has_the_columns() {
    let rows: [(u32, &[&str]); 5] = [
        (2, &["id", " text", "gold", "weak"]),
        (3, &["=1", " a, &quot;b&quot;", "=1", "=0.25"]),
        (4, &["=2", "=17", "=TRUE", ""]),
        (6, &["=3", "", "", "=1"]),
        (7, &["=4", "c", "=0", "0.5"]),
    ];
    let scratch = Scratch::new();
    for name in ["t.xlsx", "t.csv"] {
        let file = scratch.write(name, workbook(&rows));
        assert_eq!(read_texts(&file, "text").unwrap(), [" a, \"b\"", "17", "", "c"]);
        let dataset = scratch.load(name, &CleaningOptions { balance: Balance::AsIs, max_test: None }).unwrap();
        let summary = dataset.summary.train;
        assert_eq!((summary.with_gold, summary.with_weak), (3, 2));
    }
    let file = scratch.write("zipped.xlsx.gz", gzip(&workbook(&rows)));
    assert_eq!(read_texts(&file, "weak").unwrap(), ["0.25", "", "1", "0.5"]);
}

#[test]
fn rows_of_a_spreadsheet_are_numbered_as_it_shows_them() {
    let scratch = Scratch::new();
    let rows: [(u32, &[&str]); 3] = [(2, &["text", "gold", "weak"]), (3, &["a", "=1", "=1"]), (7, &["b", "=2", "=1"])];
    scratch.write("t.xlsx", workbook(&rows));
    let error = scratch.load("t.xlsx", &CleaningOptions::default()).unwrap_err();
    assert!(error.to_string().contains("t.xlsx, row 7, column `gold`: `2`"), "{error}");
}

#[test]
fn a_spreadsheet_without_the_column() {
    let bytes = workbook(&[(1, &["review", "gold"]), (2, &["a", "=1"])]);
    assert_snapshot!(refusal_of("t.xlsx", bytes), @r"
    t.xlsx: there is no column `text`; the columns are `how these were labelled`
    hint: name one of these columns, or add the one that is missing
    ");
}
