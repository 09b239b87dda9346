//! Spreadsheets (.xlsx): the sheet that has the columns. Its first row that is not empty is the header.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use calamine::{DataRef, Reader, Xlsx, XlsxError};

use super::guard::guarded;
use super::{BLOCK_ROWS, Block, Holds, Need, Row, WantedColumn, check_columns};
use crate::cell::Cell;
use crate::error::DataError;
use crate::place::RowNumber;

type Workbook = Xlsx<BufReader<File>>;

/// A row of a sheet: its number as the spreadsheet shows it, and its cells that are not empty, with their columns from 0.
type SheetRow<'a> = (u64, Vec<(u32, DataRef<'a>)>);

/// The columns of a sheet: their positions, from 0, and their names.
type SheetColumns = Vec<(u32, String)>;

/// Whole numbers below this have a double-precision number of their own.
const EXACT_BELOW: f64 = 9_007_199_254_740_992.0;

fn malformed(path: &Path, reason: &impl ToString) -> DataError {
    DataError::MalformedSpreadsheet { file: path.to_path_buf(), reason: reason.to_string() }
}

/// The names of the columns, of the first sheet that has any.
pub(super) fn columns(path: &Path, file: File) -> Result<Vec<String>, DataError> {
    let mut workbook = open(path, file)?;
    Ok(chosen(path, &mut workbook, &[])?.1.into_iter().map(|(_, name)| name).collect())
}

/// Reads the rows of the first sheet that has the wanted columns.
pub(super) fn read<E: From<DataError>>(
    path: &Path,
    file: File,
    wanted: &[WantedColumn],
    mut take: impl FnMut(Block) -> Result<(), E>,
) -> Result<(), E> {
    let mut workbook = open(path, file)?;
    let (sheet, columns) = chosen(path, &mut workbook, wanted)?;
    let names: Vec<String> = columns.iter().map(|(_, name)| name.clone()).collect();
    check_columns(path, wanted, &names)?;
    let column_of =
        |wanted: &WantedColumn| columns.iter().find(|(_, name)| name == wanted.name).map(|(column, _)| *column);
    let positions: Vec<Option<u32>> = wanted.iter().map(column_of).collect();

    let mut rows = Vec::new();
    let mut is_header = true;
    let mut taken = Ok(());
    for_each_row(path, &mut workbook, &sheet, |(number, cells)| {
        if std::mem::take(&mut is_header) {
            return true;
        }
        let cell = |(wanted, position): (&WantedColumn, &Option<u32>)| {
            let found = cells.iter().find(|(column, _)| Some(*column) == *position);
            found.map_or(Cell::Missing, |(_, value)| cell_of(value, wanted.holds))
        };
        let cells = wanted.iter().zip(&positions).map(cell).collect();
        rows.push(Row { number: RowNumber::Row(number), cells });
        if rows.len() == BLOCK_ROWS {
            taken = take(Block::Rows(std::mem::take(&mut rows)));
        }
        taken.is_ok()
    })?;
    taken?;
    if rows.is_empty() { Ok(()) } else { take(Block::Rows(rows)) }
}

fn open(path: &Path, file: File) -> Result<Workbook, DataError> {
    let opened = guarded(|| Workbook::new(BufReader::new(file))).map_err(|panic| malformed(path, &panic))?;
    opened.map_err(|error| match error {
        XlsxError::Password => {
            DataError::no_table(path, "protected by a password", "save it without a password, or as CSV")
        }
        error => malformed(path, &error),
    })
}

/// The first sheet with the most of the columns that must be there; with its columns' positions and names.
fn chosen(path: &Path, workbook: &mut Workbook, wanted: &[WantedColumn]) -> Result<(String, SheetColumns), DataError> {
    let mut best: Option<(usize, String, SheetColumns)> = None;
    for sheet in workbook.sheet_names() {
        let mut columns = SheetColumns::new();
        for_each_row(path, workbook, &sheet, |(_, cells)| {
            let name = |(column, value): (u32, DataRef)| {
                let name = cell_of(&value, Holds::Text).exact().map(|name| name.trim().to_owned());
                name.filter(|name| !name.is_empty()).map(|name| (column, name))
            };
            columns = cells.into_iter().filter_map(name).collect();
            false
        })?;
        let is_there = |wanted: &&WantedColumn| columns.iter().any(|(_, name)| name == wanted.name);
        let found = wanted.iter().filter(|wanted| wanted.need != Need::IfThere).filter(is_there).count();
        if !columns.is_empty() && best.as_ref().is_none_or(|(most, ..)| found > *most) {
            best = Some((found, sheet, columns));
        }
    }
    best.map(|(_, sheet, columns)| (sheet, columns)).ok_or_else(|| DataError::NoRows { file: path.to_path_buf() })
}

/// Visits the rows of a sheet that are not empty, until told to stop. Sheets that are no tables, such as charts, have none.
fn for_each_row(
    path: &Path,
    workbook: &mut Workbook,
    sheet: &str,
    mut visit: impl FnMut(SheetRow) -> bool,
) -> Result<(), DataError> {
    let opened = guarded(|| workbook.worksheet_cells_reader(sheet)).map_err(|panic| malformed(path, &panic))?;
    let mut cells = match opened {
        Err(XlsxError::NotAWorksheet(_)) => return Ok(()),
        opened => opened.map_err(|error| malformed(path, &error))?,
    };
    let mut row: SheetRow = (0, Vec::new());
    loop {
        let next = guarded(|| cells.next_cell()).map_err(|panic| malformed(path, &panic))?;
        let next = next.map_err(|error| malformed(path, &error))?;
        let (number, cell) = match next {
            Some(cell) if *cell.get_value() == DataRef::Empty => continue,
            Some(cell) => {
                let (row, column) = cell.get_position();
                (Some(u64::from(row) + 1), Some((column, cell.get_value().clone())))
            }
            None => (None, None),
        };
        if number != Some(row.0) {
            let before = std::mem::replace(&mut row, (number.unwrap_or_default(), Vec::new()));
            if !before.1.is_empty() && !visit(before) {
                return Ok(());
            }
        }
        match cell {
            Some(cell) => row.1.push(cell),
            None => return Ok(()),
        }
    }
}

/// A cell, as a text where a text is wanted: spreadsheets make numbers and dates of what looks like them.
fn cell_of(value: &DataRef, holds: Holds) -> Cell {
    let cell = match value {
        DataRef::Empty => Cell::Missing,
        DataRef::Int(number) => Cell::Integer(*number),
        DataRef::Float(number) if number.fract() == 0.0 && number.abs() < EXACT_BELOW => Cell::Integer(*number as i64),
        DataRef::Float(number) => Cell::Number(*number),
        DataRef::String(text) | DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => Cell::Text(text.clone()),
        DataRef::SharedString(text) => Cell::Text((*text).to_owned()),
        DataRef::Bool(value) => Cell::Bool(*value),
        DataRef::DateTime(date) => {
            let (year, month, day, hour, minute, second, _) = date.to_ymd_hms_milli();
            Cell::Text(format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}"))
        }
        DataRef::Error(error) => Cell::Text(error.to_string()),
    };
    match (holds, cell) {
        (Holds::Text, cell @ (Cell::Integer(_) | Cell::Number(_) | Cell::Bool(_))) => {
            Cell::Text(cell.exact().unwrap_or_default().into_owned())
        }
        (_, cell) => cell,
    }
}
