//! The values of a column, for advice about it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use rayon::slice::ParallelSliceMut;

use crate::cell::Cell;
use crate::error::DataError;
use crate::read::{Holds, Need, TableFile, WantedColumn, read_blocks};

/// Every distinct value of a column with its number of rows, the most frequent first; `None` beyond so many distinct ones.
pub(super) fn values_of(file: TableFile, column: &str, at_most: usize) -> Option<Vec<(String, usize)>> {
    let wanted = [WantedColumn { name: column, need: Need::IfThere, holds: Holds::Anything }];
    let mut counts = BTreeMap::<String, usize>::new();
    let read = read_blocks(file, &wanted, |block| {
        let names =
            block.map(|row| Ok::<_, DataError>(row.cells.first().and_then(Cell::class_name).map(Cow::into_owned)))?;
        for name in names.into_iter().flatten() {
            *counts.entry(name).or_default() += 1;
            if counts.len() > at_most {
                return Err(DataError::NoRows { file: file.path().to_path_buf() });
            }
        }
        Ok(())
    });
    read.ok()?;
    let mut counts: Vec<(String, usize)> = counts.into_iter().collect();
    counts.par_sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    Some(counts)
}
