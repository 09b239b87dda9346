//! Methods and runs against each other, and one run by itself.

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value as Json;

use crate::workplace::Workplace;

/// Two ways to fine-tune, and a prompt whose shots cost more than the smaller budget.
const METHODS: &str = r#"
[prompt]
targets = ["slow", "perfect"]
before_target = " is "
between = " . "
[[methods]]
name = "seq-sft"
[[methods]]
name = "head-only"
method = "seq-sft"
gold = { trains = "head" }
[[methods]]
name = "few-shot"
shots = 10
"#;

fn study() -> String {
    Workplace::study().replace("total_examples = 600", "total_examples = 300") + METHODS
}

fn workplace() -> Workplace {
    let workplace = Workplace::new();
    workplace.write("study.toml", study());
    workplace.output_of(&["sweep", "study.toml", "--json"]);
    workplace
}

fn json(text: &str) -> Json {
    serde_json::from_str(text).unwrap()
}

fn run(name: &str) -> String {
    format!("labelmix-store/runs/small/{name}")
}

/// A run's log-odds by id.
fn predicted(workplace: &Workplace, run: &str) -> BTreeMap<String, f64> {
    let read = |path: String| json(&fs::read_to_string(workplace.path().join(path)).unwrap());
    let stages = read(format!("{run}/run.json"))["stages"].clone();
    let last = stages.as_array().unwrap().last().unwrap().as_str().unwrap().to_owned();
    let kept = read(format!("labelmix-store/stages/{last}/test_log_odds.json"));
    let ids = kept["ids"].as_array().unwrap().iter().map(|id| id.as_str().unwrap().to_owned());
    // They are kept in single precision.
    let score = |score: &Json| f64::from(score.as_f64().unwrap() as f32);
    ids.zip(kept["log_odds"].as_array().unwrap().iter().map(score)).collect()
}

/// Gold labels of the example's test file, by id.
fn gold() -> BTreeMap<String, bool> {
    let test = fs::read_to_string(crate::workplace::example().join("test.jsonl")).unwrap();
    let row = |row: Json| {
        let id = labelmix_data::ExampleId::of(row["text"].as_str().unwrap()).to_string();
        (id, row["gold"] == 1)
    };
    test.lines().map(|line| row(json(line))).collect()
}

