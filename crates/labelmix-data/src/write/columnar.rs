//! Parquet and Arrow: a type for each column, from what its values have in common.

use std::fs::File;
use std::io;
use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, Float64Array, Int64Array, ListArray, RecordBatch, StringArray, StructArray};
use arrow_buffer::OffsetBuffer;
use arrow_ipc::writer::FileWriter;
use arrow_schema::{ArrowError, DataType, Field, Fields, Schema, SchemaRef};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use super::separated::field as written;
use super::{Sink, SinkError};
use crate::cell::Cell;
use crate::table::{Column, ColumnKind, TableColumns, TableRow};

/// Rows of a group: few enough that a group which is being gathered stays small.
const GROUP_ROWS: usize = 1 << 16;

struct Parquet {
    columns: Vec<Column>,
    schema: SchemaRef,
    out: ArrowWriter<File>,
}

struct Arrow {
    columns: Vec<Column>,
    schema: SchemaRef,
    out: FileWriter<File>,
}

pub(super) fn parquet(file: File, columns: &TableColumns) -> Result<Box<dyn Sink>, SinkError> {
    let (columns, schema) = schema_of(columns);
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_max_row_group_row_count(Some(GROUP_ROWS))
        .build();
    let out = ArrowWriter::try_new(file, Arc::clone(&schema), Some(properties)).map_err(of_parquet)?;
    Ok(Box::new(Parquet { columns, schema, out }))
}

pub(super) fn arrow(file: File, columns: &TableColumns) -> Result<Box<dyn Sink>, SinkError> {
    let (columns, schema) = schema_of(columns);
    let out = FileWriter::try_new(file, &schema).map_err(of_arrow)?;
    Ok(Box::new(Arrow { columns, schema, out }))
}

impl Sink for Parquet {
    fn write(&mut self, rows: &[TableRow]) -> Result<(), SinkError> {
        self.out.write(&batch(&self.schema, &self.columns, rows)?).map_err(of_parquet)
    }

    fn finish(self: Box<Self>) -> Result<File, SinkError> {
        self.out.into_inner().map_err(of_parquet)
    }
}

impl Sink for Arrow {
    fn write(&mut self, rows: &[TableRow]) -> Result<(), SinkError> {
        self.out.write(&batch(&self.schema, &self.columns, rows)?).map_err(of_arrow)
    }

    fn finish(self: Box<Self>) -> Result<File, SinkError> {
        self.out.into_inner().map_err(of_arrow)
    }
}

fn of_parquet(error: ParquetError) -> SinkError {
    SinkError::Io(io::Error::other(error))
}

fn of_arrow(error: ArrowError) -> SinkError {
    match error {
        ArrowError::IoError(_, error) => SinkError::Io(error),
        other => SinkError::Io(io::Error::other(other)),
    }
}

fn schema_of(columns: &TableColumns) -> (Vec<Column>, SchemaRef) {
    let columns = columns.columns().to_vec();
    let schema = Arc::new(Schema::new(fields(&columns)));
    (columns, schema)
}

fn fields(columns: &[Column]) -> Fields {
    columns.iter().map(|column| Field::new(&column.name, data_type(&column.kind), true)).collect()
}

fn item(kind: &ColumnKind) -> Arc<Field> {
    Arc::new(Field::new_list_field(data_type(kind), true))
}

/// Values of several kinds, and those of which none is known, are text.
fn data_type(kind: &ColumnKind) -> DataType {
    match kind {
        ColumnKind::Bool => DataType::Boolean,
        ColumnKind::Integer => DataType::Int64,
        ColumnKind::Number => DataType::Float64,
        ColumnKind::Missing | ColumnKind::Text | ColumnKind::Mixed => DataType::Utf8,
        ColumnKind::List(items) => DataType::List(item(items)),
        ColumnKind::Record(columns) => DataType::Struct(fields(columns)),
    }
}

fn batch(schema: &SchemaRef, columns: &[Column], rows: &[TableRow]) -> Result<RecordBatch, SinkError> {
    let cells = |column: &Column| rows.iter().map(|row| row.get(&column.name)).collect::<Vec<_>>();
    let arrays = columns.iter().map(|column| array(&column.kind, &cells(column))).collect();
    RecordBatch::try_new(Arc::clone(schema), arrays).map_err(of_arrow)
}

/// The cells of a column, of which some are missing.
fn array(kind: &ColumnKind, cells: &[Option<&Cell>]) -> ArrayRef {
    let present: Vec<bool> = cells.iter().map(|cell| !matches!(cell, None | Some(Cell::Missing))).collect();
    match kind {
        ColumnKind::Bool => {
            let values = cells.iter().map(|cell| if let Some(Cell::Bool(value)) = cell { Some(*value) } else { None });
            Arc::new(values.collect::<BooleanArray>())
        }
        ColumnKind::Integer => {
            let values =
                cells.iter().map(|cell| if let Some(Cell::Integer(value)) = cell { Some(*value) } else { None });
            Arc::new(values.collect::<Int64Array>())
        }
        ColumnKind::Number => {
            let values = cells.iter().map(|cell| match cell {
                Some(Cell::Number(value)) => Some(*value),
                Some(Cell::Integer(value)) => Some(*value as f64),
                _ => None,
            });
            Arc::new(values.collect::<Float64Array>())
        }
        ColumnKind::Missing | ColumnKind::Text | ColumnKind::Mixed => {
            let texts = cells.iter().copied().map(|cell| cell.filter(|cell| **cell != Cell::Missing).map(written));
            Arc::new(texts.collect::<StringArray>())
        }
        ColumnKind::List(items) => {
            let lists: Vec<&[Cell]> = cells
                .iter()
                .copied()
                .map(|cell| if let Some(Cell::List(list)) = cell { list.as_slice() } else { &[] })
                .collect();
            let values: Vec<Option<&Cell>> = lists.iter().flat_map(|list| list.iter().map(Some)).collect();
            let offsets = OffsetBuffer::from_lengths(lists.iter().map(|list| list.len()));
            Arc::new(ListArray::new(item(items), offsets, array(items, &values), Some(present.into())))
        }
        ColumnKind::Record(columns) => {
            let arrays = columns.iter().map(|Column { name, kind }| {
                let inner = cells.iter().copied().map(|cell| cell?.at(std::slice::from_ref(name)));
                array(kind, &inner.collect::<Vec<_>>())
            });
            Arc::new(StructArray::new(fields(columns), arrays.collect(), Some(present.into())))
        }
    }
}
