//! Parquet: as pandas, Polars and Hugging Face's `datasets` write it.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow_schema::SchemaRef;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::columnar::{batch_rows, check_schema};
use super::guard::guarded;
use super::progress::report;
use super::{BLOCK_ROWS, Block, WantedColumn};
use crate::error::DataError;

fn malformed(path: &Path, reason: &impl ToString) -> DataError {
    DataError::MalformedParquet { file: path.to_path_buf(), reason: reason.to_string() }
}

/// The columns and their types.
pub(super) fn schema(path: &Path, file: File) -> Result<SchemaRef, DataError> {
    Ok(Arc::clone(opened(path, file)?.schema()))
}

fn opened(path: &Path, file: File) -> Result<ParquetRecordBatchReaderBuilder<File>, DataError> {
    let opened = guarded(|| ParquetRecordBatchReaderBuilder::try_new(file)).map_err(|panic| malformed(path, &panic))?;
    opened.map_err(|error| malformed(path, &error))
}

/// Reads the wanted columns of every row; the others are not even decompressed.
pub(super) fn read<E: From<DataError>>(
    path: &Path,
    file: File,
    wanted: &[WantedColumn],
    mut take: impl FnMut(Block) -> Result<(), E>,
) -> Result<(), E> {
    let builder = opened(path, file)?;
    let all_rows = u64::try_from(builder.metadata().file_metadata().num_rows()).unwrap_or_default();
    let roots = check_schema(path, builder.schema(), wanted)?;
    let mask = ProjectionMask::roots(builder.parquet_schema(), roots);
    let built = guarded(|| builder.with_projection(mask).with_batch_size(BLOCK_ROWS).build());
    let mut batches = built.map_err(|panic| malformed(path, &panic))?.map_err(|error| malformed(path, &error))?;
    let size = std::fs::metadata(path).map_or(0, |metadata| metadata.len());
    let mut n_rows = 0;
    while let Some(batch) = guarded(|| batches.next()).map_err(|panic| malformed(path, &panic))? {
        let batch = batch.map_err(|error| malformed(path, &error))?;
        let rows = batch_rows(path, &batch, wanted, n_rows)?;
        n_rows += batch.num_rows() as u64;
        report(path, (size as f64 * n_rows as f64 / all_rows.max(1) as f64) as u64, size);
        take(Block::Rows(rows))?;
    }
    Ok(())
}
