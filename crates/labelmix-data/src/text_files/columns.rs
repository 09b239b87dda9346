//! Which columns hold the text and its labels, and how a text is made of several.

use std::path::Path;
use std::sync::Arc;

use minijinja::value::Value;
use serde::{Deserialize, Serialize};

use super::labels::LabelValues;
use super::options::TextOptions;
use crate::cell::Cell;
use crate::error::DataError;
use crate::example::{ROUNDS, Round};
use crate::field::KeptFields;
use crate::place::Place;
use crate::read::{Encoding, Holds, Need, TableFile, WantedColumn};
use crate::table::TableRow;
use crate::task::{Fields, TextTemplate, render_error, value_of};

/// The columns of files of texts, and what their cells mean.
#[derive(Debug, Clone, PartialEq)]
pub struct TextColumns {
    /// Where the text to classify is.
    pub text: TextSource,
    /// The column of the gold label. The test file must have it. The training file may lack it where there is a
    /// column of weak labels: then no gold labels are for sale.
    pub gold: String,
    /// The columns of weak labels, one for each annotator; none where there are no weak labels. The training file must have
    /// them, the test file may.
    pub weak: Vec<String>,
    /// What the cells of label columns mean.
    pub values: LabelValues,
    /// A column whose rows of one value stay together: all in training or all in the test set.
    pub group: Option<String>,
    /// How text formats are encoded, where it is not Unicode.
    pub encoding: Option<Encoding>,
}

/// Where the text of a row is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TextSource {
    /// In a column.
    Column(String),
    /// In several columns: what they hold, a line each; empty ones are left out.
    Columns(Vec<String>),
    /// Made by a template over the row's columns, in Jinja's language.
    Template(String),
}

impl<S: AsRef<str> + ?Sized> From<&S> for TextSource {
    /// A column.
    fn from(name: &S) -> Self {
        Self::Column(name.as_ref().to_owned())
    }
}

impl Default for TextColumns {
    /// `text`, `gold` and `weak`.
    fn default() -> Self {
        Self {
            text: TextSource::Column("text".to_owned()),
            gold: "gold".to_owned(),
            weak: vec!["weak".to_owned()],
            values: LabelValues::default(),
            group: None,
            encoding: None,
        }
    }
}

impl TextColumns {
    /// The columns ready to read rows.
    pub(super) fn reading(&self, options: &TextOptions) -> Result<RowColumns, DataError> {
        let text = TextReader::new(&self.text)?;
        if let TextReader::Template { template, .. } = &text
            && let Some(shown) =
                std::iter::once(&self.gold).chain(&self.weak).find(|name| template.variables.contains(*name))
        {
            return Err(DataError::TemplateShowsLabel { column: shown.clone() });
        }
        Ok(RowColumns {
            text,
            gold: self.gold.clone(),
            weak: if options.weak_from_elsewhere { Vec::new() } else { self.weak.clone() },
            values: self.values.clone(),
            group: self.group.clone(),
            fields: KeptFields::new(options.fields),
            encoding: self.encoding,
        })
    }
}

/// [`TextColumns`] ready to read rows.
pub(super) struct RowColumns {
    pub(super) text: TextReader,
    pub(super) gold: String,
    pub(super) weak: Vec<String>,
    pub(super) values: LabelValues,
    pub(super) group: Option<String>,
    pub(super) fields: KeptFields,
    pub(super) encoding: Option<Encoding>,
}

impl RowColumns {
    /// A file with these columns.
    pub(super) fn table<'a>(&self, file: &'a Path) -> TableFile<'a> {
        TableFile::new(file).in_encoding(self.encoding)
    }

    /// The columns to ask a file for, in the order of a row's cells: those of the text, gold, weak, the group, the rounds, and
    /// the kept fields. `needs` are those of gold and weak labels.
    pub(super) fn wanted(&self, needs: [Need; 2]) -> Vec<WantedColumn<'_>> {
        let mut wanted = self.text.wanted();
        wanted.push(WantedColumn { name: &self.gold, need: needs[0], holds: Holds::Label });
        wanted.extend(self.weak.iter().map(|name| WantedColumn { name, need: needs[1], holds: Holds::Label }));
        wanted.extend(self.group.iter().map(|name| WantedColumn {
            name,
            need: Need::Somewhere,
            holds: Holds::Anything,
        }));
        wanted.extend(ROUNDS.map(|name| WantedColumn { name, need: Need::IfThere, holds: Holds::Anything }));
        wanted.extend(self.fields.wanted());
        wanted
    }
}

