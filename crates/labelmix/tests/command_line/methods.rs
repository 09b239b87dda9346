//! Every method in one study; methods explained; and what is refused.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::Value as Json;

use crate::prompts::PROMPT;
use crate::workplace::Workplace;

const METHODS: &str = r#"
[[methods]]
name = "seq-sft"
[[methods]]
name = "few-shot"
shots = 4
[[methods]]
name = "many-shots"
method = "few-shot"
shots = 40
shot_labels = "weak"
[[methods]]
name = "few-shot-sft"
[[methods]]
name = "gold-behind-weak"
method = "few-shot-sft"
shots = 8
shot_labels = "weak"
sft = "gold"
[[methods]]
name = "weak-on-shots"
method = "few-shot-sft"
shots = 8
shot_labels = "weak"
sft = "weak"
train_on_shots = true
[[methods]]
name = "uncertainty"
candidates = 200
[[methods]]
name = "relabel"
[[methods]]
name = "sampled"
method = "uncertainty"
temperature = 1.0
candidates = 200
[[methods]]
name = "log-confidence"
[[methods]]
name = "most-confident"
[[methods]]
name = "zero-shot"
[[methods]]
name = "content-free"
method = "zero-shot"
calibration = "contextual"
[[methods]]
name = "verbalizer"
[[methods]]
name = "asked-on"
method = "verbalizer"
follow_up = "so {answer} . {text}"
answer_tokens = 2
[[methods]]
name = "joint"
by_confidence = true
[[methods]]
name = "denoise"
rounds = 2
by_agreement = true
[[methods]]
name = "ensemble"
members = 2
[[methods]]
name = "probe"
calibration = "prior"
[[methods]]
name = "bag-of-words"
calibration = "prior"
[[methods]]
name = "covering"
method = "seq-sft"
gold_texts = "coverage"
[[methods]]
name = "calibrated"
method = "few-shot"
shots = 4
calibration = "prior"
[[methods]]
name = "self-training"
of = "joint"
members = 2
texts = 300
[[methods]]
name = "all-options"
method = "seq-sft"
weak = { loss = "kl", trains = "body" }
gold = { trains = "head", reinitialise_head = true, carry_optimizer = true }
"#;

/// The small study with every method.
pub(crate) fn study() -> String {
    Workplace::study().replace("seeds = [0, 1]", "seeds = [0]").replace("total_examples = 600", "total_examples = 300")
        + PROMPT
        + METHODS
}

fn workplace() -> Workplace {
    let workplace = Workplace::new();
    workplace.write("study.toml", study());
    workplace
}

fn json(text: &str) -> Json {
    serde_json::from_str(text).unwrap()
}

/// A ledger's lines: id, kind, purpose, price in tenths of a cent.
fn ledger(store: &Path, run: &str) -> Vec<(String, String, String, u64)> {
    let text = fs::read_to_string(store.join("runs/small").join(run).join("ledger.csv")).unwrap();
    let line = |line: &str| {
        let [id, kind, purpose, price] = line.split(',').collect::<Vec<_>>().try_into().unwrap();
        let price = (price.parse::<f64>().unwrap() * 1000.0).round() as u64;
        (id.to_owned(), kind.to_owned(), purpose.to_owned(), price)
    };
    text.lines().skip(1).map(line).collect()
}

