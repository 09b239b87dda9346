//! JSON in every layout: a value a line, lists, values over several lines.

use insta::assert_snapshot;
use labelmix_data::{CleaningOptions, field_names};

use super::{refusal_of, texts_of, training_refusal_of};
use crate::scratch::Scratch;

const PRETTY: &str =
    "{\n  \"text\": \"a [b] {c}\",\n  \"gold\": 1\n}\n{\n  \"text\": \"\\\"d\\\\\",\n  \"gold\": 0\n}\n";

#[test]
fn every_layout_of_the_same_rows() {
    let list = format!("[\n{}]", PRETTY.replacen("}\n{", "},\n{", 1));
    let joined = PRETTY.replace('\n', "");
    let comma_separated = PRETTY.replacen("}\n{", "},\n{", 1);
    let with_carriage_returns = PRETTY.replace('\n', "\r");
    for content in [PRETTY, &list, &joined, &comma_separated, &with_carriage_returns, &format!("\u{feff}\n{list}\n")] {
        for name in ["t.json", "t.jsonl", "t.txt"] {
            assert_eq!(texts_of(name, content), ["a [b] {c}", "\"d\\"], "{content}");
        }
    }
}

#[test]
fn lists_longer_than_a_block_are_read_whole() {
    let row = |row: usize| format!("  {{\"text\": \"row {row} {}\", \"gold\": {}}}", "]},{[\\\"".repeat(20), row % 2);
    let rows: Vec<String> = (0..60_000).map(row).collect();
    let texts = texts_of("t.json", format!("[\n{}\n]\n", rows.join(",\n")));
    assert_eq!(texts.len(), 60_000);
    assert!(texts.iter().enumerate().all(|(row, text)| text.starts_with(&format!("row {row} ]}},{{["))));
}

#[test]
fn a_fault_is_on_the_line_where_its_object_begins() {
    let list =
        "[\n  {\"text\": \"a\", \"gold\": 1, \"weak\": 1},\n\n  {\n    \"text\": \"b\",\n    \"gold\": 2\n  }\n]\n";
    for end in ["\n", "\r\n", "\r"] {
        let refusal = training_refusal_of("t.json", list.replace('\n', end));
        assert!(refusal.starts_with("t.json, line 4, column `gold`: `2`"), "{end:?}: {refusal}");
    }
}

#[test]
fn a_parser_s_complaint_is_on_its_own_line() {
    assert_snapshot!(training_refusal_of("t.json", "[\n  {\n    \"text\": \"a\",\n    \"weak\": NaN\n  }\n]\n"), @r#"
    t.json, line 4: not a JSON object: expected value at byte 13 of the line, `NaN`
    hint: each row must be one complete object, such as {"text": "...", "gold": 1}; a missing value is null (JSON knows no NaN or Infinity)
    "#);
}

#[test]
fn lists_and_objects_that_do_not_end() {
    let said = [
        "[{\"text\": \"a\"},\n {\"text\": \"b\"}\n",
        "[{\"text\": \"a\"},\n {\"text\": \"b",
        "{\n\"text\": \"a\"\n}\n{\n\"text\": \"b\"\n",
        "[\n{\"text\": \"a},\n{\"text\": \"b\"}]",
        "{\"text\": \"a\"}]\n{\"text\": \"b\"}",
    ]
    .map(|content| refusal_of("t.json", content).lines().next().unwrap().to_owned())
    .join("\n");
    assert_snapshot!(said, @r"
    t.json, line 1: not a JSON object: the file ends before the list that begins here does
    t.json, line 2: not a JSON object: the file ends in the middle of it
    t.json, line 4: not a JSON object: the file ends in the middle of it
    t.json, line 2: not a JSON object: a line ends inside a string
    t.json, line 1: not a JSON object: a `]` that closes nothing
    ");
}

#[test]
fn a_file_of_columns() {
    assert_snapshot!(refusal_of("t.json", r#"{"text": {"0": "a", "1": "b"}, "gold": {"0": 1, "1": 0}}"#), @r#"
    t.json, line 1: one JSON object for all rows, with the keys `text`, `gold`
    hint: each row must be an object of its own, such as {"text": "...", "gold": 1}: with pandas, write the file with `to_json(path, orient="records", lines=True)`; of a list inside an object, write the list alone
    "#);
    for content in [
        r#"{"text": ["a", "b"], "gold": [1, 0]}"#,
        r#"{"columns": ["text"], "index": [0], "data": [["a"]]}"#,
        r#"{"0": {"text": "a", "gold": 1}, "1": {"text": "b", "gold": 0}}"#,
        r#"{"data": [{"text": "a"}]}"#,
    ] {
        assert!(refusal_of("t.json", content).starts_with("t.json, line 1: one JSON object for all rows"), "{content}");
    }
}

#[test]
fn half_of_a_surrogate_pair_is_a_replacement_character() {
    let content = r#"{"text": "a\ud83d", "gold": 1}
{"text": "\ude00\ud83d\ude00 \\ud83d", "gold": 0}
"#;
    assert_eq!(texts_of("t.jsonl", content), ["a\u{fffd}", "\u{fffd}😀 \\ud83d"]);
    assert_eq!(
        texts_of("t.json", format!("[{}]", content.trim().replace('\n', ","))),
        ["a\u{fffd}", "\u{fffd}😀 \\ud83d"]
    );
}

#[test]
fn items_that_are_no_objects() {
    for content in ["[1, 2]", "[\"a\"]", "[[\"a\"]]", "[{\"text\": \"a\"}, null]"] {
        assert!(refusal_of("t.json", content).contains("not a JSON object: invalid type"), "{content}");
    }
}

#[test]
fn values_nested_beyond_measure_are_refused() {
    assert!(refusal_of("t.json", "{\"text\": ".to_owned() + &"[".repeat(100_000)).contains("not a JSON object"));
    let closed = format!("{{\"text\": {}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(refusal_of("t.json", closed).contains("not a JSON object"));
}

#[test]
fn a_column_that_begins_late_is_found() {
    let scratch = Scratch::new();
    let content = "[{\"text\": \"a\", \"gold\": 1},\n{\"text\": \"b\", \"gold\": 0, \"weak\": 0.5}]";
    assert_eq!(field_names(&scratch.write("t.json", content)).unwrap(), ["text", "gold", "weak"]);
    assert!(scratch.load("t.json", &CleaningOptions::default()).is_ok());
}
