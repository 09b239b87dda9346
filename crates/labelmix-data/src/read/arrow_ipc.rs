//! Arrow's own format: what `save_to_disk` of Hugging Face's `datasets` writes, and Feather 2.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use arrow_array::RecordBatch;
use arrow_ipc::reader::{FileReader, StreamReader};
use arrow_schema::{ArrowError, SchemaRef};

use super::columnar::{batch_rows, check_schema};
use super::guard::guarded;
use super::{BLOCK_ROWS, Block, WantedColumn};
use crate::error::DataError;

/// The batches of a file or of a stream.
pub(super) struct Batches<'a> {
    schema: SchemaRef,
    batches: Box<dyn Iterator<Item = Result<RecordBatch, ArrowError>> + 'a>,
}

fn malformed(path: &Path, reason: impl ToString) -> DataError {
    DataError::MalformedArrow { file: path.to_path_buf(), reason: reason.to_string() }
}

impl<'a> Batches<'a> {
    /// Opens an Arrow file, which is Feather 2.
    pub(super) fn of_file(path: &Path, file: File) -> Result<Self, DataError> {
        let opened = guarded(|| FileReader::try_new(BufReader::new(file), None));
        let reader = opened.map_err(|panic| malformed(path, panic))?.map_err(|error| malformed(path, error))?;
        Ok(Self { schema: reader.schema(), batches: Box::new(reader) })
    }

    /// Opens an Arrow stream, as `datasets` writes it.
    pub(super) fn of_stream(path: &Path, stream: Box<dyn Read + 'a>) -> Result<Self, DataError> {
        let opened = guarded(|| StreamReader::try_new(BufReader::new(stream), None));
        let reader = opened.map_err(|panic| malformed(path, panic))?.map_err(|error| malformed(path, error))?;
        Ok(Self { schema: reader.schema(), batches: Box::new(reader) })
    }

    /// The columns and their types.
    pub(super) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Reads every row.
    pub(super) fn read<E: From<DataError>>(
        mut self,
        path: &Path,
        wanted: &[WantedColumn],
        mut take: impl FnMut(Block) -> Result<(), E>,
    ) -> Result<(), E> {
        check_schema(path, &self.schema, wanted)?;
        let mut n_rows = 0;
        while let Some(batch) = guarded(|| self.batches.next()).map_err(|panic| malformed(path, panic))? {
            let batch = batch.map_err(|error| malformed(path, error))?;
            for start in (0..batch.num_rows()).step_by(BLOCK_ROWS) {
                let part = batch.slice(start, BLOCK_ROWS.min(batch.num_rows() - start));
                take(Block::Rows(batch_rows(path, &part, wanted, n_rows)?))?;
                n_rows += part.num_rows() as u64;
            }
        }
        Ok(())
    }
}
