//! The page on columns and keys (docs/columns.md) against what the commands print.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use labelmix_loopback::{Answer, LoopbackModel, chat};
use parquet::file::reader::{FileReader, SerializedFileReader};
use serde_json::Value as Json;

use crate::tasks::{OWN_TASK, with_own_task};
use crate::workplace::{Workplace, example};

/// A row of a table of the page: a key, without the brackets of lists, and the parts that its meaning links to.
struct Row {
    key: String,
    parts: Vec<String>,
}

/// The tables of the page, by the headings above them.
struct Page(BTreeMap<String, Vec<Row>>);

/// What was found of a page: the rows that something had, by heading and key, and what no row is for.
#[derive(Default)]
struct Found {
    seen: BTreeSet<(String, String)>,
    undocumented: BTreeSet<String>,
}

fn without_brackets(path: &str) -> String {
    path.replace("[]", "").trim_start_matches('.').to_owned()
}

/// The name by which a heading is linked to.
fn anchor(heading: &str) -> String {
    let kept = heading.to_lowercase().replace(' ', "-");
    kept.chars().filter(|letter| letter.is_alphanumeric() || "-_".contains(*letter)).collect()
}

impl Page {
    fn read() -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/columns.md");
        let mut tables: BTreeMap<String, Vec<Row>> = BTreeMap::new();
        let mut heading = String::new();
        for line in fs::read_to_string(path).unwrap().lines() {
            if let Some(name) = line.strip_prefix("## ") {
                heading = anchor(name);
            }
            let cells: Vec<&str> = line.split(" | ").collect();
            let key = cells[0].strip_prefix("| `").and_then(|key| key.strip_suffix('`'));
            // What is not a key has no unit: the table of formats.
            let (Some(key), [_, meaning, _]) = (key, cells.as_slice()) else { continue };
            let links = meaning.split("(#").skip(1).filter_map(|rest| rest.split_once(')'));
            let parts = links.map(|(part, _)| part.to_owned()).collect();
            tables.entry(heading.clone()).or_default().push(Row { key: without_brackets(key), parts });
        }
        Self(tables)
    }

    /// Every path below a heading, with the row that it is documented in.
    fn paths(&self, heading: &str, before: &str, paths: &mut Vec<(String, (String, String))>) {
        for row in &self.0[heading] {
            let path = if before.is_empty() { row.key.clone() } else { format!("{before}.{}", row.key) };
            paths.push((path.clone(), (heading.to_owned(), row.key.clone())));
            for part in row.parts.iter().filter(|part| self.0.contains_key(*part)) {
                self.paths(part, &path, paths);
            }
        }
    }

    /// Looks up everything that was printed under a heading.
    fn check(&self, heading: &str, printed: &Json, found: &mut Found) {
        let (mut paths, mut leaves) = (Vec::new(), BTreeSet::new());
        self.paths(&anchor(heading), "", &mut paths);
        collect(printed, String::new(), &mut leaves);
        for leaf in leaves.iter().map(|leaf| without_brackets(leaf)) {
            let mut is_documented = false;
            for (path, row) in &paths {
                let is_it = match path.strip_suffix('*') {
                    Some(before) => leaf.starts_with(before),
                    None => leaf == *path,
                };
                if is_it || leaf.strip_prefix(path.as_str()).is_some_and(|rest| rest.starts_with('.')) {
                    found.seen.insert(row.clone());
                }
                // An empty list stands for its elements.
                is_documented |= is_it || path.strip_prefix(leaf.as_str()).is_some_and(|rest| rest.starts_with('.'));
            }
            if !is_documented {
                found.undocumented.insert(format!("{heading}: {leaf}"));
            }
        }
    }
}

/// The paths to everything that is neither a list nor an object with something in it.
fn collect(value: &Json, path: String, leaves: &mut BTreeSet<String>) {
    match value {
        Json::Object(entries) if !entries.is_empty() => {
            for (key, value) in entries {
                collect(value, format!("{path}.{key}"), leaves);
            }
        }
        Json::Array(items) if !items.is_empty() => {
            for item in items {
                collect(item, format!("{path}[]"), leaves);
            }
        }
        _ if path.is_empty() => {}
        _ => {
            leaves.insert(path);
        }
    }
}

