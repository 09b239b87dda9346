//! Values with a separator between them: CSV and TSV.

use std::borrow::Cow;
use std::fs::File;

use csv::{Writer, WriterBuilder};

use super::format::Stream;
use super::{Sink, SinkError};
use crate::cell::Cell;
use crate::table::{Ordered, TableColumns, TableRow};

struct Separated {
    out: Writer<Stream>,
    columns: Vec<String>,
}

pub(super) fn table(out: Stream, separator: u8, columns: &TableColumns) -> Result<Box<dyn Sink>, SinkError> {
    let mut out = WriterBuilder::new().delimiter(separator).from_writer(out);
    let columns: Vec<String> = columns.columns().iter().map(|column| column.name.clone()).collect();
    out.write_record(&columns).map_err(refused)?;
    Ok(Box::new(Separated { out, columns }))
}

impl Sink for Separated {
    fn write(&mut self, rows: &[TableRow]) -> Result<(), SinkError> {
        for row in rows {
            let fields = self.columns.iter().map(|column| row.get(column).map_or(Cow::Borrowed(""), field));
            self.out.write_record(fields.map(Cow::into_owned)).map_err(refused)?;
        }
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<File, SinkError> {
        let out = self.out.into_inner().map_err(|error| SinkError::Io(std::io::Error::other(error.to_string())))?;
        Ok(out.finish()?)
    }
}

/// A cell as text: nothing if it is missing, as JSON if it is a list or a record. Numbers with a fraction keep it, so that
/// 1.0 does not become an integer.
pub(super) fn field(cell: &Cell) -> Cow<'_, str> {
    match cell {
        Cell::Number(value) => Cow::Owned(format!("{value:?}")),
        cell => cell.exact().unwrap_or_else(|| Cow::Owned(Ordered::Cell(cell).text())),
    }
}

fn refused(error: csv::Error) -> SinkError {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => SinkError::Io(error),
        other => SinkError::Io(std::io::Error::other(format!("{other:?}"))),
    }
}
