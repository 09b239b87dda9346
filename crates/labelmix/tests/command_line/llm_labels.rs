//! Weak labels from a language model behind a service, and from one of this machine that is asked.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use labelmix_loopback::{Answer, LoopbackModel, chat};
use serde_json::Value as Json;

use crate::workplace::{Workplace, example};

const KEY: &str = "sk-nobody-else-may-see-this";
/// Rows of the example's training file that the tests use.
const ROWS: usize = 400;

/// Texts with gold labels, of a file of the example.
fn texts(file: &str) -> Vec<(String, bool)> {
    let rows = fs::read_to_string(example().join(file)).unwrap();
    let rows = rows.lines().take(ROWS).map(|line| serde_json::from_str::<Json>(line).unwrap());
    rows.map(|row| (row["text"].as_str().unwrap().to_owned(), row["gold"] == 1)).collect()
}

/// The text of a request.
fn asked(request: &Json) -> String {
    let content = request["messages"][0]["content"].as_str().unwrap();
    let (_, behind) = content.rsplit_once("Text: ").unwrap();
    behind.split_once("\nAnswer:").unwrap().0.to_owned()
}

/// A model that is right about four texts of five, and says how sure it is; every twentieth it does not understand.
fn served(also: impl Fn(&str) + Send + Sync + 'static) -> LoopbackModel {
    let known: HashMap<String, (usize, bool)> = texts("train.jsonl")
        .into_iter()
        .chain(texts("test.jsonl"))
        .enumerate()
        .map(|(place, (text, gold))| (text, (place, gold)))
        .collect();
    LoopbackModel::start(move |request| {
        let text = asked(request);
        also(&text);
        let (place, gold) = known[&text];
        if place % 20 == 7 {
            return Answer::json(&chat("I do not understand", &[("I", 0.9), ("You", 0.1)]));
        }
        let class = gold == (place % 5 > 0);
        let words = if class { ["yes", "no"] } else { ["no", "yes"] };
        let mut answer = chat(words[0], &[(words[0], 0.8), (words[1], 0.2)]);
        // So that a kept answer says what it is about.
        answer["choices"][0]["message"]["content"] = format!("{}\nof {place}", words[0]).into();
        Answer::json(&answer)
    })
}

/// A study that asks this service.
fn workplace(served: &LoopbackModel, further: &str) -> Workplace {
    let workplace = Workplace::new();
    for file in ["train.jsonl", "test.jsonl"] {
        let row =
            |(text, gold): &(String, bool)| serde_json::json!({"text": text, "gold": u8::from(*gold)}).to_string();
        let rows: Vec<String> = texts(file).iter().map(row).collect();
        workplace.write(file, rows.join("\n"));
    }
    let mut study = Workplace::study();
    for file in ["train.jsonl", "test.jsonl"] {
        study = study.replace(&format!("{}/{file}", example().display()), file);
    }
    let base_url = served.base_url();
    workplace.write(
        "study.toml",
        format!(
            "{study}[prompt]\nbefore_text = 'Text: '\nbefore_target = \"\\nAnswer:\"\ntargets = [' no', ' yes']\n[labeler]\n\
             kind = 'llm'\n[labeler.llm]\nbase_url = '{base_url}'\nmodel = 'm'\napi_key_env = 'LABELMIX_TEST_KEY'\n\
             usd_per_million = {{ input = 1.0, output = 10.0 }}\n{further}\n"
        ),
    );
    workplace
}

/// Everything that is in a folder, and in those in it.
fn contents(folder: &std::path::Path) -> Vec<u8> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { contents(&path) } else { fs::read(&path).unwrap() }).collect()
}

fn has_key(bytes: &[u8]) -> bool {
    bytes.windows(KEY.len()).any(|window| window == KEY.as_bytes())
}