#[test]
fn methods_at_equal_cost() {
    let workplace = workplace();
    let stages = || fs::read_dir(workplace.path().join("labelmix-store/stages")).unwrap().count();
    let before = stages();
    let text = workplace.output_of(&["compare", "study.toml", "--json"]);
    let found = json(&text);
    assert_eq!((found["study"].as_str(), found["statistic"].as_str()), (Some("small"), Some("accuracy")));
    let budgets = found["budgets"].as_array().unwrap();
    assert_eq!(budgets.iter().map(|budget| budget["budget_usd"].as_f64().unwrap()).collect::<Vec<_>>(), [8.0, 16.0]);
    // Ten gold shots cost $10.
    assert_eq!((&budgets[0]["missing"], &budgets[1]["missing"]), (&json("[\"few-shot\"]"), &json("[]")));
    assert_eq!((budgets[0]["pairs"].as_array().unwrap().len(), budgets[1]["pairs"].as_array().unwrap().len()), (1, 3));
    assert_eq!(found["compared"], 4);

    // What was measured is what the sweep says is best of what costs no more.
    let answer = json(&workplace.output_of(&["sweep", "study.toml", "--json"]));
    let within = answer["methods_within_budgets"].as_array().unwrap();
    for budget in budgets {
        for method in budget["methods"].as_array().unwrap() {
            let same =
                |entry: &&Json| entry["method"] == method["method"] && entry["budget_usd"] == budget["budget_usd"];
            let entry = within.iter().find(same).unwrap();
            assert_eq!(entry["accuracy_mean"], method["measured"]);
            assert_eq!((&entry["n_weak"], &entry["n_gold"]), (&method["best"]["n_weak"], &method["best"]["n_gold"]));
        }
        for pair in budget["pairs"].as_array().unwrap() {
            let number = |field: &str| pair[field].as_f64().unwrap();
            assert!(number("holm_p_value") >= number("p_value"));
            let (low, high) = (pair["interval"]["low"].as_f64().unwrap(), pair["interval"]["high"].as_f64().unwrap());
            assert!(low <= number("difference") && number("difference") <= high);
            let told_apart = pair["verdict"] != "tied";
            assert_eq!(told_apart, number("p_value") <= 0.05, "{pair}");
            assert!(!told_apart || low > 0.0 || high < 0.0, "{pair}");
        }
    }

    let table = workplace.output_of(&["compare", "study.toml"]);
    assert!(table.contains("no run costs so little: few-shot"), "{table}");
    assert!(table.contains("seq-sft − few-shot"), "{table}");
    assert!(table.contains("4 pairs"), "{table}");
    assert_eq!(text, workplace.output_of(&["compare", "study.toml", "--json"]));
    assert_eq!(stages(), before, "nothing is trained");

    let against =
        ["compare", "study.toml", "--baseline", "few-shot", "--budget", "16", "--statistic", "auroc", "--json"];
    let found = json(&workplace.output_of(&against));
    assert_eq!((found["baseline"].as_str(), found["statistic"].as_str()), (Some("few-shot"), Some("auroc")));
    let budgets = found["budgets"].as_array().unwrap();
    assert_eq!((budgets.len(), &found["compared"]), (1, &2.into()));
    let best = &budgets[0]["methods"].as_array().unwrap()[0];
    let of_best = |run: &&Json| ["n_weak", "n_gold"].iter().all(|kind| run[kind] == best["best"][kind]);
    let runs = answer["runs"].as_array().unwrap().iter().filter(|run| run["method"] == best["method"]);
    let aurocs: Vec<f64> = runs.filter(of_best).map(|run| run["auroc"].as_f64().unwrap()).collect();
    assert_eq!(aurocs.len(), 2);
    assert!((aurocs.iter().sum::<f64>() / 2.0 - best["measured"].as_f64().unwrap()).abs() < 1e-12);
}

#[test]
fn two_runs_on_the_same_items() {
    let workplace = workplace();
    let (first, second) = (run("seq-sft_w80_g8_s0"), run("few-shot_w0_g10_s1"));
    let found = json(&workplace.output_of(&["compare", "--runs", &first, &second, "--json"]));

    // Counted anew from the store and the test file.
    let (a, b, gold) = (predicted(&workplace, &first), predicted(&workplace, &second), gold());
    let mut counts = BTreeMap::new();
    for (id, score) in &a {
        let right = [*score > 0.0, b[id] > 0.0].map(|says| says == gold[id]);
        *counts.entry(right).or_insert(0usize) += 1;
    }
    let count = |right: [bool; 2]| counts.get(&right).copied().unwrap_or(0);
    let agreement = &found["agreement"];
    assert_eq!(found["items"], 100);
    assert_eq!(agreement["both_right"], count([true, true]));
    assert_eq!(agreement["only_first_right"], count([true, false]));
    assert_eq!(agreement["only_second_right"], count([false, true]));
    assert_eq!(agreement["both_wrong"], count([false, false]));
    let difference = (count([true, false]) as f64 - count([false, true]) as f64) / 100.0;
    assert!((found["accuracy"]["difference"].as_f64().unwrap() - difference).abs() < 1e-12);
    let told_apart = found["mcnemar_p_value"].as_f64().unwrap() <= 0.05;
    assert_eq!(found["verdict"] != "tied", told_apart);
    for side in ["first", "second"] {
        assert!(found[side]["auroc"]["interval"]["low"].as_f64().unwrap() < 1.0, "{side}");
    }

    let same = workplace.output_of(&["compare", "--runs", &first, &first]);
    assert!(same.contains("\ntied: the data cannot tell which run is better"), "{same}");
    // The study may be named; its place does not matter.
    let named = workplace.output_of(&["compare", "study.toml", "--runs", &first, &second, "--json"]);
    assert_eq!(json(&named), found);
}

