//! What a task file may say: the tables of its TOML, and what of it makes no sense.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::weak::WeakTable;
use crate::prompt::PromptTemplate;
use crate::read::Encoding;

/// A task file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskDefinition {
    /// The task in one line.
    pub description: String,
    /// Under which licence the data is published, as far as that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub licence: Option<String>,
    /// The text to classify: a minijinja template over the row's columns and what the kind adds to them.
    pub template: String,
    /// What a cheap labeler sees in the text's place: another template, if it is to see less.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy: Option<String>,
    /// Fixes what is drawn at random: which answer is shown, the test set of pooled splits.
    #[serde(default)]
    pub seed: u64,
    /// The columns on whose content the draw for a row depends; by default those of the template, the proxy and the
    /// kind. Tasks that name the same ones draw alike.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub draw_by: Option<Vec<String>>,
    /// Data of the Hugging Face Hub.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hub: Option<HubTable>,
    /// Data on this machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub local: Option<LocalTable>,
    /// Which splits are for training and which for testing.
    #[serde(default)]
    pub splits: SplitsTable,
    /// A label in a column of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub binary: Option<BinaryTable>,
    /// A question with several answers, one of them right.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub multiple_choice: Option<MultipleChoiceTable>,
    /// A better and a worse text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preference: Option<PreferenceTable>,
    /// Which rows are kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub filters: Vec<FilterTable>,
    /// Where weak labels are, if there are any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weak: Option<WeakTable>,
    /// How it is asked: wordings, of which the first is the usual one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub prompts: Vec<PromptTemplate>,
}

/// `[hub]`: a dataset of the Hugging Face Hub.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HubTable {
    /// Its repository, `organisation/name`.
    pub dataset: String,
    /// Its configuration, where it has several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config: Option<String>,
    /// The branch, tag or commit; by default `main`. `refs/convert/parquet` is the Hub's own conversion of datasets
    /// that are a script, or no Parquet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
}

/// `[local]`: files on this machine; paths are relative to the task file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LocalTable {
    /// A folder with a file, or several, for each split.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folder: Option<PathBuf>,
    /// Or the files of each split.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub files: BTreeMap<String, OneOrMore<PathBuf>>,
    /// The configuration, where the folder has a folder for each.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config: Option<String>,
    /// How text formats are encoded, where it is not Unicode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoding: Option<Encoding>,
}

/// `[splits]`: either `train` and `test`, or `pooled` and `test_size`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SplitsTable {
    /// The splits whose labels are for sale; by default `train`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub train: Option<OneOrMore<String>>,
    /// The splits to measure accuracy on; by default `test`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test: Option<OneOrMore<String>>,
    /// The splits of which one pool is made, from which the test set is taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pooled: Option<OneOrMore<String>>,
    /// How many examples of the pool are the test set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_size: Option<usize>,
    /// The share of the rows to read at all, for datasets of millions. Which they are depends on each row's content
    /// alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub share: Option<f64>,
}

/// `[binary]`: the label is in a column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BinaryTable {
    /// The column; `a.b` is the field `b` of the column `a`.
    pub label: String,
    /// The class of each value that the column has; by default 0 and 1 are themselves.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub values: BTreeMap<String, u8>,
    /// Values whose rows are left out, such as a third class, or -1 for a label that was never published.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub drop: Vec<String>,
}

/// `[multiple_choice]`: a row becomes one example, which shows `answer`, the right one or a wrong one, and is of class
/// 1 if it is the right one. Either `options` and `answer`, or `right` and `wrong`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MultipleChoiceTable {
    /// The column that lists the answers, or a column for each of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub options: Option<OneOrMore<String>>,
    /// The column that says which of them is right.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
    /// How it says so.
    #[serde(default)]
    pub answer_is: AnswerIs,
    /// The index of the first answer, where it is said by index.
    #[serde(default)]
    pub first_index: i64,
    /// The column that lists the answers' keys, where it is said by key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keys: Option<String>,
    /// The column of the right answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub right: Option<String>,
    /// The column that lists the wrong answers, or a column for each of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wrong: Option<OneOrMore<String>>,
    /// Answers that make no sense alone ("none of the above"). They are never shown: where one is right, a wrong
    /// answer is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub never_shown: Vec<String>,
    /// Values of `answer` whose rows are left out, such as -1 for an answer that was never published.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub drop: Vec<String>,
}

/// How a row says which answer is right.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AnswerIs {
    /// By its index among the options.
    #[default]
    Index,
    /// By its key, of which another column has the list (A, B, C, D).
    Key,
    /// By its text.
    Text,
}

/// `[preference]`: a row becomes one example, which shows both texts as `first` and `second`, in an order drawn at
/// random, and is of class 1 if the second one is the better.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PreferenceTable {
    /// The column of the better text.
    pub better: String,
    /// The column of the worse text.
    pub worse: String,
    /// Both texts begin alike, up to the last time that they both have this: the beginning is shown as `shared`,
    /// and `first` and `second` are what comes after.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub split_after: Option<String>,
}

/// `[[filters]]`: rows for which an expression does not hold are left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FilterTable {
    /// What must hold: a minijinja expression over the row's columns.
    pub keep: String,
    /// What is said of the rows that are left out; by default the expression.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// One value or a list of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum OneOrMore<T> {
    One(T),
    /// A list.
    More(Vec<T>),
}

