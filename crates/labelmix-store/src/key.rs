//! Names of what is kept: hashes of everything that determines it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The name of what a stage or a labeler made: 32 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct StageKey(String);

impl TryFrom<String> for StageKey {
    type Error = String;

    /// A key names a folder: anything else might lead out of the store.
    fn try_from(name: String) -> Result<Self, String> {
        if Self::is_key(&name) { Ok(Self(name)) } else { Err(format!("{name:?} is no key of 32 hexadecimal digits")) }
    }
}

impl fmt::Display for StageKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl StageKey {
    /// Whether a name is a key.
    pub(crate) fn is_key(name: &str) -> bool {
        name.len() == 32 && name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    }

    /// The key after which a folder is named.
    pub(crate) fn of_folder(name: String) -> Self {
        Self(name)
    }

    /// The key of what these parts determine.
    pub fn of(parts: &HashedParts) -> Self {
        Self(parts.finish())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A hash of named parts, each with its length, in a fixed order.
pub struct HashedParts(blake3::Hasher);

impl HashedParts {
    /// Nothing yet, of a kind of things.
    pub fn new(schema: &'static str) -> Self {
        Self(blake3::Hasher::new_derive_key(schema))
    }

    /// Adds a part.
    pub fn add(&mut self, name: &str, bytes: &[u8]) {
        for part in [name.as_bytes(), bytes] {
            self.0.update(&(part.len() as u64).to_le_bytes());
            self.0.update(part);
        }
    }

    /// 32 hexadecimal digits.
    pub(crate) fn finish(&self) -> String {
        self.0.finalize().to_hex()[..32].to_owned()
    }
}
