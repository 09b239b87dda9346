//! Which character separates the fields of a text.

use std::io::Cursor;
use std::path::Path;

use super::records::{Record, Records};
use crate::read::kind::named;
use crate::read::text::Text;

/// Separators, the likelier first.
const SEPARATORS: [u8; 4] = [b',', b'\t', b';', b'|'];

/// Records of a file's beginning that are looked at.
const SAMPLE_RECORDS: usize = 100;

/// How a text is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Dialect {
    pub(super) separator: u8,
    /// Whether the first line is Excel's `sep=`, and no header.
    pub(super) has_sep_line: bool,
}

impl Dialect {
    /// How the text is to be read that begins so: as a `sep=` line says, else with the separator that divides the header
    /// and gives the records as many fields as the header has.
    pub(super) fn of(file: &Path, beginning: &str) -> Self {
        if let Some(separator) = sep_line(beginning) {
            return Self { separator, has_sep_line: true };
        }
        let is_tab_first = named(file, &["tsv", "tab"]);
        let order = if is_tab_first { [b'\t', b',', b';', b'|'] } else { SEPARATORS };
        let mut best = (0.0, 0, order[0]);
        for separator in order {
            let (share, fields) = fit(beginning, separator);
            if fields > 1 && (share, fields) > (best.0, best.1) {
                best = (share, fields, separator);
            }
        }
        Self { separator: best.2, has_sep_line: false }
    }
}

/// The separator that Excel's line `sep=;` names.
fn sep_line(beginning: &str) -> Option<u8> {
    let line = beginning.split(['\n', '\r']).next()?.trim_matches('"');
    let (key, separator) = line.split_at_checked(4)?;
    let separator = separator.bytes().next().unwrap_or(b' ');
    let is_one = line.len() == 5 && separator.is_ascii() && separator != b'"';
    (key.eq_ignore_ascii_case("sep=") && is_one).then_some(separator)
}

/// The share of records that have as many fields as the header if they are separated so, and how many these are.
fn fit(beginning: &str, separator: u8) -> (f64, usize) {
    let bytes = Box::new(Cursor::new(beginning.as_bytes()));
    let Ok(text) = Text::new(bytes, &[], None) else { return (0.0, 0) };
    let mut records = Records::new(text, separator);
    let mut lengths = Vec::new();
    let mut record = Record::default();
    while lengths.len() <= SAMPLE_RECORDS && records.read(&mut record).is_ok_and(|is_record| is_record) {
        lengths.push(record.len());
    }
    // The beginning may end inside a record.
    if lengths.len() > 2 {
        lengths.pop();
    }
    let Some((&header, others)) = lengths.split_first() else { return (0.0, 0) };
    let alike = others.iter().filter(|length| **length == header).count();
    (if others.is_empty() { 1.0 } else { alike as f64 / others.len() as f64 }, header)
}
