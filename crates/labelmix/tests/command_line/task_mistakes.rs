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
    insta::assert_snapshot!(workplace.complaint(&["tasks", "show", "siq"]), @"");
    insta::assert_snapshot!(workplace.complaint(&["tasks", "check", "mine.toml"]), @"");
    insta::assert_snapshot!(with_table(&workplace, "name = \"cloa\""), @"");
    insta::assert_snapshot!(with_table(&workplace, "file = \"mine.toml\""), @"");
}

#[test]
fn both_forms_of_a_studys_task() {
    let workplace = Workplace::new();
    insta::assert_snapshot!(with_table(&workplace, "name = \"sciq\"\ntrain = \"train.jsonl\""), @"");
    insta::assert_snapshot!(with_table(&workplace, "max_test = 100"), @"");
    insta::assert_snapshot!(with_table(&workplace, "name = \"sciq\"\nfoldr = \"data\""), @"");
    insta::assert_snapshot!(with_table(&workplace, "name = \"sciq\"\n[task.weak]\ncolumn = \"w\""), @"");
}

#[test]
fn in_a_template() {
    let workplace = Workplace::new();
    workplace.write("data/train.jsonl", sciq_rows(20));
    workplace.write("data/validation.jsonl", sciq_rows(20));
    workplace.write("data/test.jsonl", sciq_rows(20));
    let table = "name = \"sciq\"\nfolder = \"data\"\n";
    insta::assert_snapshot!(with_table(&workplace, &format!("{table}template = \"{{{{ questoin }}}}\"")), @"");
    insta::assert_snapshot!(with_table(&workplace, &format!("{table}proxy = \"{{{{ support\"")), @"");
    workplace.write("mine.toml", OWN_TASK.replace("{{ review }}", "{{ stars }}"));
    insta::assert_snapshot!(workplace.complaint(&["tasks", "check", "mine.toml"]), @"");
    // The task takes 3,000 examples for testing.
    insta::assert_snapshot!(with_table(&workplace, table), @"");
}

#[test]
fn in_the_data() {
    let workplace = with_own_task();
    insta::assert_snapshot!(workplace.complaint(&["tasks", "check", "mine.toml", "--folder", "nowhere"]), @"");
    insta::assert_snapshot!(workplace.complaint(&["tasks", "check", "boolq", "--folder", "data"]), @"");
    workplace.write("data/train.csv", format!("{OWN_TRAIN}the tea was fine .,4,en\n"));
    insta::assert_snapshot!(workplace.complaint(&["tasks", "check", "mine.toml"]), @"");
    let row = |label: &str| {
        let answers = json!({"answerA": "a", "answerB": "b", "answerC": "c", "label": label});
        format!(
            "{}\n",
            json!({"context": "It rains.", "question": "Why?"}).to_string().replace('}', ",")
                + &answers.to_string()[1..]
        )
    };
    workplace.write("social/train.jsonl", row("2") + &row("4"));
    workplace.write("social/validation.jsonl", row("1"));
    insta::assert_snapshot!(workplace.complaint(&["tasks", "check", "social_i_qa", "--folder", "social"]), @"");
}

#[test]
fn in_the_weak_labels() {
    let workplace = with_own_task();
    let table = "file = \"mine.toml\"\n";
    insta::assert_snapshot!(with_table(&workplace, &format!("{table}weak = \"crowd\"")), @"");
    insta::assert_snapshot!(with_table(&workplace, &format!("{table}weak = \"crowd\"\nmerge = \"majority\"")), @"");
    let joined = format!("{table}[task.weak]\ncolumns = \"w\"\nfile = \"crowd.csv\"\nkey = \"review\"");
    insta::assert_snapshot!(with_table(&workplace, &joined), @"");
    workplace.write("crowd.csv", "review,w\nthe soup was good .,2\n");
    insta::assert_snapshot!(with_table(&workplace, &joined), @"");
}

#[test]
fn in_the_arguments() {
    let workplace = Workplace::new();
    let said = |arguments: &[&str]| workplace.complaint(arguments).lines().next().unwrap().to_owned();
    insta::assert_snapshot!(said(&["tasks", "show", "sciq", "--download"]), @"");
    let both = ["tasks", "show", "sciq", "--examples", "1", "--download", "--folder", "data"];
    insta::assert_snapshot!(said(&both), @"");
}
