//! A table before it is written in some format.

/// A table. Every row has as many cells as the header.
pub(super) struct Sheet {
    /// What its files are called.
    pub(super) name: &'static str,
    pub(super) caption: String,
    pub(super) header: Vec<String>,
    /// How many columns from the left hold names; the others hold numbers.
    pub(super) text_columns: usize,
    pub(super) rows: Vec<Vec<Cell>>,
}

/// A cell.
pub(super) struct Cell {
    pub(super) text: String,
    /// What is said of it in parentheses.
    pub(super) note: Option<String>,
    pub(super) bold: bool,
}

impl Cell {
    pub(super) fn plain(text: &str) -> Self {
        Self { text: text.to_owned(), note: None, bold: false }
    }
}
