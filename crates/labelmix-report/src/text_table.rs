//! Tables as text.

use comfy_table::{Cell, CellAlignment, ContentArrangement, LineStyle, Table, TableStyle};

/// How the text is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// Whether the terminal's escape codes may be used.
    pub colours: Colours,
    /// The columns there are; wider tables wrap their cells. `None` for as many as it takes.
    pub width: Option<u16>,
}

/// Whether the terminal's escape codes may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colours {
    /// The best splits are bold.
    On,
    /// Plain text.
    Off,
}

impl Style {
    /// Plain text of any width, for files.
    pub const PLAIN: Self = Self { colours: Colours::Off, width: None };
}

/// Columns set apart by space, the header by a line.
const RULED: TableStyle = TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

pub(crate) fn table_with_header(style: Style, header: impl IntoIterator<Item = String>) -> Table {
    let mut table = plain_table(style);
    table.set_header(header.into_iter().map(Cell::new).collect::<Vec<_>>());
    table
}

/// A table that is yet without a header.
pub(crate) fn plain_table(style: Style) -> Table {
    let mut table = Table::new();
    // Whether this is a terminal is the caller's to know, and the table's to be told.
    table.force_no_tty().load_style(RULED);
    if style.colours == Colours::On {
        table.enforce_styling();
    }
    if let Some(width) = style.width {
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    }
    table
}

/// A line that stands out where colours may be used.
pub(crate) fn bold(line: &str, style: Style) -> String {
    match style.colours {
        Colours::On => format!("\u{1b}[1m{line}\u{1b}[0m"),
        Colours::Off => line.to_owned(),
    }
}

pub(crate) fn align_right(table: &mut Table, columns: &[usize]) {
    for column in table.column_iter_mut().filter(|column| columns.contains(&column.index)) {
        column.set_cell_alignment(CellAlignment::Right);
    }
}
