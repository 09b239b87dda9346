//! `[task]`: the data of a study. Either files of texts with their labels, or a task of `labelmix-data`, which makes
//! texts and labels out of a dataset's rows.

use std::fmt;
use std::path::{Path, PathBuf};

use labelmix_data::{
    Balance, CleaningOptions, ColumnNames, Dataset, LoadOptions, MergeVotes, OneOrMore, SplitFiles, Task, TaskError,
    WeakTable,
};
use labelmix_stats::{merge_by_dawid_skene, merge_by_majority};
use miette::Diagnostic;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::Problem;
use crate::error::Result;

/// `[task]`: the data. Paths are relative to the study file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "WrittenTable")]
pub struct TaskTable {
    /// Where it is.
    #[serde(flatten)]
    pub data: TaskData,
    /// The largest number of test examples that are used.
    pub max_test: usize,
    /// Whether both splits are balanced by leaving out examples of the larger class.
    pub balance: bool,
    /// The number of training examples whose gold labels are for sale; the rest are sold with weak labels. By default
    /// what the grid's most gold-hungry point needs, and at most half of the examples.
    pub gold_pool: Option<usize>,
}

/// Where a study's data is.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum TaskData {
    /// In files of texts.
    Files(TextFiles),
    /// Where a task has it.
    Task(TaskReference),
}

/// Files whose rows are a text and its labels: JSONL, CSV or Parquet.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TextFiles {
    /// The file whose labels are for sale.
    pub train: PathBuf,
    /// The file to measure accuracy on.
    pub test: PathBuf,
    /// The column of texts.
    pub text: String,
    /// The column of gold labels.
    pub gold: String,
    /// The column of weak labels.
    pub weak: String,
}

/// A task, and what the study has different.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TaskReference {
    /// Which task.
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

    /// Loads the data: from `task_files` if the table names a task, which are the files of its splits.
    ///
    /// # Errors
    /// If the data cannot be used.
    pub(super) fn load(&self, folder: &Path, task_files: &SplitFiles, weak_labels: WeakLabels) -> Result<Dataset> {
        let cleaning = CleaningOptions {
            balance: if self.balance { Balance::Undersample } else { Balance::AsIs },
            max_test: Some(self.max_test),
        };
        match &self.data {
            TaskData::Files(TextFiles { train, test, text, gold, weak }) => {
                let weak = (weak_labels == WeakLabels::InTheData).then(|| weak.clone());
                let columns = ColumnNames { text: text.clone(), gold: gold.clone(), weak };
                Ok(Dataset::load(&folder.join(train), &folder.join(test), &columns, &cleaning)?)
            }
            TaskData::Task(reference) => {
                let task = self.task(folder)?.expect("the table names a task");
                Ok(task.load(task_files, &LoadOptions { cleaning, merge_votes: reference.merge.function() })?)
            }
        }
    }

    /// Refuses a task that is not there, and settings that change nothing.
    pub(super) fn check(&self, folder: &Path) -> std::result::Result<(), Problem> {
        let of_task = |error: TaskError| {
            let help = error.help().map(|help| help.to_string()).unwrap_or_default();
            Problem { reason: format!("[task]: {error}"), help }
        };
        let (TaskData::Task(reference), Some(task)) = (&self.data, self.task(folder).map_err(of_task)?) else {
            return Ok(());
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
        Ok(())
    }
}

/// `[task]` as it is written: the keys of both forms, of which one is used.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenTable {
    train: Option<PathBuf>,
    test: Option<PathBuf>,
    text: Option<String>,
    gold: Option<String>,
    name: Option<String>,
    file: Option<PathBuf>,
    folder: Option<PathBuf>,
    template: Option<String>,
    proxy: Option<String>,
    weak: Option<WrittenWeak>,
    merge: Option<VoteMerging>,
    #[serde(default = "default_max_test")]
    max_test: usize,
    #[serde(default = "default_balance")]
    balance: bool,
    gold_pool: Option<usize>,
}

fn default_max_test() -> usize {
    1000
}

fn default_balance() -> bool {
    true
}

impl TryFrom<WrittenTable> for TaskTable {
    type Error = String;

