//! Tasks are listed, shown, and checked on small folders.

use serde_json::{Value as Json, json};

use crate::workplace::{Workplace, example};

/// Rows in the layout of `sciq`.
pub(crate) fn sciq_rows(count: usize) -> String {
    let row = |number: usize| {
        let wrong = |letter: &str| format!("the {letter} of thing {number}");
        json!({
            "question": format!("What is thing {number} ?"),
            "correct_answer": format!("thing {number} itself"),
            "distractor1": wrong("colour"), "distractor2": wrong("weight"), "distractor3": wrong("price"),
            "support": "",
        })
    };
    (0..count).map(|number| row(number).to_string() + "\n").collect()
}

/// A task file whose text is the column `review`, with its data in `data`.
pub(crate) const OWN_TASK: &str = r#"
description = "Is the guest content?"
template = "Review: {{ review }}"
[local]
folder = "data"
[binary]
label = "stars"
values = { "1" = 0, "5" = 1 }
drop = ["3"]
[[filters]]
keep = "language == 'en'"
reason = "not in English"
"#;

pub(crate) const OWN_TRAIN: &str = "review,stars,language\nthe soup was good .,5,en\nthe bread was dull .,1,en\n\
                                    the bread was dull .,1,en\nthe room was awful .,1,en\ndas Brot war gut .,5,de\n\
                                    it was food .,3,en\n,5,en\nthe tea was cold .,1,en\nthe beach was great .,5,en\n";
pub(crate) const OWN_TEST: &str = "review,stars,language\nthe tea was cold .,1,en\nthe tea was good .,5,en\n";

/// A workplace with a task of one's own, `mine.toml`.
pub(crate) fn with_own_task() -> Workplace {
    let workplace = Workplace::new();
    workplace.write("mine.toml", OWN_TASK);
    workplace.write("data/train.csv", OWN_TRAIN);
    workplace.write("data/test.csv", OWN_TEST);
    workplace
}

fn json_of(workplace: &Workplace, arguments: &[&str]) -> Json {
    serde_json::from_str(&workplace.output_of(arguments)).unwrap()
}

