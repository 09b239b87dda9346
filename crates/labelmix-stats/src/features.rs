//! Feature vectors of many rows, most of whose entries are zero.

use crate::error::{Result, StatsError};

/// A matrix of features, `[rows, columns]`, that stores the entries that are not zero, row by row.
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureMatrix {
    columns: usize,
    /// Each entry's column.
    entry_columns: Vec<u32>,
    /// Each entry's value.
    entry_values: Vec<f64>,
    /// Where each row's entries start, and where the last row's end: `rows + 1` numbers.
    starts: Vec<usize>,
}

impl FeatureMatrix {
    /// A matrix without rows.
    pub fn new(columns: usize) -> Self {
        Self { columns, entry_columns: Vec::new(), entry_values: Vec::new(), starts: vec![0] }
    }

    /// A matrix from rows that name every column's value.
    ///
    /// # Errors
    /// If a value is not finite.
    ///
    /// # Panics
    /// If the rows differ in length.
    pub fn from_dense<R: AsRef<[f64]>>(rows: &[R]) -> Result<Self> {
        let columns = rows.first().map_or(0, |row| row.as_ref().len());
        let mut matrix = Self::new(columns);
        for row in rows {
            assert_eq!(row.as_ref().len(), columns, "rows of equal length");
            let entries = (0u32..).zip(row.as_ref().iter().copied());
            matrix.push_row(entries.filter(|(_, value)| *value != 0.0))?;
        }
        Ok(matrix)
    }

    /// Appends a row, given as the columns and values of its entries in any order. Entries of one column add up.
    ///
    /// # Errors
    /// If a column does not exist or a value is not finite. The matrix is then as it was.
    pub fn push_row(&mut self, entries: impl IntoIterator<Item = (u32, f64)>) -> Result<()> {
        let (row, start) = (self.rows(), self.entry_columns.len());
        for (column, value) in entries {
            let error = if column as usize >= self.columns {
                Some(StatsError::ColumnOutOfRange { row, column: column as usize, columns: self.columns })
            } else if !value.is_finite() {
                Some(StatsError::NotFinite { quantity: "a feature", item: row, value })
            } else {
                None
            };
            if let Some(error) = error {
                self.entry_columns.truncate(start);
                self.entry_values.truncate(start);
                return Err(error);
            }
            self.entry_columns.push(column);
            self.entry_values.push(value);
        }
        self.starts.push(self.entry_columns.len());
        Ok(())
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.starts.len() - 1
    }

    /// The number of columns.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// The column and the value of each of a row's entries.
    pub(crate) fn row(&self, row: usize) -> impl Iterator<Item = (usize, f64)> {
        let range = self.starts[row]..self.starts[row + 1];
        let columns = self.entry_columns[range.clone()].iter().map(|column| *column as usize);
        columns.zip(self.entry_values[range].iter().copied())
    }

    /// The inner product of a row with a vector, `[columns]`.
    pub(crate) fn dot(&self, row: usize, vector: &[f64]) -> f64 {
        self.row(row).map(|(column, value)| value * vector[column]).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sparse_and_dense_rows_are_the_same() {
        let dense = FeatureMatrix::from_dense(&[[1.0, 0.0, 2.0], [0.0, 0.0, 0.0]]).unwrap();
        let mut sparse = FeatureMatrix::new(3);
        sparse.push_row([(0, 1.0), (2, 2.0)]).unwrap();
        sparse.push_row([]).unwrap();
        assert_eq!(dense, sparse);
        assert_eq!((dense.rows(), dense.columns(), dense.dot(0, &[1.0, 10.0, 100.0])), (2, 3, 201.0));
    }

    #[test]
    fn refuses_a_bad_row_and_keeps_the_others() {
        let mut matrix = FeatureMatrix::new(2);
        matrix.push_row([(1, 1.0)]).unwrap();
        let before = matrix.clone();
        let error = matrix.push_row([(0, 1.0), (2, 1.0)]).unwrap_err();
        assert_eq!(error.to_string(), "row 1 has a feature in column 2, but there are only 2 columns");
        let error = matrix.push_row([(0, f64::NAN)]).unwrap_err();
        assert_eq!(error.to_string(), "a feature of item 1 is NaN, not a finite number");
        assert_eq!(matrix, before);
    }
}
