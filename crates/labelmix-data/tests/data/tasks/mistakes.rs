//! Every way in which a task file, a template or the rows can be wrong.

use insta::assert_snapshot;
use labelmix_data::{CleaningOptions, LoadOptions, Task};
use serde_json::json;

use super::{hub_rows, jsonl, load, own_task, with_rows};
use crate::scratch::Scratch;

const ROWS: &str = "{\"text\": \"a\", \"label\": 0}\n{\"text\": \"b\", \"label\": 1}\n";
const TEST_ROWS: &str = "{\"text\": \"x\", \"label\": 0}\n{\"text\": \"y\", \"label\": 1}\n";

/// What is said about a task of one's own, read and loaded; `train` are its training rows.
fn complaint(top: &str, more: &str, train: &str) -> String {
    let scratch = Scratch::new();
    scratch.write("train.jsonl", train);
    scratch.write("test.jsonl", TEST_ROWS);
    let error = own_task(&scratch, top, more).and_then(|task| load(&task)).unwrap_err();
    scratch.report(&error)
}

/// What is said about a task of the library whose last row is changed by `spoil`.
fn spoiled(task: &str, spoil: impl Fn(&mut serde_json::Value)) -> String {
    let scratch = Scratch::new();
    let mut rows = hub_rows(task);
    spoil(rows.last_mut().unwrap());
    let error = load(&with_rows(&scratch, task, &rows)).unwrap_err();
    scratch.report(&error)
}

