//! What can be wrong with a task, its template, or the rows it is given.

use std::path::PathBuf;

use miette::Diagnostic;
use thiserror::Error;

use crate::error::{DataError, listed, nearest};
use crate::place::{Place, RowNumber};

/// A task that cannot be used as it is. The message says where and what, the help what to do.
#[derive(Debug, Error, Diagnostic)]
pub enum TaskError {
    /// No task of this name is shipped.
    #[error("there is no task `{name}`")]
    UnknownTask {
        /// The name given.
        name: String,
        /// The remedy, with the nearest name if one is near.
        #[help]
        advice: String,
    },

    /// The task file cannot be opened or read.
    #[error("{} cannot be read: {reason}", file.display())]
    #[diagnostic(help("check that the file is there and that you may read it"))]
    Unreadable {
        file: PathBuf,
        /// What the operating system says.
        reason: String,
    },

    /// The task file is not TOML, has an unknown key or value, or contradicts itself.
    #[error("task {task}{}: {reason}", on_line(*line))]
    Definition {
        /// The task's file or name.
        task: String,
        /// The line of the file, from 1, where it is known.
        line: Option<usize>,
        /// What is wrong.
        reason: String,
        #[help]
        advice: String,
    },

    /// A template or expression that cannot be parsed.
    #[error("{template}{}: {reason}", on_line(*line))]
    #[diagnostic(help(
        "templates are written in Jinja's language: {{{{ column }}}} puts a column's value in, {{% if … %}} … {{% endif %}} asks"
    ))]
    TemplateSyntax {
        template: String,
        /// The line of the template, from 1.
        line: Option<usize>,
        /// What the parser says.
        reason: String,
    },

    /// A template names what the rows do not have.
    #[error("{template}: unknown variable `{variable}`; {place} has {}", listed(known))]
    UnknownVariable {
        template: String,
        /// The name that is not known.
        variable: String,
        /// The file or row that was read.
        place: Box<Place>,
        /// What may be named: the row's columns and what the kind adds.
        known: Vec<String>,
        /// The remedy, with the nearest name if one is near.
        #[help]
        advice: String,
    },

    #[error("{template}: `{variable}` is a label, which the text must not show")]
    #[diagnostic(help("take it out of the template: a model that is shown the label has nothing to learn"))]
    TemplateShowsLabel { template: String, variable: String },

    /// A template fails on a row.
    #[error("{place}: {reason}, in {template}{}", on_line(*line))]
    #[diagnostic(help("check the names of nested fields, and that the row has what the template asks for"))]
    Render {
        place: Box<Place>,
        template: String,
        /// The line of the template, from 1.
        line: Option<usize>,
        /// What the template engine says.
        reason: String,
    },

    #[error("{place}, column `{column}`: `{value}` is no label that the task knows; it knows {}", listed(known))]
    #[diagnostic(help(
        "give the value a class in [binary] values, or name it in [binary] drop to leave such rows out"
    ))]
    UnknownLabel {
        place: Place,
        /// The label's column.
        column: String,
        /// The value found.
        value: String,
        /// The values that have a class or are dropped.
        known: Vec<String>,
    },

    #[error("{place}, column `{column}`: `{value}` is none of the {options} answers, {range}")]
    #[diagnostic(help(
        "check `answer_is` and `first_index` in [multiple_choice], or name the value in its `drop` to leave such rows out"
    ))]
    AnswerOutOfRange {
        place: Place,
        /// The answer's column.
        column: String,
        /// The value found.
        value: String,
        /// How many answers the row has.
        options: usize,
        /// How answers are named, with the first and the last.
        range: String,
    },

    /// A cell that does not hold what the task needs of it.
    #[error("{place}, column `{column}`: `{value}`, where {expected} is needed")]
    #[diagnostic(help("check the column's name in the task file: `a.b` is the field `b` of the column `a`"))]
    WrongCell {
        place: Place,
        column: String,
        /// The value found.
        value: String,
        /// What the task needs.
        expected: &'static str,
    },

    #[error("{data} has no split `{split}`; its splits are {}", listed(present))]
    #[diagnostic(help("name one of these in the task's [splits]"))]
    NoSuchSplit {
        /// The dataset or folder, and its configuration.
        data: String,
        /// The split wanted.
        split: String,
        present: Vec<String>,
    },

    /// A configuration that the data does not have, or several of which the task names none.
    #[error("{data} has {}; its configurations are {}", missing_config(config.as_deref()), listed(present))]
    #[diagnostic(help("name one of these as the `config` in the task's [hub] or [local]"))]
    NoSuchConfig {
        /// The dataset or folder.
        data: String,
        /// The configuration wanted, if one is named.
        config: Option<String>,
        /// The configurations that there are.
        present: Vec<String>,
    },

    /// Data of which nothing can be read.
    #[error("{data} has no {formats} files")]
    #[diagnostic(help(
        "a dataset of the Hub that has only a script, or other files, is in its branch `refs/convert/parquet`; name local files as their splits, such as train.jsonl"
    ))]
    NoDataFiles {
        /// The dataset or folder.
        data: String,
        /// The formats looked for.
        formats: &'static str,
    },

    #[error("{data}: split `{split}` has {found} of its {shards} files")]
    #[diagnostic(help("download the rest, or remove the split's files and download them again"))]
    MissingShards {
        /// The dataset or folder.
        data: String,
        split: String,
        /// Files that are there.
        found: usize,
        /// Files that there should be, by their names.
        shards: usize,
    },

    #[error("{data}: split `{split}` is there in several forms: {}", listed(files))]
    #[diagnostic(help("keep the files of one format, or name the files in the task's [local]"))]
    AmbiguousSplit {
        /// The dataset or folder.
        data: String,
        split: String,
        files: Vec<String>,
    },

    #[error("task {task}: its data is {data}, which is not on this machine")]
    #[diagnostic(help("download it first, or name a folder that has it"))]
    NotLocal {
        /// The task's file or name.
        task: String,
        data: String,
    },

    #[error("{place}: weak labels for `{key}` that differ from those on {earlier}")]
    #[diagnostic(help("keep one row for each key; several annotators' labels belong into one row, a column for each"))]
    WeakConflict {
        /// The second row.
        place: Place,
        /// The key of both.
        key: String,
        /// Where the first row is.
        earlier: RowNumber,
    },

    /// What is wrong with the data itself.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Data(#[from] DataError),
}

