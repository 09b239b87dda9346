//! Excel's workbooks: one sheet with a header. Texts are texts there, whatever they begin with.

use std::fs::File;
use std::io::Write;

use rust_xlsxwriter::{DocProperties, ExcelDateTime, Workbook, XlsxError};

use super::separated::field;
use super::{Sink, SinkError};
use crate::cell::Cell;
use crate::table::{TableColumns, TableRow};

struct Sheet {
    file: File,
    workbook: Workbook,
    columns: Vec<String>,
    rows: u32,
}

pub(super) fn workbook(file: File, columns: &TableColumns) -> Result<Box<dyn Sink>, SinkError> {
    let columns: Vec<String> = columns.columns().iter().map(|column| column.name.clone()).collect();
    let mut workbook = Workbook::new();
    // The same table is the same bytes, whenever it is written.
    let created = ExcelDateTime::from_ymd(2000, 1, 1).map_err(refused)?;
    workbook.set_properties(&DocProperties::new().set_creation_datetime(&created));
    let sheet = workbook.add_worksheet();
    for (column, name) in (0..).zip(&columns) {
        sheet.write_string(0, column, name).map_err(refused)?;
    }
    Ok(Box::new(Sheet { file, workbook, columns, rows: 1 }))
}

impl Sink for Sheet {
    fn write(&mut self, rows: &[TableRow]) -> Result<(), SinkError> {
        let sheet = self.workbook.worksheet_from_index(0).map_err(refused)?;
        for row in rows {
            for (column, name) in (0..).zip(&self.columns) {
                let written = match row.get(name) {
                    None | Some(Cell::Missing) => continue,
                    Some(Cell::Bool(value)) => sheet.write_boolean(self.rows, column, *value),
                    // A sheet has one kind of numbers, of which those beyond 2^53 would be rounded.
                    Some(Cell::Integer(value)) if value.unsigned_abs() < 1 << 53 => {
                        sheet.write_number(self.rows, column, *value as f64)
                    }
                    Some(Cell::Number(value)) if value.is_finite() => sheet.write_number(self.rows, column, *value),
                    Some(cell) => sheet.write_string(self.rows, column, field(cell)),
                };
                written.map_err(refused)?;
            }
            self.rows += 1;
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<File, SinkError> {
        let bytes = self.workbook.save_to_buffer().map_err(refused)?;
        self.file.write_all(&bytes)?;
        Ok(self.file)
    }
}

fn refused(error: XlsxError) -> SinkError {
    match error {
        XlsxError::IoError(error) => SinkError::Io(error),
        XlsxError::MaxStringLengthExceeded => {
            SinkError::TooMuch("a text is longer than the 32,767 characters that a cell of a workbook holds".to_owned())
        }
        XlsxError::RowColumnLimitError => {
            SinkError::TooMuch("a sheet of a workbook holds 1,048,576 rows and 16,384 columns".to_owned())
        }
        other => SinkError::Io(std::io::Error::other(other)),
    }
}
