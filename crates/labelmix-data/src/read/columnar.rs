//! From Arrow's columns to rows of cells, for the formats that are read through Arrow.

use std::ops::Range;
use std::path::Path;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{Array, ArrayRef, OffsetSizeTrait, RecordBatch};
use arrow_cast::cast;
use arrow_schema::{ArrowError, DataType, Schema};

use super::guard::guarded;
use super::{Holds, Row, WantedColumn, check_columns};
use crate::cell::Cell;
use crate::error::DataError;
use crate::place::{Place, RowNumber};

/// Refuses a file whose columns are missing or of a type that cannot hold what they are read for, before any of it
/// is read. The positions of the wanted columns that are there.
pub(super) fn check_schema(path: &Path, schema: &Schema, wanted: &[WantedColumn]) -> Result<Vec<usize>, DataError> {
    let columns: Vec<String> = schema.fields().iter().map(|field| field.name().clone()).collect();
    check_columns(path, wanted, &columns)?;
    let mut positions = Vec::new();
    for column in wanted {
        if let Some((position, field)) = schema.column_with_name(column.name) {
            check_type(path, column, field.data_type())?;
            positions.push(position);
        }
    }
    Ok(positions)
}

fn check_type(path: &Path, column: &WantedColumn, data_type: &DataType) -> Result<(), DataError> {
    let value_type = value_type(data_type);
    let is_number = value_type.is_numeric() || *value_type == DataType::Boolean;
    let is_text = is_string(value_type) || is_binary(value_type) || value_type.is_null();
    let (fits, expected) = match column.holds {
        Holds::Text => (is_text, "text"),
        Holds::Label => (is_text || is_number, "a label"),
        Holds::Anything => (true, "a value that can be written out"),
    };
    if fits {
        return Ok(());
    }
    Err(DataError::WrongType {
        place: Place::file(path),
        column: column.name.to_owned(),
        found: format!("values of type {value_type}"),
        expected,
    })
}

/// The rows of a batch that begins after `n_before` rows of the file.
pub(super) fn batch_rows(
    path: &Path,
    batch: &RecordBatch,
    wanted: &[WantedColumn],
    n_before: u64,
) -> Result<Vec<Row>, DataError> {
    let mut rows: Vec<Row> = (1..=batch.num_rows() as u64)
        .map(|row| Row { number: RowNumber::Row(n_before + row), cells: Vec::with_capacity(wanted.len()) })
        .collect();
    for column in wanted {
        let cells = match batch.column_by_name(column.name) {
            Some(array) => guarded(|| cells(array))
                .unwrap_or_else(|panic| Err(Unwritable { row: None, reason: panic }))
                .map_err(|Unwritable { row, reason }| DataError::WrongType {
                    place: Place { file: path.to_path_buf(), row: row.map(|row| rows[row].number) },
                    column: column.name.to_owned(),
                    found: format!("values of type {} ({reason})", array.data_type()),
                    expected: "a value that can be written out",
                })?,
            None => vec![Cell::Missing; batch.num_rows()],
        };
        for (row, cell) in rows.iter_mut().zip(cells) {
            row.cells.push(cell);
        }
    }
    Ok(rows)
}

/// Why the values of a column cannot be cells, and in which of the rows.
struct Unwritable {
    row: Option<usize>,
    reason: String,
}

impl From<ArrowError> for Unwritable {
    fn from(error: ArrowError) -> Self {
        Self { row: None, reason: error.to_string() }
    }
}

