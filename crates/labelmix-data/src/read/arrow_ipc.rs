//! Arrow's own format: what `save_to_disk` of Hugging Face's `datasets` writes.

use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::path::Path;

use arrow_array::RecordBatch;
use arrow_ipc::reader::{FileReader, StreamReader};
use arrow_schema::{ArrowError, SchemaRef};

use super::columnar::{batch_rows, check_schema};
use super::{Block, WantedColumn};
use crate::error::DataError;

/// The first bytes of Arrow's file format; its streaming format has none of its own.
const FILE_MAGIC: &[u8] = b"ARROW1";

/// A reader of either form.
enum Batches {
    File(FileReader<BufReader<File>>),
    Stream(StreamReader<BufReader<File>>),
}

/// The columns and their types.
pub(super) fn schema(path: &Path, file: File) -> Result<SchemaRef, DataError> {
    Ok(opened(path, file)?.0)
}

/// Reads every row of an Arrow stream, as `datasets` writes it, or of an Arrow file (Feather 2).
pub(super) fn read<E: From<DataError>>(
    path: &Path,
    file: File,
    wanted: &[WantedColumn],
    take: impl FnMut(Block) -> Result<(), E>,
) -> Result<(), E> {
    match opened(path, file)? {
        (schema, Batches::File(reader)) => read_batches(path, &schema, reader, wanted, take),
        (schema, Batches::Stream(reader)) => read_batches(path, &schema, reader, wanted, take),
    }
}

fn opened(path: &Path, mut file: File) -> Result<(SchemaRef, Batches), DataError> {
    let unreadable = |reason| DataError::unreadable(path, &reason);
    let malformed =
        |error: ArrowError| DataError::MalformedArrow { file: path.to_path_buf(), reason: error.to_string() };
    let mut start = Vec::new();
    file.by_ref().take(FILE_MAGIC.len() as u64).read_to_end(&mut start).map_err(unreadable)?;
    file.rewind().map_err(unreadable)?;
    let file = BufReader::new(file);
    if start == FILE_MAGIC {
        let reader = FileReader::try_new(file, None).map_err(malformed)?;
        Ok((reader.schema(), Batches::File(reader)))
    } else {
        let reader = StreamReader::try_new(file, None).map_err(malformed)?;
        Ok((reader.schema(), Batches::Stream(reader)))
    }
}

fn read_batches<E: From<DataError>>(
    path: &Path,
    schema: &SchemaRef,
    batches: impl Iterator<Item = Result<RecordBatch, ArrowError>>,
    wanted: &[WantedColumn],
    mut take: impl FnMut(Block) -> Result<(), E>,
) -> Result<(), E> {
    check_schema(path, schema, wanted)?;
    let mut n_rows = 0;
    for batch in batches {
        let batch =
            batch.map_err(|error| DataError::MalformedArrow { file: path.to_path_buf(), reason: error.to_string() })?;
        let rows = batch_rows(path, &batch, wanted, n_rows)?;
        n_rows += batch.num_rows() as u64;
        take(Block::Rows(rows))?;
    }
    Ok(())
}