#[test]
fn one_run_in_full() {
    let workplace = workplace();
    let folder = run("seq-sft_w80_g8_s0");
    let found = json(&workplace.output_of(&["show", &folder, "--json", "--wrong", "3"]));
    let record = &found["record"];
    assert_eq!((&record["method"], &record["cost_usd"]), (&"seq-sft".into(), &16.0.into()));
    assert_eq!(found["labels"]["paid"]["n_weak"], 80);
    assert_eq!(found["training"].as_array().unwrap().len(), 2);
    assert!(!found["training"][1]["history"]["validation"].as_array().unwrap().is_empty());

    let evaluation = &found["evaluation"];
    assert_eq!(evaluation["gold"]["accuracy"]["value"], record["metrics"]["accuracy"]);
    assert_eq!(evaluation["gold"]["accuracy"]["interval"]["low"], record["metrics"]["accuracy_low"]);
    assert_eq!(evaluation["gold"]["auroc"]["value"], record["metrics"]["auroc"]);
    let (scores, gold) = (predicted(&workplace, &folder), gold());
    let brier: f64 = scores
        .iter()
        .map(|(id, score)| (1.0 / (1.0 + (-score).exp()) - f64::from(u8::from(gold[id]))).powi(2))
        .sum::<f64>()
        / scores.len() as f64;
    assert!((evaluation["gold"]["brier_score"]["value"].as_f64().unwrap() - brier).abs() < 1e-12);
    for measure in ["calibrated_accuracy", "log_loss", "brier_score"] {
        let (low, high) =
            (&evaluation["gold"][measure]["interval"]["low"], &evaluation["gold"][measure]["interval"]["high"]);
        assert!(low.as_f64().unwrap() < high.as_f64().unwrap(), "{measure}");
    }
    let disputed = evaluation["gold_where_weak_is_wrong"]["items"].as_u64().unwrap();
    assert!(0 < disputed && disputed < 100, "{disputed}");
    assert_eq!(evaluation["weak"]["items"], 100);
    assert_eq!(evaluation["gap_recovered"]["ceiling_run"], "seq-sft_w0_g16_s0");

    let wrong = found["most_confidently_wrong"].as_array().unwrap();
    assert_eq!(wrong.len(), 3);
    for (before, after) in wrong.iter().zip(&wrong[1..]) {
        assert!(before["log_odds"].as_f64().unwrap().abs() >= after["log_odds"].as_f64().unwrap().abs());
    }
    for example in wrong {
        assert_eq!(example["gold"] == 1, example["log_odds"].as_f64().unwrap() < 0.0);
    }

    let text = workplace.output_of(&["show", &folder]);
    for section in ["Labels: ", "Training", "Test set (95% intervals)", "Performance gap", "Most confidently wrong"] {
        assert!(text.contains(section), "{section} is missing of\n{text}");
    }
    // The ceiling has no ceiling.
    let ceiling = json(&workplace.output_of(&["show", &run("seq-sft_w0_g16_s0"), "--json"]));
    assert!(ceiling["evaluation"]["gap_recovered"].is_null());
    // A language model that is asked trains nothing.
    let asked = workplace.output_of(&["show", &run("few-shot_w0_g10_s0")]);
    assert!(asked.contains("nothing"), "{asked}");
}

