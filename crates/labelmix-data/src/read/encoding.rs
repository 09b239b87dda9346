//! The encodings of text files that are not UTF-8.

use std::fmt;
use std::str::FromStr;

use miette::Diagnostic;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The encoding of a text file, by its usual name: `windows-1252`, `utf-16le`, `shift_jis` and all others that browsers
/// know. Names are read as Python and iconv write them too (`cp1252`, `latin_1`, `utf-8-sig`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Encoding(pub(super) &'static encoding_rs::Encoding);

impl Encoding {
    /// The encoding's usual name, in small letters: `windows-1252`.
    pub fn name(self) -> String {
        self.0.name().to_ascii_lowercase()
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

/// A name that is no encoding's.
#[derive(Debug, Clone, PartialEq, Eq, Error, Diagnostic)]
#[error("`{name}` is no encoding that is known")]
#[diagnostic(help(
    "usual names are utf-8, utf-16, windows-1252 (Western European), windows-1250 (Central European), windows-1251 (Cyrillic), shift_jis, euc-kr, gb18030 and big5"
))]
pub struct UnknownEncoding {
    /// The name that was given.
    pub name: String,
}

impl FromStr for Encoding {
    type Err = UnknownEncoding;

    fn from_str(name: &str) -> Result<Self, UnknownEncoding> {
        let label = name.trim().to_ascii_lowercase();
        let dashed = label.replace('_', "-");
        let label = match dashed.as_str() {
            "cp932" | "ms932" => "shift_jis",
            "cp936" => "gbk",
            "cp949" => "euc-kr",
            "cp950" => "big5",
            "latin-1" => "latin1",
            "mac-roman" => "macintosh",
            "utf-8-sig" => "utf-8",
            "utf-16-le" => "utf-16le",
            "utf-16-be" => "utf-16be",
            dashed if encoding_rs::Encoding::for_label(dashed.as_bytes()).is_some() => dashed,
            _ => label.as_str(),
        };
        encoding_rs::Encoding::for_label_no_replacement(label.as_bytes())
            .map(Self)
            .ok_or_else(|| UnknownEncoding { name: name.to_owned() })
    }
}

impl TryFrom<String> for Encoding {
    type Error = UnknownEncoding;

    fn try_from(name: String) -> Result<Self, UnknownEncoding> {
        name.parse()
    }
}

impl From<Encoding> for String {
    fn from(encoding: Encoding) -> Self {
        encoding.name()
    }
}
