//! `labelmix tasks`: the tasks that there are.

mod check;
mod show;
mod wordings;

use comfy_table::{ColumnConstraint, ContentArrangement, LineStyle, Table, TableStyle};
use labelmix_data::{DataSource, Task, TaskDescription};

use crate::arguments::{TasksArguments, TasksCommand};
use crate::diagnosis::{Failure, Status, print_data, print_json};

pub(crate) fn run(arguments: &TasksArguments) -> Result<Status, Failure> {
    match &arguments.command {
        Some(TasksCommand::Show(arguments)) => return show::run(arguments),
        Some(TasksCommand::Check(arguments)) => return check::run(arguments),
        None => {}
    }
    let tasks = Task::all();
    if arguments.json {
        let descriptions: Vec<TaskDescription> = tasks.iter().map(Task::describe).collect();
        print_json(&descriptions)?;
    } else {
        print_data(&table(&tasks))?;
    }
    Ok(Status::Done)
}

/// Columns set apart by space, the header by a line.
pub(super) const RULED: TableStyle = TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

/// A row for each task, as wide as the terminal.
fn table(tasks: &[Task]) -> String {
    let mut table = Table::new();
    table.load_style(RULED).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(["name", "kind", "dataset", "description", "licence"]);
    for task in tasks {
        let TaskDescription { name, kind, description, licence, .. } = task.describe();
        let dataset = match task.source() {
            DataSource::Hub(hub) => match &hub.config {
                Some(config) => format!("{} ({config})", hub.dataset),
                None => hub.dataset.clone(),
            },
            DataSource::Local(_) => String::new(),
        };
        table.add_row([name, kind.to_owned(), dataset, description, licence.unwrap_or_default()]);
    }
    // A name is to be copied, and so is not broken.
    for column in table.column_iter_mut().take(2) {
        column.set_constraint(ColumnConstraint::ContentWidth);
    }
    table.trim_fmt() + "\n"
}
