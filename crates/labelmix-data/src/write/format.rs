//! What a file's name says about it, and the stream that compresses text.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use flate2::write::GzEncoder;

use super::TableWriteError;

/// A format in which a table can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TableFormat {
    Text(TextFormat, Compression),
    Parquet,
    /// Arrow's file format, which is Feather 2.
    Arrow,
    Workbook,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TextFormat {
    JsonLines,
    JsonArray,
    /// Fields with this byte between them.
    Separated(u8),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compression {
    None,
    Gzip,
    Zstandard,
}

impl TableFormat {
    /// The format that a name says.
    pub(super) fn of(path: &Path) -> Result<Self, TableWriteError> {
        let extension = |path: &Path| path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        let compression = match extension(path).as_str() {
            "gz" => Compression::Gzip,
            "zst" => Compression::Zstandard,
            _ => Compression::None,
        };
        let inner = if compression == Compression::None { path.to_path_buf() } else { path.with_extension("") };
        let whole = |format: Self, name: &'static str| {
            let path = path.to_path_buf();
            if compression == Compression::None {
                Ok(format)
            } else {
                Err(TableWriteError::Compressed { path, format: name })
            }
        };
        match extension(&inner).as_str() {
            "jsonl" | "ndjson" => Ok(Self::Text(TextFormat::JsonLines, compression)),
            "json" => Ok(Self::Text(TextFormat::JsonArray, compression)),
            "csv" => Ok(Self::Text(TextFormat::Separated(b','), compression)),
            "tsv" => Ok(Self::Text(TextFormat::Separated(b'\t'), compression)),
            "parquet" => whole(Self::Parquet, "Parquet"),
            "arrow" | "feather" => whole(Self::Arrow, "Arrow"),
            "xlsx" => whole(Self::Workbook, "Excel"),
            _ => Err(TableWriteError::UnknownFormat { path: path.to_path_buf() }),
        }
    }
}

/// A file of text, compressed on the way or not.
pub(super) enum Stream {
    Plain(BufWriter<File>),
    Gzip(BufWriter<GzEncoder<File>>),
    Zstandard(BufWriter<zstd::Encoder<'static, File>>),
}

impl Stream {
    pub(super) fn new(file: File, compression: Compression) -> io::Result<Self> {
        Ok(match compression {
            Compression::None => Self::Plain(BufWriter::new(file)),
            Compression::Gzip => Self::Gzip(BufWriter::new(GzEncoder::new(file, flate2::Compression::default()))),
            Compression::Zstandard => {
                Self::Zstandard(BufWriter::new(zstd::Encoder::new(file, zstd::DEFAULT_COMPRESSION_LEVEL)?))
            }
        })
    }

    /// Writes what is left, and the end of the compression.
    pub(super) fn finish(self) -> io::Result<File> {
        match self {
            Self::Plain(file) => file.into_inner().map_err(io::IntoInnerError::into_error),
            Self::Gzip(encoder) => encoder.into_inner().map_err(io::IntoInnerError::into_error)?.finish(),
            Self::Zstandard(encoder) => encoder.into_inner().map_err(io::IntoInnerError::into_error)?.finish(),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(file) => file.write(bytes),
            Self::Gzip(encoder) => encoder.write(bytes),
            Self::Zstandard(encoder) => encoder.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(file) => file.flush(),
            Self::Gzip(encoder) => encoder.flush(),
            Self::Zstandard(encoder) => encoder.flush(),
        }
    }
}