#[test]
fn a_service_labels_a_study_once_and_sees_the_key_alone() {
    let leaked = Arc::new(AtomicBool::new(false));
    let sees = Arc::clone(&leaked);
    let served = served(move |_| {
        // While labelmix asks, no process has the key in its command line.
        for process in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let words = fs::read(process.path().join("cmdline")).unwrap_or_default();
            sees.fetch_or(has_key(&words), Ordering::Relaxed);
        }
    });
    let workplace = workplace(&served, "test = true");
    let labelmix = |arguments: &[&str]| {
        let output =
            workplace.labelmix(arguments).env("LABELMIX_TEST_KEY", KEY).assert().success().get_output().clone();
        assert!(!has_key(&output.stdout) && !has_key(&output.stderr), "the key is nobody's business");
        String::from_utf8(output.stdout).unwrap()
    };
    let dry = labelmix(&["weak-label", "study.toml", "--dry-run"]);
    insta::assert_snapshot!(dry, @"
    texts     500
    requests  500 to send
    tokens    about 30,731 in, 4,000 out
    dollars   about 0.0707, at most 0.1629; 0.0000 spent already
    time      unknown before there are answers: `texts = 20` in [labeler.llm] asks about a few
    ");
    assert!(served.requests().is_empty(), "nothing is sent");
    let made = labelmix(&["weak-label", "study.toml", "--out", "weak.jsonl"]);
    let made = made.split_once('\n').unwrap().1;
    insta::assert_snapshot!(made, @"
    labeler   llm, m
    bought    for $0.0150, $0.000031 a label: 10,000 tokens in, 500 out
    no label  23 texts: neither of the words
    left out  20 examples of the pool
    pool          380 labels   accuracy 0.789   AUROC 0.790
    test           97 labels   accuracy 0.784   AUROC 0.784
    ");
    let sent = served.requests();
    assert!(sent.iter().all(|request| request.authorization.as_deref() == Some(&format!("Bearer {KEY}"))));
    // A sweep finds the labels; another study, which asks the same question about some of the texts, the answers.
    labelmix(&["sweep", "study.toml"]);
    let study = fs::read_to_string(workplace.path().join("study.toml")).unwrap();
    workplace.write("other.toml", study.replace("test = true", "texts = 50\nconcurrency = 1"));
    let other: Json =
        serde_json::from_str(&labelmix(&["weak-label", "other.toml", "--out", "w.csv", "--json"])).unwrap();
    assert_eq!((&other["origin"], &other["test_labels"]), (&"made".into(), &0.into()));
    assert!(other["pool_labels"].as_u64().unwrap() <= 50, "{other}");
    assert_eq!(served.requests().len(), sent.len(), "everything was answered before");
    assert!(!leaked.load(Ordering::Relaxed), "the key stood in a command line");
    assert!(!has_key(&contents(workplace.path())), "the key stands in a file");
    let listed = labelmix(&["store", "ls", "labelmix-store"]);
    assert!(listed.contains("answers"), "{listed}");
}

#[test]
fn what_was_answered_before_a_kill_is_not_asked_again() {
    let log: Arc<Mutex<Vec<String>>> = Arc::default();
    let asked = Arc::clone(&log);
    let served = served(move |text| {
        asked.lock().unwrap().push(text.to_owned());
        thread::sleep(Duration::from_millis(20));
    });
    let workplace = workplace(&served, "concurrency = 4");
    let place: HashMap<String, usize> =
        texts("train.jsonl").into_iter().enumerate().map(|(place, (text, _))| (text, place)).collect();
    let answers = || -> HashSet<usize> {
        let folder = workplace.path().join("labelmix-store/answers");
        let files = fs::read_dir(folder).into_iter().flatten().flatten();
        let lines: Vec<String> = files.map(|file| fs::read_to_string(file.path()).unwrap()).collect();
        let whole = lines.iter().flat_map(|text| text.split_inclusive('\n')).filter(|line| line.ends_with('\n'));
        let events = whole.filter_map(|line| serde_json::from_str::<Json>(line).ok());
        let contents = events.filter_map(|event| Some(event["reply"]["content"].as_str()?.to_owned()));
        contents.filter_map(|content| content.rsplit_once(' ')?.1.parse().ok()).collect()
    };
    let mut random = 12_345_u64;
    for _ in 0..20 {
        let mut process = workplace.process(&["weak-label", "study.toml", "--out", "weak.jsonl"]);
        let process = process.env("LABELMIX_TEST_KEY", KEY).stdout(Stdio::null()).stderr(Stdio::null());
        let mut process = process.spawn().unwrap();
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        thread::sleep(Duration::from_millis(40 + (random >> 33) % 120));
        process.kill().unwrap();
        process.wait().unwrap();
        // What is kept now must not be asked from now on: looked at once all is done.
        let kept = serde_json::to_string(&answers()).unwrap();
        log.lock().unwrap().push(format!("kept: {kept}"));
    }
    workplace
        .labelmix(&["weak-label", "study.toml", "--out", "weak.jsonl"])
        .env("LABELMIX_TEST_KEY", KEY)
        .assert()
        .success();
    let log = log.lock().unwrap();
    let (mut kept, mut requests): (HashSet<usize>, usize) = (HashSet::new(), 0);
    for entry in log.iter() {
        if let Some(now) = entry.strip_prefix("kept: ") {
            let now: HashSet<usize> = serde_json::from_str(now).unwrap();
            assert!(now.is_superset(&kept), "an answer was lost");
            kept = now;
        } else {
            requests += 1;
            assert!(!kept.contains(&place[entry]), "{entry:?} was asked again");
        }
    }
    assert!(kept.len() > 20, "{} answers came before the last kill", kept.len());
    let repeated = requests - ROWS;
    assert!(repeated <= 20 * 4, "{repeated} requests were on their way at twenty kills");
}

#[test]
fn a_language_model_of_this_machine_is_asked() {
    let served = served(|_| ());
    let workplace = workplace(&served, "");
    let study = fs::read_to_string(workplace.path().join("study.toml")).unwrap();
    let (study, _) = study.split_once("[prompt]").unwrap();
    let study = format!("{study}[prompt]\ntargets = ['slow', 'perfect']\nbefore_target = ' is '\n");
    let checkpoint = format!("{}/checkpoint", example().display());
    workplace.write("asked.toml", format!("{study}[labeler]\nkind = 'prompted'\nmodel = '{checkpoint}'\nshots = 4\n"));
    let labels = || -> Json {
        let printed = workplace.output_of(&["weak-label", "asked.toml", "--out", "weak.jsonl", "--json"]);
        serde_json::from_str(&printed).unwrap()
    };
    let made = labels();
    assert_eq!((&made["pool_labels"], &made["origin"]), (&(ROWS - 4).into(), &"made".into()), "shots get no label");
    assert_eq!(labels()["origin"], "found");
    let key = made["key"].as_str().unwrap();
    let prompt = workplace.path().join("labelmix-store/labelers").join(key).join("prompt.json");
    let prompt: Json = serde_json::from_str(&fs::read_to_string(prompt).unwrap()).unwrap();
    assert_eq!(prompt["shots"].as_array().unwrap().len(), 4);
    assert!(served.requests().is_empty());
    workplace.write("more.toml", format!("{study}[labeler]\nkind = 'prompted'\nmodel = '{checkpoint}'\nshots = 300\n"));
    insta::assert_snapshot!(workplace.complaint(&["weak-label", "more.toml", "--out", "w.csv"]), @"
    error: [labeler] has shots = 300, and 200 gold labels are left for it
    hint: it takes at most half of the examples with a gold label: lower `shots`, or give it a `gold_file` of its own
    ");
}

#[test]
fn what_is_missing_is_named() {
    let served = served(|_| ());
    let workplace = workplace(&served, "");
    let complaint = |file: &str| workplace.complaint(&["weak-label", file, "--out", "w.csv"]);
    insta::assert_snapshot!(complaint("study.toml"), @"
    error: the environment variable LABELMIX_TEST_KEY is not set, which api_key_env names
    hint: set it to the service's key, or leave `api_key_env` out where the service needs none
    ");
    let study = fs::read_to_string(workplace.path().join("study.toml")).unwrap();
    workplace.write("key.toml", study.replace("'LABELMIX_TEST_KEY'", "'sk-abc-def'"));
    insta::assert_snapshot!(complaint("key.toml"), @r#"
    error: key.toml: api_key_env in [labeler.llm] is no name of a variable (it is not shown here)
    hint: it is the name of an environment variable, such as "OPENAI_API_KEY", and not the key
    "#);
    let (before, _) = study.split_once("[labeler.llm]").unwrap();
    workplace.write("none.toml", before);
    insta::assert_snapshot!(complaint("none.toml"), @r#"
    error: none.toml: [labeler] of kind "llm" has no table [labeler.llm]
    hint: say who is asked in [labeler.llm]: base_url = "http://127.0.0.1:8080/v1", model = "a name"
    "#);
    workplace.write("margin.toml", before.replace("'llm'", "'symmetric'\ntarget_accuracy = 0.8"));
    let dry = workplace.complaint(&["weak-label", "margin.toml", "--dry-run"]);
    insta::assert_snapshot!(dry, @r#"
    error: the weak labels of the study "small" cost nothing: no language model behind a service is asked
    hint: `--dry-run` is for studies with `kind = "llm"` in [labeler]
    "#);
}
