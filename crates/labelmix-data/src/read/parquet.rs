//! Parquet: as pandas, Polars and Hugging Face's `datasets` write it.

use std::fs::File;
use std::path::Path;

use arrow_array::{Array, ArrayRef, cast::AsArray, types::Float64Type};
use arrow_cast::cast;
use arrow_schema::{ArrowError, DataType};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::{LabelColumn, RawRow, Wanted};
use crate::cell::Cell;
use crate::error::{DataError, Place, RowNumber};

/// Reads the wanted columns of every row; the others are not even decompressed.
pub(super) fn read(path: &Path, file: File, wanted: &Wanted) -> Result<Vec<RawRow>, DataError> {
    let malformed = |reason: String| DataError::MalformedParquet { file: path.to_path_buf(), reason };
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| malformed(error.to_string()))?;
    let schema = builder.schema().clone();
    let columns: Vec<String> = schema.fields().iter().map(|f| f.name().clone()).collect();
    wanted.check(path, &columns)?;

    let labels = [wanted.gold, wanted.weak].into_iter().flatten();
    let mut roots = Vec::new();
    for (name, expected) in
        std::iter::once((wanted.text, Kind::Text)).chain(labels.map(|label| (label.name, Kind::Label)))
    {
        if let Some((root, field)) = schema.column_with_name(name) {
            check_type(path, name, field.data_type(), expected)?;
            roots.push(root);
        }
    }
    let mask = ProjectionMask::roots(builder.parquet_schema(), roots);
    let batches = builder.with_projection(mask).build().map_err(|error| malformed(error.to_string()))?;

    let mut rows = Vec::new();
    for batch in batches {
        let batch = batch.map_err(|error| malformed(error.to_string()))?;
        let cells = |column: Option<&str>| match column.and_then(|name| batch.column_by_name(name)) {
            Some(array) => read_cells(array).map_err(|error| malformed(error.to_string())),
            None => Ok(vec![Cell::Missing; batch.num_rows()]),
        };
        let label_cells = |label: Option<LabelColumn>| cells(label.map(|label| label.name));
        let texts = cells(Some(wanted.text))?;
        let golds = label_cells(wanted.gold)?;
        let weaks = label_cells(wanted.weak)?;
        for ((text, gold), weak) in texts.into_iter().zip(golds).zip(weaks) {
            rows.push(RawRow { number: RowNumber::Row(rows.len() as u64 + 1), text, gold, weak });
        }
    }
    Ok(rows)
}

/// What a column is read for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Label,
}

/// Refuses a column whose type cannot hold what it is read for, before any of it is read.
fn check_type(path: &Path, column: &str, data_type: &DataType, kind: Kind) -> Result<(), DataError> {
    let value_type = value_type(data_type);
    let is_number = value_type.is_numeric() || *value_type == DataType::Boolean;
    let fits = is_string(value_type) || value_type.is_null() || kind == Kind::Label && is_number;
    if fits {
        return Ok(());
    }
    Err(DataError::WrongType {
        place: Place::file(path),
        column: column.to_owned(),
        found: format!("values of type {value_type}"),
        expected: match kind {
            Kind::Text => "text",
            Kind::Label => "a label",
        },
    })
}

/// The cells of a column of strings, or of anything that casts to numbers: integers, floats, decimals, booleans
/// (as 0 and 1) and nulls.
fn read_cells(array: &ArrayRef) -> Result<Vec<Cell>, ArrowError> {
    if is_string(value_type(array.data_type())) {
        let strings = cast(array, &DataType::Utf8)?;
        let strings = strings.as_string::<i32>();
        Ok(strings.iter().map(|text| text.map_or(Cell::Missing, |text| Cell::Text(text.to_owned()))).collect())
    } else {
        let numbers = cast(array, &DataType::Float64)?;
        let numbers = numbers.as_primitive::<Float64Type>();
        Ok(numbers.iter().map(|number| number.map_or(Cell::Missing, Cell::Number)).collect())
    }
}

/// The type of the values, seen through a dictionary.
fn value_type(data_type: &DataType) -> &DataType {
    match data_type {
        DataType::Dictionary(_, values) => values,
        plain => plain,
    }
}

fn is_string(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}
