//! Rows out: JSONL files, written beside their place and renamed, so that a reader never sees half a file.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use serde::Serialize;

use crate::diagnosis::WriteError;

/// Writes a line for each row, in place of what the file held.
pub(crate) fn write_rows(path: &Path, rows: impl IntoIterator<Item = impl Serialize>) -> Result<(), WriteError> {
    let mut beside = path.to_path_buf().into_os_string();
    beside.push(format!(".{}", std::process::id()));
    let write = || -> io::Result<()> {
        let mut file = BufWriter::new(File::create(&beside)?);
        for row in rows {
            serde_json::to_writer(&mut file, &row)?;
            file.write_all(b"\n")?;
        }
        file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        std::fs::rename(&beside, path)
    };
    write().map_err(|source| WriteError { place: path.display().to_string(), source })
}
