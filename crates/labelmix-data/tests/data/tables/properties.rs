//! Any table of texts is read as it was written, and its rows are on the lines where they were written.

use labelmix_data::{Balance, CleaningOptions, read_texts};
use proptest::prelude::*;

use crate::scratch::Scratch;

/// Texts of the characters that mean something to CSV or JSON, and some others.
fn text() -> impl Strategy<Value = String> {
    proptest::collection::vec(
        prop::sample::select(vec![
            "a", "b c", ",", ";", "\t", "|", "\"", "\n", "\r", "\r\n", "é", "😀", "'", "\\", " ",
        ]),
        0..8,
    )
    .prop_map(|parts| parts.concat())
}

fn quoted(field: &str) -> String {
    format!("\"{}\"", field.replace('"', "\"\""))
}

/// The field as programs write it: in quotes where it needs them.
fn written(field: &str, separator: char, is_always_quoted: bool) -> String {
    let needs_quotes = field.contains([separator, '"', '\n', '\r']) || field.trim().is_empty();
    if needs_quotes || is_always_quoted { quoted(field) } else { field.to_owned() }
}

/// The line on which the next character of the text stands.
fn line_after(text: &str) -> usize {
    text.replace("\r\n", "\n").replace('\r', "\n").matches('\n').count() + 1
}

proptest! {
    #[test]
    fn separated_values(
        rows in proptest::collection::vec((text(), text()), 1..12),
        separator in prop::sample::select(vec![',', '\t', ';', '|']),
        end in prop::sample::select(vec!["\n", "\r\n", "\r"]),
        is_always_quoted: bool,
        has_last_end: bool,
    ) {
        let line = |fields: [&str; 3]| fields.map(|field| written(field, separator, is_always_quoted)).join(&separator.to_string());
        let mut lines = vec![line(["first", "text", "last"])];
        lines.extend(rows.iter().map(|(first, text)| line([first, text, "1"])));
        let content = lines.join(end) + if has_last_end { end } else { "" };
        let scratch = Scratch::new();
        let file = scratch.write("t.csv", &content);
        let expected: Vec<&str> = rows.iter().map(|(_, text)| text.as_str()).collect();
        prop_assert_eq!(read_texts(&file, "text").unwrap(), expected);

        let mut oracle = csv::ReaderBuilder::new().delimiter(separator as u8).from_reader(content.as_bytes());
        let of_oracle: Vec<String> = oracle.records().map(|record| record.unwrap()[1].to_owned()).collect();
        prop_assert_eq!(read_texts(&file, "text").unwrap(), of_oracle);
    }

    #[test]
    fn lines_of_separated_values(
        texts in proptest::collection::vec((text(), 0..3_usize), 1..10),
        end in prop::sample::select(vec!["\n", "\r\n", "\r"]),
        has_mark: bool,
    ) {
        let mut content = format!("{}text,gold,weak{end}", if has_mark { "\u{feff}" } else { "" });
        for (text, blank_lines) in &texts {
            let (row, blank) = (quoted(&format!("x{text}")), end.repeat(*blank_lines));
            content = format!("{content}{row},1,1{end}{blank}");
        }
        let line = line_after(&content);
        content = format!("{content}\"the\nfault\",maybe,1{end}");
        let scratch = Scratch::new();
        scratch.write("t.csv", &content);
        let error = scratch.load("t.csv", &CleaningOptions { balance: Balance::AsIs, max_test: None }).unwrap_err();
        prop_assert!(error.to_string().contains(&format!("t.csv, line {line}, column `gold`")), "{error} is not line {line} of {content:?}");
    }

    #[test]
    fn json_in_every_layout(texts in proptest::collection::vec(text(), 1..10), layout in 0..5_usize, is_crlf: bool) {
        let rows: Vec<serde_json::Value> = texts.iter().map(|text| serde_json::json!({"n": [1, {"x": "]}"}], "text": text})).collect();
        let pretty: Vec<String> = rows.iter().map(|row| serde_json::to_string_pretty(row).unwrap()).collect();
        let compact: Vec<String> = rows.iter().map(ToString::to_string).collect();
        let content = match layout {
            0 => compact.join("\n"),
            1 => serde_json::to_string(&rows).unwrap(),
            2 => serde_json::to_string_pretty(&rows).unwrap(),
            3 => pretty.join("\n"),
            _ => format!("[{}\n]", compact.join(",\n")),
        };
        let content = if is_crlf { content.replace('\n', "\r\n") } else { content };
        let scratch = Scratch::new();
        let file = scratch.write("t.json", content);
        prop_assert_eq!(read_texts(&file, "text").unwrap(), texts);
    }
}
