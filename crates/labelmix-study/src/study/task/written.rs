//! `[task]` as it is written: which of its two forms it has, and what is missing or too much.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use labelmix_data::{Contradictions, Encoding, LabelValues, OneOrMore, TestSize, WeakTable};
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::{DefinedIn, RowKeys, TaskData, TaskReference, TaskTable, TextFiles, VoteMerging};

/// The keys of both forms, of which one is used.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenTable {
    train: Option<PathBuf>,
    test: Option<PathBuf>,
    test_size: Option<TestSize>,
    test_seed: Option<u64>,
    group: Option<String>,
    text: Option<OneOrMore<String>>,
    gold: Option<String>,
    #[serde(default)]
    values: BTreeMap<String, u8>,
    #[serde(default)]
    missing: Vec<String>,
    #[serde(default)]
    drop: Vec<String>,
    threshold: Option<f64>,
    contradictions: Option<Contradictions>,
    encoding: Option<Encoding>,
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

    fn try_from(written: WrittenTable) -> Result<Self, String> {
        let WrittenTable { max_test, balance, gold_pool, .. } = written;
        let data = match (written.key_of_files(), written.key_of_task()) {
            (Some(one), Some(other)) => {
                return Err(format!(
                    "`{one}` and `{other}` in [task]: the data is either files of texts (`train`) or a task (`name` or \
                     `file`)"
                ));
            }
            (None, None) => {
                return Err(
                    "[task] does not say where the data is: it needs `train` (a file of texts), the `name` of a \
                            task, or the `file` of one"
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
        let files = [("train", self.train.is_some()), ("test", self.test.is_some())];
        files.into_iter().find_map(|(key, is_there)| is_there.then_some(key)).or_else(|| self.rows().own_key())
    }

    /// What is said of the rows of files of texts; `weak` as far as it names columns.
    fn rows(&self) -> RowKeys {
        let weak = match &self.weak {
            Some(WrittenWeak::Column(column)) => Some(OneOrMore::One(column.clone())),
            Some(WrittenWeak::Table(table)) => Some(table.columns.clone()),
            None => None,
        };
        RowKeys {
            test_size: self.test_size,
            test_seed: self.test_seed,
            group: self.group.clone(),
            text: self.text.clone(),
            template: self.template.clone(),
            gold: self.gold.clone(),
            weak,
            merge: self.merge,
            values: LabelValues {
                values: self.values.clone(),
                missing: self.missing.clone(),
                drop: self.drop.clone(),
                threshold: self.threshold,
            },
            contradictions: self.contradictions,
            encoding: self.encoding,
        }
    }

    /// A key that is there and belongs to a task.
    fn key_of_task(&self) -> Option<&'static str> {
        let keys = [
            ("name", self.name.is_some()),
            ("file", self.file.is_some()),
            ("folder", self.folder.is_some()),
            ("proxy", self.proxy.is_some()),
        ];
        keys.into_iter().find_map(|(key, is_there)| is_there.then_some(key))
    }

    /// The files of texts, of which the table has at least this key.
    fn files(self, key: &str) -> Result<TextFiles, String> {
        let rows = self.rows();
        let train = match (self.train, &self.test) {
            (Some(train), _) => train,
            (None, Some(_)) => return Err("[task] has `test` but no `train`".to_owned()),
            (None, None) => return Err(format!("`{key}` in [task] without files of texts: it needs `train`")),
        };
        if let Some(WrittenWeak::Table(WeakTable { file: Some(_), .. } | WeakTable { key: Some(_), .. })) = self.weak {
            return Err("[task.weak] with a file of its own needs a task (`name` or `file`); in files of texts weak labels stand in \
                        columns"
                .to_owned());
        }
        match rows.problem(self.test.is_some()) {
            Some(problem) => Err(problem),
            None => Ok(TextFiles { train, test: self.test, rows }),
        }
    }

    /// The task, of which the table has at least this key.
    fn task(self, key: &str) -> Result<TaskReference, String> {
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
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyForm;

        impl<'de> Visitor<'de> for AnyForm {
            type Value = WrittenWeak;

            fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
                formatter.write_str("a column of weak labels, a list of annotators' columns, or a table [task.weak]")
            }

            fn visit_str<E>(self, column: &str) -> Result<WrittenWeak, E> {
                Ok(WrittenWeak::Column(column.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<WrittenWeak, A::Error> {
                let columns = OneOrMore::More(Vec::deserialize(SeqAccessDeserializer::new(list))?);
                Ok(WrittenWeak::Table(WeakTable { columns, file: None, key: None }))
            }

            fn visit_map<A: MapAccess<'de>>(self, table: A) -> Result<WrittenWeak, A::Error> {
                WeakTable::deserialize(MapAccessDeserializer::new(table)).map(WrittenWeak::Table)
            }
        }

        deserializer.deserialize_any(AnyForm)
    }
}

#[cfg(test)]
mod tests {
    use crate::study::task::tests::{problem, read, with_table};

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
    fn forms_that_exclude_each_other_or_miss_something() {
        insta::assert_snapshot!(problem("name = 'sciq'\ntrain = 'a.csv'"), @"line 4: `train` and `name` in [task]: the data is either files of texts (`train`) or a task (`name` or `file`) | see `labelmix help sweep` for an example of a study file");
        insta::assert_snapshot!(problem("name = 'sciq'\nfile = 'mine.toml'"), @"line 4: `name` and `file` in [task]: a task is either one of labelmix, by its name, or one of your own, in a file | see `labelmix help sweep` for an example of a study file");
        insta::assert_snapshot!(problem("max_test = 100"), @"line 4: [task] does not say where the data is: it needs `train` (a file of texts), the `name` of a task, or the `file` of one | see `labelmix help sweep` for an example of a study file");
        insta::assert_snapshot!(problem("test = 'a.csv'"), @"line 4: [task] has `test` but no `train` | see `labelmix help sweep` for an example of a study file");
        insta::assert_snapshot!(problem("train = 'a.csv'\ntest = 'b.csv'\ntest_size = 9"), @"line 4: `test` and `test_size` or `test_seed` in [task]: the test set is a file, or a part of `train` | see `labelmix help sweep` for an example of a study file");
        insta::assert_snapshot!(problem("text = 'review'"), @"line 4: `text` in [task] without files of texts: it needs `train` | see `labelmix help sweep` for an example of a study file");
        insta::assert_snapshot!(problem("template = '{{ a }}'"), @"line 4: [task] does not say where the data is: it needs `train` (a file of texts), the `name` of a task, or the `file` of one | see `labelmix help sweep` for an example of a study file");
        insta::assert_snapshot!(problem("train = 'a.csv'\n[task.weak]\ncolumns = 'w'\nfile = 'b.csv'"), @"line 4: [task.weak] with a file of its own needs a task (`name` or `file`); in files of texts weak labels stand in columns | see `labelmix help sweep` for an example of a study file");
        insta::assert_snapshot!(problem("train = 'a.csv'\nmerge = 'dawid-skene'"), @r#"line 4: `merge = "dawid-skene"` in [task] has to know who labelled what: name a column for each annotator, `weak = ["ann", "bob"]` | see `labelmix help sweep` for an example of a study file"#);
        insta::assert_snapshot!(problem("train = 'a.csv'\nvalues = { yes = 1 }"), @"line 4: `values` in [task] needs a value of class 0 and one of class 1 | see `labelmix help sweep` for an example of a study file");
        insta::assert_snapshot!(problem("name = 'sciq'\nweak = 3"), @"line 6: invalid type: integer `3`, expected a column of weak labels, a list of annotators' columns, or a table [task.weak] | see `labelmix help sweep` for an example of a study file");
        insta::assert_snapshot!(problem("name = 'sciq'\n[task.weak]\ncolumn = 'w'"), @"line 7: unknown field `column`, expected one of `columns`, `file`, `key` | did you mean `columns`?");
        insta::assert_snapshot!(problem("name = 'sciq'\nmerge = 'median'"), @"line 6: unknown variant `median`, expected one of `mean`, `majority`, `dawid-skene` | did you mean `mean`?");
    }
}