#[test]
fn what_cannot_be_compared() {
    let workplace = workplace();
    let first = run("seq-sft_w80_g8_s0");
    insta::assert_snapshot!(workplace.complaint(&["compare", "study.toml", "--baseline", "magic"]), @r#"
    error: --baseline: the study has no method named "magic"
    hint: its methods are seq-sft, head-only, few-shot
    "#);
    insta::assert_snapshot!(workplace.complaint(&["compare", "study.toml", "--budget", "0"]), @"
    error: --budget: 0 is not an amount of dollars above 0
    hint: give an amount such as 64
    ");
    insta::assert_snapshot!(workplace.complaint(&["compare", "study.toml", "--store", "empty"]), @"
    error: the study small has not been swept into empty
    hint: `labelmix sweep` does it, and finds again what is done already; --store names the store, if it is another one
    ");
    workplace.write("one.toml", Workplace::study());
    insta::assert_snapshot!(workplace.complaint(&["compare", "one.toml"]), @"
    error: the study small has one method, seq-sft: there is nothing to compare it with
    hint: add a method to the study's [[methods]]; `labelmix methods` lists them
    ");
    let nothing = workplace.complaint(&["show", "labelmix-store/runs/small/none"]);
    assert!(nothing.contains("labelmix-store/runs/small/none holds no finished run"), "{nothing}");

    // Another test set.
    let other = study().replace("max_test = 100", "max_test = 60").replace("\"small\"", "\"other\"");
    workplace.write("other.toml", other.replace("budgets = [8, 16]", "budgets = [8]").replace("[0, 1]", "[0]"));
    workplace.output_of(&["sweep", "other.toml", "--json"]);
    let second = "labelmix-store/runs/other/seq-sft_w40_g4_s0";
    let refused = workplace.complaint(&["compare", "--runs", &first, second]);
    assert!(refused.contains("the two runs were tested on different texts: 100 and 60, "), "{refused}");
    let refused = workplace.complaint(&["show", &first, "--study", "other.toml"]);
    assert!(refused.contains("of the 100 texts it was tested on are not in the study's test set"), "{refused}");

    // A study that is gone, or that never was named, of a store from before test sets were kept.
    fs::remove_dir_all(workplace.path().join("labelmix-store/test_sets")).unwrap();
    fs::rename(workplace.path().join("study.toml"), workplace.path().join("moved.toml")).unwrap();
    let gone = workplace.complaint(&["show", &first]);
    assert!(gone.contains("study.toml is no longer there") && gone.contains("--study STUDY"), "{gone}");
    workplace.output_of(&["show", &first, "--study", "moved.toml"]);
    let file = workplace.path().join(&first).join("run.json");
    let mut kept = json(&fs::read_to_string(&file).unwrap());
    kept.as_object_mut().unwrap().remove("study_file").unwrap();
    fs::write(&file, kept.to_string()).unwrap();
    let unnamed = workplace.complaint(&["show", &first]);
    assert!(unnamed.contains("the run was kept before runs named their study"), "{unnamed}");
}

#[test]
fn a_test_set_whose_labels_have_changed_is_noticed() {
    let workplace = Workplace::new();
    let test = fs::read_to_string(crate::workplace::example().join("test.jsonl")).unwrap();
    workplace.write("test.jsonl", &test);
    let example = crate::workplace::example().display().to_string();
    let study = Workplace::study().replace(&format!("{example}/test.jsonl"), "test.jsonl");
    workplace.write("study.toml", study.replace("max_test = 100", "balance = false"));
    workplace.output_of(&["sweep", "study.toml", "--json"]);
    let folder = run("seq-sft_w80_g8_s0");
    let shown = workplace.output_of(&["show", &folder]);
    let flipped = test.replacen("\"gold\": 1", "\"gold\": 0", 1);
    assert_ne!(flipped, test);
    workplace.write("test.jsonl", flipped);
    // The store keeps the test set that the run was judged by.
    assert_eq!(workplace.output_of(&["show", &folder]), shown);
    let complaint = workplace.complaint(&["show", &folder, "--study", "study.toml"]);
    assert!(complaint.contains("by the gold labels of the study's test set"), "{complaint}");
}
