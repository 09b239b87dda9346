//! Rows out: JSONL files, written beside their place and renamed, so that a reader never sees half a file.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use serde::Serialize;

use crate::diagnosis::WriteError;

/// Writes a file that is not there yet; `false` if it is.
pub(crate) fn write_new(path: &Path, content: &[u8]) -> Result<bool, WriteError> {
    let mut beside = path.to_path_buf().into_os_string();
    beside.push(format!(".{}", std::process::id()));
    let write = || -> io::Result<bool> {
        let mut file = File::create(&beside)?;
        file.write_all(content)?;
        file.sync_all()?;
        // A link is refused where there is a file, which a renaming would replace.
        let linked = std::fs::hard_link(&beside, path);
        std::fs::remove_file(&beside)?;
        match linked {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error),
        }
    };
    write().map_err(|source| WriteError { place: path.display().to_string(), source })
}

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
