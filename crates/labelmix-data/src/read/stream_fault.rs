//! What is wrong with the bytes of a file, on its way through [`std::io::Error`].
//!
//! Files are read through layers (the file, what decompresses it, what decodes it), and all of them speak of errors as
//! [`std::io::Error`]. A layer that knows more puts a [`StreamFault`] into one; [`refused`] takes it out.

use std::io;
use std::path::Path;

use thiserror::Error;

use super::Encoding;
use super::compression::Compression;
use crate::error::DataError;
use crate::place::{Place, RowNumber};

#[derive(Debug, Clone, Error)]
pub(super) enum StreamFault {
    #[error("the {0} data end too early")]
    CutShort(Compression),
    #[error("damaged {compression} data: {reason}")]
    Damaged { compression: Compression, reason: String },
    #[error("bytes that are no text")]
    NotText(BadText),
}

/// Bytes that are none in the text's encoding.
#[derive(Debug, Clone, Copy)]
pub(super) struct BadText {
    /// The encoding in which the text was read.
    pub(super) encoding: Encoding,
    /// The line, from 1.
    pub(super) line: u64,
    /// The first byte at fault.
    pub(super) byte: u8,
    /// Its offset in the text, from 0.
    pub(super) offset: u64,
    /// What the text's encoding may be instead; `None` if the rest is what it should be.
    pub(super) likely: Option<Encoding>,
}

impl From<StreamFault> for io::Error {
    fn from(fault: StreamFault) -> Self {
        Self::new(io::ErrorKind::InvalidData, fault)
    }
}

impl StreamFault {
    /// The fault in an error that a layer of this module made.
    pub(super) fn of(error: &io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }
}

/// An error of reading, as the user is told of it.
pub(super) fn refused(file: &Path, error: &io::Error) -> DataError {
    let file_name = || file.to_path_buf();
    match StreamFault::of(error) {
        None => DataError::unreadable(file, error),
        Some(StreamFault::CutShort(compression)) => {
            DataError::CutShort { file: file_name(), compression: compression.name() }
        }
        Some(StreamFault::Damaged { compression, reason }) => {
            DataError::Undecompressed { file: file_name(), compression: compression.name(), reason: reason.clone() }
        }
        Some(StreamFault::NotText(bad)) => DataError::InvalidText {
            place: Place::row(file, RowNumber::Line(bad.line)),
            encoding: bad.encoding.0.name(),
            byte: bad.byte,
            offset: bad.offset,
            advice: advice(*bad),
        },
    }
}

fn advice(bad: BadText) -> String {
    let Some(likely) = bad.likely else {
        return format!(
            "the text before it is {}, so that this line was damaged or pasted from elsewhere: correct it and save the \
             file again",
            bad.encoding.0.name()
        );
    };
    format!(
        "if the file is in {likely}, say so: `encoding = \"{likely}\"` in [task] of the study or [local] of a task \
         file, `--encoding {likely}` for a file named on the command line; or save the file as UTF-8"
    )
}