#[test]
fn every_task_is_listed() {
    let workplace = Workplace::new();
    let table = workplace.output_of(&["tasks"]);
    let tasks = json_of(&workplace, &["tasks", "--json"]);
    let tasks = tasks.as_array().unwrap();
    assert!(tasks.len() > 25);
    for task in tasks {
        let name = task["name"].as_str().unwrap();
        let line = table.lines().find(|line| line.split_whitespace().next() == Some(name)).unwrap();
        for column in ["kind", "description", "licence"] {
            assert!(line.contains(task[column].as_str().unwrap()), "{line}");
        }
    }
    let lines: Vec<&str> = table.lines().filter(|line| line.contains("sst2") || line.contains("dataset")).collect();
    insta::assert_snapshot!(lines.join("\n"), @r#"
name                            kind              dataset                                         description                                                                                                    licence
dream                           multiple choice   dataset-org/dream                               Questions about dialogues: is the proposed answer right?                                                       not stated (research use)
paws                            binary label      google-research-datasets/paws (labeled_final)   Pairs of sentences with nearly the same words: do they mean the same?                                          free for any purpose, Google LLC to be named as the source
sst2                            binary label      stanfordnlp/sst2                                Phrases from film reviews: is the phrase favourable?                                                           not stated (research use)
"#);
}

#[test]
fn a_task_is_shown_without_its_data() {
    let workplace = Workplace::new();
    insta::assert_snapshot!(workplace.output_of(&["tasks", "show", "sciq"]), @r#"
    sciq: Science exam questions: is the proposed answer right?
    data:    allenai/sciq on the Hugging Face Hub
    licence: CC BY-NC 3.0
    splits:  train and validation and test pooled, of which 3,000 are the test set
    kind:    multiple choice
    columns: correct_answer, distractor1, distractor2, distractor3, question
    seed:    0
    text:
      Question: {{ question }}
      Proposed answer: {{ answer }}
    wording 1: "TEXT\nIs the proposed answer right?", then " No" or " Yes"
    wording 2: "TEXT\nThe proposed answer is", then " wrong" or " right"
    wording 3: "TEXT\nTrue or false?", then " False" or " True"
    "#);
    assert_eq!(json_of(&workplace, &["tasks", "show", "sciq", "--json"])["kind"], "multiple choice");
}

#[test]
fn a_task_is_shown_with_examples_from_a_folder() {
    let workplace = Workplace::new();
    for split in ["train", "validation", "test"] {
        workplace.write(&format!("data/{split}.jsonl"), sciq_rows(20));
    }
    let arguments = ["tasks", "show", "sciq", "--folder", "data", "--examples", "1"];
    let shown = workplace.output_of(&arguments);
    let examples = shown.split_once("\n\n").unwrap().1;
    insta::assert_snapshot!(examples, @r#"
class 0, 8a3468b3a8ec15f1:
  Question: What is thing 0 ?
  Proposed answer: the colour of thing 0

class 1, 7da4b46b05ca75f5:
  Question: What is thing 2 ?
  Proposed answer: thing 2 itself
"#);
    let json = json_of(&workplace, &[&arguments[..5], &["--examples", "3", "--json"]].concat());
    assert_eq!(json["examples"].as_array().unwrap().len(), 6);
    assert!(json["template"].as_str().unwrap().contains("{{ question }}"));
}

#[test]
fn a_check_accounts_for_the_rows_of_ones_own_task() {
    let workplace = with_own_task();
    let checkpoint = example().join("checkpoint").display().to_string();
    let checked = workplace.output_of(&["tasks", "check", "mine.toml", "--model", &checkpoint]);
    insta::assert_snapshot!(workplace.without_paths(&checked), @r#"
mine.toml: Is the guest content?
data:    data
licence: not known
splits:  train for training, test for testing
kind:    binary label
columns: language, review, stars
seed:    0
keeps:   language == 'en'
text:
  Review: {{ review }}

train: data/train.csv: 9 rows, 4 kept (2 of class 0, 2 of class 1)
       dropped: 2 left out by the task, 1 duplicate, 1 also in the test file, 1 to balance the classes
       labels: 4 gold, 0 weak, 0 both
test:  data/test.csv: 2 rows, 2 kept (1 of class 0, 1 of class 1)
       dropped: nothing
       labels: 2 gold, 0 weak, 0 both
train before balancing: 2 of class 0, 3 of class 1 (60.0%)
train, left out: 1 (`stars` is 3)
train, left out: 1 (not in English)
test before balancing: 1 of class 0, 1 of class 1 (50.0%)

class 0, 29efcc1940740d93:
  Review: the room was awful .
class 0, b3632a8b3536c460:
  Review: the bread was dull .
class 1, bc719b2ff246ff1c:
  Review:
class 1, 2a39d5fa7688b4fb:
  Review: the beach was great .

lengths in tokens of [example]/checkpoint, which reads at most 256
train: median 7, 95% up to 7, largest 7; 0 of 4 texts exceed the model's context
test:  median 7, 95% up to 7, largest 7; 0 of 2 texts exceed the model's context
"#);
    let json = json_of(&workplace, &["tasks", "check", "mine.toml", "--model", &checkpoint, "--json"]);
    assert_eq!(json["task"]["kind"], "binary label");
    assert_eq!(json["summary"]["train"]["dropped"]["in_test"], 1);
    assert_eq!(json["tokens"]["train"]["texts"], 4);
    assert_eq!(json["examples"].as_array().unwrap().len(), 4);
    assert!(json_of(&workplace, &["tasks", "check", "mine.toml", "--json"])["tokens"].is_null());
}

#[test]
fn a_check_counts_texts_that_exceed_the_context() {
    let workplace = with_own_task();
    let long = "the soup was good . ".repeat(100);
    workplace.write("data/train.csv", format!("{OWN_TRAIN}{long},5,en\n"));
    let checkpoint = example().join("checkpoint").display().to_string();
    let json = json_of(&workplace, &["tasks", "check", "mine.toml", "--model", &checkpoint, "--json"]);
    let context = json["tokens"]["context"].as_u64().unwrap();
    // The word "Review:" and what the tokenizer adds come on top.
    assert!(json["tokens"]["train"]["largest"].as_u64().unwrap() > 500);
    assert!(context < 500);
    assert_eq!(json["tokens"]["train"]["beyond_context"], 1);
    assert_eq!(json["tokens"]["test"]["beyond_context"], 0);
}

#[test]
fn a_check_of_a_shipped_task_on_local_data() {
    let workplace = Workplace::new();
    workplace.write("data/train.jsonl", sciq_rows(3200));
    workplace.write("data/validation.jsonl", sciq_rows(2));
    workplace.write("data/test.jsonl", sciq_rows(3));
    let json = json_of(&workplace, &["tasks", "check", "sciq", "--folder", "data", "--json"]);
    let train = &json["summary"]["train"];
    assert_eq!(json["summary"]["test"]["rows"], 3000);
    assert_eq!((&train["rows"], &train["dropped"]["duplicates"]), (&json!(205), &json!(5)));
    assert_eq!(train["class_counts"][0], train["class_counts"][1]);
}

#[test]
fn wordings_are_tried_on_training_texts() {
    let workplace = with_own_task();
    let model = example().join("checkpoint");
    let model = model.to_str().unwrap();
    let check = ["tasks", "check", "mine.toml", "--model", model, "--wordings", "--texts", "2", "--shots", "2"];
    insta::assert_snapshot!(workplace.complaint(&check), @"
    error: the task has no wordings
    hint: add a table [[prompts]] with `before_target` and `targets` to its file
    ");
    let prompts = "[[prompts]]\nbefore_target = ' is '\ntargets = ['slow', 'perfect']\n\
                   [[prompts]]\nbefore_text = 'the food : '\nbefore_target = ' was '\ntargets = ['slow', 'great food']\n";
    workplace.write("mine.toml", format!("{OWN_TASK}{prompts}"));
    let printed = workplace.output_of(&check);
    insta::assert_snapshot!(printed.split("\n\n").last().unwrap(), @r#"
    asked about 2 training texts, half of each class, nothing trained
     wording   shots   AUROC   accuracy   calibrated
    ─────────────────────────────────────────────────
           1       0   1.000      0.500        0.500
           1       2   1.000      0.500        0.500
           2       0   1.000      0.500        0.500
           2       2   1.000      0.500        0.500
    (whoever chooses by this has used their labels)
    wording 1: ["<unk>", "the", "bread", "was", "dull", ".", "is"], then ["slow"] or ["perfect"]
    wording 2: ["the", "<unk>", "<unk>", "<unk>", "the", "bread", "was", "dull", ".", "was"], then ["slow"] or ["great", "<unk>"]
      ["great", "<unk>"] is 2 tokens: the first alone is compared
    "#);
    let json = json_of(&workplace, &[&check[..], &["--json"]].concat());
    assert_eq!(json["wordings"]["wordings"].as_array().unwrap().len(), 2);
    let many = ["tasks", "check", "mine.toml", "--model", model, "--wordings"];
    insta::assert_snapshot!(workplace.complaint(&many), @"
    error: there are 2 training texts of class 0, and 104 are asked for
    hint: give fewer --texts and --shots
    ");
    workplace.write("mine.toml", format!("{OWN_TASK}{}", prompts.replace("'perfect'", "'slow'")));
    insta::assert_snapshot!(workplace.complaint(&check), @r#"
    error: task mine.toml: both classes have one target in wording 1 of [[prompts]]
    hint: give `targets` that a model can tell apart, such as [" no", " yes"]
    "#);
}

/// Questions with a right answer and wrong ones.
const QUIZ: &str = r#"
description = "Is the answer right?"
template = """
how was the {{ thing }} ?
it was {{ answer }}
"""
[local]
folder = "data"
[multiple_choice]
right = "right"
wrong = ["wrong"]
[[prompts]]
before_target = " is "
targets = ["slow", "perfect"]
"#;

const ANSWERS: [&str; 6] = ["very good", "cold", "slow and cold", "perfect", "dull", "truly pleasant"];

#[test]
fn answers_that_texts_end_with_are_judged_for_nothing() {
    let workplace = Workplace::new();
    let rows = |first: usize| {
        let row = |place: usize| format!("dish {place},{},{}\n", ANSWERS[place % 6], ANSWERS[(place + 1) % 6]);
        format!("thing,right,wrong\n{}", (first..first + 24).map(row).collect::<String>())
    };
    workplace.write("data/train.csv", rows(0));
    workplace.write("data/test.csv", rows(100));
    workplace.write("quiz.toml", QUIZ);
    let model = example().join("checkpoint");
    let model = model.to_str().unwrap();
    let check =
        ["tasks", "check", "quiz.toml", "--model", model, "--wordings", "--texts", "4", "--shots", "0", "--json"];
    let tried = json_of(&workplace, &check);
    let ways: Vec<&str> =
        tried["wordings"]["answers"].as_array().unwrap().iter().map(|way| way["score"].as_str().unwrap()).collect();
    assert_eq!(ways, ["likelihood", "likelihood-gain"]);

    let study = |task: &str| {
        format!(
            "name = 'quiz'\n[task]\n{task}\n[model]\npath = '{model}'\n[grid]\nbudgets = [4]\nweak_fractions = [0.0]\n\
             [[methods]]\nname = 'zero-shot'\nanswer = 'likelihood'\n[[methods]]\nname = 'gain'\nmethod = 'zero-shot'\n\
             answer = 'likelihood-gain'\ncalibration = 'none'\n"
        )
    };
    workplace.write("study.toml", study("file = 'quiz.toml'"));
    workplace.output_of(&["sweep", "study.toml", "--store", "store"]);
    // New texts have the scores that the sweep gave them. Either answer may be shown.
    let shown = |place: usize| {
        [place, place + 1].map(|answer| format!("how was the dish {place} ?\nit was {}", ANSWERS[answer % 6]))
    };
    let texts: Vec<String> = (100..124).flat_map(shown).collect();
    let lines = texts.iter().map(|text| serde_json::json!({ "text": text }).to_string());
    workplace.write("new.jsonl", lines.collect::<Vec<_>>().join("\n"));
    let read = |path: &str| std::fs::read_to_string(workplace.path().join(path)).unwrap();
    let json = |text: &str| serde_json::from_str::<Json>(text).unwrap();
    for run in ["zero-shot", "gain"] {
        let folder = format!("store/runs/quiz/{run}_w0_g0_s0");
        workplace.output_of(&["predict", "--run", &folder, "--input", "new.jsonl", "--output", "out.jsonl"]);
        let stages = &json(&read(&format!("{folder}/run.json")))["stages"];
        let stage = stages.as_array().unwrap().last().unwrap().as_str().unwrap();
        let kept = json(&read(&format!("store/stages/{stage}/test_log_odds.json")));
        let ids = kept["ids"].as_array().unwrap();
        let mut found = 0;
        for (text, line) in texts.iter().zip(read("out.jsonl").lines()) {
            let id = labelmix_data::ExampleId::exact(text).to_string();
            if let Some(place) = ids.iter().position(|kept| kept == &id) {
                let [new, kept] =
                    [&json(line)["log_odds"], &kept["log_odds"][place]].map(|score| score.as_f64().unwrap());
                assert!((new - kept).abs() < 1e-5, "{run}: {new} {kept}");
                found += 1;
            }
        }
        assert_eq!(found, ids.len());
    }
    insta::assert_snapshot!(workplace.complaint(&["export", "store/runs/quiz/gain_w0_g0_s0", "--out", "exported"]), @"
    error: the run gain_w0_g0_s0 judges answers by their likelihood, which is not exported
    hint: `labelmix predict` gives its scores
    ");
    // Where nothing says what an answer is, or a text has none.
    let files = format!("train = '{0}/train.jsonl'\ntest = '{0}/test.jsonl'", example().display());
    workplace.write("study.toml", study(&files));
    insta::assert_snapshot!(workplace.complaint(&["sweep", "study.toml", "--store", "store"]), @r#"
    error: study.toml: the method "zero-shot" judges answers, and nothing says where texts have one
    hint: set `before_answer` in [prompt] to what introduces the answer in every text, such as "\nProposed answer:"; a task whose template ends with {{ answer }} says it itself
    "#);
    workplace.write("study.toml", format!("{}[prompt]\nbefore_answer = 'the plot'\n", study(&files)));
    insta::assert_snapshot!(workplace.complaint(&["sweep", "study.toml", "--store", "store"]), @r#"
    error: "i came by train . the garden was simply perfect . the staff " has no answer behind "the plot"
    hint: set `before_answer` in the study's [prompt] to what introduces the answer in every text; what follows its last occurrence is the answer
    "#);
}
