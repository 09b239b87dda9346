//! From files to examples: each row filtered, judged and rendered, on all cores.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use minijinja::ErrorKind;
use minijinja::value::Value;

use super::columns::ColumnSet;
use super::definition::TaskDefinition;
use super::draw::Draws;
use super::error::TaskError;
use super::kind::{Judged, Kind};
use super::template::{Condition, Fields, TextTemplate, reason, syntax_error, value_of};
use super::weak::{VoteTable, mean_vote, votes_of};
use crate::clean::RowsRead;
use crate::error::DataError;
use crate::example::{Example, ExampleId};
use crate::field::KeptFields;
use crate::place::Place;
use crate::read::{Block, Encoding, Holds, Need, Row, TableFile, WantedColumn, read_blocks};

/// A task ready to read rows.
#[derive(Debug, Clone)]
pub(super) struct RowReader {
    /// The columns that every row needs, in the order of a row's first cells.
    columns: ColumnSet,
    /// The positions of the columns that templates and filters see, with their names.
    visible: Vec<(usize, Arc<str>)>,
    pub(super) kind: Kind,
    template: TextTemplate,
    proxy: Option<TextTemplate>,
    filters: Vec<(Condition, String)>,
    draws: Draws,
    /// The positions of the columns by which is drawn.
    draw_by: Vec<usize>,
    share: f64,
    weak: Weak,
    /// In the row's last cells.
    fields: KeptFields,
    encoding: Option<Encoding>,
}

/// Where the weak labels of a row are.
#[derive(Debug, Clone)]
enum Weak {
    None,
    /// In the row's cells after those of the columns that every row needs.
    Columns(Vec<String>),
    /// In a file, by the key at this position; without one by the example's id.
    Joined(Option<usize>),
}

/// What rows are read for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Training,
    Testing,
}

/// What became of a row.
enum Outcome {
    LeftOut(String),
    Example(Example),
}

impl RowReader {
    /// Parses the templates of a checked definition and finds out which columns they take. `draw_by` overrides the
    /// columns by which is drawn.
    pub(super) fn new(task: &str, definition: &TaskDefinition, draw_by: Option<&[String]>) -> Result<Self, TaskError> {
        let mut columns = ColumnSet::default();
        let kind = Kind::new(definition, &mut columns);
        let template = TextTemplate::parse(format!("task {task}, text template"), &definition.template)?;
        let proxy = definition.proxy.as_deref();
        let proxy =
            proxy.map(|source| TextTemplate::parse(format!("task {task}, proxy template"), source)).transpose()?;
        let mut filters = Vec::new();
        for filter in &definition.filters {
            let condition = Condition::parse(format!("task {task}, filter `{}`", filter.keep), &filter.keep)?;
            let reason = filter.reason.clone().unwrap_or_else(|| format!("not `{}`", filter.keep));
            filters.push((condition, reason));
        }

        let templates = || [Some(&template), proxy.as_ref()].into_iter().flatten();
        let mut hidden = kind.label_columns();
        if let Some(weak) = &definition.weak
            && weak.file.is_none()
        {
            hidden.extend(weak.columns.as_slice().iter().map(String::as_str));
        }
        for template in templates() {
            let shows = |column: &&str| template.variables.contains(*column) && !kind.variables().contains(column);
            if let Some(column) = hidden.iter().copied().find(shows) {
                let template = template.title.clone();
                return Err(TaskError::TemplateShowsLabel { template, variable: column.to_owned() });
            }
        }

        let mut visible = Vec::new();
        let shown = templates().flat_map(|template| &template.variables);
        let shown = shown.filter(|name| !kind.variables().contains(&name.as_str()));
        for name in shown.chain(filters.iter().flat_map(|(condition, _)| &condition.variables)) {
            let column = (columns.position(name), Arc::from(name.as_str()));
            if !visible.contains(&column) {
                visible.push(column);
            }
        }
        let mut draw_by: Vec<usize> = match draw_by {
            Some(names) => names.iter().map(|name| columns.position(name)).collect(),
            None => (0..columns.0.len()).collect(),
        };
        draw_by.sort_by_key(|position| &columns.0[*position]);
        let weak = match &definition.weak {
            None => Weak::None,
            Some(weak) if weak.file.is_some() => Weak::Joined(weak.key.as_ref().map(|key| columns.position(key))),
            Some(weak) => Weak::Columns(weak.columns.as_slice().to_vec()),
        };
        Ok(Self {
            columns,
            visible,
            kind,
            template,
            proxy,
            filters,
            draws: Draws::new(definition.seed),
            draw_by,
            share: definition.splits.share.unwrap_or(1.0),
            weak,
            fields: KeptFields::default(),
            encoding: definition.local.as_ref().and_then(|local| local.encoding),
        })
    }

