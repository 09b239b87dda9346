//! Tasks with datasets of the Hugging Face Hub, from a hub on this machine.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, StringArray};
use labelmix_loopback::{Fault, LoopbackHub, Script, ServedRepository};
use parquet::arrow::ArrowWriter;

use crate::hub::{at_hub, complaint, output_of};
use crate::task_studies::study;
use crate::workplace::Workplace;

/// Questions in the layout of `social_i_qa`, numbered from `first`, as Parquet.
fn questions(first: usize, count: usize) -> Vec<u8> {
    let numbers = first..first + count;
    let column = |text: &dyn Fn(usize) -> String| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(numbers.clone().map(text)))
    };
    let answer = |letter: &'static str| column(&|number| format!("the {letter} of person {number}"));
    let columns = [
        ("context", column(&|number| format!("Person {number} came by train ."))),
        ("question", column(&|number| format!("What did person {number} want ?"))),
        ("answerA", answer("soup")),
        ("answerB", answer("bread")),
        ("answerC", answer("tea")),
        ("label", column(&|number| (number % 3 + 1).to_string())),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.into_inner().unwrap()
}

/// The dataset of that task, where the task has it.
fn social_i_qa() -> ServedRepository {
    ServedRepository::dataset("allenai/social_i_qa")
        .revision("refs/convert/parquet")
        .file("README.md", "Questions.")
        .large_file("default/train/0000.parquet", questions(0, 200))
        .large_file("default/validation/0000.parquet", questions(1000, 60))
}

fn warnings(hub: &LoopbackHub, workplace: &Workplace, arguments: &[&str]) -> String {
    let output = at_hub(hub, workplace, arguments).assert().success().get_output().clone();
    String::from_utf8(output.stderr).unwrap().replace(&hub.endpoint(), "HUB")
}

#[test]
fn examples_are_shown_once_they_are_downloaded() {
    let (hub, workplace) = (LoopbackHub::start(), Workplace::new());
    hub.add(social_i_qa());
    let arguments = ["tasks", "show", "social_i_qa", "--examples", "1"];
    insta::assert_snapshot!(warnings(&hub, &workplace, &arguments), @r#"
no examples: allenai/social_i_qa (revision refs/convert/parquet) on the Hugging Face Hub is not in the cache
hint: `labelmix tasks show social_i_qa --examples 1 --download` downloads the splits for training; --folder DIR takes the data from a folder
"#);
    assert!(hub.requests().is_empty());
    assert!(output_of(&mut at_hub(&hub, &workplace, &arguments)).starts_with("social_i_qa: "));
    let download = [&arguments[..], &["--download"]].concat();
    let shown = output_of(&mut at_hub(&hub, &workplace, &download));
    insta::assert_snapshot!(shown.split_once("\n\nclass").unwrap().1, @r#"
 0, 269e1e6ae70c80d0:
  Person 5 came by train .
  
  Question: What did person 5 want ?
  Proposed answer: the soup of person 5

class 1, 9bbe8b240afa7ab7:
  Person 0 came by train .
  
  Question: What did person 0 want ?
  Proposed answer: the soup of person 0
"#);
    // Examples are of the training split.
    assert!(
        !hub.requests().iter().any(|request| request.path.contains("validation") || request.path.contains("README"))
    );
    hub.forget_requests();
    assert_eq!(output_of(&mut at_hub(&hub, &workplace, &arguments)), shown);
    assert!(hub.requests().is_empty());
}

#[test]
fn a_check_downloads_both_splits_and_goes_on_where_it_broke_off() {
    let (hub, workplace) = (LoopbackHub::start(), Workplace::new());
    hub.add(social_i_qa());
    hub.script(Script::times(1, Fault::DropAfter(700)).at("train/0000.parquet?"));
    hub.script(Script::times(1, Fault::DropAfter(700)).method("GET"));
    let arguments = ["tasks", "check", "social_i_qa"];
    let said = warnings(&hub, &workplace, &arguments);
    assert!(said.contains("downloading default/train/0000.parquet"), "{said}");
    assert!(hub.requests().iter().any(|request| request.range.is_some()));
    let json = output_of(&mut at_hub(&hub, &workplace, &["tasks", "check", "social_i_qa", "--json"]));
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json["summary"]["train"]["rows"], &json["summary"]["test"]["rows"]), (&200.into(), &60.into()));

    // What is cached is used where the Hub gives no answer, with a warning.
    hub.script(Script::always(Fault::status(500)));
    let said = warnings(&hub, &workplace, &arguments);
    let commit = said.split("at commit ").nth(1).unwrap().split(':').next().unwrap();
    insta::assert_snapshot!(said.replace(commit, "COMMIT"), @"warning: `allenai/social_i_qa@refs/convert/parquet` is used as it is in the cache, at commit COMMIT: 127.0.0.1 answers 500");
}

#[test]
fn a_study_may_name_a_task_of_the_hub() {
    let (hub, workplace) = (LoopbackHub::start(), Workplace::new());
    hub.add(social_i_qa());
    let study = study("name = \"social_i_qa\"\nmax_test = 40").replace("[0.0, 0.5, 1.0]", "[0.0]");
    workplace.write("study.toml", study);
    let answer = output_of(&mut at_hub(&hub, &workplace, &["sweep", "study.toml", "--json"]));
    let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(answer["runs"].as_array().unwrap().len(), 2);
    hub.forget_requests();
    let mut report = at_hub(&hub, &workplace, &["report", "study.toml", "--out", "report"]);
    output_of(report.env("HF_HUB_OFFLINE", "1"));
    assert!(hub.requests().is_empty());
}

