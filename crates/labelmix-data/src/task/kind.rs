//! From a row to what is judged: its class, and what the template may show beside the row's own columns.

use std::collections::BTreeMap;
use std::path::Path;

use minijinja::value::Value;

use super::columns::{CellPath, ColumnSet};
use super::definition::{AnswerIs, BinaryTable, MultipleChoiceTable, PreferenceTable, TaskDefinition};
use super::draw::RowDraw;
use super::error::TaskError;
use crate::cell::Cell;
use crate::place::Place;
use crate::read::Row;

/// What a row becomes.
pub(super) enum Judged {
    /// No example, for this reason.
    LeftOut(String),
    Example {
        /// Its class; `None` where the row has no label.
        gold: Option<bool>,
        /// What the kind adds to the template's variables.
        variables: Vec<(&'static str, Value)>,
    },
}

/// How a task's rows are judged.
#[derive(Debug, Clone)]
pub(super) enum Kind {
    Binary { label: CellPath, classes: BTreeMap<String, bool>, drop: Vec<String> },
    Choice { answers: Answers, never_shown: Vec<String> },
    Preference { better: CellPath, worse: CellPath, split_after: Option<String> },
}

/// Where a row has its answers, and how it says which is right.
#[derive(Debug, Clone)]
pub(super) enum Answers {
    Options {
        options: Vec<CellPath>,
        answer: CellPath,
        answer_is: AnswerIs,
        first_index: i64,
        keys: Option<CellPath>,
        drop: Vec<String>,
    },
    Apart {
        right: CellPath,
        wrong: Vec<CellPath>,
    },
}

impl Kind {
    /// The kind of a checked definition; the columns that it reads are added to `columns`.
    pub(super) fn new(definition: &TaskDefinition, columns: &mut ColumnSet) -> Self {
        if let Some(choice) = &definition.multiple_choice {
            Self::choice(choice, columns)
        } else if let Some(PreferenceTable { better, worse, split_after }) = &definition.preference {
            Self::Preference {
                better: columns.path(better),
                worse: columns.path(worse),
                split_after: split_after.clone(),
            }
        } else {
            let table = definition.binary.as_ref().expect("a checked definition has one kind");
            Self::binary(table, columns)
        }
    }

    fn binary(table: &BinaryTable, columns: &mut ColumnSet) -> Self {
        let mut classes: BTreeMap<String, bool> =
            table.values.iter().map(|(value, class)| (class_name(value), *class == 1)).collect();
        if classes.is_empty() {
            classes = [("0", false), ("false", false), ("1", true), ("true", true)]
                .map(|(value, class)| (value.to_owned(), class))
                .into();
        }
        Self::Binary { label: columns.path(&table.label), classes, drop: class_names(&table.drop) }
    }

    fn choice(table: &MultipleChoiceTable, columns: &mut ColumnSet) -> Self {
        let mut paths = |names: &[String]| names.iter().map(|name| columns.path(name)).collect();
        let answers = match (&table.options, &table.answer, &table.right, &table.wrong) {
            (Some(options), Some(answer), ..) => Answers::Options {
                options: paths(options.as_slice()),
                answer: columns.path(answer),
                answer_is: table.answer_is,
                first_index: table.first_index,
                keys: table.keys.as_ref().map(|keys| columns.path(keys)),
                drop: class_names(&table.drop),
            },
            (.., Some(right), Some(wrong)) => {
                Answers::Apart { wrong: paths(wrong.as_slice()), right: columns.path(right) }
            }
            _ => unreachable!("a checked definition says which answer is right"),
        };
        Self::Choice { answers, never_shown: table.never_shown.iter().map(|text| text.trim().to_owned()).collect() }
    }

