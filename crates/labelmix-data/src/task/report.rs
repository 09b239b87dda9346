//! What people are told about a task: without its data, and after a look at all of it.

use std::fmt;

use serde::Serialize;

use super::{DataSource, LoadOptions, OneOrMore, SplitFiles, Task, TaskError};
use crate::dataset::Dataset;
use crate::example::{Example, ExampleId};
use crate::prompt::PromptTemplate;
use crate::summary::{DataSummary, grouped};

/// A task without its data.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TaskDescription {
    /// The task's name, or the path of its file.
    pub name: String,
    /// The task in one line.
    pub description: String,
    /// Where the data is: `dataset (config, revision) on the Hugging Face Hub`, a folder, or files.
    pub data: String,
    /// The licence of the data, as far as that is known.
    pub licence: Option<String>,
    /// The splits for training and for testing.
    pub splits: String,
    /// What is judged: a binary label, a multiple choice or a preference.
    pub kind: &'static str,
    /// The columns that are read.
    pub columns: Vec<String>,
    /// The seed of what is drawn at random.
    pub seed: u64,
    /// The text template.
    pub template: String,
    /// The template of what a cheap labeler sees, if it sees less.
    pub proxy: Option<String>,
    /// How it is asked: its wordings.
    pub prompts: Vec<PromptTemplate>,
    /// What must hold of the rows that are kept.
    pub filters: Vec<String>,
}

/// An example as people are shown it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RenderedExample {
    pub id: ExampleId,
    /// Its class, by its gold label or else its weak one.
    pub class: u8,
    pub text: String,
    /// What a cheap labeler sees, if it sees less.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy: Option<String>,
}

/// A task after a look at all its data.
#[derive(Debug, Clone, Serialize)]
pub struct TaskCheck {
    pub task: TaskDescription,
    /// What was read, what was dropped and why, and the balance.
    pub summary: DataSummary,
    /// Some training examples, class 0 first.
    pub examples: Vec<RenderedExample>,
    /// The cleaned examples, for what else is to be known of them (their lengths in tokens).
    #[serde(skip)]
    pub dataset: Dataset,
}

/// Rendered examples of each class in a [`TaskCheck`].
const EXAMPLES_PER_CLASS: usize = 3;

impl Task {
    /// What the task is, without its data.
    pub fn describe(&self) -> TaskDescription {
        let definition = self.definition();
        TaskDescription {
            name: self.name().to_owned(),
            description: definition.description.clone(),
            data: described_source(self.source()),
            licence: definition.licence.clone(),
            splits: self.described_splits(),
            kind: self.reader.kind.name(),
            columns: self.reader.columns(),
            seed: definition.seed,
            template: definition.template.clone(),
            proxy: definition.proxy.clone(),
            prompts: definition.prompts.clone(),
            filters: definition.filters.iter().map(|filter| filter.keep.clone()).collect(),
        }
    }

    /// Loads the task's data and accounts for it.
    ///
    /// # Errors
    /// As [`Task::load`].
    ///
    /// # Panics
    /// As [`Task::load`].
    pub fn check(&self, files: &SplitFiles, options: &LoadOptions) -> Result<TaskCheck, TaskError> {
        let dataset = self.load(files, options)?;
        let of_class = |class| dataset.train.iter().filter(move |example| example.class() == class);
        let examples = [false, true].into_iter().flat_map(|class| of_class(class).take(EXAMPLES_PER_CLASS));
        Ok(TaskCheck {
            task: self.describe(),
            summary: dataset.summary.clone(),
            examples: examples.map(RenderedExample::from).collect(),
            dataset,
        })
    }

    fn described_splits(&self) -> String {
        let splits = &self.definition().splits;
        let share = splits.share.map_or_else(String::new, |share| format!("; {}% of the rows", share * 100.0));
        let [train, test] = [self.train_splits(), self.test_splits()].map(|splits| splits.join(" and "));
        match splits.test_size {
            Some(size) => format!("{train} pooled, of which {} are the test set{share}", grouped(size)),
            None => format!("{train} for training, {test} for testing{share}"),
        }
    }
}

impl From<&Example> for RenderedExample {
    fn from(example: &Example) -> Self {
        Self {
            id: example.id,
            class: u8::from(example.class()),
            text: example.text.clone(),
            proxy: example.proxy.as_deref().map(str::to_owned),
        }
    }
}

fn described_source(source: DataSource) -> String {
    match source {
        DataSource::Hub(hub) => {
            let mut details: Vec<String> = hub.config.iter().map(|config| format!("configuration {config}")).collect();
            details.extend(hub.revision.iter().map(|revision| format!("revision {revision}")));
            let details = if details.is_empty() { String::new() } else { format!(" ({})", details.join(", ")) };
            format!("{}{details} on the Hugging Face Hub", hub.dataset)
        }
        DataSource::Local(local) => {
            let files = local.files.values().flat_map(OneOrMore::as_slice);
            let paths = local.folder.iter().chain(files).map(|path| path.display().to_string());
            paths.collect::<Vec<_>>().join(", ")
        }
    }
}

impl fmt::Display for TaskDescription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {}", self.name, self.description)?;
        writeln!(f, "data:    {}", self.data)?;
        writeln!(f, "licence: {}", self.licence.as_deref().unwrap_or("not known"))?;
        writeln!(f, "splits:  {}", self.splits)?;
        writeln!(f, "kind:    {}", self.kind)?;
        writeln!(f, "columns: {}", self.columns.join(", "))?;
        writeln!(f, "seed:    {}", self.seed)?;
        for filter in &self.filters {
            writeln!(f, "keeps:   {filter}")?;
        }
        write!(f, "text:\n{}", indented(&self.template))?;
        if let Some(proxy) = &self.proxy {
            write!(f, "\nwhat a cheap labeler sees:\n{}", indented(proxy))?;
        }
        for (place, prompt) in self.prompts.iter().enumerate() {
            let [no, yes] = &prompt.targets;
            write!(f, "\nwording {}: {:?}, then {no:?} or {yes:?}", place + 1, prompt.query("TEXT"))?;
        }
        Ok(())
    }
}

impl fmt::Display for RenderedExample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "class {}, {}:\n{}", self.class, self.id, indented(&self.text))?;
        match &self.proxy {
            Some(proxy) => write!(f, "\n  a cheap labeler sees:\n{}", indented(proxy)),
            None => Ok(()),
        }
    }
}

impl fmt::Display for TaskCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n\n{}", self.task, self.summary)?;
        for (name, split) in [("train", &self.summary.train), ("test", &self.summary.test)] {
            let [zeros, ones] = split.cleaned_class_counts;
            let share = 100.0 * ones as f64 / (zeros + ones).max(1) as f64;
            let [zeros, ones] = [zeros, ones].map(grouped);
            writeln!(f, "{name} before balancing: {zeros} of class 0, {ones} of class 1 ({share:.1}%)")?;
            for left_out in &split.left_out {
                writeln!(f, "{name}, left out: {} ({})", grouped(left_out.rows), left_out.reason)?;
            }
        }
        for example in &self.examples {
            write!(f, "\n{example}")?;
        }
        Ok(())
    }
}

fn indented(text: &str) -> String {
    text.trim_end().lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}
