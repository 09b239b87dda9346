//! Tasks as data: where a dataset is, which rows of it count, what is judged, and how a row becomes a text.
//!
//! A task is a TOML file ([`TaskDefinition`] is its reference). Those of Mallen & Belrose (2024) are part of the library
//! ([`Task::named`]); [`Task::read`] takes a user's own. A task knows which files it needs but fetches none: for data
//! of the Hugging Face Hub, [`Task::hub_files`] picks them from a repository's listing, and for data on this machine
//! [`Task::local_files`] finds them. With the files at hand [`Task::load`] makes a [`Dataset`].
//!
//! What is drawn at random for a row (which answer of a multiple choice is shown) depends on the task's seed and the
//! row's content alone. So the same row makes the same example whatever else is in its file, and in any format.

mod columns;
mod definition;
mod draw;
mod error;
mod kind;
mod layout;
mod local;
mod report;
mod rows;
mod shipped;
mod template;
mod weak;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub use self::definition::{
    AnswerIs, BinaryTable, FilterTable, HubTable, LocalTable, MultipleChoiceTable, OneOrMore, PreferenceTable,
    SplitsTable, TaskDefinition,
};
pub use self::error::TaskError;
pub use self::report::{RenderedExample, TaskCheck, TaskDescription};
pub(crate) use self::rows::render_error;
use self::rows::{Purpose, RowReader};
pub(crate) use self::template::{Fields, TextTemplate, value_of};
use self::weak::VoteTable;
pub use self::weak::{MergeVotes, WeakTable};
pub(crate) use self::weak::{mean_vote, merge_votes};
use crate::clean::{CleaningOptions, DataSplit};
use crate::dataset::Dataset;
use crate::example::Example;
use crate::field::refuse_unknown;

/// The files of each split, by the split's name: paths, or names in a repository.
pub type SplitFiles<F = PathBuf> = BTreeMap<String, Vec<F>>;

/// A task that is checked and ready to read rows.
#[derive(Debug, Clone)]
pub struct Task {
    /// Its name, or the path of its file: what messages call it.
    name: String,
    definition: TaskDefinition,
    /// The folder that paths in the definition are relative to.
    folder: PathBuf,
    reader: RowReader,
}

/// Where a task's data is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DataSource<'a> {
    /// On the Hugging Face Hub.
    Hub(&'a HubTable),
    /// On this machine.
    Local(&'a LocalTable),
}

/// What is done with the rows of a task.
#[derive(Default, Clone, Copy)]
pub struct LoadOptions<'a> {
    /// What is left out.
    pub cleaning: CleaningOptions,
    /// How several annotators' votes become a weak label; by default their mean does.
    pub merge_votes: Option<&'a MergeVotes<'a>>,
    /// Fields of the rows to keep with the examples ([`Example::fields`]); `a.b` is the field `b` of the column `a`. The
    /// training rows must have them, the test rows may.
    pub fields: &'a [String],
}

/// How a task divides its data.
enum Division<'a> {
    Apart { train: Vec<&'a str>, test: Vec<&'a str> },
    Pooled { splits: Vec<&'a str>, test_size: usize },
}

