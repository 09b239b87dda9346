//! Studies that name a task.

use std::collections::BTreeMap;
use std::fs;

use serde_json::{Value as Json, json};

use crate::tasks::sciq_rows;
use crate::workplace::{Workplace, example};

/// The small study with another table `[task]`, and one seed.
pub(crate) fn study(task: &str) -> String {
    let small = Workplace::study().replace("[0, 1]", "[0]");
    let (before, rest) = small.split_once("[task]").unwrap();
    let (_, after) = rest.split_once("[model]").unwrap();
    format!("{before}[task]\n{task}\n[model]{after}")
}

/// A workplace with enough rows of `sciq` that its test set of 3,000 leaves some to train on.
fn with_sciq() -> Workplace {
    let workplace = Workplace::new();
    workplace.write("data/train.jsonl", sciq_rows(3200));
    workplace.write("data/validation.jsonl", sciq_rows(1));
    workplace.write("data/test.jsonl", sciq_rows(1));
    workplace
}

fn answer(workplace: &Workplace) -> Json {
    serde_json::from_str(&workplace.output_of(&["sweep", "study.toml", "--json"])).unwrap()
}

/// The stages in the store, by key, with the test log-odds of each.
fn stages(workplace: &Workplace) -> BTreeMap<String, Vec<u8>> {
    let folders = fs::read_dir(workplace.path().join("labelmix-store/stages")).unwrap();
    folders
        .map(|folder| {
            let folder = folder.unwrap();
            let scores = fs::read(folder.path().join("test_log_odds.json")).unwrap();
            (folder.file_name().into_string().unwrap(), scores)
        })
        .collect()
}

#[test]
fn a_shipped_task_on_local_data_with_another_template() {
    let workplace = with_sciq();
    let table = "name = \"sciq\"\nfolder = \"data\"\nmax_test = 100";
    workplace.write("study.toml", study(table).replace("[0.0, 0.5, 1.0]", "[0.0]"));
    let runs = answer(&workplace)["runs"].as_array().unwrap().len();
    assert_eq!(runs, 2);
    let first = stages(&workplace);
    let other = format!("{table}\ntemplate = \"{{{{ answer }}}} was asked\"");
    workplace.write("study.toml", study(&other).replace("[0.0, 0.5, 1.0]", "[0.0]"));
    assert_eq!(answer(&workplace)["runs"].as_array().unwrap().len(), 2);
    // Other texts are other stages.
    assert_eq!(stages(&workplace).len(), 2 * first.len());
    let written = workplace.output_of(&["report", "study.toml", "--out", "report"]);
    assert!(written.contains("answer.json"), "{written}");
}

#[test]
fn a_task_over_files_of_texts_makes_the_same_stages_as_the_files() {
    let workplace = Workplace::new();
    // Balancing differs: files balance each kind of labels by itself.
    let as_they_are = |study: String| study.replace("[task]\n", "[task]\nbalance = false\n");
    workplace.write("study.toml", as_they_are(Workplace::study().replace("[0, 1]", "[0]")));
    let of_files = answer(&workplace);
    let stages_of_files = stages(&workplace);
    let example = example();
    let example = example.display();
    workplace.write(
        "tasks/mine.toml",
        format!(
            "description = \"Reviews\"\ntemplate = \"{{{{ text }}}}\"\n[local]\nfiles = {{ train = \
             \"{example}/train.jsonl\", test = \"{example}/test.jsonl\" }}\n[binary]\nlabel = \"gold\"\n"
        ),
    );
    workplace.write("study.toml", as_they_are(study("file = \"tasks/mine.toml\"\nweak = \"weak\"\nmax_test = 100")));
    assert_eq!(answer(&workplace)["runs"], of_files["runs"]);
    assert_eq!(stages(&workplace), stages_of_files);
}

#[test]
fn annotators_votes_are_joined_and_merged() {
    let workplace = with_sciq();
    let examples = workplace.output_of(&["tasks", "show", "sciq", "--folder", "data", "--examples", "5000", "--json"]);
    let examples: Json = serde_json::from_str(&examples).unwrap();
    // Two annotators are right and two say 1 of whatever they look at: one looks at everything, one at half of the
    // texts. Where both do, mean and majority are a half for class 0.
    let votes = examples["examples"].as_array().unwrap().iter().map(|example| {
        let looked_at = example["id"].as_str().unwrap().ends_with(|digit| "02468ace".contains(digit));
        let (class, dee) = (&example["class"], looked_at.then_some(1));
        json!({"id": example["id"], "ann": class, "bob": class, "cy": 1, "dee": dee}).to_string() + "\n"
    });
    workplace.write("crowd.jsonl", votes.collect::<String>());
    let accuracy = |merge: &str| {
        let table = format!(
            "name = \"sciq\"\nfolder = \"data\"\nmax_test = 100\n{merge}\n[task.weak]\nfile = \"crowd.jsonl\"\n\
             columns = [\"ann\", \"bob\", \"cy\", \"dee\"]"
        );
        let study = study(&table).replace("[8, 16]", "[4]").replace("[0.0, 0.5, 1.0]", "[1.0]");
        workplace.write("study.toml", study);
        answer(&workplace)["weak_label_accuracy"].as_f64().unwrap()
    };
    let mean = accuracy("");
    assert!(0.6 < mean && mean < 0.9, "{mean}");
    assert_eq!(accuracy("merge = \"mean\""), mean);
    assert_eq!(accuracy("merge = \"majority\""), mean);
    assert_eq!(accuracy("merge = \"dawid-skene\""), 1.0);
    // Where one annotator of three is wrong, the mean is a third and the majority certain: three lists of labels.
    assert_eq!(stages(&workplace).len(), 3);
}
