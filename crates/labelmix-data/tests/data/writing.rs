//! Tables out: every format holds what the rows hold.

use std::fs;
use std::io::Read;
use std::path::Path;

use labelmix_data::{DataError, IfThere, TableColumns, TableRow, TableWriteError, TableWriter, read_table};

use crate::scratch::Scratch;

const ROWS: &str = r#"{"text": "=1+1, \"so\"", "id": "007", "n": 1, "x": 0.1, "ok": true, "mixed": 1, "meta": {"year": 2020, "tags": ["a", null]}}
{"text": "zwei\nZeilen", "id": "1e5", "n": null, "x": 2, "ok": null, "mixed": "one", "meta": {"tags": []}, "late": "é 😀"}
"#;

/// Reads a table, and writes it under another name.
fn copied(from: &Path, to: &Path) -> Result<(), TableWriteError> {
    let (mut columns, mut rows) = (TableColumns::default(), Vec::new());
    read_table(from, |row| {
        columns.observe(&row);
        rows.push(row);
        Ok::<(), DataError>(())
    })
    .unwrap();
    let mut writer = TableWriter::create(to, &columns, IfThere::Replace)?;
    for row in rows {
        writer.write(row)?;
    }
    writer.finish()
}

fn table(scratch: &Scratch, name: &str) -> String {
    let from = scratch.write("rows.jsonl", ROWS);
    let to = scratch.path(name);
    copied(&from, &to).unwrap();
    let bytes = fs::read(&to).unwrap();
    let mut text = String::new();
    match to.extension().unwrap().to_str().unwrap() {
        "gz" => flate2::read::MultiGzDecoder::new(&bytes[..]).read_to_string(&mut text).map(|_| ()).unwrap(),
        "zst" => text = String::from_utf8(zstd::decode_all(&bytes[..]).unwrap()).unwrap(),
        _ => text = String::from_utf8(bytes).unwrap(),
    }
    text
}

#[test]
fn texts_are_texts_and_numbers_are_numbers() {
    let scratch = Scratch::new();
    assert_eq!(table(&scratch, "same.jsonl"), ROWS, "lines keep their bytes");
    insta::assert_snapshot!(table(&scratch, "new.csv"), @r#"
    text,id,n,x,ok,mixed,meta,late
    "=1+1, ""so""",007,1,0.1,true,1,"{""year"":2020,""tags"":[""a"",null]}",
    "zwei
    Zeilen",1e5,,2,,one,"{""tags"":[]}",é 😀
    "#);
    insta::assert_snapshot!(table(&scratch, "new.tsv"), @r#"
    text	id	n	x	ok	mixed	meta	late
    "=1+1, ""so"""	007	1	0.1	true	1	"{""year"":2020,""tags"":[""a"",null]}"	
    "zwei
    Zeilen"	1e5		2		one	"{""tags"":[]}"	é 😀
    "#);
    let array: serde_json::Value = serde_json::from_str(&table(&scratch, "new.json")).unwrap();
    let lines: Vec<serde_json::Value> = ROWS.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(array, serde_json::Value::Array(lines));
    for (plain, compressed) in [("new.csv", "new.csv.gz"), ("new.jsonl", "new.jsonl.zst"), ("new.json", "new.json.gz")]
    {
        assert_eq!(table(&scratch, compressed), table(&scratch, plain));
    }
}

#[test]
fn formats_of_columns_give_each_one_a_type() {
    let scratch = Scratch::new();
    let from = scratch.write("rows.jsonl", ROWS);
    for name in ["new.parquet", "new.arrow"] {
        let to = scratch.path(name);
        copied(&from, &to).unwrap();
        // Missing keys are nulls in a table.
        let again = scratch.path("again.jsonl");
        copied(&to, &again).unwrap();
        insta::allow_duplicates! {
            insta::assert_snapshot!(fs::read_to_string(&again).unwrap(), @r#"
            {"text":"=1+1, \"so\"","id":"007","n":1,"x":0.1,"ok":true,"mixed":"1","meta":{"year":2020,"tags":["a",null]},"late":null}
            {"text":"zwei\nZeilen","id":"1e5","n":null,"x":2.0,"ok":null,"mixed":"one","meta":{"year":null,"tags":[]},"late":"é 😀"}
            "#);
        }
    }
}

#[test]
fn a_workbook_is_the_same_bytes_each_time_and_has_its_limits() {
    let scratch = Scratch::new();
    let from = scratch.write("rows.jsonl", ROWS);
    let bytes = |name: &str| {
        copied(&from, &scratch.path(name)).unwrap();
        fs::read(scratch.path(name)).unwrap()
    };
    assert_eq!(bytes("a.xlsx"), bytes("b.xlsx"));
    let long = scratch.write("long.jsonl", format!("{{\"text\": \"{}\"}}\n", "x".repeat(40_000)));
    let error = copied(&long, &scratch.path("long.xlsx")).unwrap_err();
    assert!(error.to_string().contains("32,767 characters"), "{error}");
    assert!(!scratch.path("long.xlsx").exists());
}

#[test]
fn names_say_the_format() {
    let scratch = Scratch::new();
    let from = scratch.write("rows.jsonl", ROWS);
    let refused = |name: &str| copied(&from, &scratch.path(name)).unwrap_err().to_string();
    for name in ["out.xls", "out", "out.gz", "out.csv.bz2"] {
        assert!(refused(name).contains("the name says no format"), "{name}");
    }
    assert!(refused("out.parquet.gz").contains("Parquet files are not compressed from outside"));
    assert!(refused("nowhere/out.csv").contains("nowhere/out.csv: "));
    copied(&from, &scratch.path("OUT.CSV")).unwrap();
    let mut row = None;
    read_table(&from, |first| {
        row.get_or_insert(first);
        Ok::<(), DataError>(())
    })
    .unwrap();
    let row: TableRow = row.unwrap();
    assert_eq!(row.text(&from, "text").unwrap(), "=1+1, \"so\"");
    assert!(
        row.text(&from, "n")
            .unwrap_err()
            .to_string()
            .ends_with("rows.jsonl, line 1, column `n`: `1`, where text is needed")
    );
}