#[test]
fn every_method_in_one_study() {
    let workplace = workplace();
    let at = |name: &str| workplace.path().join(name);
    let first =
        workplace.labelmix(&["sweep", "study.toml", "--json", "--jobs", "1", "--store", "one"]).assert().success();
    let one = String::from_utf8(first.get_output().stdout.clone()).unwrap();
    let told = String::from_utf8(first.get_output().stderr.clone()).unwrap();
    assert!(told.contains("40 weak shots are too long for the model's context before 100 test texts"), "{told}");
    let answer = json(&one);

    // Another number of jobs, and of threads for each: the same bytes.
    let two = workplace.output_of(&["sweep", "study.toml", "--json", "--jobs", "2", "--store", "two"]);
    assert_eq!(one, two);
    let kept = workplace.stages("one");
    assert!(kept == workplace.stages("two"));

    // The methods do not change each other: seq-sft alone finds all of its stages.
    workplace.write("alone.toml", study().replace(METHODS, ""));
    let alone = workplace.output_of(&["sweep", "alone.toml", "--json", "--store", "one"]);
    assert!(kept == workplace.stages("one"), "seq-sft trains nothing anew");
    assert!(
        json(&alone)["runs"].as_array().unwrap().iter().all(|run| answer["runs"].as_array().unwrap().contains(run))
    );

    // Every label is paid once, and what is paid is what the answer says.
    let runs = answer["runs"].as_array().unwrap();
    let methods: BTreeSet<&str> = runs.iter().map(|run| run["method"].as_str().unwrap()).collect();
    assert_eq!(methods.len(), 24);
    for run in runs {
        let name = run["run"].as_str().unwrap();
        let lines = ledger(&at("one"), name);
        assert_eq!(run["cost_usd"], lines.iter().map(|line| line.3).sum::<u64>() as f64 / 1000.0, "{name}");
        let labels: BTreeSet<_> = lines.iter().map(|line| (&line.0, &line.1)).collect();
        assert_eq!(lines.iter().filter(|line| line.3 > 0).count(), labels.len(), "{name}");
        for (kind, count) in [("weak", "n_weak"), ("gold", "n_gold")] {
            let paid = labels.iter().filter(|label| label.1 == kind).count();
            assert_eq!(run[count], paid, "{name}");
        }
    }
    for split in answer["budgets"].as_array().unwrap() {
        assert!(split["cost_usd"].as_f64().unwrap() <= split["budget_usd"].as_f64().unwrap(), "{split}");
    }
    check_purposes(&at("one"));
    check_what_costs_nothing(&answer, &at("one"));

    // Prompts that do not fit lose shots, and say so.
    let run = json(&fs::read_to_string(at("one/runs/small/many-shots_w40_g0_s0/run.json")).unwrap());
    let stage = at("one/stages").join(run["stages"][0].as_str().unwrap());
    let prompt = json(&fs::read_to_string(stage.join("prompt.json")).unwrap());
    assert_eq!(prompt["shortened"]["test"], 100);
    assert_eq!(prompt["shots"].as_array().unwrap().len(), 40);
    assert_eq!(run["method"]["method"], "few-shot");

    // The report, and new texts for a language model and for a classifier behind a prompt.
    let table = workplace.output_of(&["sweep", "study.toml", "--store", "one"]);
    assert!(table.contains("Methods at equal cost"), "{table}");
    workplace.output_of(&["report", "study.toml", "--out", "report", "--store", "one"]);
    assert!(at("report/figures/accuracy_by_weak_fraction_few-shot-sft.svg").exists());
    check_predictions(&workplace, "one");
}

/// The language model's own answer: a budget of $0, and the point that a verbalizer starts from.
fn check_what_costs_nothing(answer: &Json, store: &Path) {
    let free = answer["budgets"].as_array().unwrap().iter().filter(|split| split["budget_usd"] == 0.0);
    let free: Vec<&str> = free.map(|split| split["method"].as_str().unwrap()).collect();
    assert_eq!(free, ["zero-shot", "content-free", "verbalizer", "asked-on"]);
    let stages = |run: &str| {
        let run = store.join("runs/small").join(format!("{run}_w0_g0_s0/run.json"));
        json(&fs::read_to_string(run).unwrap())["stages"].clone()
    };
    assert_eq!(stages("zero-shot"), stages("verbalizer"));
    assert_eq!(stages("zero-shot")[0], stages("content-free")[0]);
    let calibrated = store.join("stages").join(stages("content-free")[1].as_str().unwrap()).join("outcome.json");
    assert!(json(&fs::read_to_string(calibrated).unwrap())["shift"].as_f64().is_some_and(|shift| shift != 0.0));
    assert_eq!(answer["frontier"][0]["cost_usd"], 0.0);
}

