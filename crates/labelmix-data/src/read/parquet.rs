//! Parquet: as pandas, Polars and Hugging Face's `datasets` write it.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow_schema::SchemaRef;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::columnar::{batch_rows, check_schema};
use super::{BLOCK_ROWS, Block, WantedColumn};
use crate::error::DataError;

/// The columns and their types.
pub(super) fn schema(path: &Path, file: File) -> Result<SchemaRef, DataError> {
    Ok(Arc::clone(opened(path, file)?.schema()))
}

fn opened(path: &Path, file: File) -> Result<ParquetRecordBatchReaderBuilder<File>, DataError> {
    ParquetRecordBatchReaderBuilder::try_new(file)
        .map_err(|error| DataError::MalformedParquet { file: path.to_path_buf(), reason: error.to_string() })
}

/// Reads the wanted columns of every row; the others are not even decompressed.
pub(super) fn read<E: From<DataError>>(
    path: &Path,
    file: File,
    wanted: &[WantedColumn],
    mut take: impl FnMut(Block) -> Result<(), E>,
) -> Result<(), E> {
    let malformed = |reason: String| DataError::MalformedParquet { file: path.to_path_buf(), reason };
    let builder = opened(path, file)?;
    let roots = check_schema(path, builder.schema(), wanted)?;
    let mask = ProjectionMask::roots(builder.parquet_schema(), roots);
    let batches = builder
        .with_projection(mask)
        .with_batch_size(BLOCK_ROWS)
        .build()
        .map_err(|error| malformed(error.to_string()))?;
    let mut n_rows = 0;
    for batch in batches {
        let batch = batch.map_err(|error| malformed(error.to_string()))?;
        let rows = batch_rows(path, &batch, wanted, n_rows)?;
        n_rows += batch.num_rows() as u64;
        take(Block::Rows(rows))?;
    }
    Ok(())
}