impl Task {
    /// The names of the tasks that are part of the library, sorted.
    pub fn names() -> impl Iterator<Item = &'static str> {
        shipped::TASKS.iter().map(|(name, _)| *name)
    }

    /// All tasks that are part of the library, by name.
    pub fn all() -> Vec<Self> {
        let parse = |(name, text): &(&str, &str)| {
            Self::parse(name, text, Path::new("")).expect("the tests parse every task of the library")
        };
        shipped::TASKS.iter().map(parse).collect()
    }

    /// A task of the library.
    ///
    /// # Errors
    /// [`TaskError::UnknownTask`] if there is none of this name.
    pub fn named(name: &str) -> Result<Self, TaskError> {
        match shipped::TASKS.iter().find(|(known, _)| *known == name) {
            Some((name, text)) => Self::parse(name, text, Path::new("")),
            None => Err(TaskError::unknown_task(name, Self::names())),
        }
    }

    /// A user's own task file.
    ///
    /// # Errors
    /// [`TaskError`] if the file cannot be read, is not TOML, has an unknown key, contradicts itself, or has a template
    /// that cannot be parsed or that shows the label.
    pub fn read(file: &Path) -> Result<Self, TaskError> {
        let text = std::fs::read_to_string(file)
            .map_err(|error| TaskError::Unreadable { file: file.to_path_buf(), reason: error.to_string() })?;
        Self::parse(&file.display().to_string(), &text, file.parent().unwrap_or(Path::new("")))
    }

    /// A task from the text of a task file: `name` is what messages call it, `folder` what its paths are relative to.
    ///
    /// # Errors
    /// As [`Task::read`].
    pub fn parse(name: &str, text: &str, folder: &Path) -> Result<Self, TaskError> {
        let definition = toml::from_str(text).map_err(|error| TaskError::toml(name, text, &error))?;
        Self::new(name.to_owned(), definition, folder.to_path_buf())
    }

    fn new(name: String, definition: TaskDefinition, folder: PathBuf) -> Result<Self, TaskError> {
        definition.check().map_err(|problem| TaskError::Definition {
            task: name.clone(),
            line: None,
            reason: problem.reason,
            advice: problem.advice,
        })?;
        let reader = RowReader::new(&name, &definition, definition.draw_by.as_deref())?;
        Ok(Self { name, definition, folder, reader })
    }

    /// The same task with another text template. What is drawn for each row stays as it was.
    ///
    /// # Errors
    /// [`TaskError`] if the template cannot be parsed or shows the label.
    pub fn with_template(self, template: &str) -> Result<Self, TaskError> {
        let draw_by = Some(self.reader.draw_columns());
        let definition = TaskDefinition { template: template.to_owned(), draw_by, ..self.definition };
        Self::new(self.name, definition, self.folder)
    }

    /// The same task with another template for what a cheap labeler sees.
    ///
    /// # Errors
    /// As [`Task::with_template`].
    pub fn with_proxy(self, template: &str) -> Result<Self, TaskError> {
        let draw_by = Some(self.reader.draw_columns());
        let definition = TaskDefinition { proxy: Some(template.to_owned()), draw_by, ..self.definition };
        Self::new(self.name, definition, self.folder)
    }

    /// The same task with weak labels that come with the data; a file's path is taken as it is.
    ///
    /// # Errors
    /// [`TaskError`] if `weak` contradicts itself or the text template shows its columns.
    pub fn with_weak(self, mut weak: WeakTable) -> Result<Self, TaskError> {
        weak.file = weak
            .file
            .map(std::path::absolute)
            .transpose()
            .map_err(|error| TaskError::Unreadable { file: self.folder.clone(), reason: error.to_string() })?;
        let definition = TaskDefinition { weak: Some(weak), ..self.definition };
        Self::new(self.name, definition, self.folder)
    }

    /// The same task with its data in a folder on this machine (see [`Task::local_files`]).
    pub fn with_folder(mut self, folder: &Path) -> Self {
        let (config, encoding) = match self.source() {
            DataSource::Hub(hub) => (hub.config.clone(), None),
            DataSource::Local(local) => (local.config.clone(), local.encoding),
        };
        let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_path_buf());
        self.definition.local = Some(LocalTable { folder: Some(folder), files: BTreeMap::new(), config, encoding });
        self.definition.hub = None;
        self
    }

    /// The task's name, or the path of its file.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the task file says.
    pub fn definition(&self) -> &TaskDefinition {
        &self.definition
    }

    /// Where the data is.
    pub fn source(&self) -> DataSource<'_> {
        match (&self.definition.hub, &self.definition.local) {
            (Some(hub), _) => DataSource::Hub(hub),
            (None, Some(local)) => DataSource::Local(local),
            (None, None) => unreachable!("a checked task has data"),
        }
    }

    /// The splits whose labels are for sale. Pooled splits are among both these and [`Task::test_splits`].
    pub fn train_splits(&self) -> Vec<&str> {
        match self.division() {
            Division::Apart { train, .. } => train,
            Division::Pooled { splits, .. } => splits,
        }
    }

    /// The splits to measure accuracy on.
    pub fn test_splits(&self) -> Vec<&str> {
        match self.division() {
            Division::Apart { test, .. } => test,
            Division::Pooled { splits, .. } => splits,
        }
    }

    /// Every split that is read, once.
    pub fn splits(&self) -> Vec<&str> {
        let mut splits = self.train_splits();
        splits.extend(self.test_splits());
        splits.sort_unstable();
        splits.dedup();
        splits
    }

    fn division(&self) -> Division<'_> {
        fn names<'a>(splits: Option<&'a OneOrMore<String>>, default: &'a str) -> Vec<&'a str> {
            splits.map_or_else(|| vec![default], |names| names.as_slice().iter().map(String::as_str).collect())
        }
        let splits = &self.definition.splits;
        match (&splits.pooled, splits.test_size) {
            (Some(pooled), Some(test_size)) => Division::Pooled { splits: names(Some(pooled), ""), test_size },
            _ => Division::Apart {
                train: names(splits.train.as_ref(), "train"),
                test: names(splits.test.as_ref(), "test"),
            },
        }
    }

    /// Which files of the task's repository on the Hub are its splits: `listing` has the names of all files of the
    /// repository, at the revision that the task names.
    ///
    /// # Errors
    /// [`TaskError`] if there are no Parquet files, or not the configuration or a split of the task; it names those
    /// that there are.
    pub fn hub_files(&self, listing: &[String]) -> Result<SplitFiles<String>, TaskError> {
        let DataSource::Hub(hub) = self.source() else {
            return Ok(SplitFiles::new());
        };
        let files = |split: &str| {
            let listing = listing.iter().map(String::as_str);
            layout::files_of_split(&hub.dataset, listing, &["parquet"], hub.config.as_deref(), split)
        };
        self.splits().into_iter().map(|split| Ok((split.to_owned(), files(split)?))).collect()
    }

    /// The files of the task's splits on this machine: those it names, or those in its folder, by their names, such
    /// as `train.jsonl`, `train-00000-of-00002.parquet`, `config/test.csv`, or as `save_to_disk` of Hugging Face's
    /// `datasets` wrote them.
    ///
    /// # Errors
    /// [`TaskError::NotLocal`] if the data is on the Hub; other [`TaskError`]s as [`Task::hub_files`].
    pub fn local_files(&self) -> Result<SplitFiles, TaskError> {
        let local = match self.source() {
            DataSource::Local(local) => local,
            DataSource::Hub(hub) => {
                return Err(TaskError::NotLocal { task: self.name.clone(), data: hub.dataset.clone() });
            }
        };
        let files = |split: &str| {
            if let Some(folder) = &local.folder {
                // Without the `.` of `folder = "."`.
                let folder: PathBuf = self.folder.join(folder).components().collect();
                return local::files_in_folder(&folder, local.config.as_deref(), split);
            }
            let files = local.files.get(split).ok_or_else(|| TaskError::NoSuchSplit {
                data: format!("[local] of task {}", self.name),
                split: split.to_owned(),
                present: local.files.keys().cloned().collect(),
            })?;
            Ok(files.as_slice().iter().map(|file| self.folder.join(file)).collect())
        };
        self.splits().into_iter().map(|split| Ok((split.to_owned(), files(split)?))).collect()
    }

    /// Reads, renders and cleans the task's rows.
    ///
    /// # Errors
    /// [`TaskError`] for files and rows that cannot be used, and for a split of which nothing is left, or one class
    /// where both are needed.
    ///
    /// # Panics
    /// If [`LoadOptions::merge_votes`] gives other than one label for each example.
    pub fn load(&self, files: &SplitFiles, options: &LoadOptions) -> Result<Dataset, TaskError> {
        options.cleaning.check()?;
        let weak = self.definition.weak.as_ref();
        let votes = match weak.and_then(|weak| Some((weak, weak.file.as_ref()?))) {
            Some((weak, file)) => Some(VoteTable::read(&self.folder.join(file), weak)?),
            None => None,
        };
        let (mut train, mut test) = self.read_splits(files, votes.as_ref(), options.fields)?;
        let weak_file = votes.map(|votes| {
            let examples = train.examples_mut().iter().chain(test.examples_mut().iter());
            votes.summary(examples.filter(|example| example.weak.is_none()).count())
        });
        if let Some(merge) = options.merge_votes {
            merge_votes(train.examples_mut().iter_mut().chain(test.examples_mut()), merge);
        }
        train.set_unlabeled_apart();
        let mut dataset = Dataset::clean(train, test, &options.cleaning)?;
        dataset.summary.weak_file = weak_file;
        Ok(dataset)
    }

    /// The task's training and test rows, without repeated texts.
    fn read_splits(
        &self,
        files: &SplitFiles,
        votes: Option<&VoteTable>,
        fields: &[String],
    ) -> Result<(DataSplit, DataSplit), TaskError> {
        let reader = self.reader.keeping(fields);
        let read = |splits: &[&str], purpose| {
            let files = self.files_of(files, splits)?;
            let name = match files.as_slice() {
                [file] => file.display().to_string(),
                _ => format!("{}, {}", self.name, splits.join(" and ")),
            };
            let rows = reader.read(&files, purpose, votes)?;
            if purpose == Purpose::Training {
                refuse_unknown(fields, &files, &rows.examples)?;
            }
            Ok::<DataSplit, TaskError>(DataSplit::distinct(name, rows))
        };
        match self.division() {
            Division::Apart { train, test } => {
                let test = read(&test, Purpose::Testing)?;
                Ok((read(&train, Purpose::Training)?, test))
            }
            Division::Pooled { splits, test_size } => {
                let mut train = read(&splits, Purpose::Training)?;
                let name = format!("{}, {test_size} of {}", self.name, splits.join(" and "));
                let test = train.split_off(name, test_size, self.definition.seed)?;
                Ok((train, test))
            }
        }
    }

    /// The first labeled examples of each class that the training files have, class 0 first. Weak labels in a file of
    /// their own are not looked at.
    ///
    /// # Errors
    /// [`TaskError`] for files and rows that cannot be used.
    pub fn first_examples(&self, files: &SplitFiles, per_class: usize) -> Result<Vec<Example>, TaskError> {
        self.reader.read_first(&self.files_of(files, &self.train_splits())?, per_class)
    }

    fn files_of(&self, files: &SplitFiles, splits: &[&str]) -> Result<Vec<PathBuf>, TaskError> {
        let mut of_splits = Vec::new();
        for split in splits {
            let of_split = files.get(*split).ok_or_else(|| TaskError::NoSuchSplit {
                data: format!("what was found for task {}", self.name),
                split: (*split).to_owned(),
                present: files.keys().cloned().collect(),
            })?;
            of_splits.extend(of_split.iter().cloned());
        }
        Ok(of_splits)
    }
}