    /// The same reader, which keeps these fields of the rows.
    pub(super) fn keeping(&self, fields: &[String]) -> Self {
        Self { fields: KeptFields::new(fields), ..self.clone() }
    }

    /// The columns that every row needs, sorted.
    pub(super) fn columns(&self) -> Vec<String> {
        let mut columns = self.columns.0.clone();
        columns.sort();
        columns
    }

    /// The columns by which is drawn: what a task with another template needs to draw alike.
    pub(super) fn draw_columns(&self) -> Vec<String> {
        self.draw_by.iter().map(|position| self.columns.0[*position].clone()).collect()
    }

    /// Reads all rows of some files.
    pub(super) fn read(
        &self,
        files: &[PathBuf],
        purpose: Purpose,
        votes: Option<&VoteTable>,
    ) -> Result<RowsRead, TaskError> {
        let mut read = RowsRead::default();
        for file in files {
            self.read_file(file, purpose, votes, |outcome| {
                match outcome {
                    Outcome::LeftOut(reason) => *read.left_out.entry(reason).or_default() += 1,
                    Outcome::Example(example) => read.examples.push(example),
                }
                true
            })?;
        }
        Ok(read)
    }

    /// Reads rows until there are `per_class` examples of each class, or no more rows.
    pub(super) fn read_first(&self, files: &[PathBuf], per_class: usize) -> Result<Vec<Example>, TaskError> {
        let mut examples = Vec::new();
        let mut counts = [0; 2];
        for file in files {
            if counts == [per_class; 2] {
                break;
            }
            self.read_file(file, Purpose::Training, None, |outcome| {
                if let Outcome::Example(example) = outcome
                    && (example.gold.is_some() || example.weak.is_some())
                    && counts[usize::from(example.class())] < per_class
                {
                    counts[usize::from(example.class())] += 1;
                    examples.push(example);
                }
                counts != [per_class; 2]
            })?;
        }
        examples.sort_by_key(Example::class);
        Ok(examples)
    }

    /// Hands what became of each row to `take`, until that has enough and says so by `false`.
    fn read_file(
        &self,
        file: &Path,
        purpose: Purpose,
        votes: Option<&VoteTable>,
        mut take: impl FnMut(Outcome) -> bool,
    ) -> Result<(), TaskError> {
        let mut wanted: Vec<WantedColumn> = self
            .columns
            .0
            .iter()
            .map(|name| WantedColumn { name, need: Need::EveryRow, holds: Holds::Anything })
            .collect();
        if let Weak::Columns(columns) = &self.weak {
            let need = if purpose == Purpose::Training { Need::Somewhere } else { Need::IfThere };
            wanted.extend(columns.iter().map(|name| WantedColumn { name, need, holds: Holds::Label }));
        }
        wanted.extend(self.fields.wanted());
        let table = TableFile::new(file).in_encoding(self.encoding);
        let read = read_blocks(table, &wanted, |block: Block| {
            for outcome in block.map(|row| self.outcome(file, row, purpose, votes))? {
                if !take(outcome) {
                    return Err(Stop::Enough);
                }
            }
            Ok(())
        });
        match read {
            Ok(_) | Err(Stop::Enough) => Ok(()),
            Err(Stop::Failed(error)) => Err(self.explain(*error)),
        }
    }

