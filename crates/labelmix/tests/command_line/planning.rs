//! Planning, buying, labelling, and planning again.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde_json::{Value as Json, json};

use crate::workplace::{Workplace, example};

fn rows(path: impl AsRef<std::path::Path>) -> Vec<Json> {
    fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn json(text: &str) -> Json {
    serde_json::from_str(text).unwrap()
}

/// The small study on rows of which most have no label: 200 with a weak one, 40 with a gold one, 200 with none.
fn unlabeled_workplace() -> (Workplace, BTreeMap<String, Json>) {
    let workplace = Workplace::new();
    let truth: Vec<Json> = rows(example().join("train.jsonl")).into_iter().take(440).collect();
    let row = |(number, row): (usize, &Json)| {
        let row = match number {
            0..200 => json!({ "text": row["text"], "weak": row["weak"], "source": "web" }),
            200..240 => json!({ "text": row["text"], "gold": row["gold"] }),
            _ => json!({ "source": "shop", "text": row["text"] }),
        };
        format!("{row}\n")
    };
    workplace.write("train.jsonl", truth.iter().enumerate().map(row).collect::<String>());
    let old = format!("{}/train.jsonl", example().display());
    workplace.write("study.toml", Workplace::study().replace(&old, "train.jsonl"));
    let by_text = truth.into_iter().map(|row| (row["text"].as_str().unwrap().to_owned(), row));
    (workplace, by_text.collect())
}

/// A task of Label Studio as it is exported: one annotator skipped it, another one chose its true gold label.
fn annotated_in_label_studio(task: &Json, truth: &BTreeMap<String, Json>) -> Json {
    let choice = truth[task["data"]["text"].as_str().unwrap()]["gold"].to_string();
    let result =
        json!([{ "from_name": "label", "to_name": "text", "type": "choices", "value": { "choices": [choice] } }]);
    json!({
        "id": 1,
        "data": task["data"],
        "annotations": [
            { "id": 1, "was_cancelled": true, "result": [] },
            { "id": 2, "was_cancelled": false, "result": result },
        ],
        "predictions": [],
    })
}

#[test]
fn the_loop_is_closed() {
    let (workplace, truth) = unlabeled_workplace();
    let path = |name: &str| workplace.path().join(name);
    workplace.output_of(&["sweep", "study.toml"]);

    // The first purchase, as JSONL: an annotator fills in what the texts' labels truly are.
    let bought = workplace.output_of(&[
        "plan",
        "study.toml",
        "--next",
        "12",
        "--have",
        "data",
        "--out",
        "first",
        "--format",
        "jsonl",
        "--json",
    ]);
    let plan = json(&bought);
    let mut train = "train.jsonl".to_owned();
    for list in plan["purchase"]["lists"].as_array().unwrap() {
        let (file, kind) = (list["file"].as_str().unwrap(), list["kind"].as_str().unwrap());
        let mut requests = rows(path(file));
        assert_eq!(requests.len() as u64, plan["plan"]["buy"][format!("n_{kind}")].as_u64().unwrap());
        for request in &mut requests {
            request["label"] = truth[request["text"].as_str().unwrap()][kind].clone();
        }
        let filled: Vec<String> = requests.iter().map(Json::to_string).collect();
        workplace.write(&format!("{kind}-filled.jsonl"), filled.join("\n"));
        let labels = format!("{kind}-filled.jsonl");
        let out = format!("train-{kind}.jsonl");
        let ingested = json(&workplace.output_of(&[
            "ingest",
            "study.toml",
            "--labels",
            &labels,
            "--kind",
            kind,
            "--out",
            &out,
            "--json",
        ]));
        assert_eq!(ingested["labeled"], requests.len());
        let study = fs::read_to_string(path("study.toml")).unwrap();
        workplace.write("study.toml", study.replace(&train, &out));
        train = out;
    }

    // The second, of gold labels alone, through Label Studio, with every task skipped by one of two annotators.
    workplace.output_of(&["sweep", "study.toml"]);
    let gold_only = workplace.output_of(&[
        "plan",
        "study.toml",
        "--next",
        "4",
        "--have",
        "data",
        "--price",
        "weak=100,gold=0.5",
        "--out",
        "second",
        "--format",
        "label-studio",
        "--json",
    ]);
    assert_eq!(json(&gold_only)["plan"]["buy"], json!({ "n_weak": 0, "n_gold": 8 }));
    let tasks = json(&fs::read_to_string(path("second/gold.json")).unwrap());
    assert!(fs::read_to_string(path("second/gold-labeling.xml")).unwrap().contains("<Choices name=\"label\""));
    let annotated = tasks.as_array().unwrap().iter().map(|task| annotated_in_label_studio(task, &truth));
    workplace.write("export.json", Json::Array(annotated.collect()).to_string());
    let said = workplace.output_of(&[
        "ingest",
        "study.toml",
        "--labels",
        "export.json",
        "--kind",
        "gold",
        "--out",
        "train-2.jsonl",
    ]);
    insta::assert_snapshot!(said, @"
    train-2.jsonl: 440 rows, 8 of them with a new gold label
    Name it as `train` in the study's [task] to go on with it.
    ");
    let study = fs::read_to_string(path("study.toml")).unwrap();
    workplace.write("study.toml", study.replace(&train, "train-2.jsonl"));

    // Nothing is lost: every row has what it had, and some have a label more.
    let (before, after) = (rows(path("train.jsonl")), rows(path("train-2.jsonl")));
    assert_eq!(before.len(), after.len());
    for (before, after) in before.iter().zip(&after) {
        assert!(before.as_object().unwrap().iter().all(|(field, value)| after[field] == *value), "{before} {after}");
    }
    let labels = |rows: &[Json]| rows.iter().filter(|row| !row["gold"].is_null() || !row["weak"].is_null()).count();
    let buy = &plan["plan"]["buy"];
    let more = buy["n_weak"].as_u64().unwrap() + buy["n_gold"].as_u64().unwrap() + 8;
    assert_eq!((labels(&after) - labels(&before)) as u64, more, "every purchase was for texts without a label");

    workplace.output_of(&["sweep", "study.toml"]);
    let again = json(&workplace.output_of(&["plan", "study.toml", "--budget", "100", "--have", "data", "--json"]));
    assert!(again["plan"]["have"]["n_gold"].as_u64().unwrap() > plan["plan"]["have"]["n_gold"].as_u64().unwrap());
    assert!(again["plan"]["cost_usd"].as_f64().unwrap() + again["have_usd"].as_f64().unwrap() <= 100.0 + 1e-6);
}

#[test]
fn purchases_continue_the_studys_pools() {
    let workplace = Workplace::new();
    workplace.output_of(&["sweep", "study.toml"]);
    let ids = |have: &str, next: &str, out: &str| -> Vec<String> {
        let prices = "weak=100,gold=1";
        let arguments = [
            "plan",
            "study.toml",
            "--next",
            next,
            "--have",
            have,
            "--price",
            prices,
            "--out",
            out,
            "--format",
            "jsonl",
        ];
        workplace.output_of(&arguments);
        let requests = rows(workplace.path().join(out).join("gold.jsonl"));
        requests.iter().map(|request| request["labelmix_id"].as_str().unwrap().to_owned()).collect()
    };
    let whole = ids("gold=4", "12", "whole");
    let (first, second) = (ids("gold=4", "5", "first"), ids("gold=9", "7", "second"));
    assert_eq!(whole, [first, second].concat());
    // What seq-sft bought in the sweep is the beginning of the same order.
    let ledger =
        fs::read_to_string(workplace.path().join("labelmix-store/runs/small/seq-sft_w0_g16_s0/ledger.csv")).unwrap();
    let bought: Vec<&str> = ledger.lines().skip(1).map(|line| line.split(',').next().unwrap()).collect();
    assert_eq!(whole, bought[4..16]);

    let again = ["plan", "study.toml", "--next", "5", "--out", "whole", "--format", "jsonl"];
    insta::assert_snapshot!(workplace.complaint(&again), @"
    error: whole/purchase.json is there already
    hint: choose a folder of its own for every purchase: lists that are being filled in are never written over
    ");
}

/// The study with its classes as frequent as they are.
fn as_they_are(study: &str) -> String {
    study.replace("[task]\n", "[task]\nbalance = false\n")
}

#[test]
fn uncertainty_asks_for_the_texts_of_which_its_classifier_is_least_certain() {
    let workplace = Workplace::new();
    workplace.write("study.toml", format!("methods = [\"uncertainty\"]\n{}", as_they_are(&Workplace::study())));
    workplace.output_of(&["sweep", "study.toml"]);
    let gold = |out: &str, have: &str| {
        let arguments = [
            "plan",
            "study.toml",
            "--next",
            "6",
            "--have",
            have,
            "--price",
            "weak=100,gold=1",
            "--out",
            out,
            "--format",
            "argilla",
            "--json",
        ];
        let plan = json(&workplace.output_of(&arguments));
        let records = json(&fs::read_to_string(workplace.path().join(out).join("gold.json")).unwrap());
        let ids = records.as_array().unwrap().iter().map(|record| record["id"].as_str().unwrap().to_owned());
        (plan["purchase"]["sampling"].clone(), ids.collect::<BTreeSet<_>>())
    };
    let (sampling, chosen) = gold("chosen", "gold=2");
    assert_eq!((&sampling["by"], &sampling["n_weak"]), (&json!("least-certain"), &json!(160)));
    assert_eq!(chosen.len(), 6);
}

#[test]
fn texts_that_cover_the_others_are_to_be_labelled_next() {
    let workplace = Workplace::new();
    let study = as_they_are(&Workplace::study());
    workplace.write("study.toml", format!("{study}[[methods]]\nname = \"probe\"\ngold_texts = \"coverage\"\n"));
    workplace.output_of(&["sweep", "study.toml"]);
    let gold = |out: &str, have: &str| {
        let plan = ["plan", "study.toml", "--next", "6", "--have", have, "--price", "weak=100,gold=1", "--out", out];
        let plan = json(&workplace.output_of(&[&plan[..], &["--format", "argilla", "--json"]].concat()));
        assert_eq!(plan["purchase"]["sampling"], json!({"by": "coverage"}));
        let records = json(&fs::read_to_string(workplace.path().join(out).join("gold.json")).unwrap());
        let ids = records.as_array().unwrap().iter().map(|record| record["id"].as_str().unwrap().to_owned());
        ids.collect::<BTreeSet<_>>()
    };
    let first = gold("first", "gold=2");
    assert_eq!((first.len(), gold("more", "gold=40").intersection(&first).count() < 6), (6, true));
}

#[test]
fn questions_that_make_no_sense() {
    let workplace = Workplace::new();
    let refused = |arguments: &[&str]| workplace.complaint(&[&["plan", "study.toml"], arguments].concat());
    insta::assert_snapshot!(refused(&["--budget", "100"]), @"
    error: the study small has not been swept into labelmix-store
    hint: `labelmix sweep` does it, and finds again what is done already; --store names the store, if it is another one
    ");
    workplace.output_of(&["sweep", "study.toml"]);
    insta::assert_snapshot!(refused(&[]), @"
    error: there is nothing to plan for
    hint: give what may be spent (--budget), what is spent next (--next), or an accuracy (--target)
    ");
    insta::assert_snapshot!(refused(&["--budget", "-5"]), @"
    error: the budget is -5
    hint: a budget is a positive amount of dollars, such as 2000
    ");
    insta::assert_snapshot!(refused(&["--budget", "20", "--have", "weak=300"]), @"
    error: 300 weak cost $30, and the budget is $20
    hint: --budget is what is spent in all, the labels of --have included; what is spent on top of them is --next
    ");
    insta::assert_snapshot!(refused(&["--budget", "20", "--method", "joint"]), @r#"
    error: there are no runs of the method "joint" (there are: seq-sft)
    hint: correct the method's name, or measure it
    "#);
    insta::assert_snapshot!(refused(&["--target", "1.5"]), @"
    error: the target accuracy is 1.5: it must lie between 0.5 and 1
    hint: 0.5 is what guessing gives on two balanced classes
    ");
    insta::assert_snapshot!(refused(&["--budget", "20", "--price", "weak=-0.1"]), @"
    error: --price: a label cannot cost -0.1
    hint: prices are positive amounts of dollars per label, such as weak=0.05,gold=1
    ");
    let backtest = ["plan", "--backtest", "nowhere"];
    insta::assert_snapshot!(workplace.complaint(&backtest), @"
    error: nowhere is no store of labelmix
    hint: give the folder that `labelmix sweep` keeps its results in: labelmix-store beside the study file, unless --store names another
    ");
}

#[test]
fn a_single_seed_and_a_budget_far_beyond_are_answered_with_warnings() {
    let workplace = Workplace::new();
    workplace.write("study.toml", Workplace::study().replace("seeds = [0, 1]", "seeds = [0]"));
    workplace.output_of(&["sweep", "study.toml"]);
    let plan = json(&workplace.output_of(&["plan", "study.toml", "--budget", "20000", "--json"]));
    assert_eq!(plan["extrapolated"], true);
    let warnings: Vec<&str> =
        plan["warnings"].as_array().unwrap().iter().map(|warning| warning["warning"].as_str().unwrap()).collect();
    assert_eq!(warnings, ["single-seed", "extrapolated"]);
    let accuracy = &plan["plan"]["accuracy"];
    let width = accuracy["interval"]["high"].as_f64().unwrap() - accuracy["interval"]["low"].as_f64().unwrap();
    assert!(width > 0.05, "{accuracy}");
    for field in ["marginal", "methods", "budgets", "price_ratios", "equal_accuracy", "best_between"] {
        assert!(!plan[field].is_null(), "{field}");
    }
    let text = workplace.output_of(&["plan", "study.toml", "--budget", "20000"]);
    assert!(text.contains("warning: ") && text.contains("far beyond what was measured"), "{text}");
    assert_eq!(text, workplace.output_of(&["plan", "study.toml", "--budget", "20000"]), "the same runs, the same plan");
}

#[test]
fn recorded_sweeps_are_replayed_with_and_without_their_study() {
    let workplace = Workplace::new();
    workplace.write("study.toml", Workplace::study().replace("budgets = [8, 16]", "budgets = [4, 8, 16, 32]"));
    workplace.output_of(&["sweep", "study.toml"]);
    let replay = |arguments: &[&str]| {
        let arguments = [&["plan"], arguments, &["--backtest", "labelmix-store", "--pilot", "0.5", "--json"]].concat();
        json(&workplace.output_of(&arguments))
    };
    for report in [replay(&["study.toml", "--budget", "32"]), replay(&["--budget", "32"])] {
        let replays = report["replays"].as_array().unwrap();
        assert_eq!(replays.len(), 1, "{report}");
        assert_eq!(replays[0]["rules"].as_array().unwrap().len(), 4);
        assert!(replays[0]["regret"].as_f64().unwrap() >= 0.0);
        assert!((0.0..=1.0).contains(&report["summary"]["coverage"].as_f64().unwrap()));
    }
    let text = workplace.output_of(&["plan", "--backtest", "labelmix-store", "--pilot", "0.5"]);
    assert!(text.contains("shares of the pilot's best") && text.contains("later measurements"), "{text}");
}

#[test]
fn a_report_at_other_prices() {
    let workplace = Workplace::new();
    workplace.output_of(&["sweep", "study.toml"]);
    let report = |out: &str, prices: &[&str]| {
        workplace.output_of(&[&["report", "study.toml", "--out", out], prices].concat());
        let read = |name: &str| json(&fs::read_to_string(workplace.path().join(out).join(name)).unwrap());
        (read("economics.json"), read("answer.json"))
    };
    let (usual, answer) = report("usual", &[]);
    let (dear, same) = report("dear", &["--price", "weak=0.5"]);
    assert_eq!(answer, same, "the answer keeps the study's prices");
    let costs = |economics: &Json| -> Vec<f64> {
        let points = economics["frontier"]["points"].as_array().unwrap();
        points.iter().map(|point| point["cost_usd"].as_f64().unwrap()).collect()
    };
    assert_eq!(costs(&usual).len(), costs(&dear).len());
    assert!(costs(&dear).iter().sum::<f64>() > costs(&usual).iter().sum());
    assert_eq!(usual["methods"][0]["budgets"].as_array().unwrap().len(), 2);
}

#[test]
fn labels_that_cannot_be_taken() {
    let (workplace, _) = unlabeled_workplace();
    let all = rows(workplace.path().join("train.jsonl"));
    let refused = |name: &str, content: &str, kind: &str| {
        workplace.write(name, content);
        let arguments = ["ingest", "study.toml", "--labels", name, "--kind", kind, "--out", "out.jsonl"];
        let said = workplace.complaint(&arguments);
        assert!(!workplace.path().join("out.jsonl").exists());
        said
    };
    let id = |row: usize| labelmix_data::ExampleId::of(all[row]["text"].as_str().unwrap()).to_string();
    let csv = |lines: &[(String, &str)]| {
        let lines: Vec<String> = lines.iter().map(|(id, label)| format!("{id},{label}\n")).collect();
        format!("labelmix_id,label\n{}", lines.concat())
    };
    let (known, unlabeled) = (id(200), id(300));
    let gold = all[200]["gold"].as_u64().unwrap();
    let other = if gold == 1 { "0" } else { "1" };
    let hidden = |text: String| text.replace(&known, "[known]").replace(&unlabeled, "[unlabeled]");
    insta::assert_snapshot!(refused("a.csv", &csv(&[(unlabeled.clone(), "2")]), "gold"), @"
    error: a.csv, line 2, column `label`: `2` is not a gold label
    hint: a gold label is 0 or 1 (or false, true); leave the cell empty where there is none. Other values can be named in [task]: `values = { no = 0, yes = 1 }`
    ");
    insta::assert_snapshot!(hidden(refused("a.csv", &csv(&[(unlabeled.clone(), "1"), (unlabeled.clone(), "")]), "gold")), @"
    error: a.csv, line 3: there is no label for [unlabeled]
    hint: label it, or take only the labels that are there with --partial
    ");
    insta::assert_snapshot!(hidden(refused("a.csv", &csv(&[(unlabeled.clone(), "1"), (unlabeled.clone(), "0")]), "gold")), @"
    error: a.csv, line 3: the gold label of [unlabeled] is 0, and a.csv, line 2 says 1
    hint: decide which one holds, and remove the other
    ");
    insta::assert_snapshot!(refused("a.csv", &csv(&[("0123456789abcdef".to_owned(), "1")]), "gold"), @"
    error: a.csv, line 2: no text of train.jsonl has the id 0123456789abcdef
    hint: labels belong to the texts of the training file that they were asked for with: give the study with that file, or remove the row
    ");
    insta::assert_snapshot!(refused("a.csv", &csv(&[("17".to_owned(), "1")]), "gold"), @"
    error: a.csv, line 2: `17` is not the id of an example
    hint: every row keeps the labelmix_id with which it was handed out by `labelmix plan --next` (16 hexadecimal digits), or the text of the example in a column `text`
    ");
    let contradicting = hidden(refused("a.csv", &csv(&[(known.clone(), other)]), "gold"));
    assert!(
        contradicting.contains("the gold label of [known] is") && contradicting.contains("train.jsonl, line 201 says")
    );
    insta::assert_snapshot!(refused("a.json", "{\"a\": 1}", "weak"), @"
    error: a.json: there is no column `labelmix_id`; the columns are `a`
    hint: name one of these columns, or add the one that is missing
    ");
    let asked = format!("[{{\"labelmix_id\": \"{unlabeled}\", \"kind\": \"gold\", \"label\": 1}}]");
    insta::assert_snapshot!(refused("a.json", &asked, "weak"), @"
    error: a.json, line 1: this row asks for a gold label, and weak labels are read
    hint: read the file with --kind gold
    ");
    workplace.write("out.jsonl", "precious");
    workplace.write("b.csv", csv(&[(unlabeled.clone(), "1"), (known, &gold.to_string())]));
    let arguments = ["ingest", "study.toml", "--labels", "b.csv", "--kind", "gold", "--out", "out.jsonl"];
    insta::assert_snapshot!(workplace.complaint(&arguments), @"
    error: out.jsonl is there already
    hint: choose another name: no data is ever written over
    ");
    let arguments = ["ingest", "study.toml", "--labels", "b.csv", "--kind", "gold", "--out", "new.jsonl"];
    insta::assert_snapshot!(workplace.output_of(&arguments), @"
    new.jsonl: 440 rows, 1 of them with a new gold label; 1 had the same one already
    Name it as `train` in the study's [task] to go on with it.
    ");
}