impl<T> OneOrMore<T> {
    pub fn as_slice(&self) -> &[T] {
        match self {
            Self::One(value) => std::slice::from_ref(value),
            Self::More(values) => values,
        }
    }
}

/// What a task file gets wrong beyond its form, and what to do about it.
pub(super) struct Problem {
    pub(super) reason: String,
    pub(super) advice: String,
}

impl Problem {
    fn new(reason: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { reason: reason.into(), advice: advice.into() }
    }
}

impl TaskDefinition {
    /// Refuses what contradicts itself.
    pub(super) fn check(&self) -> Result<(), Problem> {
        let kinds = [self.binary.is_some(), self.multiple_choice.is_some(), self.preference.is_some()];
        if kinds.iter().filter(|is_there| **is_there).count() != 1 {
            let one = "a task has one of the tables [binary], [multiple_choice] and [preference]";
            return Err(Problem::new("it is not said, or said twice, what is to be judged", one));
        }
        self.check_source()?;
        self.splits.check()?;
        if let Some(binary) = &self.binary {
            binary.check()?;
        }
        if let Some(choice) = &self.multiple_choice {
            choice.check()?;
        }
        if let Some(weak) = &self.weak {
            weak.check()?;
        }
        if let Some(wording) = self.prompts.iter().position(|prompt| prompt.targets[0] == prompt.targets[1]) {
            return Err(Problem::new(
                format!("both classes have one target in wording {} of [[prompts]]", wording + 1),
                "give `targets` that a model can tell apart, such as [\" no\", \" yes\"]",
            ));
        }
        if self.draw_by.as_ref().is_some_and(Vec::is_empty) {
            return Err(Problem::new("draw_by is empty", "name a column that tells the rows apart, or leave it out"));
        }
        Ok(())
    }

    /// What introduces the answer that a text ends with: the template's last line, up to `{{ answer }}`. `None` where the
    /// template does not end with that.
    pub fn before_answer(&self) -> Option<&str> {
        let variable = self.template.trim_end().strip_suffix("}}")?.trim_end().strip_suffix("answer")?;
        let before = variable.trim_end().strip_suffix("{{")?.trim_end();
        Some(&before[before.rfind('\n').unwrap_or(0)..]).filter(|line| !line.trim().is_empty())
    }

    fn check_source(&self) -> Result<(), Problem> {
        let local = match (&self.hub, &self.local) {
            (Some(_), None) => return Ok(()),
            (None, Some(local)) => local,
            _ => {
                let one = "a task has one of the tables [hub] and [local]";
                return Err(Problem::new("it is not said, or said twice, where the data is", one));
            }
        };
        match (&local.folder, local.files.is_empty()) {
            (Some(_), true) | (None, false) => Ok(()),
            _ => Err(Problem::new(
                "[local] needs either a folder or files",
                "for instance `folder = \"data\"`, or `files = { train = \"a.csv\", test = \"b.csv\" }`",
            )),
        }
    }
}

impl SplitsTable {
    fn check(&self) -> Result<(), Problem> {
        if self.share.is_some_and(|share| !(share > 0.0 && share <= 1.0)) {
            return Err(Problem::new("the share in [splits] is no share", "give a number above 0, up to 1"));
        }
        let lists = [&self.train, &self.test, &self.pooled];
        if lists.into_iter().flatten().any(|names| names.as_slice().is_empty()) {
            return Err(Problem::new("an empty list in [splits]", "name the splits, or leave the key out"));
        }
        match (&self.pooled, self.test_size) {
            (None, None) => Ok(()),
            (Some(_), Some(size)) if size >= 2 && self.train.is_none() && self.test.is_none() => Ok(()),
            _ => Err(Problem::new(
                "[splits] does not say how training and test are told apart",
                "name splits for `train` and `test`, or the `pooled` ones and a `test_size` of 2 or more",
            )),
        }
    }
}

impl BinaryTable {
    fn check(&self) -> Result<(), Problem> {
        if let Some((value, class)) = self.values.iter().find(|(_, class)| **class > 1) {
            return Err(Problem::new(format!("the value `{value}` has the class {class}"), "a class is 0 or 1"));
        }
        let has = |class| self.values.values().any(|value| *value == class);
        if !(self.values.is_empty() || has(0) && has(1)) {
            return Err(Problem::new("all values in [binary] have one class", "give values for both classes, 0 and 1"));
        }
        Ok(())
    }
}

impl MultipleChoiceTable {
    fn check(&self) -> Result<(), Problem> {
        let by_options = self.options.is_some() && self.answer.is_some();
        let by_right = self.right.is_some() && self.wrong.is_some();
        let mixed = (self.options.is_some() || self.answer.is_some()) && (self.right.is_some() || self.wrong.is_some());
        if mixed || by_options == by_right {
            return Err(Problem::new(
                "[multiple_choice] does not say which answer is right",
                "name the columns of `options` and of the `answer`, or of the `right` and the `wrong` ones",
            ));
        }
        if (self.answer_is == AnswerIs::Key) != self.keys.is_some() {
            return Err(Problem::new(
                "`keys` and `answer_is = \"key\"` go together in [multiple_choice]",
                "name the column of keys where the answer is said by key, and only there",
            ));
        }
        if self.first_index != 0 && (self.answer_is != AnswerIs::Index || by_right) {
            return Err(Problem::new("`first_index` without an answer's index", "leave it out"));
        }
        Ok(())
    }
}