/// The cells of a column of any type: integers, floats, strings, truth values, lists and structs of them; what
/// else there is (dates, decimals) as text.
fn cells(array: &ArrayRef) -> Result<Vec<Cell>, Unwritable> {
    let value_type = value_type(array.data_type());
    match value_type {
        DataType::Null => Ok(vec![Cell::Missing; array.len()]),
        DataType::Boolean => {
            let values = cast(array, &DataType::Boolean)?;
            Ok(values.as_boolean().iter().map(|value| value.map_or(Cell::Missing, Cell::Bool)).collect())
        }
        integer if integer.is_integer() && *integer != DataType::UInt64 => {
            let values = cast(array, &DataType::Int64)?;
            let values = values.as_primitive::<Int64Type>();
            Ok(values.iter().map(|value| value.map_or(Cell::Missing, Cell::Integer)).collect())
        }
        number if number.is_numeric() => {
            let values = cast(array, &DataType::Float64)?;
            let values = values.as_primitive::<Float64Type>();
            Ok(values.iter().map(|value| value.map_or(Cell::Missing, Cell::Number)).collect())
        }
        DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(..) => lists(array),
        DataType::Struct(_) => records(array),
        binary if is_binary(binary) => texts_of_bytes(array),
        _ => {
            let values = cast(array, &DataType::Utf8)?;
            let values = values.as_string::<i32>();
            Ok(values.iter().map(|text| text.map_or(Cell::Missing, |text| Cell::Text(text.to_owned()))).collect())
        }
    }
}

/// Texts whose writer did not say that they are texts.
fn texts_of_bytes(array: &ArrayRef) -> Result<Vec<Cell>, Unwritable> {
    let is_padded = matches!(value_type(array.data_type()), DataType::FixedSizeBinary(_));
    let values = cast(array, &DataType::LargeBinary)?;
    let text = |(row, bytes): (usize, Option<&[u8]>)| {
        let Some(bytes) = bytes else { return Ok(Cell::Missing) };
        let text = str::from_utf8(bytes)
            .map_err(|_| Unwritable { row: Some(row), reason: "bytes that are no UTF-8".to_owned() })?;
        Ok(Cell::Text(if is_padded { text.trim_end_matches('\0') } else { text }.to_owned()))
    };
    values.as_binary::<i64>().iter().enumerate().map(text).collect()
}

fn lists(array: &ArrayRef) -> Result<Vec<Cell>, Unwritable> {
    /// Where each row's values are among all values.
    fn between<O: OffsetSizeTrait>(offsets: &[O]) -> Vec<Range<usize>> {
        offsets.windows(2).map(|pair| pair[0].as_usize()..pair[1].as_usize()).collect()
    }
    let (values, ranges) = match array.data_type() {
        DataType::List(_) => (array.as_list::<i32>().values(), between(array.as_list::<i32>().value_offsets())),
        DataType::LargeList(_) => (array.as_list::<i64>().values(), between(array.as_list::<i64>().value_offsets())),
        _ => {
            let lists = array.as_fixed_size_list();
            let size = lists.value_length() as usize;
            (lists.values(), (0..lists.len()).map(|row| row * size..(row + 1) * size).collect())
        }
    };
    // All values at once: a conversion for every row would cost more than the values.
    let mut values = cells(values)?;
    let mut list = |(row, range): (usize, Range<usize>)| {
        if array.is_null(row) {
            return Cell::Missing;
        }
        Cell::List(values[range].iter_mut().map(|cell| std::mem::replace(cell, Cell::Missing)).collect())
    };
    Ok(ranges.into_iter().enumerate().map(&mut list).collect())
}

fn records(array: &ArrayRef) -> Result<Vec<Cell>, Unwritable> {
    let structs = array.as_struct();
    let mut rows: Vec<Vec<(String, Cell)>> = vec![Vec::with_capacity(structs.num_columns()); array.len()];
    for (name, column) in structs.column_names().into_iter().zip(structs.columns()) {
        for (row, cell) in rows.iter_mut().zip(cells(column)?) {
            row.push((name.to_owned(), cell));
        }
    }
    let record = |(row, entries)| if structs.is_null(row) { Cell::Missing } else { Cell::Record(entries) };
    Ok(rows.into_iter().enumerate().map(record).collect())
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

fn is_binary(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_))
}
