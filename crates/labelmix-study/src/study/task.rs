//! `[task]`: the data of a study. Either files of texts with their labels, or a task of `labelmix-data`, which makes
//! texts and labels out of a dataset's rows.

mod text_files;
mod written;

use std::path::{Path, PathBuf};

use labelmix_data::{
    Balance, CleaningOptions, Dataset, Example, LoadOptions, MergeVotes, SplitFiles, Task, TaskError, WeakTable,
    field_names,
};
use labelmix_stats::{merge_by_dawid_skene, merge_by_majority};
use miette::Diagnostic;
use serde::{Deserialize, Serialize};

pub use self::text_files::{RowKeys, TextFiles};
use self::written::WrittenTable;
use super::Problem;
use crate::error::Result;

/// `[task]`: the data. Paths are relative to the study file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "WrittenTable")]
pub struct TaskTable {
    #[serde(flatten)]
    pub data: TaskData,
    /// The largest number of test examples that are used.
    pub max_test: usize,
    /// Whether both splits are balanced by leaving out examples of the larger class.
    pub balance: bool,
    /// The number of training examples whose gold labels are for sale; the rest are sold with weak labels. By default every
    /// point of the grid divides the examples as it needs.
    pub gold_pool: Option<usize>,
}

/// Where a study's data is.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum TaskData {
    Files(TextFiles),
    Task(TaskReference),
}

/// A task, and what the study has different.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TaskReference {
    #[serde(flatten)]
    pub definition: DefinedIn,
    /// A folder on this machine to take the data from, wherever the task has it.
    pub folder: Option<PathBuf>,
    /// A text template in place of the task's.
    pub template: Option<String>,
    /// A template of what a cheap labeler sees in place of the task's.
    pub proxy: Option<String>,
    /// Where weak labels are, in place of what the task says.
    pub weak: Option<WeakTable>,
    /// How several annotators' votes become a weak label.
    pub merge: VoteMerging,
}

/// Where a task is defined.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DefinedIn {
    /// In labelmix, under this name.
    Name(String),
    /// In a task file.
    File(PathBuf),
}

/// How several annotators' votes become a weak label, by name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VoteMerging {
    /// Their mean.
    #[default]
    Mean,
    /// What most of them say: 0 or 1, and one half for a tie.
    Majority,
    /// The probability by the model of Dawid and Skene, which finds out how good each annotator is.
    DawidSkene,
}

impl VoteMerging {
    /// What [`LoadOptions`] takes; `None` for its default, the mean.
    fn function(self) -> Option<&'static MergeVotes<'static>> {
        match self {
            Self::Mean => None,
            Self::Majority => Some(&merge_by_majority),
            Self::DawidSkene => Some(&merge_by_dawid_skene),
        }
    }
}

/// Where a study's weak labels come from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum WeakLabels {
    /// The data has them.
    InTheData,
    /// A labeler makes them.
    Elsewhere,
}

impl TaskTable {
    /// The name of the task, or of its file; none for files of texts.
    pub fn name(&self) -> Option<&str> {
        let TaskData::Task(reference) = &self.data else { return None };
        match &reference.definition {
            DefinedIn::Name(name) => Some(name),
            DefinedIn::File(file) => file.file_stem()?.to_str(),
        }
    }

    /// The task that the table names, with the table's changes; `None` for files of texts. `folder` is the study's.
    ///
    /// # Errors
    /// If there is no such task or file, or the changes make no sense.
    pub(crate) fn task(&self, folder: &Path) -> std::result::Result<Option<Task>, TaskError> {
        let TaskData::Task(reference) = &self.data else { return Ok(None) };
        let mut task = match &reference.definition {
            DefinedIn::Name(name) => Task::named(name)?,
            DefinedIn::File(file) => Task::read(&folder.join(file))?,
        };
        if let Some(data) = &reference.folder {
            task = task.with_folder(&folder.join(data));
        }
        if let Some(template) = &reference.template {
            task = task.with_template(template)?;
        }
        if let Some(proxy) = &reference.proxy {
            task = task.with_proxy(proxy)?;
        }
        if let Some(weak) = &reference.weak {
            let file = weak.file.as_ref().map(|file| folder.join(file));
            task = task.with_weak(WeakTable { file, ..weak.clone() })?;
        }
        Ok(Some(task))
    }

    /// Loads the data, and keeps these fields of its rows: from `task_files` if the table names a task, which are the files
    /// of its splits.
    ///
    /// # Errors
    /// If the data cannot be used.
    pub(super) fn load(
        &self,
        folder: &Path,
        task_files: &SplitFiles,
        weak_labels: WeakLabels,
        fields: &[String],
    ) -> Result<Dataset> {
        let cleaning = CleaningOptions {
            balance: if self.balance { Balance::Undersample } else { Balance::AsIs },
            max_test: Some(self.max_test),
        };
        match &self.data {
            TaskData::Files(files) => files.load(folder, cleaning, weak_labels, fields),
            TaskData::Task(reference) => {
                let task = self.task(folder)?.expect("the table names a task");
                let options = LoadOptions { cleaning, merge_votes: reference.merge.function(), fields };
                Ok(task.load(task_files, &options)?)
            }
        }
    }

