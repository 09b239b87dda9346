//! Tasks from their public face: files in any layout in, rendered examples or an error out.

mod fields;
mod files;
mod mistakes;
mod properties;
mod real_data;
mod reports;
mod shipped;
mod shipped_choices;
mod weak_labels;

use std::path::Path;

use labelmix_data::{Balance, CleaningOptions, Dataset, Example, LoadOptions, Task, TaskError};
use serde_json::Value;

use crate::scratch::Scratch;

/// Nothing is left out for balance.
const AS_IS: CleaningOptions = CleaningOptions { balance: Balance::AsIs, max_test: None };

/// The rows of `tests/data/tasks/hub_rows.json` for a task: made up, in the layout of the task's dataset on the Hub.
fn hub_rows(task: &str) -> Vec<Value> {
    let all: Value = serde_json::from_str(include_str!("tasks/hub_rows.json")).unwrap();
    all[task].as_array().unwrap_or_else(|| panic!("there are no rows for {task}")).clone()
}

fn jsonl(rows: &[Value]) -> String {
    let lines: Vec<String> = rows.iter().map(Value::to_string).collect();
    lines.join("\n")
}

/// A task of the library whose every split has these rows, in a folder of JSONL files. It reads all of them, where
/// the task would read a share.
fn with_rows(scratch: &Scratch, task: &str, rows: &[Value]) -> Task {
    let task = with_splits(task, |splits| {
        splits.remove("share");
    });
    for split in task.splits() {
        scratch.write(&format!("data/{split}.jsonl"), jsonl(rows));
    }
    task.with_folder(&scratch.path("data"))
}

/// A task of the library with its table of splits changed.
fn with_splits(task: &str, change: impl FnOnce(&mut toml::Table)) -> Task {
    let mut definition = toml::Table::try_from(Task::named(task).unwrap().definition()).unwrap();
    change(definition["splits"].as_table_mut().unwrap());
    Task::parse(task, &definition.to_string(), Path::new("")).unwrap()
}

/// Every example that a task makes of its training rows, class 0 first, in the order of the rows.
fn examples(task: &Task) -> Vec<Example> {
    task.first_examples(&task.local_files().unwrap(), usize::MAX).unwrap()
}

/// A task of one's own: the text is the column `text`, the label the column `label`, files are `train.jsonl` and
/// `test.jsonl`; `more` is added to its tables.
fn own_task(scratch: &Scratch, top: &str, more: &str) -> Result<Task, TaskError> {
    let template = if top.contains("template") { "" } else { "template = '{{ text }}'" };
    let text = format!(
        "description = 'A task of my own'\n{template}\n{top}\n[local]\nfolder = '.'\n[binary]\nlabel = 'label'\n{more}"
    );
    Task::read(&scratch.write("mine.toml", text))
}

fn load(task: &Task) -> Result<Dataset, TaskError> {
    task.load(&task.local_files()?, &LoadOptions { cleaning: AS_IS, ..LoadOptions::default() })
}

/// The folder of real datasets beside the checkout; `None`, with a message, where it is missing.
fn shared_data(dataset: &str) -> Option<std::path::PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data").join(dataset);
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("skipped: {} is not there", folder.display());
    None
}
