//! Texts that a user gives, as token ids.

use std::path::{Path, PathBuf};

use labelmix_models::{TextLimit, Tokenizer};
use miette::Diagnostic;

/// A row of the input that the model cannot read.
#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("{}, row {row}: {source}", file.display())]
#[diagnostic(help("remove or shorten the text of this row (`labelmix predict` cuts long texts with --cut)"))]
pub(crate) struct UnreadableText {
    file: PathBuf,
    row: usize,
    source: labelmix_models::Error,
}

/// The token ids of each text of `file`.
pub(crate) fn tokenize(
    texts: &[String],
    tokenizer: &Tokenizer,
    limit: TextLimit,
    file: &Path,
) -> Result<Vec<Vec<u32>>, UnreadableText> {
    texts.iter().zip(1..).map(|(text, row)| token_ids(text, tokenizer, limit, file, row)).collect()
}

/// The token ids of the text in a row of `file`.
pub(crate) fn token_ids(
    text: &str,
    tokenizer: &Tokenizer,
    limit: TextLimit,
    file: &Path,
    row: usize,
) -> Result<Vec<u32>, UnreadableText> {
    tokenizer.encode(text, limit).map_err(|source| UnreadableText { file: file.into(), row, source })
}