    fn try_from(written: WrittenTable) -> std::result::Result<Self, String> {
        let WrittenTable { max_test, balance, gold_pool, .. } = written;
        let data = match (written.key_of_files(), written.key_of_task()) {
            (Some(one), Some(other)) => {
                return Err(format!(
                    "`{one}` and `{other}` in [task]: the data is either files of texts (`train` and `test`) or a task \
                     (`name` or `file`)"
                ));
            }
            (None, None) => {
                return Err(
                    "[task] does not say where the data is: it needs `train` and `test` (files of texts), the \
                            `name` of a task, or the `file` of one"
                        .to_owned(),
                );
            }
            (Some(key), None) => TaskData::Files(written.files(key)?),
            (None, Some(key)) => TaskData::Task(written.task(key)?),
        };
        Ok(Self { data, max_test, balance, gold_pool })
    }
}

impl WrittenTable {
    /// A key that is there and belongs to files of texts.
    fn key_of_files(&self) -> Option<&'static str> {
        let keys = [
            ("train", self.train.is_some()),
            ("test", self.test.is_some()),
            ("text", self.text.is_some()),
            ("gold", self.gold.is_some()),
        ];
        keys.into_iter().find_map(|(key, is_there)| is_there.then_some(key))
    }

    /// A key that is there and belongs to a task.
    fn key_of_task(&self) -> Option<&'static str> {
        let keys = [
            ("name", self.name.is_some()),
            ("file", self.file.is_some()),
            ("folder", self.folder.is_some()),
            ("template", self.template.is_some()),
            ("proxy", self.proxy.is_some()),
            ("merge", self.merge.is_some()),
        ];
        keys.into_iter().find_map(|(key, is_there)| is_there.then_some(key))
    }

    /// The files of texts, of which the table has at least this key.
    fn files(self, key: &str) -> std::result::Result<TextFiles, String> {
        let (train, test) = match (self.train, self.test) {
            (Some(train), Some(test)) => (train, test),
            (Some(_), None) => return Err("[task] has `train` but no `test`".to_owned()),
            (None, Some(_)) => return Err("[task] has `test` but no `train`".to_owned()),
            (None, None) => {
                return Err(format!("`{key}` in [task] without files of texts: it needs `train` and `test`"));
            }
        };
        let weak = match self.weak {
            Some(WrittenWeak::Column(column)) => column,
            Some(WrittenWeak::Table(_)) => {
                return Err(
                    "`weak` in [task] is one column where the data is files of texts; a list or a table needs a \
                            task (`name` or `file`)"
                        .to_owned(),
                );
            }
            None => "weak".to_owned(),
        };
        Ok(TextFiles {
            train,
            test,
            text: self.text.unwrap_or_else(|| "text".to_owned()),
            gold: self.gold.unwrap_or_else(|| "gold".to_owned()),
            weak,
        })
    }

    /// The task, of which the table has at least this key.
    fn task(self, key: &str) -> std::result::Result<TaskReference, String> {
        let definition = match (self.name, self.file) {
            (Some(name), None) => DefinedIn::Name(name),
            (None, Some(file)) => DefinedIn::File(file),
            (Some(_), Some(_)) => {
                return Err("`name` and `file` in [task]: a task is either one of labelmix, by its name, or one of \
                            your own, in a file"
                    .to_owned());
            }
            (None, None) => {
                return Err(format!(
                    "`{key}` in [task] without a task: it needs the `name` of one (`labelmix tasks` lists them) or the \
                     `file` of your own"
                ));
            }
        };
        let weak = self.weak.map(|weak| match weak {
            WrittenWeak::Column(column) => WeakTable { columns: OneOrMore::One(column), file: None, key: None },
            WrittenWeak::Table(table) => table,
        });
        Ok(TaskReference {
            definition,
            folder: self.folder,
            template: self.template,
            proxy: self.proxy,
            weak,
            merge: self.merge.unwrap_or_default(),
        })
    }
}

/// `weak` as it is written: a column, a list of annotators' columns, or a table. Read by hand, so that a mistake in
/// the table is named and not only called unfit for every form.
enum WrittenWeak {
    Column(String),
    Table(WeakTable),
}

impl<'de> Deserialize<'de> for WrittenWeak {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct AnyForm;

        impl<'de> Visitor<'de> for AnyForm {
            type Value = WrittenWeak;

            fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
                formatter.write_str("a column of weak labels, a list of annotators' columns, or a table [task.weak]")
            }

