//! A labeler that sees a task's proxy texts and not the texts that the strong model is trained on.

use std::collections::HashSet;
use std::fs;

use serde_json::Value as Json;

use crate::task_studies::study;
use crate::workplace::{Workplace, example};

/// A task over the example's reviews, of which a cheap labeler sees `proxy`.
fn with_proxy(workplace: &Workplace, proxy: &str) {
    let example = example();
    let example = example.display();
    workplace.write(
        "mine.toml",
        format!(
            "description = \"Reviews\"\ntemplate = \"{{{{ text }}}}\"\nproxy = \"{proxy}\"\n[local]\nfiles = {{ train = \
             \"{example}/train.jsonl\", test = \"{example}/test.jsonl\" }}\n[binary]\nlabel = \"gold\"\n"
        ),
    );
}

/// What `labelmix weak-label` says about labels of the example's checkpoint, and the rows that it writes.
fn weak_label(workplace: &Workplace, labeler: &str) -> (Json, Vec<Json>) {
    let model = format!("model = \"{}/checkpoint\"\nlearning_rate = 5e-3\ntrain = 400\n", example().display());
    let task = "file = \"mine.toml\"\nmax_test = 100";
    workplace.write("study.toml", format!("{}[labeler]\n{model}{labeler}\n", study(task)));
    let printed = workplace.output_of(&["weak-label", "study.toml", "--out", "weak.jsonl", "--json"]);
    let rows = fs::read_to_string(workplace.path().join("weak.jsonl")).unwrap();
    let rows = rows.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    (serde_json::from_str(&printed).unwrap(), rows)
}

fn distinct(rows: &[Json], key: &str) -> usize {
    rows.iter().map(|row| row[key].to_string()).collect::<HashSet<_>>().len()
}

#[test]
fn a_labeler_that_sees_a_proxy_knows_what_the_proxy_says_and_no_more() {
    let workplace = Workplace::new();
    with_proxy(&workplace, "a review");
    let (of_proxy, rows) = weak_label(&workplace, "proxy = true");
    assert_eq!(distinct(&rows, "weak"), 1, "all reviews look the same to it");
    let accuracy = of_proxy["pool"]["accuracy"].as_f64().unwrap();
    assert!((accuracy - 0.5).abs() < 0.05, "{accuracy}");
    assert_eq!(distinct(&rows, "text"), rows.len(), "what is sold are the texts");

    // The same task, whose proxy it is not told to read.
    let (of_text, rows) = weak_label(&workplace, "");
    assert!(of_text["pool"]["accuracy"].as_f64().unwrap() > 0.7, "{of_text}");
    assert!(distinct(&rows, "weak") > rows.len() / 2);
    assert_ne!(of_text["key"], of_proxy["key"]);

    // A proxy that says the same as the text gives the same labels, and so they are found.
    with_proxy(&workplace, "{{ text }}");
    let (found, same_rows) = weak_label(&workplace, "proxy = true");
    assert_eq!((&found["origin"], &found["key"]), (&Json::from("found"), &of_text["key"]));
    assert_eq!(same_rows, rows);
}

#[test]
fn a_sweep_trains_on_the_texts_with_labels_of_the_proxies() {
    let workplace = Workplace::new();
    with_proxy(&workplace, "{{ text | split | first }}");
    let (made, _) = weak_label(&workplace, "proxy = true\nepochs = 1");
    let answer: Json = serde_json::from_str(&workplace.output_of(&["sweep", "study.toml", "--json"])).unwrap();
    assert_eq!(answer["weak_label_accuracy"], made["pool"]["accuracy"]);
    let report = workplace.output_of(&["label-report", "study.toml", "--json"]);
    let report: Json = serde_json::from_str(&report).unwrap();
    assert_eq!(report["pool"]["quality"]["accuracy"], made["pool"]["accuracy"]);
}
