//! Files of texts in `[task]`: which files, which columns, and what their cells mean.

use std::path::{Path, PathBuf};

use labelmix_data::{
    CleaningOptions, Contradictions, Dataset, Encoding, Example, LabelValues, OneOrMore, TableFile, TestSize,
    TestTexts, TextColumns, TextOptions, TextSource, field_names, read_gold,
};
use serde::{Deserialize, Serialize};

use super::{VoteMerging, WeakLabels};
use crate::error::Result;

/// Files whose rows are a text and its labels, in any format that tables have.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TextFiles {
    /// The file whose labels are for sale.
    pub train: PathBuf,
    /// The file to measure accuracy on; without it a part of the training file is taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test: Option<PathBuf>,
    /// What is said of the rows.
    #[serde(flatten)]
    pub rows: RowKeys,
}

/// The keys of `[task]` about the rows of files of texts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RowKeys {
    /// How many texts the test set takes from the training file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_size: Option<TestSize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_seed: Option<u64>,
    /// A column whose rows of one value stay together, in training or in the test set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The column of texts, or several, which become a line each.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<OneOrMore<String>>,
    /// A template of the text, in place of columns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// The column of gold labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gold: Option<String>,
    /// The column of weak labels, or one for each annotator.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weak: Option<OneOrMore<String>>,
    /// How several weak labels of a text become one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub merge: Option<VoteMerging>,
    /// What the cells of label columns mean.
    #[serde(flatten)]
    pub values: LabelValues,
    /// What is done about contradictory gold labels of a text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contradictions: Option<Contradictions>,
    /// How the characters of a text format are encoded, where it is not Unicode.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encoding: Option<Encoding>,
}

impl RowKeys {
    /// A key that is there and that only files of texts have.
    pub(super) fn own_key(&self) -> Option<&'static str> {
        let keys = [
            ("text", self.text.is_some()),
            ("gold", self.gold.is_some()),
            ("test_size", self.test_size.is_some()),
            ("test_seed", self.test_seed.is_some()),
            ("group", self.group.is_some()),
            ("values", !self.values.values.is_empty()),
            ("missing", !self.values.missing.is_empty()),
            ("drop", !self.values.drop.is_empty()),
            ("threshold", self.values.threshold.is_some()),
            ("contradictions", self.contradictions.is_some()),
            ("encoding", self.encoding.is_some()),
        ];
        keys.into_iter().find_map(|(key, is_there)| is_there.then_some(key))
    }

    /// What contradicts itself or makes no sense.
    pub(super) fn problem(&self, has_test: bool) -> Option<String> {
        let Self { values: LabelValues { values, threshold, .. }, .. } = self;
        let lists_nothing = |names: &Option<OneOrMore<String>>| names.as_ref().is_some_and(|n| n.as_slice().is_empty());
        let reason = if self.text.is_some() && self.template.is_some() {
            "`text` and `template` in [task]: the text is in columns, or made by a template"
        } else if has_test && (self.test_size.is_some() || self.test_seed.is_some()) {
            "`test` and `test_size` or `test_seed` in [task]: the test set is a file, or a part of `train`"
        } else if matches!(self.test_size, Some(TestSize::Share(share)) if !(share > 0.0 && share < 1.0)) {
            "`test_size` in [task] is a number of texts, or a share between 0 and 1"
        } else if matches!(self.test_size, Some(TestSize::Count(0 | 1))) {
            "`test_size` in [task]: a test set needs a text of each class, 2 or more"
        } else if lists_nothing(&self.text) {
            "`text` in [task] names no column"
        } else if lists_nothing(&self.weak) {
            "`weak` in [task] names no column"
        } else if values.values().any(|class| *class > 1) {
            "`values` in [task] gives each value its class, 0 or 1"
        } else if !values.is_empty() && ![0, 1].iter().all(|class| values.values().any(|other| other == class)) {
            "`values` in [task] needs a value of class 0 and one of class 1"
        } else if threshold.is_some_and(|threshold| !threshold.is_finite()) {
            "`threshold` in [task] is a number"
        } else if threshold.is_some() && !values.is_empty() {
            "`threshold` and `values` in [task]: gold labels are scores, or names of classes"
        } else if self.merge == Some(VoteMerging::DawidSkene) && self.weak_columns().len() < 2 {
            "`merge = \"dawid-skene\"` in [task] has to know who labelled what: name a column for each annotator, `weak = [\"ann\", \
             \"bob\"]`"
        } else {
            return None;
        };
        Some(reason.to_owned())
    }

    fn weak_columns(&self) -> Vec<String> {
        self.weak.as_ref().map_or_else(|| vec!["weak".to_owned()], |weak| weak.as_slice().to_vec())
    }

    /// The columns, for who reads rows.
    pub(crate) fn columns(&self) -> TextColumns {
        let text = match (&self.template, &self.text) {
            (Some(template), _) => TextSource::Template(template.clone()),
            (None, Some(OneOrMore::More(names))) => TextSource::Columns(names.clone()),
            (None, Some(OneOrMore::One(name))) => TextSource::Column(name.clone()),
            (None, None) => TextSource::Column("text".to_owned()),
        };
        TextColumns {
            text,
            gold: self.gold.clone().unwrap_or_else(|| "gold".to_owned()),
            weak: self.weak_columns(),
            values: self.values.clone(),
            group: self.group.clone(),
            encoding: self.encoding,
        }
    }

    /// Texts with gold labels from another file of this kind, without those that are `held_out`.
    pub(super) fn read_gold(&self, file: &Path, held_out: &[Example]) -> Result<Vec<Example>> {
        Ok(read_gold(file, &self.columns(), self.contradictions.unwrap_or_default(), held_out)?)
    }
}

impl TextFiles {
    pub(super) fn load(
        &self,
        folder: &Path,
        cleaning: CleaningOptions,
        weak_labels: WeakLabels,
        fields: &[String],
    ) -> Result<Dataset> {
        let RowKeys { test_size, test_seed, contradictions, merge, .. } = &self.rows;
        let test = match &self.test {
            Some(test) => TestTexts::File(folder.join(test)),
            None => TestTexts::Part { size: test_size.unwrap_or_default(), seed: test_seed.unwrap_or(0) },
        };
        let files = labelmix_data::TextFiles {
            train: folder.join(&self.train),
            test,
            columns: self.rows.columns(),
            contradictions: contradictions.unwrap_or_default(),
        };
        let options = TextOptions {
            cleaning,
            merge_votes: merge.unwrap_or_default().function(),
            weak_from_elsewhere: weak_labels == WeakLabels::Elsewhere,
            fields,
        };
        Ok(Dataset::load(&files, &options)?)
    }

    /// The fields of the training rows, but for the texts and labels.
    pub(super) fn field_names(&self, folder: &Path) -> Result<Vec<String>> {
        let columns = self.rows.columns();
        let mut names = field_names(TableFile::new(&folder.join(&self.train)).in_encoding(self.rows.encoding))?;
        let is_text = |name: &String| match &columns.text {
            TextSource::Column(text) => text == name,
            TextSource::Columns(texts) => texts.contains(name),
            TextSource::Template(_) => false,
        };
        names.retain(|name| !is_text(name) && *name != columns.gold && !columns.weak.contains(name));
        Ok(names)
    }
}
