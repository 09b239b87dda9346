//! `labelmix study-file`: what a study file may say.

use std::fmt::Write;

use labelmix_study::{KeyHelp, Need, StudyTable, study_file_page, study_tables};
use miette::Diagnostic;

use crate::arguments::StudyFileArguments;
use crate::diagnosis::{Failure, Status, print_data, print_json};
use crate::methods::folded;

/// A name that no table has.
#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("a study file has no table {name:?}")]
#[diagnostic(help("the tables are {known}"))]
struct UnknownTable {
    name: String,
    known: String,
}

pub(crate) fn run(arguments: &StudyFileArguments) -> Result<Status, Failure> {
    if arguments.markdown {
        print_data(&study_file_page())?;
        return Ok(Status::Done);
    }
    let mut tables = study_tables();
    if let Some(name) = &arguments.table {
        let known = tables.iter().map(plain_name).filter(|name| !name.is_empty()).collect::<Vec<_>>().join(", ");
        tables.retain(|table| plain_name(table) == name.trim_matches(['[', ']']));
        if tables.is_empty() {
            return Err(UnknownTable { name: name.clone(), known }.into());
        }
    }
    if arguments.json {
        print_json(&tables)?;
    } else {
        print_data(&tables.iter().map(explained).collect::<Vec<_>>().join("\n"))?;
    }
    Ok(Status::Done)
}

fn plain_name(table: &StudyTable) -> &str {
    table.heading.trim_matches(['[', ']'])
}

fn explained(table: &StudyTable) -> String {
    const WIDTH: usize = 96;
    let heading = if table.heading.is_empty() { "The top of the file" } else { &table.heading };
    let mut text = format!("{heading}\n{}\n", folded(&table.summary, WIDTH));
    for key in &table.keys {
        let KeyHelp { name, value, meaning, need, example, .. } = key;
        let default = match (table.default_of(name), need) {
            (Some(default), _) => format!("{name} = {default}"),
            (None, Need::Required) => format!("{name} (required, such as {example})"),
            (None, Need::Sometimes | Need::Optional) => format!("{name} (none, or such as {example})"),
        };
        let meaning = folded(&format!("{meaning} Takes: {value}."), WIDTH).replace('\n', "\n      ");
        // Writing to a string cannot fail.
        let _ = write!(text, "\n  {default}\n      {meaning}\n");
    }
    text
}