#[test]
fn unknown_task() {
    let scratch = Scratch::new();
    assert_snapshot!(scratch.report(&Task::named("sciqq").unwrap_err()), @r"
    there is no task `sciqq`
    hint: did you mean `sciq`?
    ");
    assert_snapshot!(scratch.report(&Task::named("x").unwrap_err()), @r"
    there is no task `x`
    hint: the tasks are amazon_polarity, amazon_polarity-misleading, amazon_polarity-title-only, anli-r2, anthropic_hh, boolq, cola, cosmos_qa, dream, ethics-deontology, ethics-deontology-excuse-only, ethics-justice, ethics-utilitarianism, ethics-virtue, hellaswag, mc_taco, mmlu, multirc, openbookqa, paws, piqa, quail, quartz, sciq, sciq-with-support, social_i_qa, sst2, twitter-sentiment, wic; a task of your own is a file that ends in .toml
    ");
    assert_snapshot!(scratch.report(&Task::read(&scratch.path("mine.toml")).unwrap_err()), @r"
    mine.toml cannot be read: No such file or directory (os error 2)
    hint: check that the file is there and that you may read it
    ");
}

#[test]
fn unknown_key() {
    assert_snapshot!(complaint("tempalte = '{{ text }}'", "", ROWS), @r"
    task mine.toml, line 3: unknown field `tempalte`
    hint: did you mean `template`?
    ");
    assert_snapshot!(complaint("", "lable = 'text'", ROWS), @r"
    task mine.toml, line 8: unknown field `lable`
    hint: did you mean `label`?
    ");
    assert_snapshot!(complaint("", "[multiple_choice]\nanswer_is = 'letter'", ROWS), @r"
    task mine.toml, line 9: unknown variant `letter`
    hint: known here: index, key, text
    ");
    assert_snapshot!(complaint("seed = ", "", ROWS), @r"
    task mine.toml, line 3: string values must be quoted
    hint: a task says where its data is, what is judged, and how a row becomes a text; `labelmix tasks show sciq` shows one
    ");
}

#[test]
fn contradictions() {
    assert_snapshot!(complaint("", "[preference]\nbetter = 'a'\nworse = 'b'", ROWS), @r"
    task mine.toml: it is not said, or said twice, what is to be judged
    hint: a task has one of the tables [binary], [multiple_choice] and [preference]
    ");
    assert_snapshot!(complaint("", "[hub]\ndataset = 'a/b'", ROWS), @r"
    task mine.toml: it is not said, or said twice, where the data is
    hint: a task has one of the tables [hub] and [local]
    ");
    assert_snapshot!(complaint("", "values = { yes = 2, no = 0 }", ROWS), @r"
    task mine.toml: the value `yes` has the class 2
    hint: a class is 0 or 1
    ");
    assert_snapshot!(complaint("", "values = { yes = 1 }", ROWS), @r"
    task mine.toml: all values in [binary] have one class
    hint: give values for both classes, 0 and 1
    ");
    assert_snapshot!(complaint("", "[splits]\npooled = ['train', 'test']", ROWS), @r"
    task mine.toml: [splits] does not say how training and test are told apart
    hint: name splits for `train` and `test`, or the `pooled` ones and a `test_size` of 2 or more
    ");
    assert_snapshot!(complaint("", "[splits]\ntrain = []", ROWS), @r"
    task mine.toml: an empty list in [splits]
    hint: name the splits, or leave the key out
    ");
    assert_snapshot!(complaint("", "[splits]\nshare = 1.5", ROWS), @r"
    task mine.toml: the share in [splits] is no share
    hint: give a number above 0, up to 1
    ");
    assert_snapshot!(complaint("draw_by = []", "", ROWS), @r"
    task mine.toml: draw_by is empty
    hint: name a column that tells the rows apart, or leave it out
    ");
    assert_snapshot!(complaint("", "[weak]\ncolumns = []", ROWS), @r"
    task mine.toml: [weak] has no columns
    hint: name the column, or a column for each annotator
    ");
    assert_snapshot!(complaint("", "[weak]\ncolumns = 'w'\nkey = 'k'", ROWS), @r"
    task mine.toml: [weak] has a key but no file
    hint: a key joins rows with those of a file: name the file, or leave the key out
    ");
    let choice = |table: &str| {
        let text = format!("description = ''\ntemplate = ''\n[local]\nfolder = '.'\n[multiple_choice]\n{table}");
        let scratch = Scratch::new();
        scratch.report(&Task::parse("mine", &text, &scratch.path("")).unwrap_err())
    };
    assert_snapshot!(choice("options = 'a'\nright = 'b'"), @r"
    task mine: [multiple_choice] does not say which answer is right
    hint: name the columns of `options` and of the `answer`, or of the `right` and the `wrong` ones
    ");
    assert_snapshot!(choice("options = 'a'\nanswer = 'b'\nanswer_is = 'key'"), @r#"
    task mine: `keys` and `answer_is = "key"` go together in [multiple_choice]
    hint: name the column of keys where the answer is said by key, and only there
    "#);
    assert_snapshot!(choice("right = 'a'\nwrong = 'b'\nfirst_index = 1"), @r"
    task mine: `first_index` without an answer's index
    hint: leave it out
    ");
}

#[test]
fn template_that_cannot_be_parsed() {
    assert_snapshot!(complaint("template = '''\n{{ text }}\n{% if text %}yes'''", "", ROWS), @r"
    task mine.toml, text template, line 2: syntax error: unexpected end of input, expected end of block
    hint: templates are written in Jinja's language: {{ column }} puts a column's value in, {% if … %} … {% endif %} asks
    ");
    assert_snapshot!(complaint("proxy = '{{ text | shout }}'", "", ROWS), @r"
    task mine.toml, proxy template, line 1: unknown filter: filter shout is unknown
    hint: templates are written in Jinja's language: {{ column }} puts a column's value in, {% if … %} … {% endif %} asks
    ");
    assert_snapshot!(complaint("", "[[filters]]\nkeep = 'text =='", ROWS), @r"
    task mine.toml, filter `text ==`, line 1: syntax error: unexpected end of input, expected expression
    hint: templates are written in Jinja's language: {{ column }} puts a column's value in, {% if … %} … {% endif %} asks
    ");
    let scratch = Scratch::new();
    let error = own_task(&scratch, "", "").unwrap().with_template("{{ text").unwrap_err();
    assert_snapshot!(scratch.report(&error), @r"
    task mine.toml, text template, line 1: syntax error: unexpected end of input, expected end of variable block
    hint: templates are written in Jinja's language: {{ column }} puts a column's value in, {% if … %} … {% endif %} asks
    ");
}

#[test]
fn unknown_template_variable() {
    assert_snapshot!(complaint("template = '{{ txet }}'", "", ROWS), @r"
    task mine.toml, text template: unknown variable `txet`; test.jsonl, line 1 has `text`
    hint: did you mean `text`?
    ");
    assert_snapshot!(complaint("proxy = '{{ headline }}'", "", ROWS), @r"
    task mine.toml, proxy template: unknown variable `headline`; test.jsonl, line 1 has `text`
    hint: name a column that every row has; one that has no value there needs a null
    ");
    assert_snapshot!(complaint("", "[[filters]]\nkeep = 'txt is defined'", ROWS), @r"
    task mine.toml, filter `txt is defined`: unknown variable `txt`; test.jsonl, line 1 has `text`
    hint: did you mean `text`?
    ");
    // Where a later line lacks what the first one has.
    assert_snapshot!(complaint("", "", &format!("{ROWS}{{\"label\": 0}}\n")), @r"
    task mine.toml, text template: unknown variable `text`; train.jsonl, line 3 has none
    hint: name a column that every row has; one that has no value there needs a null
    ");
    let scratch = Scratch::new();
    let task = with_rows(&scratch, "sciq", &hub_rows("sciq")).with_template("{{ question }} {{ anwser }}").unwrap();
    assert_snapshot!(scratch.report(&load(&task).unwrap_err()), @r"
    task sciq, text template: unknown variable `anwser`; data/train.jsonl, line 1 has `distractor1`, `distractor2`, `distractor3`, `question`, `support`, `answer`
    hint: did you mean `answer`?
    ");
}

#[test]
fn unknown_field_of_a_nested_column() {
    let scratch = Scratch::new();
    let task = with_rows(&scratch, "openbookqa", &hub_rows("openbookqa"));
    let task = task.with_template("{{ question_stem }}\n{{ choices.texts | join }}").unwrap();
    assert_snapshot!(scratch.report(&load(&task).unwrap_err()), @r"
    data/test.jsonl, line 1: undefined value, in task openbookqa, text template, line 2
    hint: check the names of nested fields, and that the row has what the template asks for
    ");
}

#[test]
fn template_that_shows_the_label() {
    assert_snapshot!(complaint("template = '{{ text }} {{ label }}'", "", ROWS), @r"
    task mine.toml, text template: `label` is a label, which the text must not show
    hint: take it out of the template: a model that is shown the label has nothing to learn
    ");
    assert_snapshot!(complaint("template = '{{ text }} {{ w }}'", "[weak]\ncolumns = 'w'", ROWS), @r"
    task mine.toml, text template: `w` is a label, which the text must not show
    hint: take it out of the template: a model that is shown the label has nothing to learn
    ");
    let scratch = Scratch::new();
    let error = Task::named("sciq").unwrap().with_proxy("{{ correct_answer }}").unwrap_err();
    assert_snapshot!(scratch.report(&error), @r"
    task sciq, proxy template: `correct_answer` is a label, which the text must not show
    hint: take it out of the template: a model that is shown the label has nothing to learn
    ");
}

#[test]
fn label_without_a_class() {
    assert_snapshot!(complaint("", "", &ROWS.replace("\"label\": 1", "\"label\": 2")), @r"
    train.jsonl, line 2, column `label`: `2` is no label that the task knows; it knows `0`, `1`, `false`, `true`
    hint: give the value a class in [binary] values, or name it in [binary] drop to leave such rows out
    ");
    assert_snapshot!(complaint("", "values = { no = 0, yes = 1 }\ndrop = ['maybe']", ROWS), @r"
    test.jsonl, line 1, column `label`: `0` is no label that the task knows; it knows `no`, `yes`, `maybe`
    hint: give the value a class in [binary] values, or name it in [binary] drop to leave such rows out
    ");
    assert_snapshot!(complaint("", "", &ROWS.replace("\"label\": 1", "\"label\": [1]")), @r"
    train.jsonl, line 2, column `label`: `[1]`, where a single value is needed
    hint: check the column's name in the task file: `a.b` is the field `b` of the column `a`
    ");
    assert_snapshot!(complaint("", "", &ROWS.replace("\"label\": 1", "\"label\": null")), @r"
    train.jsonl, line 2: there is no label in `label`
    hint: every training example needs a gold or a weak label: add one, or delete the row
    ");
}

#[test]
fn answer_out_of_range() {
    assert_snapshot!(spoiled("mmlu", |row| row["answer"] = json!(4)), @r"
    data/test.jsonl, line 4, column `answer`: `4` is none of the 4 answers, which are numbered from 0
    hint: check `answer_is` and `first_index` in [multiple_choice], or name the value in its `drop` to leave such rows out
    ");
    assert_snapshot!(spoiled("social_i_qa", |row| row["label"] = json!("0")), @r"
    data/validation.jsonl, line 3, column `label`: `0` is none of the 3 answers, which are numbered from 1
    hint: check `answer_is` and `first_index` in [multiple_choice], or name the value in its `drop` to leave such rows out
    ");
    assert_snapshot!(spoiled("piqa", |row| row["label"] = json!(null)), @r"
    data/validation.jsonl, line 6, column `label`: `null` is none of the 2 answers, which are numbered from 0
    hint: check `answer_is` and `first_index` in [multiple_choice], or name the value in its `drop` to leave such rows out
    ");
    assert_snapshot!(spoiled("openbookqa", |row| row["answerKey"] = json!("E")), @r#"
    data/test.jsonl, line 4, column `answerKey`: `E` is none of the 4 answers, ["A", "B", "C", "D"]
    hint: check `answer_is` and `first_index` in [multiple_choice], or name the value in its `drop` to leave such rows out
    "#);
    assert_snapshot!(spoiled("dream", |row| row["answer"] = json!("By bicycle.")), @r#"
    data/test.jsonl, line 3, column `answer`: `By bicycle.` is none of the 3 answers, ["On foot.", "By bus.", "By car."]
    hint: check `answer_is` and `first_index` in [multiple_choice], or name the value in its `drop` to leave such rows out
    "#);
}

#[test]
fn columns_of_another_layout() {
    assert_snapshot!(spoiled("quartz", |row| row["choices"] = json!(["faster", "slower"])), @r#"
    data/test.jsonl, line 3, column `choices.text`: `["faster","slower"]`, where a value with this field is needed
    hint: check the column's name in the task file: `a.b` is the field `b` of the column `a`
    "#);
    assert_snapshot!(spoiled("quail", |row| row["answers"] = json!({"a": 1})), @r#"
    data/validation.jsonl, line 3, column `answers`: `{"a":1}`, where a text is needed
    hint: check the column's name in the task file: `a.b` is the field `b` of the column `a`
    "#);
    assert_snapshot!(complaint("", "", "{\"text\": \"a\", \"lable\": 0}\n"), @r"
    train.jsonl, line 1: there is no column `label`; the columns are `lable`, `text`
    hint: did you mean `lable`?
    ");
}

#[test]
fn nothing_but_one_class() {
    let scratch = Scratch::new();
    scratch.write("train.jsonl", ROWS.replace("\"label\": 1", "\"label\": 0"));
    scratch.write("test.jsonl", TEST_ROWS);
    let task = own_task(&scratch, "", "").unwrap();
    let error = task.load(&task.local_files().unwrap(), &LoadOptions::default()).unwrap_err();
    assert_snapshot!(scratch.report(&error), @r"
    train.jsonl: all 2 examples are of class 0
    hint: both classes, 0 and 1, are needed: check the label columns, or add examples of the other class
    ");
}

#[test]
fn pool_that_is_too_small() {
    let more = "[splits]\npooled = ['train', 'test']\ntest_size = 4";
    assert_snapshot!(complaint("", more, ROWS), @r"
    mine.toml, train and test: 4 examples with a gold label are too few to take a test set of 4 from
    hint: set test_size in the task's [splits] to less, a quarter of the examples for instance
    ");
}

#[test]
fn test_set_of_one() {
    let scratch = Scratch::new();
    scratch.write("train.jsonl", ROWS);
    scratch.write("test.jsonl", TEST_ROWS);
    let task = own_task(&scratch, "", "").unwrap();
    let cleaning = CleaningOptions { max_test: Some(1), ..CleaningOptions::default() };
    let options = LoadOptions { cleaning, ..LoadOptions::default() };
    let error = task.load(&task.local_files().unwrap(), &options).unwrap_err();
    assert_eq!(scratch.report(&error).lines().next(), Some("max_test is 1: a test set needs an example of each class"));
}

#[test]
fn data_that_is_not_here() {
    let scratch = Scratch::new();
    assert_snapshot!(scratch.report(&Task::named("sciq").unwrap().local_files().unwrap_err()), @r"
    task sciq: its data is allenai/sciq, which is not on this machine
    hint: download it first, or name a folder that has it
    ");
    scratch.write("data/README.md", "no data");
    let task = Task::named("cola").unwrap().with_folder(&scratch.path("data"));
    assert_snapshot!(scratch.report(&task.local_files().unwrap_err()), @r"
    data has no Parquet, JSON Lines, CSV or other table files
    hint: a dataset of the Hub that has only a script, or other files, is in its branch `refs/convert/parquet`; name local files as their splits, such as train.jsonl
    ");
    scratch.write("data/validation.jsonl", jsonl(&hub_rows("cola")));
    assert_snapshot!(scratch.report(&task.local_files().unwrap_err()), @r"
    data has no split `train`; its splits are `validation`
    hint: name one of these in the task's [splits]
    ");
    let task = task.with_folder(&scratch.path("nowhere"));
    assert_snapshot!(scratch.report(&task.local_files().unwrap_err()), @r"
    nowhere cannot be read: No such file or directory (os error 2)
    hint: check that the file is there and that you may read it
    ");
}
