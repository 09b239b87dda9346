//! `labelmix tasks show`: a task without its data, and examples if the data is at hand.

use std::fmt::Write;

use labelmix_data::{RenderedExample, Task, TaskDescription};
use serde::Serialize;

use crate::arguments::TaskShowArguments;
use crate::diagnosis::{Failure, Status, print_data, print_json};
use crate::task::{TaskSplits, files, files_at_hand, task};

/// Everything that is printed.
#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    task: TaskDescription,
    #[serde(skip_serializing_if = "Option::is_none")]
    examples: Option<Vec<RenderedExample>>,
}

pub(crate) fn run(arguments: &TaskShowArguments) -> Result<Status, Failure> {
    let task = task(&arguments.task, arguments.folder.as_deref())?;
    let examples = match arguments.examples {
        Some(per_class) => examples(&task, per_class, arguments.download)?,
        None => None,
    };
    let shown = Shown { task: task.describe(), examples };
    if arguments.json {
        print_json(&shown)?;
    } else {
        print_data(&described(&shown))?;
    }
    if let (Some(per_class), None) = (arguments.examples, &shown.examples) {
        say!(
            "no examples: {} is not in the cache\nhint: `labelmix tasks show {} --examples {per_class} --download` \
             downloads the splits for training; --folder DIR takes the data from a folder",
            shown.task.data,
            arguments.task
        );
    }
    Ok(Status::Done)
}

/// The first examples of each class; `None` where there is no data.
fn examples(task: &Task, per_class: usize, download: bool) -> Result<Option<Vec<RenderedExample>>, Failure> {
    let found =
        if download { Some(files(task, TaskSplits::Training)?) } else { files_at_hand(task, TaskSplits::Training)? };
    let Some(files) = found else { return Ok(None) };
    let examples = task.first_examples(&files, per_class)?;
    Ok(Some(examples.iter().map(RenderedExample::from).collect()))
}

fn described(shown: &Shown) -> String {
    let mut text = format!("{}\n", shown.task);
    for example in shown.examples.iter().flatten() {
        // Writing to a string cannot fail.
        let _ = write!(text, "\n{example}\n");
    }
    text
}