/// How the text of a row is read.
pub(super) enum TextReader {
    Column(String),
    Columns(Vec<String>),
    Template { template: Box<TextTemplate>, names: Vec<Arc<str>> },
}

impl TextReader {
    /// # Errors
    /// If a template cannot be parsed.
    pub(crate) fn new(source: &TextSource) -> Result<Self, DataError> {
        Ok(match source {
            TextSource::Column(name) => Self::Column(name.clone()),
            TextSource::Columns(names) => Self::Columns(names.clone()),
            TextSource::Template(source) => {
                let template = TextTemplate::parse("[task] template".to_owned(), source)
                    .map_err(|error| DataError::Template { cause: Box::new(error) })?;
                let names = template.variables.iter().map(|name| Arc::from(name.as_str())).collect();
                Self::Template { template: Box::new(template), names }
            }
        })
    }

    /// The columns to ask for.
    pub(crate) fn wanted(&self) -> Vec<WantedColumn<'_>> {
        let column = |name, need, holds| WantedColumn { name, need, holds };
        match self {
            Self::Column(name) => vec![column(name, Need::EveryRow, Holds::Text)],
            Self::Columns(names) => names.iter().map(|name| column(name, Need::Somewhere, Holds::Text)).collect(),
            Self::Template { names, .. } => {
                names.iter().map(|name| column(name, Need::Somewhere, Holds::Anything)).collect()
            }
        }
    }

    /// The text of a row, of whose cells the first are those of [`wanted`](Self::wanted).
    ///
    /// # Errors
    /// If a cell holds no text, or the template cannot be rendered.
    pub(crate) fn text(&self, cells: &mut [Cell], place: impl Fn() -> Place) -> Result<String, DataError> {
        match self {
            Self::Column(name) => text_of(std::mem::replace(&mut cells[0], Cell::Missing), name, place),
            Self::Columns(names) => {
                let mut parts = Vec::with_capacity(names.len());
                for (name, cell) in names.iter().zip(cells) {
                    let part = text_of(std::mem::replace(cell, Cell::Missing), name, &place)?;
                    if !part.trim().is_empty() {
                        parts.push(part);
                    }
                }
                Ok(parts.join("\n"))
            }
            Self::Template { template, names } => {
                let fields = names.iter().zip(cells).map(|(name, cell)| (Arc::clone(name), value_of(cell)));
                let text = template.render(Value::from_object(Fields(fields.collect())));
                text.map_err(|error| DataError::Template {
                    cause: Box::new(render_error(place(), &template.title, &error)),
                })
            }
        }
    }
}

/// How the text of a whole row is found or made.
pub struct RowText(TextReader);

impl RowText {
    /// # Errors
    /// If a template cannot be parsed.
    pub fn new(source: &TextSource) -> Result<Self, DataError> {
        Ok(Self(TextReader::new(source)?))
    }

    /// The text of a row of `file`; empty where there is none.
    ///
    /// # Errors
    /// If a column is missing, holds something else, or the template cannot be rendered.
    pub fn of(&self, row: &TableRow, file: &Path) -> Result<String, DataError> {
        if let TextReader::Column(name) = &self.0 {
            return row.text(file, name).map(str::to_owned);
        }
        let cell = |column: &WantedColumn| row.get(column.name).cloned().unwrap_or(Cell::Missing);
        let mut cells: Vec<Cell> = self.0.wanted().iter().map(cell).collect();
        self.0.text(&mut cells, || row.place(file))
    }
}

/// A cell as a text; nothing where it is missing.
fn text_of(cell: Cell, column: &str, place: impl Fn() -> Place) -> Result<String, DataError> {
    match cell {
        Cell::Text(text) => Ok(text),
        Cell::Missing => Ok(String::new()),
        other => Err(DataError::WrongType {
            place: place(),
            column: column.to_owned(),
            found: format!("`{other}`"),
            expected: "text",
        }),
    }
}

/// The round of a label that `ingest` noted; 0 where nothing is noted.
pub(super) fn round_of(cell: &Cell, column: &str, place: impl Fn() -> Place) -> Result<Round, DataError> {
    let text = cell.class_name().unwrap_or_default();
    if text.is_empty() {
        return Ok(0);
    }
    text.parse().map_err(|_| DataError::WrongType {
        place: place(),
        column: column.to_owned(),
        found: format!("`{cell}`"),
        expected: "the whole number that `labelmix ingest` wrote there",
    })
}
