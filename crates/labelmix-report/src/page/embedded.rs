//! How long lists of numbers are written into the page.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::{Serialize, Serializer};
use serde_json::Value;

/// Numbers as 32-bit floats, the lowest byte first, in base64: six bytes a number, and seven digits of it.
#[derive(Debug)]
pub(super) struct Floats(pub(super) Vec<f64>);

impl Serialize for Floats {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let bytes: Vec<u8> = self.0.iter().flat_map(|number| (*number as f32).to_le_bytes()).collect();
        serializer.serialize_str(&BASE64_STANDARD.encode(bytes))
    }
}

/// Entries as a table: the names of their fields once, then the values of each.
#[derive(Debug)]
pub(super) struct Rows<T>(pub(super) Vec<T>);

impl<T: Serialize> Serialize for Rows<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields: Vec<String> = Vec::new();
        let mut rows: Vec<Vec<Value>> = Vec::with_capacity(self.0.len());
        for entry in &self.0 {
            let Value::Object(entry) = serde_json::to_value(entry).map_err(serde::ser::Error::custom)? else {
                return Err(serde::ser::Error::custom("an entry has fields"));
            };
            if fields.is_empty() {
                fields = entry.keys().cloned().collect();
            }
            rows.push(entry.into_iter().map(|(_, value)| value).collect());
        }
        serde_json::json!({ "fields": fields, "rows": rows }).serialize(serializer)
    }
}

/// A number to so many places after the point, for what is only shown.
pub(super) fn rounded(number: f64, places: i32) -> f64 {
    let scale = 10f64.powi(places);
    (number * scale).round() / scale
}