/// What labels are bought for, by method.
fn check_purposes(store: &Path) {
    let purposes = |run: &str| -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for (_, kind, purpose, _) in ledger(store, run) {
            *counts.entry(format!("{kind} {purpose}")).or_default() += 1;
        }
        counts
    };
    let counts = |pairs: &[(&str, usize)]| -> BTreeMap<String, usize> {
        pairs.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
    };
    assert_eq!(purposes("few-shot_w0_g4_s0"), counts(&[("gold shot", 4)]));
    assert_eq!(
        purposes("most-confident_w80_g0_s0"),
        counts(&[("weak query", 80), ("weak train", 32), ("weak validation", 8)])
    );
    // $16 less two gold shots is $14, half of it gold.
    assert_eq!(
        purposes("few-shot-sft_w70_g9_s0"),
        counts(&[
            ("gold shot", 2),
            ("gold train", 5),
            ("gold validation", 2),
            ("weak train", 56),
            ("weak validation", 14)
        ])
    );
    assert_eq!(
        purposes("weak-on-shots_w80_g0_s0"),
        counts(&[("weak shot", 8), ("weak train", 64), ("weak validation", 16)])
    );
    // Labels of both kinds in one stage; texts that classifiers label are not bought.
    let both = [("gold train", 6), ("gold validation", 2), ("weak train", 64), ("weak validation", 16)];
    assert_eq!(purposes("joint_w80_g8_s0"), counts(&both));
    // Two teachers and two students look at the gold labels, the teachers alone at the weak ones.
    let taught = [("gold train", 24), ("gold validation", 8), ("weak train", 128), ("weak validation", 32)];
    assert_eq!(purposes("self-training_w80_g8_s0"), counts(&taught));
    // Gold labels of seq-sft and those that an unsure classifier asks for.
    let gold = |run: &str| -> BTreeSet<String> {
        ledger(store, run).into_iter().filter(|line| line.1 == "gold").map(|line| line.0).collect()
    };
    assert_eq!(gold("uncertainty_w80_g8_s0").len(), 8);
    assert_ne!(gold("uncertainty_w80_g8_s0"), gold("seq-sft_w80_g8_s0"));
    assert_ne!(gold("uncertainty_w80_g8_s0"), gold("sampled_w80_g8_s0"));
    // Gold labels of texts that have a weak one.
    let both: BTreeSet<(String, String)> =
        ledger(store, "relabel_w80_g8_s0").into_iter().map(|line| (line.0, line.1)).collect();
    let of_kind =
        |kind: &str| -> BTreeSet<&String> { both.iter().filter(|line| line.1 == kind).map(|line| &line.0).collect() };
    assert_eq!((of_kind("gold").len(), of_kind("weak").len()), (8, 80));
    assert!(of_kind("gold").is_subset(&of_kind("weak")));
    // Those that cover the pool, beside the same weak ones, whatever the split.
    assert_eq!(gold("covering_w80_g8_s0").len(), 8);
    assert_ne!(gold("covering_w80_g8_s0"), gold("seq-sft_w80_g8_s0"));
    assert!(gold("covering_w80_g8_s0").is_subset(&gold("covering_w0_g16_s0")));
}

/// Predictions for test texts are the scores that the store keeps.
fn check_predictions(workplace: &Workplace, store: &str) {
    let at = |name: &str| workplace.path().join(name);
    let test = fs::read_to_string(crate::workplace::example().join("test.jsonl")).unwrap();
    workplace.write("new.jsonl", test);
    for run in [
        "few-shot_w0_g4_s0",
        "few-shot-sft_w70_g9_s0",
        "seq-sft_w80_g8_s0",
        "asked-on_w80_g8_s0",
        "ensemble_w80_g8_s0",
        "calibrated_w0_g4_s0",
        "zero-shot_w0_g0_s0",
        "content-free_w0_g0_s0",
        "asked-on_w0_g0_s0",
        "probe_w80_g8_s0",
        "bag-of-words_w80_g8_s0",
        "covering_w80_g8_s0",
        "self-training_w80_g8_s0",
    ] {
        let folder = format!("{store}/runs/small/{run}");
        workplace.output_of(&["predict", "--run", &folder, "--input", "new.jsonl", "--output", "predictions.jsonl"]);
        let run = json(&fs::read_to_string(at(&folder).join("run.json")).unwrap());
        let stage = at(store).join("stages").join(run["stages"].as_array().unwrap().last().unwrap().as_str().unwrap());
        let kept = json(&fs::read_to_string(stage.join("test_log_odds.json")).unwrap());
        let scores: BTreeMap<String, f64> = kept["ids"]
            .as_array()
            .unwrap()
            .iter()
            .zip(kept["log_odds"].as_array().unwrap())
            .map(|(id, score)| (id.as_str().unwrap().to_owned(), score.as_f64().unwrap()))
            .collect();
        let mut found = 0;
        for row in fs::read_to_string(at("predictions.jsonl")).unwrap().lines().map(json) {
            let id = labelmix_data::ExampleId::of(row["text"].as_str().unwrap()).to_string();
            if let Some(score) = scores.get(&id) {
                assert!((row["log_odds"].as_f64().unwrap() - score).abs() < 1e-5, "{folder}");
                found += 1;
            }
        }
        assert_eq!(found, 100, "all test texts are among the new ones");
    }
}

