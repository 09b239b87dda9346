//! The file of a table, what is known of it beside its contents, and what is said of it after reading.

use std::path::{Path, PathBuf};

use super::Encoding;
use crate::place::RowNumber;

/// A file of a table: its path, and its encoding where it was named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TableFile<'a> {
    path: &'a Path,
    encoding: Option<Encoding>,
}

impl<'a> TableFile<'a> {
    /// The file at `path`, a text file in UTF-8 or UTF-16 if it is one.
    pub fn new(path: &'a Path) -> Self {
        Self { path, encoding: None }
    }

    /// The same file in this encoding. `None` stands for UTF-8 or UTF-16; what is no text file has no encoding.
    pub fn in_encoding(self, encoding: Option<Encoding>) -> Self {
        Self { encoding, ..self }
    }

    /// The file's path.
    pub fn path(self) -> &'a Path {
        self.path
    }

    /// The encoding that was named.
    pub fn encoding(self) -> Option<Encoding> {
        self.encoding
    }
}

impl<'a> From<&'a Path> for TableFile<'a> {
    fn from(path: &'a Path) -> Self {
        Self::new(path)
    }
}

impl<'a> From<&'a PathBuf> for TableFile<'a> {
    fn from(path: &'a PathBuf) -> Self {
        Self::new(path)
    }
}

/// What had to be mended to read a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TableNotes {
    /// Halves of surrogate pairs in JSON, such as `\ud83d` alone: each was read as U+FFFD, the replacement character.
    pub replaced_surrogates: u64,
    /// The first row with one.
    pub first_at: Option<RowNumber>,
}