impl TaskError {
    pub(super) fn unknown_task(name: &str, known: impl Iterator<Item = &'static str>) -> Self {
        let known: Vec<String> = known.map(str::to_owned).collect();
        let advice = match nearest(name, &known) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("the tasks are {}; a task of your own is a file that ends in .toml", known.join(", ")),
        };
        Self::UnknownTask { name: name.to_owned(), advice }
    }

    pub(super) fn unknown_variable(template: &str, variable: &str, place: Place, known: Vec<String>) -> Self {
        let advice = match nearest(variable, &known) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "name a column that every row has; one that has no value there needs a null".to_owned(),
        };
        let [template, variable] = [template, variable].map(str::to_owned);
        Self::UnknownVariable { template, variable, place: Box::new(place), known, advice }
    }

    /// A problem of a task file's form. serde lists the known keys between backticks, the offending one first; the
    /// nearest of them is suggested.
    pub(super) fn toml(task: &str, text: &str, error: &toml::de::Error) -> Self {
        let message = error.message();
        let line = error.span().map(|span| text[..span.start].matches('\n').count() + 1);
        let mut quoted = message.split('`').skip(1).step_by(2);
        let advice = match (message.starts_with("unknown"), quoted.next()) {
            (true, Some(unknown)) => {
                let known: Vec<String> = quoted.map(str::to_owned).collect();
                match nearest(unknown, &known) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("known here: {}", known.join(", ")),
                }
            }
            _ => "a task says where its data is, what is judged, and how a row becomes a text; `labelmix tasks show sciq` shows one".to_owned(),
        };
        // The list of all keys says less than the nearest one.
        let reason = message.split(", expected ").next().unwrap_or(message).to_owned();
        Self::Definition { task: task.to_owned(), line, reason, advice }
    }
}

fn on_line(line: Option<usize>) -> String {
    line.map_or_else(String::new, |line| format!(", line {line}"))
}

fn missing_config(config: Option<&str>) -> String {
    match config {
        Some(config) => format!("no configuration `{config}`"),
        None => "several configurations, and none is named".to_owned(),
    }
}