    /// What the kind is called.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Binary { .. } => "binary label",
            Self::Choice { .. } => "multiple choice",
            Self::Preference { .. } => "preference",
        }
    }

    /// The variables that the kind adds to the row's columns; a column of the same name is not to be seen.
    pub(super) fn variables(&self) -> &'static [&'static str] {
        match self {
            Self::Binary { .. } => &[],
            Self::Choice { .. } => &["answer"],
            Self::Preference { split_after: None, .. } => &["first", "second"],
            Self::Preference { split_after: Some(_), .. } => &["shared", "first", "second"],
        }
    }

    /// The columns that give the class away.
    pub(super) fn label_columns(&self) -> Vec<&str> {
        match self {
            Self::Binary { label, .. } => vec![label.root()],
            Self::Choice { answers: Answers::Options { answer, .. }, .. } => vec![answer.root()],
            Self::Choice { answers: Answers::Apart { right, .. }, .. } => vec![right.root()],
            Self::Preference { better, worse, .. } => vec![better.root(), worse.root()],
        }
    }

    /// Judges a row of `file`.
    pub(super) fn judge(&self, file: &Path, row: &Row, draw: RowDraw) -> Result<Judged, TaskError> {
        match self {
            Self::Binary { label, classes, drop } => {
                let cell = label.cell(file, row)?;
                let name = cell.class_name().ok_or_else(|| label.wrong(file, row, "a single value"))?;
                if let Some(reason) = left_out(label, &name, drop) {
                    return Ok(Judged::LeftOut(reason));
                }
                let gold = match classes.get(&*name) {
                    Some(class) => Some(*class),
                    None if name.is_empty() => None,
                    None => return Err(unknown_label(file, row, label, cell, classes, drop)),
                };
                Ok(Judged::Example { gold, variables: Vec::new() })
            }
            Self::Choice { answers, never_shown } => Ok(match answers.of(file, row)? {
                Offered::Answers { right, wrong } => choose(&right, &wrong, never_shown, draw),
                Offered::LeftOut(reason) => Judged::LeftOut(reason),
            }),
            Self::Preference { better, worse, split_after } => {
                let [better, worse] = [better.text(file, row)?, worse.text(file, row)?];
                Ok(compare(&better, &worse, split_after.as_deref(), draw))
            }
        }
    }
}

/// Shows the right answer or, as likely, one of the wrong ones.
fn choose(right: &str, wrong: &[String], never_shown: &[String], draw: RowDraw) -> Judged {
    let can_be_shown = |answer: &str| !answer.is_empty() && !never_shown.iter().any(|never| never == answer);
    let right = right.trim();
    let wrong: Vec<&str> =
        wrong.iter().map(|answer| answer.trim()).filter(|answer| can_be_shown(answer) && *answer != right).collect();
    if right.is_empty() {
        return Judged::LeftOut("the right answer is empty".to_owned());
    }
    if wrong.is_empty() {
        return Judged::LeftOut("no answer is wrong".to_owned());
    }
    let gold = draw.heads() && can_be_shown(right);
    let answer = if gold { right } else { wrong[draw.one_of(wrong.len())] };
    Judged::Example { gold: Some(gold), variables: vec![("answer", Value::from(answer))] }
}

/// Shows two texts, the better one first or, as likely, second.
fn compare(better: &str, worse: &str, split_after: Option<&str>, draw: RowDraw) -> Judged {
    if better == worse {
        return Judged::LeftOut("both texts are the same".to_owned());
    }
    let mut variables = Vec::with_capacity(3);
    let (mut better, mut worse) = (better, worse);
    if let Some(marker) = split_after {
        let alike = better.bytes().zip(worse.bytes()).take_while(|(a, b)| a == b).count();
        let starts = better.match_indices(marker).map(|(start, _)| start + marker.len());
        let shared = starts.take_while(|end| *end <= alike).last().unwrap_or(0);
        variables.push(("shared", Value::from(better[..shared].trim())));
        (better, worse) = (&better[shared..], &worse[shared..]);
    }
    let second_is_better = draw.heads();
    let (first, second) = if second_is_better { (worse, better) } else { (better, worse) };
    variables.push(("first", Value::from(first.trim())));
    variables.push(("second", Value::from(second.trim())));
    Judged::Example { gold: Some(second_is_better), variables }
}