    fn outcome(
        &self,
        file: &Path,
        mut row: Row,
        purpose: Purpose,
        votes: Option<&VoteTable>,
    ) -> Result<Outcome, TaskError> {
        let kept = self.fields.take(&mut row);
        let draw = self.draws.of(self.draw_by.iter().map(|position| &row.cells[*position]));
        if self.share < 1.0 && !draw.is_within(self.share) {
            return Ok(Outcome::LeftOut(format!("not in the share of {}", self.share)));
        }
        let mut fields: Vec<(Arc<str>, Value)> =
            self.visible.iter().map(|(position, name)| (Arc::clone(name), value_of(&row.cells[*position]))).collect();
        let place = || Place::row(file, row.number);
        for (condition, reason) in &self.filters {
            let fields = Value::from_object(Fields(fields.clone()));
            if !condition.holds(fields).map_err(|error| render_error(place(), &condition.title, &error))? {
                return Ok(Outcome::LeftOut(reason.clone()));
            }
        }
        let (gold, variables) = match self.kind.judge(file, &row, draw)? {
            Judged::LeftOut(reason) => return Ok(Outcome::LeftOut(reason)),
            Judged::Example { gold, variables } => (gold, variables),
        };
        // In front of the row's columns, so that they are found first.
        fields.splice(0..0, variables.into_iter().map(|(name, value)| (Arc::from(name), value)));
        let fields = Value::from_object(Fields(fields));
        let render = |template: &TextTemplate| {
            let text = template.render(fields.clone());
            text.map_err(|error| render_error(place(), &template.title, &error))
        };
        let mut example = Example::new(render(&self.template)?, gold, None);
        example.id = ExampleId::exact(&example.text);
        example.proxy = self.proxy.as_ref().map(render).transpose()?.map(String::into_boxed_str);
        example.fields = self.fields.values(&kept);
        let number = row.number;
        let votes = match &self.weak {
            Weak::None => None,
            Weak::Columns(columns) => {
                let cells = row.cells.drain(self.columns.0.len()..);
                Some(votes_of(file, number, columns, cells)?)
            }
            Weak::Joined(key) => votes.and_then(|table| match key {
                Some(position) => table.take_notice(row.cells[*position].exact().unwrap_or_default().trim()),
                None => table.take_notice(&example.id.to_string()),
            }),
        };
        if let Some(votes) = votes {
            example.weak = mean_vote(&votes);
            if votes.len() > 1 {
                example.votes = votes;
            }
        }
        self.check_labels(&example, purpose, place)?;
        Ok(Outcome::Example(example))
    }

    /// Refuses a text whose labels do not suffice. Where weak labels are joined, those without one are only counted.
    fn check_labels(&self, example: &Example, purpose: Purpose, place: impl Fn() -> Place) -> Result<(), DataError> {
        if example.gold.is_some() || example.text.is_empty() {
            return Ok(());
        }
        let gold = self.kind.label_columns().first().map(|column| (*column).to_owned()).unwrap_or_default();
        match &self.weak {
            _ if purpose == Purpose::Testing => Err(DataError::UnlabeledTest { place: place(), column: gold }),
            Weak::None => Err(DataError::Unlabeled { place: place(), columns: vec![gold] }),
            Weak::Columns(_) | Weak::Joined(_) => Ok(()),
        }
    }

    /// A column that is missing because a template names it is the template's mistake, and said as such.
    fn explain(&self, error: TaskError) -> TaskError {
        let TaskError::Data(DataError::MissingColumn { place, column, present, advice }) = error else {
            return error;
        };
        let labels = self.kind.label_columns();
        let templates = [Some(&self.template), self.proxy.as_ref()].into_iter().flatten();
        let mut titled = templates
            .map(|template| (&template.title, &template.variables))
            .chain(self.filters.iter().map(|(filter, _)| (&filter.title, &filter.variables)));
        match titled.find(|(_, variables)| variables.contains(&column)) {
            Some((title, _)) if !labels.contains(&column.as_str()) => {
                let known = present.into_iter().filter(|column| !labels.contains(&column.as_str()));
                let added = self.kind.variables().iter().map(|name| (*name).to_owned());
                TaskError::unknown_variable(title, &column, place, known.chain(added).collect())
            }
            _ => DataError::MissingColumn { place, column, present, advice }.into(),
        }
    }
}

pub(crate) fn render_error(place: Place, template: &str, error: &minijinja::Error) -> TaskError {
    // The engine looks these up when it comes to them, but no row is at fault.
    if let ErrorKind::UnknownFilter | ErrorKind::UnknownTest | ErrorKind::UnknownFunction | ErrorKind::OutOfFuel =
        error.kind()
    {
        return syntax_error(template, error);
    }
    TaskError::Render {
        place: Box::new(place),
        template: template.to_owned(),
        line: error.line(),
        reason: reason(error),
    }
}

/// Why reading ends before the file does.
enum Stop {
    Enough,
    Failed(Box<TaskError>),
}

impl From<TaskError> for Stop {
    fn from(error: TaskError) -> Self {
        Self::Failed(Box::new(error))
    }
}

impl From<DataError> for Stop {
    fn from(error: DataError) -> Self {
        Self::Failed(Box::new(error.into()))
    }
}
