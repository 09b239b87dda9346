//! Kinds and compressions are found in the first bytes, whatever a file is called.

use std::io::Write;

use insta::assert_snapshot;
use labelmix_data::{field_names, read_texts};

use super::{refusal_of, texts_of};
use crate::scratch::Scratch;

const CSV: &str = "text,gold\n\"a, b\",1\nc,0\n";
const JSON_LINES: &str = "{\"text\": \"a, b\", \"gold\": 1}\n{\"text\": \"c\", \"gold\": 0}\n";
const JSON_LIST: &str = "[{\"text\": \"a, b\", \"gold\": 1}, {\"text\": \"c\", \"gold\": 0}]";

pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(super) fn zstandard(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 0).unwrap()
}

pub(super) fn bzip2(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// What `xz` makes of [`CSV`].
pub(super) fn xz_of_csv() -> Vec<u8> {
    const HEX: &str = "fd377a585a000004e6d6b4460200210116000000742fe5a3010016746578742c676f6c640a22612c2062222c310a632c300a0000940cf3903c2bc37900012f17810849b11fb6f37d010000000004595a";
    (0..HEX.len()).step_by(2).map(|digit| u8::from_str_radix(&HEX[digit..digit + 2], 16).unwrap()).collect()
}

#[test]
fn a_wrong_name_is_no_obstacle() {
    for name in ["t.jsonl", "t.json", "t.ndjson", "t.txt", "t.csv", "t.data", "t", "t.JSONL", "t.parquet"] {
        assert_eq!(texts_of(name, JSON_LINES), ["a, b", "c"], "JSON Lines in {name}");
        assert_eq!(texts_of(name, JSON_LIST), ["a, b", "c"], "a JSON list in {name}");
        assert_eq!(texts_of(name, CSV), ["a, b", "c"], "CSV in {name}");
    }
}

#[test]
fn every_compression_under_every_name() {
    let compressed = [
        ("gz", gzip(CSV.as_bytes())),
        ("zst", zstandard(CSV.as_bytes())),
        ("bz2", bzip2(CSV.as_bytes())),
        ("xz", xz_of_csv()),
        ("gz.zst", zstandard(&gzip(CSV.as_bytes()))),
    ];
    for (extension, bytes) in compressed {
        for name in [format!("t.csv.{extension}"), format!("t.{extension}"), "t.csv".to_owned(), "t.jsonl".to_owned()] {
            assert_eq!(texts_of(&name, &bytes), ["a, b", "c"], "{extension} in {name}");
        }
    }
}

#[test]
fn a_gzip_file_of_several_members_is_read_to_its_end() {
    let (first, second) = JSON_LINES.split_at(JSON_LINES.len() / 2);
    let bytes = [gzip(first.as_bytes()), gzip(second.as_bytes())].concat();
    assert_eq!(texts_of("t.jsonl.gz", bytes), ["a, b", "c"]);
    let bytes = [zstandard(first.as_bytes()), zstandard(second.as_bytes())].concat();
    assert_eq!(texts_of("t.jsonl.zst", bytes), ["a, b", "c"]);
    let bytes = [bzip2(first.as_bytes()), bzip2(second.as_bytes())].concat();
    assert_eq!(texts_of("t.jsonl.bz2", bytes), ["a, b", "c"]);
}

#[test]
fn compressed_data_that_end_too_early() {
    let rows = JSON_LINES.repeat(20_000);
    for (extension, bytes) in [("gz", gzip(rows.as_bytes())), ("zst", zstandard(rows.as_bytes()))] {
        let refusal = refusal_of(&format!("t.jsonl.{extension}"), &bytes[..bytes.len() / 2]);
        assert!(refusal.starts_with(&format!("t.jsonl.{extension} is cut short")), "{refusal}");
    }
    let bytes = bzip2(CSV.as_bytes());
    assert!(refusal_of("t.csv.bz2", &bytes[..bytes.len() - 5]).starts_with("t.csv.bz2 is cut short"));
    let bytes = xz_of_csv();
    assert!(refusal_of("t.csv.xz", &bytes[..bytes.len() - 30]).starts_with("t.csv.xz is cut short"));
    assert_snapshot!(refusal_of("t.csv.gz", &gzip(CSV.as_bytes())[..20]), @r"
    t.csv.gz is cut short: its gzip data end too early
    hint: copy or download it again, or write it again
    ");
}

#[test]
fn compressed_data_that_are_damaged() {
    let mut bytes = gzip(CSV.as_bytes());
    let checksum = bytes.len() - 8;
    bytes[checksum] ^= 1;
    let refusal = refusal_of("t.csv.gz", &bytes);
    assert!(refusal.starts_with("t.csv.gz cannot be decompressed: damaged gzip data ("), "{refusal}");
}

#[test]
fn names_of_fields_come_through_the_same_door() {
    let scratch = Scratch::new();
    for (name, content) in [
        ("a.txt", JSON_LINES.as_bytes().to_vec()),
        ("b.json", JSON_LIST.as_bytes().to_vec()),
        ("c.csv.gz", gzip(CSV.as_bytes())),
        ("d.tsv", CSV.replace(',', "\t").into_bytes()),
    ] {
        assert_eq!(field_names(&scratch.write(name, content)).unwrap(), ["text", "gold"], "{name}");
    }
}

#[test]
fn a_git_lfs_pointer() {
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 12345\n";
    for name in ["t.parquet", "t.jsonl", "t.csv"] {
        assert!(refusal_of(name, pointer).starts_with(&format!("{name} is a Git LFS pointer")));
    }
    assert_snapshot!(refusal_of("t.parquet", pointer), @r"
    t.parquet is a Git LFS pointer, not the file itself
    hint: run `git lfs pull` in its repository to get the file (`git lfs install` first, if Git does not know `lfs`)
    ");
}

#[test]
fn a_page_in_place_of_a_file() {
    assert_snapshot!(refusal_of("t.csv", "\n<!DOCTYPE html>\n<html><title>Log in</title></html>\n"), @r"
    t.csv is a page of a website (HTML)
    hint: a server sent this page in place of the file, to ask for a login for instance: download the file again
    ");
}

#[test]
fn other_kinds_of_files() {
    let mut tar = vec![0; 600];
    tar[..5].copy_from_slice(b"t.csv");
    tar[257..262].copy_from_slice(b"ustar");
    let said = [
        ("t.zip", b"PK\x03\x04\x14\0\0\0\0\0".to_vec()),
        ("t.csv", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n".to_vec()),
        ("t.tar.gz", gzip(&tar)),
        ("t.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0\0".to_vec()),
        ("t.pkl", b"\x80\x05\x95\x10\0\0\0\0\0\0\0".to_vec()),
        ("t.db", b"SQLite format 3\0".to_vec()),
        ("t.feather", b"FEA1\0\0\0\0".to_vec()),
        ("t.bin", b"\x01\x02\0\x03\0\0\x07".to_vec()),
        ("t.xml", b"<?xml version=\"1.0\"?><rows/>".to_vec()),
    ]
    .map(|(name, bytes)| refusal_of(name, bytes))
    .join("\n");
    assert_snapshot!(said, @r"
    t.zip is a ZIP archive
    hint: unpack it, and name the table that was in it
    t.csv is a PDF document
    hint: name a table, such as a CSV file, with a column of texts
    t.tar.gz is a tar archive
    hint: unpack it, and name the table that was in it
    t.xls is an old Office document (.xls or protected by a password)
    hint: save it as .xlsx without a password, or as CSV
    t.pkl is a pickle of Python, which is not read because it may contain programs
    hint: read it with the program that wrote it, and write a table as Parquet or CSV (`to_parquet` of pandas)
    t.db is an SQLite database
    hint: read it with the program that wrote it, and write a table as Parquet or CSV (`to_parquet` of pandas)
    t.feather is in the first version of Feather
    hint: read it with pandas and write it again with `to_parquet`
    t.bin: files of this kind cannot be read
    hint: use CSV, JSON Lines, Parquet, Arrow or .xlsx
    t.xml is an XML document
    hint: write the table as CSV or JSON Lines
    ");
}

#[test]
fn a_header_that_begins_like_another_kind_of_file() {
    let scratch = Scratch::new();
    let file = scratch.write("t.csv", "ORC,text\nx,y\n");
    assert_eq!(read_texts(&file, "text").unwrap(), ["y"]);
}

#[test]
fn a_folder() {
    let scratch = Scratch::new();
    scratch.write("t.csv/inner.csv", CSV);
    let error = read_texts(&scratch.path("t.csv"), "text").unwrap_err();
    assert_snapshot!(scratch.report(&error), @r"
    t.csv is a folder
    hint: name the file in it
    ");
}

#[test]
fn files_without_rows() {
    for content in
        [b"".to_vec(), b"\n \r\n".to_vec(), gzip(b""), b"[]".to_vec(), b"[ ]\n".to_vec(), b"\xef\xbb\xbf".to_vec()]
    {
        for name in ["t.csv", "t.json", "t.txt", "t.xlsx"] {
            let refusal = refusal_of(name, &content);
            assert!(refusal.starts_with(&format!("{name}: the file has no rows\n")), "{name} {content:?}: {refusal}");
        }
    }
}