#[test]
fn a_tokenizer_is_downloaded_without_its_model() {
    let (hub, workplace) = (LoopbackHub::start(), Workplace::new());
    hub.add(social_i_qa());
    hub.add(ServedRepository::model("org/tiny").folder(&crate::workplace::example().join("checkpoint")));
    let checked = output_of(&mut at_hub(&hub, &workplace, &["tasks", "check", "social_i_qa", "--model", "org/tiny"]));
    assert!(checked.contains("lengths in tokens of org/tiny"), "{checked}");
    assert!(!hub.requests().iter().any(|request| request.path.contains("safetensors")));
}

#[test]
fn datasets_that_cannot_be_had() {
    let (hub, workplace) = (LoopbackHub::start(), Workplace::new());
    let arguments = ["tasks", "check", "social_i_qa"];
    let said = || complaint(&mut at_hub(&hub, &workplace, &arguments)).replace(&hub.endpoint(), "HUB");
    insta::assert_snapshot!(said(), @r#"
error: the data of task social_i_qa (on the Hugging Face Hub) cannot be had
  because: there is no dataset `allenai/social_i_qa` at HUB, or it is not shown to you
hint: check the name; if the repository is private, set HF_TOKEN to a token from HUB/settings/tokens
"#);
    hub.add(social_i_qa().gated(&["hf_friend"]));
    insta::assert_snapshot!(said(), @r#"
error: the data of task social_i_qa (on the Hugging Face Hub) cannot be had
  because: the dataset `allenai/social_i_qa` is gated: its owner gives it to those who accept its conditions
hint: accept the conditions at HUB/datasets/allenai/social_i_qa, then set HF_TOKEN to a token of the same account from HUB/settings/tokens
"#);
    let mut friend = at_hub(&hub, &workplace, &arguments);
    friend.env("HF_TOKEN", "hf_friend").assert().success();

    // A new cache, and the dataset without what the task wants of it.
    let (hub, workplace) = (LoopbackHub::start(), Workplace::new());
    let said = || complaint(&mut at_hub(&hub, &workplace, &arguments)).replace(&hub.endpoint(), "HUB");
    hub.add(ServedRepository::dataset("allenai/social_i_qa").file("social_i_qa.py", "import datasets"));
    insta::assert_snapshot!(said(), @r#"
error: the data of task social_i_qa (on the Hugging Face Hub) cannot be had
  because: the dataset `allenai/social_i_qa` has no revision `refs/convert/parquet`
hint: its branches and tags are named at HUB/datasets/allenai/social_i_qa/tree/main; without @refs/convert/parquet the main branch is used
"#);
    hub.add(
        ServedRepository::dataset("allenai/social_i_qa")
            .revision("refs/convert/parquet")
            .large_file("default/train/0000.parquet", questions(0, 20))
            .large_file("default/dev/0000.parquet", questions(30, 20)),
    );
    insta::assert_snapshot!(said(), @r#"
error: allenai/social_i_qa (configuration `default`) has no split `validation`; its splits are `dev`, `train`
hint: name one of these in the task's [splits]
"#);
}

#[test]
fn a_hub_that_refuses() {
    let (hub, workplace) = (LoopbackHub::start(), Workplace::new());
    hub.add(social_i_qa());
    let said = |fault: Fault| {
        hub.behave();
        hub.script(Script::always(fault));
        let said = complaint(&mut at_hub(&hub, &workplace, &["tasks", "check", "social_i_qa"]));
        let host = hub.endpoint().replace("http://", "");
        said.replace(&hub.endpoint(), "HUB").replace(&host, "HOST")
    };
    let wrong = vec![("X-Error-Message".to_owned(), "Invalid credentials in Authorization header".to_owned())];
    insta::assert_snapshot!(said(Fault::Status(401, wrong)), @r#"
error: the data of task social_i_qa (on the Hugging Face Hub) cannot be had
  because: HUB does not let you have the dataset `allenai/social_i_qa`: Invalid credentials in Authorization header
hint: set HF_TOKEN to a token from HUB/settings/tokens
"#);
    insta::assert_snapshot!(said(Fault::rate_limited(3600)), @r#"
error: the data of task social_i_qa (on the Hugging Face Hub) cannot be had
  because: 127.0.0.1 has had too many requests from you (status 429) and asks for a pause of 3600 seconds
hint: wait and run again: what was downloaded is kept. A token in HF_TOKEN gives a higher limit than none, and so does sharing one cache (HF_HOME) between your machines
"#);
    insta::assert_snapshot!(said(Fault::status(500)), @r#"
127.0.0.1 answers 500; trying again in 1 second
127.0.0.1 answers 500; trying again in 2 seconds
127.0.0.1 answers 500; trying again in 4 seconds
127.0.0.1 answers 500; trying again in 8 seconds
error: the data of task social_i_qa (on the Hugging Face Hub) cannot be had
  because: HUB/api/datasets/allenai/social_i_qa/revision/refs%2Fconvert%2Fparquet answers with status 500
hint: the fault is on the server's side, or of what stands between (a proxy, a mirror named in HF_ENDPOINT): run again later, see https://status.huggingface.co; what was downloaded is kept
"#);
}