/// What a row has to choose from.
enum Offered {
    /// No answer is right, for this reason.
    LeftOut(String),
    Answers {
        right: String,
        wrong: Vec<String>,
    },
}

impl Answers {
    fn of(&self, file: &Path, row: &Row) -> Result<Offered, TaskError> {
        let (options, answer, drop) = match self {
            Self::Apart { right, wrong } => {
                return Ok(Offered::Answers { right: right.text(file, row)?, wrong: listed(wrong, file, row)? });
            }
            Self::Options { options, answer, drop, .. } => (listed(options, file, row)?, answer, drop),
        };
        let cell = answer.cell(file, row)?;
        if let Some(reason) = left_out(answer, &cell.class_name().unwrap_or_default(), drop) {
            return Ok(Offered::LeftOut(reason));
        }
        let right = self.right_index(file, row, cell, &options)?;
        let mut wrong = options;
        let right = wrong.remove(right);
        Ok(Offered::Answers { right, wrong })
    }

    /// Which of the options is right.
    fn right_index(&self, file: &Path, row: &Row, cell: &Cell, options: &[String]) -> Result<usize, TaskError> {
        let Self::Options { answer, answer_is, first_index, keys, .. } = self else {
            unreachable!("a right answer in a column of its own has no index");
        };
        let name = cell.class_name().unwrap_or_default();
        let (index, range) = match answer_is {
            AnswerIs::Index => {
                let index = name.parse().ok().and_then(|index: i64| index.checked_sub(*first_index));
                let index = index.and_then(|index| usize::try_from(index).ok());
                (index, format!("which are numbered from {first_index}"))
            }
            AnswerIs::Text => {
                let right = cell.exact().unwrap_or_default();
                (options.iter().position(|option| option.trim() == right.trim()), format!("{options:?}"))
            }
            AnswerIs::Key => {
                let keys = keys.as_ref().expect("a checked definition names the keys' column");
                let keys = listed(std::slice::from_ref(keys), file, row)?;
                (keys.iter().position(|key| key.trim() == name), format!("{keys:?}"))
            }
        };
        index.filter(|index| *index < options.len()).ok_or_else(|| TaskError::AnswerOutOfRange {
            place: Place::row(file, row.number),
            column: answer.name.clone(),
            value: cell.to_string(),
            options: options.len(),
            range,
        })
    }
}

/// The texts that a column lists, or those of several columns.
fn listed(paths: &[CellPath], file: &Path, row: &Row) -> Result<Vec<String>, TaskError> {
    if let [path] = paths
        && let Cell::List(cells) = path.cell(file, row)?
    {
        let text = |cell: &Cell| {
            let text = cell.exact().ok_or_else(|| path.wrong(file, row, "a list of texts"))?;
            Ok(text.into_owned())
        };
        return cells.iter().map(text).collect();
    }
    paths.iter().map(|path| path.text(file, row)).collect()
}

/// The reason for leaving a row out, if its label is one of those that are dropped.
fn left_out(label: &CellPath, name: &str, drop: &[String]) -> Option<String> {
    let is_dropped = drop.iter().any(|dropped| dropped == name);
    is_dropped.then(|| match name {
        "" => format!("`{}` is empty", label.name),
        name => format!("`{}` is {name}", label.name),
    })
}

fn class_name(value: &str) -> String {
    Cell::Text(value.to_owned()).class_name().unwrap_or_default().into_owned()
}

fn class_names(values: &[String]) -> Vec<String> {
    values.iter().map(|value| class_name(value)).collect()
}

fn unknown_label(
    file: &Path,
    row: &Row,
    label: &CellPath,
    cell: &Cell,
    classes: &BTreeMap<String, bool>,
    drop: &[String],
) -> TaskError {
    TaskError::UnknownLabel {
        place: Place::row(file, row.number),
        column: label.name.clone(),
        value: cell.to_string(),
        known: classes.keys().chain(drop).cloned().collect(),
    }
}