/// Every word of the sources: keys that the example does not show are at least there.
fn words_of_the_sources(folder: &Path, words: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            words_of_the_sources(&path, words);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(path).unwrap();
            let split = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
            words.extend(split.map(str::to_owned));
        }
    }
}

fn parsed(text: &str) -> Json {
    serde_json::from_str(text).unwrap()
}

/// Columns as an object, so that they are looked up as keys are.
fn columns<'a>(names: impl IntoIterator<Item = &'a str>) -> Json {
    names.into_iter().map(|name| (name.to_owned(), Json::Null)).collect::<serde_json::Map<_, _>>().into()
}

fn header(path: &Path) -> Json {
    let text = fs::read_to_string(path).unwrap();
    columns(text.lines().next().unwrap().split(','))
}

/// What every command prints, under the heading of the page that explains it.
fn everything_printed() -> Vec<(&'static str, Json)> {
    let workplace = Workplace::new();
    let path = |name: &str| workplace.path().join(name);
    let json_of = |arguments: &[&str]| parsed(&workplace.output_of(&[arguments, &["--json"]].concat()));
    let file = |name: &str| parsed(&fs::read_to_string(path(name)).unwrap());
    let study = Workplace::study().replace("budgets = [8, 16]", "budgets = [4, 8, 16, 32]");
    workplace.write("study.toml", format!("methods = [\"seq-sft\", \"log-confidence\", \"bag-of-words\"]\n{study}"));
    let checkpoint = example().join("checkpoint").display().to_string();
    let mut printed = vec![("answer.json", json_of(&["sweep", "study.toml"]))];

    workplace.output_of(&["report", "study.toml", "--out", "report"]);
    printed.extend([("answer.json", file("report/answer.json")), ("economics.json", file("report/economics.json"))]);
    let parquet = SerializedFileReader::new(fs::File::open(path("report/tables/runs.parquet")).unwrap()).unwrap();
    let fields = parquet.metadata().file_metadata().schema().get_fields().iter().map(|field| field.name());
    printed.push(("runs.parquet", columns(fields)));
    printed.push(("runs.parquet", header(&path("report/tables/runs.csv"))));

    let runs = ["labelmix-store/runs/small/seq-sft_w0_g16_s0", "labelmix-store/runs/small/seq-sft_w80_g8_s0"];
    printed.push(("ledger.csv", header(&path(runs[1]).join("ledger.csv"))));
    printed.push(("show --json", json_of(&["show", runs[1]])));
    printed.push(("compare --json", json_of(&["compare", "study.toml", "--baseline", "seq-sft", "--best-of-others"])));
    printed.push(("compare --runs --json", json_of(&["compare", "--runs", runs[0], runs[1]])));
    printed.push(("status --json", json_of(&["status", "study.toml"])));

    let plan =
        ["plan", "study.toml", "--budget", "60", "--have", "weak=10,gold=2", "--target", "0.6", "--out", "lists"];
    printed.extend([("plan --json", json_of(&plan)), ("purchase.json", file("lists/purchase.json"))]);
    printed.extend(
        ["weak", "gold"]
            .map(|kind| path(&format!("lists/{kind}.csv")))
            .iter()
            .filter(|list| list.exists())
            .map(|list| ("lists for annotators", header(list))),
    );
    for pilot in ["0.1", "0.5"] {
        let backtest = ["plan", "study.toml", "--budget", "32", "--backtest", "labelmix-store", "--pilot", pilot];
        printed.push(("plan --backtest --json", json_of(&backtest)));
    }

    workplace.write("new.csv", "number,text\n1,the soup was good .\n2,\n");
    workplace.output_of(&["predict", "--run", runs[1], "--input", "new.csv", "--output", "predictions.csv"]);
    let predictions = fs::read_to_string(path("predictions.csv")).unwrap();
    let added = predictions.lines().next().unwrap().strip_prefix("number,text,").unwrap();
    printed.push(("predictions", columns(added.split(','))));

    let unlabeled = "{\"text\": \"a\", \"weak\": 1}\n{\"text\": \"b\", \"gold\": 0}\n{\"text\": \"c\"}\n";
    workplace.write("some.jsonl", unlabeled);
    let train = format!("{}/train.jsonl", example().display());
    workplace.write("some.toml", Workplace::study().replace(&train, "some.jsonl"));
    workplace.write("labels.csv", "text,label\nc,1\n");
    let ingest = ["ingest", "some.toml", "--labels", "labels.csv", "--kind", "gold", "--out", "more.jsonl"];
    printed.push(("ingest --json", json_of(&ingest)));

    printed.push(("inspect --json", json_of(&["inspect", &checkpoint, "--texts", "some.jsonl"])));
    printed.push(("doctor --json", json_of(&["doctor", "--model", &checkpoint])));
    printed.push(("label-report --json", json_of(&["label-report", "study.toml", "--by", "gold"])));
    let annotators = ["--annotator", "gold", "--annotator", "weak"];
    printed.push(("label-report --json", json_of(&[&["label-report", "study.toml"][..], &annotators].concat())));
    printed.push(("methods --json", json_of(&["methods"])));
    printed.push(("tasks --json", json_of(&["tasks"])));
    printed.push(("task", json_of(&["tasks", "show", "boolq"])));

    let labeler =
        format!("{}[labeler]\nmodel = \"{checkpoint}\"\nlearning_rate = 5e-3\ntrain = 400\n", Workplace::study());
    workplace.write("labeler.toml", labeler.replace("weak = \"weak\"\n", ""));
    let weak = ["weak-label", "labeler.toml", "--out", "weak.csv", "--store", "labels"];
    printed.push(("weak-label --json", json_of(&weak)));
    printed.push(("weak labels", header(&path("weak.csv"))));
    let served = LoopbackModel::start(|_| {
        let mut answer = chat("yes", &[("yes", 0.8), ("no", 0.2)]);
        answer["usage"]["prompt_tokens_details"] = serde_json::json!({"cached_tokens": 1});
        Answer::json(&answer)
    });
    let llm = format!(
        "[labeler]\nkind = \"llm\"\nprior = 0.5\n[labeler.llm]\nmodel = \"m\"\nbase_url = \"{}\"\ntexts = 4\n",
        served.base_url()
    );
    let llm = format!("{}{llm}[prompt]\ntargets = [\"no\", \"yes\"]\n", Workplace::study());
    workplace.write("llm.toml", llm.replace("weak = \"weak\"\n", ""));
    printed.push(("weak-label --json", json_of(&["weak-label", "llm.toml", "--out", "llm.csv", "--store", "labels"])));
    let dry = ["weak-label", "llm.toml", "--dry-run", "--store", "labels"];
    printed.push(("weak-label --dry-run --json", json_of(&dry)));

    printed.push(("store ls --json", json_of(&["store", "ls", "labelmix-store"])));
    printed.push(("store gc --json", json_of(&["store", "gc", "labelmix-store"])));
    printed.push(("store verify --json", json_of(&["store", "verify", "labelmix-store"])));

    let own = with_own_task();
    let prompts = "[[prompts]]\nbefore_text = 'the '\nbefore_target = ' is '\ntargets = ['slow', 'perfect']\n";
    own.write("mine.toml", format!("{OWN_TASK}{prompts}"));
    let asked = ["--model", &checkpoint, "--wordings", "--texts", "2", "--shots", "2"];
    let check = [&["tasks", "check", "mine.toml", "--json"][..], &asked].concat();
    printed.push(("tasks check --json", parsed(&own.output_of(&check))));
    printed
}

#[test]
fn every_column_and_key_has_a_line_in_the_book_and_no_line_is_dead() {
    let page = Page::read();
    let mut found = Found::default();
    for (heading, printed) in everything_printed() {
        page.check(heading, &printed, &mut found);
    }
    let undocumented: Vec<&String> = found.undocumented.iter().collect();
    assert!(undocumented.is_empty(), "docs/columns.md has no line for\n{undocumented:#?}");

    let mut words = BTreeSet::new();
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for entry in fs::read_dir(crates).unwrap() {
        words_of_the_sources(&entry.unwrap().path().join("src"), &mut words);
    }
    for (heading, rows) in &page.0 {
        for Row { key, .. } in rows {
            let name = key.trim_end_matches(".*").rsplit('.').next().unwrap();
            let is_seen = found.seen.contains(&(heading.clone(), key.clone()));
            assert!(is_seen || words.contains(name), "docs/columns.md#{heading}: nothing has the key `{key}`");
        }
    }
}
