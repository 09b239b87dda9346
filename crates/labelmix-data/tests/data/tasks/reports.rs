//! What people are told about a task.

use insta::assert_snapshot;
use labelmix_data::{LoadOptions, RenderedExample, Task};

use super::{AS_IS, hub_rows, own_task, with_rows};
use crate::scratch::Scratch;

#[test]
fn a_description_needs_no_data() {
    assert_snapshot!(Task::named("cola").unwrap().describe(), @r#"
    cola: Sentences from linguistics: is the sentence acceptable English?
    data:    nyu-mll/glue (configuration cola) on the Hugging Face Hub
    licence: not stated (research use)
    splits:  train for training, validation for testing
    kind:    binary label
    columns: label, sentence
    seed:    0
    text:
      {{ sentence }}
    wording 1: "Sentence: TEXT\nIs this sentence grammatical?", then " No" or " Yes"
    wording 2: "Sentence: TEXT\nThis sentence is", then " wrong" or " correct"
    wording 3: "TEXT\nAcceptable English?", then " No" or " Yes"
    "#);
    assert_snapshot!(Task::named("amazon_polarity").unwrap().describe(), @r#"
    amazon_polarity: Reviews of products: is the reviewer content?
    data:    fancyzhx/amazon_polarity (configuration amazon_polarity) on the Hugging Face Hub
    licence: Apache-2.0; the reviews are their authors'
    splits:  train for training, test for testing; 5% of the rows
    kind:    binary label
    columns: content, label, title
    seed:    0
    text:
      {{ title }}
      
      {{ content }}
    what a cheap labeler sees:
      {{ title }}
    wording 1: "Review: TEXT\nSentiment:", then " negative" or " positive"
    wording 2: "TEXT\nIs this review positive or negative? It is", then " negative" or " positive"
    wording 3: "Review: TEXT\nDid the reviewer like it?", then " No" or " Yes"
    "#);
    let description = serde_json::to_value(Task::named("mc_taco").unwrap().describe()).unwrap();
    assert_eq!(description["columns"], serde_json::json!(["answer", "label", "question", "sentence"]));
}

#[test]
fn every_task_describes_itself() {
    for task in Task::all() {
        let description = task.describe();
        assert!(!description.description.is_empty() && description.licence.is_some(), "{}", task.name());
        // A definition is written as a file that is read as the same task.
        let text = toml::to_string(task.definition()).unwrap();
        let again = Task::parse(task.name(), &text, std::path::Path::new("")).unwrap();
        assert_eq!(again.definition(), task.definition());
        assert_eq!(again.describe(), description);
    }
}

#[test]
fn a_few_examples_need_not_read_everything() {
    let scratch = Scratch::new();
    let task = with_rows(&scratch, "amazon_polarity", &hub_rows("amazon_polarity"));
    let mut files = task.local_files().unwrap();
    files.get_mut("train").unwrap().push(scratch.path("missing.jsonl"));
    assert!(task.first_examples(&files, 2).is_err());
    let examples = task.first_examples(&files, 1).unwrap();
    let shown: Vec<String> = examples.iter().map(|e| RenderedExample::from(e).to_string()).collect();
    assert_snapshot!(shown.join("\n"), @r"
    class 0, cf6b01aedf6b5418:
      Broke at once
      
      The handle came off on the first day.
      a cheap labeler sees:
      Broke at once
    class 1, f212b6f18780d8d8:
      A fine kettle
      
      It boils water at once and looks good.
      a cheap labeler sees:
      A fine kettle
    ");
}

#[test]
fn a_check_accounts_for_every_row() {
    let scratch = Scratch::new();
    let rows = ["a,0,x", "b,1,x", "b,1,x", "c,2,x", " ,1,x", "d,1,y", "e,1,x", "t,0,x", "f,1,x"];
    scratch.write("train.csv", format!("text,label,source\n{}\n", rows.join("\n")));
    scratch.write("test.csv", "text,label,source\nt,0,x\nu,1,x\n");
    let more = "drop = ['2']\n[[filters]]\nkeep = 'source == \"x\"'\nreason = 'of another source'";
    let task = own_task(&scratch, "proxy = '{{ source }}'", more).unwrap();
    let check = task.check(&task.local_files().unwrap(), &LoadOptions::default()).unwrap();
    let folder = format!("{}/", scratch.path("").display());
    assert_snapshot!(check.to_string().replace(&folder, "").replace("//", "/").replace(folder.trim_end_matches('/'), ""), @r#"
    /mine.toml: A task of my own
    data:    .
    licence: not known
    splits:  train for training, test for testing
    kind:    binary label
    columns: label, source, text
    seed:    0
    keeps:   source == "x"
    text:
      {{ text }}
    what a cheap labeler sees:
      {{ source }}

    train: /train.csv: 9 rows, 2 kept (1 of class 0, 1 of class 1)
           dropped: 2 left out by the task, 1 empty, 1 duplicate, 1 also in the test file, 2 to balance the classes
           labels: 2 gold, 0 weak, 0 both
    test:  /test.csv: 2 rows, 2 kept (1 of class 0, 1 of class 1)
           dropped: nothing
           labels: 2 gold, 0 weak, 0 both
    train before balancing: 1 of class 0, 3 of class 1 (75.0%)
    train, left out: 1 (`label` is 2)
    train, left out: 1 (of another source)
    test before balancing: 1 of class 0, 1 of class 1 (50.0%)

    class 0, 17762fddd969a453:
      a
      a cheap labeler sees:
      x
    class 1, 9ab388bedc43eaf4:
      f
      a cheap labeler sees:
      x
    "#);
    let json = serde_json::to_value(&check).unwrap();
    assert_eq!(json["summary"]["train"]["left_out"][1]["reason"], "of another source");
    assert_eq!(check.dataset.train.len(), 2);
    let as_is = task.check(&task.local_files().unwrap(), &LoadOptions { cleaning: AS_IS, ..LoadOptions::default() });
    assert_eq!(as_is.unwrap().examples.len(), 4);
}