            fn visit_str<E>(self, column: &str) -> std::result::Result<WrittenWeak, E> {
                Ok(WrittenWeak::Column(column.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> std::result::Result<WrittenWeak, A::Error> {
                let columns = OneOrMore::More(Vec::deserialize(SeqAccessDeserializer::new(list))?);
                Ok(WrittenWeak::Table(WeakTable { columns, file: None, key: None }))
            }

            fn visit_map<A: MapAccess<'de>>(self, table: A) -> std::result::Result<WrittenWeak, A::Error> {
                WeakTable::deserialize(MapAccessDeserializer::new(table)).map(WrittenWeak::Table)
            }
        }

        deserializer.deserialize_any(AnyForm)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Study;
    use super::*;

    fn read(text: &str) -> std::result::Result<Study, String> {
        Study::parse(text, PathBuf::new()).map_err(|Problem { reason, help }| format!("{reason} | {help}"))
    }

    fn with_table(table: &str) -> std::result::Result<Study, String> {
        read(&format!("name = 'a'\n[model]\npath = 'model'\n[task]\n{table}\n"))
    }

    fn problem(table: &str) -> String {
        with_table(table).unwrap_err()
    }

    #[test]
    fn what_is_written_is_read_again() {
        for table in [
            "train = 'a.csv'\ntest = 'b.csv'\nweak = 'crowd'\nbalance = false",
            "name = 'sciq'\nfolder = 'data'\nmax_test = 50\ngold_pool = 7",
            "name = 'sciq'\nweak = ['ann', 'bob']\nmerge = 'dawid-skene'\ntemplate = '{{ question }} {{ answer }}'",
            "name = 'sst2'\nproxy = 'nothing'\n[task.weak]\ncolumns = 'w'\nfile = 'crowd.jsonl'\nkey = 'key'",
        ] {
            let study = with_table(table).unwrap();
            let written = toml::to_string(&study).unwrap();
            assert_eq!(read(&written).unwrap(), study, "{written}");
        }
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
    fn forms_that_exclude_each_other_or_miss_something() {
        insta::assert_snapshot!(problem("name = 'sciq'\ntrain = 'a.csv'"), @"line 4: `train` and `name` in [task]: the data is either files of texts (`train` and `test`) or a task (`name` or `file`) | see `labelmix help sweep` for an example of a study file");
        insta::assert_snapshot!(problem("name = 'sciq'\nfile = 'mine.toml'"), @"line 4: `name` and `file` in [task]: a task is either one of labelmix, by its name, or one of your own, in a file | see `labelmix help sweep` for an example of a study file");
        insta::assert_snapshot!(problem("max_test = 100"), @"line 4: [task] does not say where the data is: it needs `train` and `test` (files of texts), the `name` of a task, or the `file` of one | see `labelmix help sweep` for an example of a study file");
        insta::assert_snapshot!(problem("train = 'a.csv'"), @"line 4: [task] has `train` but no `test` | see `labelmix help sweep` for an example of a study file");
        insta::assert_snapshot!(problem("text = 'review'"), @"line 4: `text` in [task] without files of texts: it needs `train` and `test` | see `labelmix help sweep` for an example of a study file");
        insta::assert_snapshot!(problem("template = '{{ a }}'"), @"line 4: `template` in [task] without a task: it needs the `name` of one (`labelmix tasks` lists them) or the `file` of your own | see `labelmix help sweep` for an example of a study file");
        insta::assert_snapshot!(problem("train = 'a.csv'\ntest = 'b.csv'\nweak = ['ann', 'bob']"), @"line 4: `weak` in [task] is one column where the data is files of texts; a list or a table needs a task (`name` or `file`) | see `labelmix help sweep` for an example of a study file");
        insta::assert_snapshot!(problem("name = 'sciq'\nweak = 3"), @"line 6: invalid type: integer `3`, expected a column of weak labels, a list of annotators' columns, or a table [task.weak] | see `labelmix help sweep` for an example of a study file");
        insta::assert_snapshot!(problem("name = 'sciq'\n[task.weak]\ncolumn = 'w'"), @"line 7: unknown field `column`, expected one of `columns`, `file`, `key` | did you mean `columns`?");
        insta::assert_snapshot!(problem("name = 'sciq'\nmerge = 'median'"), @"line 6: unknown variant `median`, expected one of `mean`, `majority`, `dawid-skene` | did you mean `mean`?");
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
