//! Git LFS pointers: what a repository of the Hub that was cloned without git-lfs has in the place of its large files.

use std::path::Path;

use crate::error::{Error, Result};

const BEGINNING: &[u8] = b"version https://git-lfs.github.com/spec/";

/// Reads a file of a checkpoint, unless it is a pointer.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>> {
    let bytes = std::fs::read(path).map_err(|source| Error::Read { path: path.into(), source })?;
    refuse_pointer(path, &bytes)?;
    Ok(bytes)
}

/// An error if the contents of a file are those of a pointer.
pub(crate) fn refuse_pointer(path: &Path, bytes: &[u8]) -> Result<()> {
    if bytes.starts_with(BEGINNING) { Err(Error::LfsPointer { path: path.into() }) } else { Ok(()) }
}
