//! Tables that pandas writes are read as pandas reads them, in every format × encoding × compression.

use std::collections::BTreeMap;
use std::process::Command;

use labelmix_data::{TableFile, read_texts};
use serde::Deserialize;

use crate::scratch::Scratch;

#[derive(Deserialize)]
struct Case {
    file: String,
    encoding: Option<String>,
    columns: BTreeMap<String, Vec<String>>,
}

#[test]
fn what_pandas_writes_is_read_as_pandas_reads_it() {
    let python = std::env::var("LABELMIX_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let needed = "import openpyxl, pandas, pyarrow, zstandard";
    let is_there = Command::new(&python).args(["-c", needed]).output().is_ok_and(|output| output.status.success());
    if !is_there {
        eprintln!(
            "skipped: {python} has not all of openpyxl, pandas, pyarrow and zstandard (LABELMIX_TEST_PYTHON names another)"
        );
        return;
    }
    let scratch = Scratch::new();
    let folder = scratch.write("cases.jsonl", "").parent().unwrap().to_owned();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/tables/round_trip.py");
    let output = Command::new(&python).arg(script).arg(&folder).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let cases = std::fs::read_to_string(folder.join("cases.jsonl")).unwrap();
    let cases: Vec<Case> = cases.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut differing = Vec::new();
    for case in &cases {
        let encoding = case.encoding.as_ref().map(|name| name.parse().unwrap());
        for (column, expected) in &case.columns {
            let file = folder.join(&case.file);
            match read_texts(TableFile::from(&file).in_encoding(encoding), column) {
                Ok(texts) if texts == *expected => {}
                Ok(texts) => {
                    let first = texts.iter().zip(expected).find(|(read, expected)| read != expected);
                    differing.push(format!(
                        "{}, `{column}`: {} rows for {}, {first:?}",
                        case.file,
                        texts.len(),
                        expected.len()
                    ));
                }
                Err(error) => differing.push(format!("{}, `{column}`: {error}", case.file)),
            }
        }
    }
    assert!(differing.is_empty(), "of {} files:\n{}", cases.len(), differing.join("\n"));
    eprintln!("{} files are read as pandas reads them", cases.len());
}