#[test]
fn stages_that_do_not_validate() {
    let workplace = Workplace::new();
    let study = Workplace::study().replace("budgets = [8, 16]", "budgets = [30]").replace("[0, 1]", "[0]");
    workplace.write("study.toml", study.replace("early-stopping", "by-count"));
    workplace.output_of(&["sweep", "study.toml", "--json"]);
    for stage in fs::read_dir(workplace.path().join("labelmix-store/stages")).unwrap() {
        let outcome = json(&fs::read_to_string(stage.unwrap().path().join("outcome.json")).unwrap());
        let history = &outcome["history"];
        assert_eq!((&history["n_train"], &history["n_validation"]), (&outcome["count"], &0.into()));
        assert_eq!(history["stop_reason"], "schedule-ended");
        // One example a step: three epochs from 30 labels on, more below.
        let count = outcome["count"].as_u64().unwrap();
        let epochs = if count < 30 { 100_u64.div_ceil(count) } else { 3 };
        assert_eq!(history["steps"], count * epochs);
        assert_eq!(history["best_step"], history["steps"]);
    }
}

#[test]
fn methods_are_listed_and_explained() {
    let workplace = Workplace::new();
    insta::assert_snapshot!(workplace.output_of(&["methods"]), @"
     name             what it does
    ──────────────────────────────────────────────────────────────────────────────────────────────
     seq-sft          fine-tunes on the weak labels, then on the gold ones
     few-shot         asks the language model behind labelled examples; trains nothing
     few-shot-sft     seq-sft whose classifier reads labelled examples before each text
     uncertainty      seq-sft that asks for gold labels where the weak stage is least certain
     relabel          seq-sft that asks for gold labels where the weak stage doubts the weak ones
     log-confidence   seq-sft whose weak stage trusts its own confident predictions
     most-confident   seq-sft on the weak labels that are surest of their class
     zero-shot        asks the language model about each text; buys and trains nothing
     verbalizer       seq-sft that starts from the language model's own answer
     probe            logistic regression on the model's hidden states; the model is not trained
     bag-of-words     logistic regression on words: what a neural model has to beat
     joint            one stage on both kinds of labels, the weak ones counting less
     denoise          trains on both kinds with a loss that knows how often weak labels are wrong
     ensemble         a method trained several times on the same labels, their log-odds averaged
     self-training    a method's classifiers label the pools' texts; fresh ones learn from that
    ");
    insta::assert_snapshot!(workplace.output_of(&["methods", "show", "uncertainty"]), @r#"
        uncertainty: seq-sft that asks for gold labels where the weak stage is least certain

        The weak stage of seq-sft, whose classifier then reads the texts of the gold pool; gold labels are
        bought for those of the largest entropy, or for a sample of them, and the gold stage trains on
        these. Where a split buys no weak labels there is no classifier to ask, and the method is seq-sft.
        Reading texts costs nothing; pays for the labels of both stages. The gold pool is as large as the
        data allows unless [task] has a `gold_pool`.

        Options
          temperature = 0.0          0 for the largest entropy; above, a sample without replacement with weight entropy^(1/temperature)
          candidates = none          how many examples of the gold pool are read; without it, all of them
          weak = {}                  how the weak stage trains: a table of stage options
          gold = {}                  how the gold stage trains: a table of stage options

        Stage options
          loss = "xent"              cross-entropy; "kl" (the same minus the labels' entropy), or "log-confidence"
          trains = "all"             head and LoRA factors; "head" or "body" for one of them
          reinitialise_head = false  whether the gold stage's head starts anew
          carry_optimizer = false    whether the gold stage's optimizer goes on with the weak stage's state

        In a study
          [[methods]]
          name = "uncertainty"

          [[methods]]
          name = "uncertainty-sampled"
          method = "uncertainty"
          temperature = 1.0
          candidates = 2000
        "#);
    let all = json(&workplace.output_of(&["methods", "--json"]));
    for method in all.as_array().unwrap() {
        let name = method["name"].as_str().unwrap();
        assert_eq!(json(&workplace.output_of(&["methods", "show", name, "--json"])), *method);
        assert!(workplace.output_of(&["methods", "show", name]).contains("In a study"));
    }
    insta::assert_snapshot!(workplace.complaint(&["methods", "show", "magic"]), @r#"
    error: there is no method named "magic"
    hint: the methods are seq-sft, few-shot, few-shot-sft, uncertainty, relabel, log-confidence, most-confident, zero-shot, verbalizer, probe, bag-of-words, joint, denoise, ensemble, self-training
    "#);
}