    /// Texts with gold labels from another file, in the columns of files of texts; for a named task they are called `text`
    /// and `gold`. Texts of the test set are left out.
    ///
    /// # Errors
    /// If the file cannot be used.
    pub(super) fn read_gold(&self, file: &Path, test: &[Example]) -> Result<Vec<Example>> {
        match &self.data {
            TaskData::Files(files) => files.rows.read_gold(file, test),
            TaskData::Task(_) => RowKeys::default().read_gold(file, test),
        }
    }

    /// The fields of the training rows, but for the texts and labels of files of texts.
    ///
    /// # Errors
    /// If a file cannot be read.
    pub(super) fn field_names(&self, folder: &Path, task_files: &SplitFiles) -> Result<Vec<String>> {
        match &self.data {
            TaskData::Files(files) => files.field_names(folder),
            TaskData::Task(_) => {
                let task = self.task(folder)?.expect("the table names a task");
                let first = task.train_splits().into_iter().find_map(|split| task_files.get(split)?.first());
                Ok(first.map_or(Ok(Vec::new()), field_names)?)
            }
        }
    }

    /// The task that it names, if it names one. Refuses one that is not there, and settings that change nothing.
    pub(super) fn check(&self, folder: &Path) -> std::result::Result<Option<Task>, Problem> {
        let of_task = |error: TaskError| {
            let help = error.help().map(|help| help.to_string()).unwrap_or_default();
            Problem { reason: format!("[task]: {error}"), help }
        };
        let (TaskData::Task(reference), Some(task)) = (&self.data, self.task(folder).map_err(of_task)?) else {
            return Ok(None);
        };
        let annotators = task.definition().weak.as_ref().map_or(0, |weak| weak.columns.as_slice().len());
        if reference.merge != VoteMerging::Mean && annotators < 2 {
            return Err(Problem {
                reason: format!(
                    "`merge` in [task] is for several annotators' columns of weak labels, and there {}",
                    if annotators == 1 { "is one" } else { "are none" }
                ),
                help: "name a column for each annotator, `weak = [\"ann\", \"bob\"]`, or leave `merge` out".to_owned(),
            });
        }
        Ok(Some(task))
    }
}

#[cfg(test)]
mod tests {
    use labelmix_data::OneOrMore;

    use super::super::Study;
    use super::*;

    pub(super) fn read(text: &str) -> std::result::Result<Study, String> {
        Study::parse(text, PathBuf::new()).map_err(|Problem { reason, help }| format!("{reason} | {help}"))
    }

    pub(super) fn with_table(table: &str) -> std::result::Result<Study, String> {
        read(&format!("name = 'a'\n[model]\npath = 'model'\n[task]\n{table}\n"))
    }

    pub(super) fn problem(table: &str) -> String {
        with_table(table).unwrap_err()
    }

    #[test]
    fn a_task_with_its_changes() {
        let study = with_table("name = 'sst2'\nfolder = 'data'\ntemplate = 'Say: {{ sentence }}'\nweak = 'w'").unwrap();
        let task = study.task.task(Path::new("/studies")).unwrap().unwrap();
        assert_eq!(task.definition().template, "Say: {{ sentence }}");
        let local = task.definition().local.as_ref().unwrap();
        assert_eq!(local.folder.as_deref(), Some(Path::new("/studies/data")));
        assert_eq!(task.definition().weak.as_ref().unwrap().columns, OneOrMore::One("w".to_owned()));
        assert!(with_table("train = 'a.csv'\ntest = 'b.csv'").unwrap().task.task(Path::new("")).unwrap().is_none());
    }

    #[test]
    fn tasks_that_are_not_there_and_changes_that_make_no_sense() {
        insta::assert_snapshot!(problem("name = 'siq'"), @"[task]: there is no task `siq` | did you mean `sciq`?");
        insta::assert_snapshot!(problem("file = 'missing.toml'"), @"[task]: missing.toml cannot be read: No such file or directory (os error 2) | check that the file is there and that you may read it");
        insta::assert_snapshot!(problem("name = 'sst2'\ntemplate = '{{ label }}'"), @"[task]: task sst2, text template: `label` is a label, which the text must not show | take it out of the template: a model that is shown the label has nothing to learn");
        insta::assert_snapshot!(problem("name = 'sst2'\ntemplate = '{{ sentence'"), @"[task]: task sst2, text template, line 1: syntax error: unexpected end of input, expected end of variable block | templates are written in Jinja's language: {{ column }} puts a column's value in, {% if … %} … {% endif %} asks");
        insta::assert_snapshot!(problem("name = 'sst2'\nmerge = 'majority'"), @r#"`merge` in [task] is for several annotators' columns of weak labels, and there are none | name a column for each annotator, `weak = ["ann", "bob"]`, or leave `merge` out"#);
        insta::assert_snapshot!(problem("name = 'sst2'\nweak = 'w'\nmerge = 'dawid-skene'"), @r#"`merge` in [task] is for several annotators' columns of weak labels, and there is one | name a column for each annotator, `weak = ["ann", "bob"]`, or leave `merge` out"#);
    }
}
