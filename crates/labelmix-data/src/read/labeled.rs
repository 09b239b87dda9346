//! Files that hold each text and its labels in columns of their own.

use std::path::Path;

use super::{Holds, Need, TableFile, WantedColumn, read_blocks};
use crate::cell::Cell;
use crate::clean::{RowsRead, Split};
use crate::error::{DataError, Place, RowNumber};
use crate::example::Example;
use crate::field::KeptFields;

/// The columns of a task's files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnNames {
    /// The column of the text to classify; strings.
    pub text: String,
    /// The column of the gold label. The test file must have it. The training file may lack it where there is a
    /// column of weak labels: then no gold labels are for sale.
    pub gold: String,
    /// The column of the weak label, if there are weak labels. The training file must have it, the test file
    /// may.
    pub weak: Option<String>,
    /// Fields to keep with the examples ([`Example::fields`]); the training file must have them, the test file may.
    pub fields: Vec<String>,
}

/// Reads a training file: every row may have a gold label, a weak label, both or none.
pub(crate) fn read_training(file: &Path, columns: &ColumnNames) -> Result<Vec<Example>, DataError> {
    let gold = if columns.weak.is_some() { Need::IfThere } else { Need::Somewhere };
    read_labeled(file, columns, [gold, Need::Somewhere], |_, _| Ok(()))
}

/// Reads a test file: every row with a text needs a gold label.
pub(crate) fn read_test(file: &Path, columns: &ColumnNames) -> Result<Vec<Example>, DataError> {
    read_labeled(file, columns, [Need::Somewhere, Need::IfThere], |example, place| {
        if example.gold.is_some() {
            return Ok(());
        }
        Err(DataError::UnlabeledTest { place, column: columns.gold.clone() })
    })
}

/// Reads a file of texts with gold labels, without texts that are empty, repeated, or among those `held_out`.
///
/// # Errors
/// [`DataError`] for files, columns and labels that cannot be used.
pub fn read_gold(file: &Path, columns: &ColumnNames, held_out: &[Example]) -> Result<Vec<Example>, DataError> {
    let rows = RowsRead { examples: read_test(file, columns)?, ..RowsRead::default() };
    let mut split = Split::distinct(file.display().to_string(), rows);
    split.hold_out(&held_out.iter().map(|example| example.id).collect());
    Ok(split.finish().0)
}

/// Reads the texts of a file, one for every row and in the rows' order, for instance to predict their classes.
/// Nothing is dropped; a text that is missing in its row is empty.
///
/// # Errors
/// [`DataError`] for a file that cannot be read or has no rows, and for a column that is missing or holds no
/// texts.
pub fn read_texts<'a>(file: impl Into<TableFile<'a>>, text_column: &str) -> Result<Vec<String>, DataError> {
    let file = file.into();
    let mut texts = Vec::new();
    read_blocks(file, &[text(text_column)], |block| {
        texts.extend(block.map(|row| {
            let [cell] = exactly(row.cells);
            text_of(cell, file.path(), row.number, text_column)
        })?);
        Ok::<(), DataError>(())
    })?;
    Ok(texts)
}

/// Reads rows and their labels, `needs` those of gold and weak; `check` refuses rows whose labels do not suffice.
/// Rows without a text are not checked: cleaning drops and counts them.
fn read_labeled(
    file: &Path,
    columns: &ColumnNames,
    needs: [Need; 2],
    check: impl Fn(&Example, Place) -> Result<(), DataError> + Sync,
) -> Result<Vec<Example>, DataError> {
    let label = |name, need| WantedColumn { name, need, holds: Holds::Label };
    let weak_column = columns.weak.as_deref().unwrap_or_default();
    let mut wanted = vec![text(&columns.text), label(&columns.gold, needs[0])];
    wanted.extend(columns.weak.as_deref().map(|weak| label(weak, needs[1])));
    let kept = KeptFields::new(&columns.fields);
    wanted.extend(kept.wanted());

    let mut examples = Vec::new();
    read_blocks(file, &wanted, |block| {
        examples.extend(block.map(|mut row| {
            let fields = kept.take(&mut row);
            row.cells.resize(3, Cell::Missing);
            let [text, gold, weak] = exactly(row.cells);
            let place = || Place::row(file, row.number);
            let text = text_of(text, file, row.number, &columns.text)?;
            let gold = gold.into_gold().map_err(|cell| DataError::GoldLabel {
                place: place(),
                column: columns.gold.clone(),
                value: cell.to_string(),
            })?;
            let weak = weak.into_weak().map_err(|cell| DataError::WeakLabel {
                place: place(),
                column: weak_column.to_owned(),
                value: cell.to_string(),
            })?;
            let example = Example { fields: kept.values(&fields), ..Example::new(text, gold, weak) };
            if !example.text.trim().is_empty() {
                check(&example, place())?;
            }
            Ok(example)
        })?);
        Ok::<(), DataError>(())
    })?;
    Ok(examples)
}

fn text(name: &str) -> WantedColumn<'_> {
    WantedColumn { name, need: Need::EveryRow, holds: Holds::Text }
}

/// The cells of a row, which are as many as were asked for.
fn exactly<const N: usize>(cells: Vec<Cell>) -> [Cell; N] {
    cells.try_into().expect("a reader gives a cell for every wanted column")
}

fn text_of(cell: Cell, file: &Path, number: RowNumber, column: &str) -> Result<String, DataError> {
    match cell {
        Cell::Text(text) => Ok(text),
        Cell::Missing => Ok(String::new()),
        other => Err(DataError::WrongType {
            place: Place::row(file, number),
            column: column.to_owned(),
            found: format!("`{other}`"),
            expected: "text",
        }),
    }
}
