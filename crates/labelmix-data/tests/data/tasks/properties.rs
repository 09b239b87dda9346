//! What holds for any rows: rendering, splits and pools depend on each row's content alone.

use std::collections::{BTreeMap, HashSet};

use labelmix_data::{Boundary, CleaningOptions, DataError, Example, LoadOptions, Task, TaskError};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{AS_IS, examples, jsonl};
use crate::scratch::Scratch;

/// Questions, each with a number and four answers.
fn questions() -> impl Strategy<Value = Vec<Value>> {
    let row = ("[a-z]{1,8}", "[a-z]{1,4}").prop_map(|(question, answer)| (question, answer));
    prop::collection::vec(row, 1..40).prop_map(|rows| {
        let question = |(number, (question, answer)): (usize, (String, String))| {
            json!({
                "question": format!("{question} {number}"), "correct_answer": answer, "support": question,
                "distractor1": format!("{answer} 1"), "distractor2": format!("{answer} 2"),
                "distractor3": format!("{answer} 3"),
            })
        };
        rows.into_iter().enumerate().map(question).collect()
    })
}

fn rendered(rows: &[Value]) -> BTreeMap<String, Example> {
    let scratch = Scratch::new();
    let examples = examples(&super::with_rows(&scratch, "sciq", rows));
    examples.into_iter().map(|example| (example.text.lines().next().unwrap().to_owned(), example)).collect()
}

/// A pooled task with a test set of `test_size`.
fn pooled(scratch: &Scratch, rows: &[Value], test_size: usize) -> Task {
    scratch.write("all.jsonl", jsonl(rows));
    let text = format!(
        "description = 'd'\ntemplate = '{{{{ question }}}} {{{{ answer }}}}'\n[local]\nfolder = '.'\n\
         [splits]\npooled = 'all'\ntest_size = {test_size}\n\
         [multiple_choice]\nright = 'correct_answer'\nwrong = ['distractor1', 'distractor2', 'distractor3']\n"
    );
    Task::read(&scratch.write("pooled.toml", text)).unwrap()
}

fn texts(examples: &[Example]) -> HashSet<&str> {
    examples.iter().map(|example| example.text.as_str()).collect()
}

/// The draws are part of every result's meaning: the same row must make the same example for ever.
#[test]
fn a_draw_once_published_stays() {
    let row = |number: usize| {
        json!({
            "question": format!("question {number}"), "correct_answer": "right", "distractor1": "wrong 1",
            "distractor2": "wrong 2", "distractor3": "wrong 3", "support": "",
        })
    };
    let rows: Vec<Value> = (0..8).map(row).collect();
    let answers: Vec<String> =
        rendered(&rows).values().map(|example| example.text.rsplit(": ").next().unwrap().to_owned()).collect();
    assert_eq!(answers, ["wrong 1", "right", "wrong 1", "right", "wrong 3", "right", "wrong 2", "right"]);
}

#[test]
fn each_answer_is_shown_as_often_as_it_should_be() {
    let row = |number: usize| json!({"q": number, "options": ["a", "b", "c", "d"], "right": number % 4});
    let rows: Vec<Value> = (0..8000).map(row).collect();
    let scratch = Scratch::new();
    scratch.write("train.jsonl", jsonl(&rows));
    scratch.write("test.jsonl", jsonl(&rows[..2]));
    let text = "description = 'd'\ntemplate = '{{ q }} {{ answer }}'\n[local]\nfolder = '.'\n\
                [multiple_choice]\noptions = 'options'\nanswer = 'right'\n";
    let examples = examples(&Task::read(&scratch.write("mine.toml", text)).unwrap());
    let mut counts: BTreeMap<(usize, bool), usize> = BTreeMap::new();
    for example in &examples {
        let (number, answer) = example.text.split_once(' ').unwrap();
        let shown = usize::from(answer.as_bytes()[0] - b'a');
        let distance = (shown + 4 - number.parse::<usize>().unwrap() % 4) % 4;
        assert_eq!(distance == 0, example.class());
        *counts.entry((distance, example.class())).or_default() += 1;
    }
    // 4,000 right answers with a standard deviation of 45, and 1,333 of each wrong one with 33; five of them allowed.
    assert!(counts[&(0, true)].abs_diff(4000) < 225, "{counts:?}");
    for distance in 1..4 {
        assert!(counts[&(distance, false)].abs_diff(1333) < 165, "{counts:?}");
    }
}

