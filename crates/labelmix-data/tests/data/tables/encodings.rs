//! Texts in other encodings than UTF-8.

use std::path::PathBuf;

use insta::assert_snapshot;
use labelmix_data::{Encoding, TableFile, UnknownEncoding, read_texts};

use super::kinds::gzip;
use super::{refusal_of, texts_of};
use crate::scratch::Scratch;

const CSV: &str = "text,gold\nÄrger über Süßes,1\n„naïve“ café,0\n";
const JSON: &str = "[{\"text\": \"Ärger über Süßes\"}, {\"text\": \"„naïve“ café\"}]";
const TEXTS: [&str; 2] = ["Ärger über Süßes", "„naïve“ café"];

fn utf_16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(bytes).collect()
}

fn windows_1252(text: &str) -> Vec<u8> {
    encoding_rs::WINDOWS_1252.encode(text).0.into_owned()
}

fn in_encoding<'a>(file: &'a PathBuf, name: &str) -> TableFile<'a> {
    TableFile::from(file).in_encoding(Some(name.parse().unwrap()))
}

#[test]
fn utf_16_of_both_orders_with_and_without_mark() {
    for content in [CSV, JSON] {
        for mark in ["", "\u{feff}"] {
            for order in [u16::to_le_bytes, u16::to_be_bytes] {
                let bytes = utf_16(&format!("{mark}{content}"), order);
                assert_eq!(texts_of("t.txt", &bytes), TEXTS);
                assert_eq!(texts_of("t.gz", gzip(&bytes)), TEXTS);
            }
        }
    }
}

#[test]
fn an_encoding_that_is_named() {
    let scratch = Scratch::new();
    for content in [CSV, JSON] {
        let file = scratch.write("t.txt", windows_1252(content));
        let file = in_encoding(&file, "windows-1252");
        assert_eq!(read_texts(file, "text").unwrap(), TEXTS);
    }
    let file = scratch.write("t.csv", encoding_rs::SHIFT_JIS.encode("text,gold\n表示,1\nソース,0\n").0);
    let file = in_encoding(&file, "cp932");
    assert_eq!(read_texts(file, "text").unwrap(), ["表示", "ソース"]);
}

#[test]
fn a_byte_order_mark_is_right_whatever_is_named() {
    let scratch = Scratch::new();
    let file = scratch.write("t.csv", format!("\u{feff}{CSV}"));
    assert_eq!(read_texts(in_encoding(&file, "latin1"), "text").unwrap(), TEXTS);
}

#[test]
fn the_names_of_python_and_of_browsers() {
    let name = |name: &str| name.parse::<Encoding>().unwrap().to_string();
    for latin in ["windows-1252", "cp1252", "latin1", "latin_1", "ISO-8859-1", "Latin-1"] {
        assert_eq!(name(latin), "windows-1252", "{latin}");
    }
    assert_eq!(["utf-8-sig", "utf_8", "UTF8"].map(name), ["utf-8"; 3]);
    assert_eq!(["utf-16", "utf_16_le", "UTF-16BE"].map(name), ["utf-16le", "utf-16le", "utf-16be"]);
    assert_eq!(["cp932", "euc_jp", "mac_roman", "koi8_r"].map(name), ["shift_jis", "euc-jp", "macintosh", "koi8-r"]);
    for unknown in ["cp850", "utf-7", "iso-2022-kr", ""] {
        assert_eq!(unknown.parse::<Encoding>(), Err(UnknownEncoding { name: unknown.to_owned() }));
    }
}

#[test]
fn the_hint_for_a_file_in_another_encoding_names_the_line_to_add() {
    assert_snapshot!(refusal_of("t.csv", windows_1252(CSV)), @r#"
    t.csv, line 2: byte 0xC4 at offset 10 of the file is not valid UTF-8
    hint: if the file is in windows-1252, say so: `encoding = "windows-1252"` in [task] of the study or [local] of a task file, `--encoding windows-1252` for a file named on the command line; or save the file as UTF-8
    "#);
    let russian = encoding_rs::WINDOWS_1251.encode("text\nэто был очень хороший фильм\n").0;
    assert!(refusal_of("t.csv", russian).contains("`encoding = \"windows-1251\"` in [task]"));
    let japanese = encoding_rs::SHIFT_JIS.encode("text\nとても面白い映画でした\n").0;
    assert!(refusal_of("t.csv", japanese).contains("`encoding = \"shift_jis\"`"));
}

#[test]
fn the_encoding_of_a_hint_reads_the_file() {
    let scratch = Scratch::new();
    let file = scratch.write("t.csv", windows_1252(CSV));
    let hint = scratch.report(&read_texts(&file, "text").unwrap_err());
    let name = hint.split('"').nth(1).unwrap();
    assert_eq!(read_texts(in_encoding(&file, name), "text").unwrap(), TEXTS);
}

#[test]
fn one_line_in_another_encoding_is_no_encoding_of_the_file() {
    let bytes = [CSV.as_bytes(), &windows_1252("naïf,1\n")].concat();
    assert_snapshot!(refusal_of("t.csv", bytes), @r"
    t.csv, line 4: byte 0xEF at offset 56 of the file is not valid UTF-8
    hint: the text before it is UTF-8, so that this line was damaged or pasted from elsewhere: correct it and save the file again
    ");
}

#[test]
fn lines_of_bad_bytes_are_counted_as_editors_do() {
    for end in ["\n", "\r\n", "\r"] {
        let bytes = [format!("text{end}a{end}{end}b").as_bytes(), b"\xff", end.as_bytes()].concat();
        assert!(refusal_of("t.csv", bytes).starts_with("t.csv, line 4: byte 0xFF at offset "), "{end:?}");
    }
    let cut = "text\né".as_bytes();
    assert!(refusal_of("t.csv", &cut[..cut.len() - 1]).starts_with("t.csv, line 2: byte 0xC3 at offset 5"));
}

#[test]
fn bytes_that_are_none_in_the_named_encoding() {
    let scratch = Scratch::new();
    let file = scratch.write("t.csv", b"text,gold\na,1\n\x81\xff,1\n");
    let error = read_texts(in_encoding(&file, "shift_jis"), "text").unwrap_err();
    assert!(
        scratch.report(&error).starts_with("t.csv, line 3: byte 0x81 at offset 14 of the file is not valid Shift_JIS")
    );
}

#[test]
fn utf_32_is_called_by_its_name() {
    let bytes: Vec<u8> = "\u{feff}text\na\n".chars().flat_map(|character| (character as u32).to_le_bytes()).collect();
    assert!(refusal_of("t.csv", bytes).starts_with("t.csv is a text in UTF-32"));
}
