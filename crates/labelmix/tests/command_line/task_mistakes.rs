//! Mistakes in tasks, their data, and the studies that name them.

use serde_json::json;

use crate::task_studies::study;
use crate::tasks::{OWN_TASK, OWN_TRAIN, sciq_rows, with_own_task};
use crate::workplace::Workplace;

/// What `labelmix sweep` says about a study with this table `[task]`.
fn with_table(workplace: &Workplace, table: &str) -> String {
    workplace.write("study.toml", study(table));
    workplace.complaint(&["sweep", "study.toml"])
}

#[test]
fn tasks_that_are_not_there() {
    let workplace = Workplace::new();
    insta::assert_snapshot!(workplace.complaint(&["tasks", "show", "siq"]), @r#"
error: there is no task `siq`
hint: did you mean `sciq`?
"#);
    insta::assert_snapshot!(workplace.complaint(&["tasks", "check", "mine.toml"]), @r#"
error: mine.toml cannot be read: No such file or directory (os error 2)
hint: check that the file is there and that you may read it
"#);
    insta::assert_snapshot!(with_table(&workplace, "name = \"cloa\""), @r#"
error: study.toml: [task]: there is no task `cloa`
hint: did you mean `cola`?
"#);
    insta::assert_snapshot!(with_table(&workplace, "file = \"mine.toml\""), @r#"
error: study.toml: [task]: mine.toml cannot be read: No such file or directory (os error 2)
hint: check that the file is there and that you may read it
"#);
}

#[test]
fn both_forms_of_a_studys_task() {
    let workplace = Workplace::new();
    insta::assert_snapshot!(with_table(&workplace, "name = \"sciq\"\ntrain = \"train.jsonl\""), @"
    error: study.toml: line 2: `train` and `name` in [task]: the data is either files of texts (`train`) or a task (`name` or `file`)
    hint: see `labelmix help sweep` for an example of a study file
    ");
    insta::assert_snapshot!(with_table(&workplace, "max_test = 100"), @"
    error: study.toml: line 2: [task] does not say where the data is: it needs `train` (a file of texts), the `name` of a task, or the `file` of one
    hint: see `labelmix help sweep` for an example of a study file
    ");
    insta::assert_snapshot!(with_table(&workplace, "name = \"sciq\"\nfoldr = \"data\""), @"
    error: study.toml: line 4: unknown field `foldr`, expected one of `train`, `test`, `test_size`, `test_seed`, `group`, `text`, `gold`, `values`, `missing`, `drop`, `threshold`, `contradictions`, `encoding`, `name`, `file`, `folder`, `template`, `proxy`, `weak`, `merge`, `max_test`, `balance`, `gold_pool`
    hint: did you mean `folder`?
    ");
    insta::assert_snapshot!(with_table(&workplace, "name = \"sciq\"\n[task.weak]\ncolumn = \"w\""), @r#"
error: study.toml: line 5: unknown field `column`, expected one of `columns`, `file`, `key`
hint: did you mean `columns`?
"#);
}

#[test]
fn in_a_template() {
    let workplace = Workplace::new();
    workplace.write("data/train.jsonl", sciq_rows(20));
    workplace.write("data/validation.jsonl", sciq_rows(20));
    workplace.write("data/test.jsonl", sciq_rows(20));
    let table = "name = \"sciq\"\nfolder = \"data\"\n";
    insta::assert_snapshot!(with_table(&workplace, &format!("{table}template = \"{{{{ questoin }}}}\"")), @r#"
error: task sciq, text template: unknown variable `questoin`; [folder]/data/train.jsonl, line 1 has `distractor1`, `distractor2`, `distractor3`, `question`, `support`, `answer`
hint: did you mean `question`?
"#);
    insta::assert_snapshot!(with_table(&workplace, &format!("{table}proxy = \"{{{{ support\"")), @r#"
error: study.toml: [task]: task sciq, proxy template, line 1: syntax error: unexpected end of input, expected end of variable block
hint: templates are written in Jinja's language: {{ column }} puts a column's value in, {% if … %} … {% endif %} asks
"#);
    workplace.write("mine.toml", OWN_TASK.replace("{{ review }}", "{{ stars }}"));
    insta::assert_snapshot!(workplace.complaint(&["tasks", "check", "mine.toml"]), @r#"
error: task mine.toml, text template: `stars` is a label, which the text must not show
hint: take it out of the template: a model that is shown the label has nothing to learn
"#);
    // The task takes 3,000 examples for testing.
    insta::assert_snapshot!(with_table(&workplace, table), @r#"
error: sciq, train and validation and test: 20 examples with a gold label are too few to take a test set of 3000 from
hint: set test_size in the task's [splits] to less, a quarter of the examples for instance
"#);
}

#[test]
fn in_the_data() {
    let workplace = with_own_task();
    insta::assert_snapshot!(workplace.complaint(&["tasks", "check", "mine.toml", "--folder", "nowhere"]), @r#"
error: [folder]/nowhere cannot be read: No such file or directory (os error 2)
hint: check that the file is there and that you may read it
"#);
    insta::assert_snapshot!(workplace.complaint(&["tasks", "check", "boolq", "--folder", "data"]), @r#"
error: [folder]/data has no split `validation`; its splits are `test`, `train`
hint: name one of these in the task's [splits]
"#);
    workplace.write("data/train.csv", format!("{OWN_TRAIN}the tea was fine .,4,en\n"));
    insta::assert_snapshot!(workplace.complaint(&["tasks", "check", "mine.toml"]), @r#"
error: data/train.csv, line 11, column `stars`: `4` is no label that the task knows; it knows `1`, `5`, `3`
hint: give the value a class in [binary] values, or name it in [binary] drop to leave such rows out
"#);
    let row = |label: &str| {
        let question = json!({
            "context": "It rains.", "question": "Why?", "answerA": "a", "answerB": "b", "answerC": "c", "label": label,
        });
        format!("{question}\n")
    };
    workplace.write("social/train.jsonl", row("2") + &row("4"));
    workplace.write("social/validation.jsonl", row("1"));
    insta::assert_snapshot!(workplace.complaint(&["tasks", "check", "social_i_qa", "--folder", "social"]), @r#"
error: [folder]/social/train.jsonl, line 2, column `label`: `4` is none of the 3 answers, which are numbered from 1
hint: check `answer_is` and `first_index` in [multiple_choice], or name the value in its `drop` to leave such rows out
"#);
}

#[test]
fn in_the_weak_labels() {
    let workplace = with_own_task();
    let table = "file = \"mine.toml\"\n";
    insta::assert_snapshot!(with_table(&workplace, &format!("{table}weak = \"crowd\"")), @r#"
error: data/train.csv: there is no column `crowd`; the columns are `review`, `stars`, `language`
hint: name one of these columns, or add the one that is missing
"#);
    insta::assert_snapshot!(with_table(&workplace, &format!("{table}weak = \"crowd\"\nmerge = \"majority\"")), @r#"
error: study.toml: `merge` in [task] is for several annotators' columns of weak labels, and there is one
hint: name a column for each annotator, `weak = ["ann", "bob"]`, or leave `merge` out
"#);
    let joined = format!("{table}[task.weak]\ncolumns = \"w\"\nfile = \"crowd.csv\"\nkey = \"review\"");
    insta::assert_snapshot!(with_table(&workplace, &joined), @r#"
error: [folder]/crowd.csv cannot be read: No such file or directory (os error 2)
hint: check that the file is there and that you may read it
"#);
    workplace.write("crowd.csv", "review,w\nthe soup was good .,2\n");
    insta::assert_snapshot!(with_table(&workplace, &joined), @"
    error: [folder]/crowd.csv, line 2, column `w`: `2` is not a weak label
    hint: a weak label is the probability of class 1, from 0 to 1 (or 0, 1, false, true); leave the cell empty where there is none. Other values can be named in [task]: `values = { no = 0, yes = 1 }`
    ");
}

#[test]
fn in_the_arguments() {
    let workplace = Workplace::new();
    let said = |arguments: &[&str]| workplace.complaint(arguments).lines().take(2).collect::<Vec<_>>().join("\n");
    insta::assert_snapshot!(said(&["tasks", "show", "sciq", "--download"]), @r#"
error: the following required arguments were not provided:
  --examples <N>
"#);
    let both = ["tasks", "show", "sciq", "--examples", "1", "--download", "--folder", "data"];
    insta::assert_snapshot!(said(&both), @"error: the argument '--download' cannot be used with '--folder <DIR>'");
}