#[test]
fn a_share_of_the_rows_is_the_same_share_of_every_file() {
    let rows: Vec<Value> = (0..4000).map(|number| json!({"text": format!("t{number}"), "label": number % 2})).collect();
    let scratch = Scratch::new();
    let read = |rows: &[Value]| {
        scratch.write("train.jsonl", jsonl(rows));
        scratch.write("test.jsonl", jsonl(rows));
        examples(&super::own_task(&scratch, "", "[splits]\nshare = 0.25").unwrap())
    };
    let (all, half) = (read(&rows), read(&rows[2000..]));
    assert!(all.len().abs_diff(1000) < 140, "{}", all.len());
    let all = texts(&all);
    assert!(half.iter().all(|example| all.contains(example.text.as_str())));
    assert!(half.len().abs_diff(500) < 100, "{}", half.len());
}

#[test]
fn another_template_draws_the_same_answers() {
    let rows: Vec<Value> = super::hub_rows("sciq");
    let scratch = Scratch::new();
    let task = super::with_rows(&scratch, "sciq", &rows);
    let with_support = Task::named("sciq-with-support").unwrap().with_folder(&scratch.path("data"));
    let other = task.clone().with_template("{{ support }} {{ question }} Proposed answer: {{ answer }}").unwrap();
    let answers = |task: &Task| -> Vec<String> {
        examples(task).iter().map(|e| e.text.rsplit("Proposed answer: ").next().unwrap().to_owned()).collect()
    };
    assert_eq!(answers(&task), answers(&other));
    assert_eq!(answers(&task), answers(&with_support));
    let proxied = task.clone().with_proxy("{{ support }}").unwrap();
    assert_eq!(answers(&task), answers(&proxied));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_row_renders_the_same_in_any_company(
        (rows, shuffled) in questions().prop_flat_map(|rows| (Just(rows.clone()), Just(rows).prop_shuffle())),
        kept in any::<prop::sample::Index>(),
    ) {
        let all = rendered(&rows);
        prop_assert_eq!(&rendered(&shuffled), &all);
        let alone = &rows[kept.index(rows.len())];
        for (question, example) in rendered(std::slice::from_ref(alone)) {
            prop_assert_eq!(&all[&question], &example);
        }
        // Nor do columns that the task has no use for.
        let mut wider = alone.clone();
        wider["support"] = json!("something else");
        wider["number"] = json!(17);
        for (question, example) in rendered(&[wider]) {
            prop_assert_eq!(&all[&question], &example);
        }
    }

    #[test]
    fn no_test_text_is_in_a_pool_and_pools_are_disjoint_and_nested(
        rows in questions(), test_size in 2usize..10, seed: u64, gold_pool in 0usize..20,
    ) {
        prop_assume!(rows.len() > test_size);
        let scratch = Scratch::new();
        let task = pooled(&scratch, &rows, test_size);
        let options = LoadOptions { cleaning: AS_IS, ..LoadOptions::default() };
        let dataset = match task.load(&task.local_files().unwrap(), &options) {
            Err(TaskError::Data(DataError::OfWhatWasRead(_))) => return Ok(()),
            loaded => loaded.unwrap(),
        };
        prop_assert_eq!(dataset.test.len(), test_size);
        prop_assert_eq!(dataset.train.len() + test_size, rows.len());
        prop_assert!(texts(&dataset.train).is_disjoint(&texts(&dataset.test)));

        let pools = dataset.pools(seed, Boundary::Fixed(gold_pool));
        let larger = dataset.pools(seed, Boundary::Fixed(gold_pool + 3));
        let gold = pools.gold(pools.gold_size()).unwrap();
        let weak = pools.weak(pools.weak_size()).unwrap();
        prop_assert!(gold.iter().all(|index| !weak.contains(index)));
        prop_assert_eq!(larger.gold(gold.len()).unwrap(), gold);
    }

    #[test]
    fn the_test_set_of_pooled_splits_ignores_the_order_of_rows(
        (rows, shuffled) in questions().prop_flat_map(|rows| (Just(rows.clone()), Just(rows).prop_shuffle())),
    ) {
        prop_assume!(rows.len() > 6);
        let load = |rows: &[Value]| {
            let scratch = Scratch::new();
            let task = pooled(&scratch, rows, 6);
            let options = LoadOptions { cleaning: CleaningOptions::default(), ..LoadOptions::default() };
            match task.load(&task.local_files().unwrap(), &options) {
                Err(TaskError::Data(DataError::OfWhatWasRead(_))) => None,
                loaded => Some(loaded.unwrap().content_hash()),
            }
        };
        prop_assert_eq!(load(&rows), load(&shuffled));
    }
}
