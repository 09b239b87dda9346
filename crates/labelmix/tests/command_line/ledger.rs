//! The ledger beside every run: adds up to what the answer says, and names what the trainer used.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::Value as Json;

use crate::workplace::Workplace;

/// A ledger's lines: id, kind, purpose, and the price in tenths of a cent.
type Lines = Vec<(String, String, String, u64)>;

fn ledger_of(workplace: &Workplace, run: &str) -> Lines {
    let text = fs::read_to_string(workplace.path().join("labelmix-store/runs/small").join(run).join("ledger.csv"));
    let text = text.unwrap();
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("id,kind,purpose,price_usd"));
    let line = |line: &str| {
        let [id, kind, purpose, price] = line.split(',').collect::<Vec<_>>().try_into().unwrap();
        let tenths_of_cents = price.parse::<f64>().unwrap() * 1000.0;
        (id.to_owned(), kind.to_owned(), purpose.to_owned(), tenths_of_cents.round() as u64)
    };
    lines.map(line).collect()
}

fn answer(workplace: &Workplace) -> Json {
    serde_json::from_str(&workplace.output_of(&["sweep", "study.toml", "--json"])).unwrap()
}

/// Every run's ledger by the run's name, checked against the answer.
fn checked_ledgers(workplace: &Workplace, answer: &Json) -> BTreeMap<String, Lines> {
    let runs = answer["runs"].as_array().unwrap();
    let ledgers = runs.iter().map(|run| {
        let name = run["run"].as_str().unwrap();
        let lines = ledger_of(workplace, name);
        let total = lines.iter().map(|(.., price)| price).sum::<u64>() as f64 / 1000.0;
        assert_eq!(run["cost_usd"], total, "{name}");
        let count = |kind: &str| lines.iter().filter(|line| line.1 == kind).count();
        assert_eq!(
            (run["n_weak"].as_u64(), run["n_gold"].as_u64()),
            (Some(count("weak") as u64), Some(count("gold") as u64))
        );
        (name.to_owned(), lines)
    });
    ledgers.collect()
}

fn run_file(workplace: &Workplace, run: &str) -> Json {
    let folder = workplace.path().join("labelmix-store/runs/small").join(run);
    serde_json::from_str(&fs::read_to_string(folder.join("run.json")).unwrap()).unwrap()
}

#[test]
fn every_ledger_adds_up_to_the_cost_of_its_run() {
    let workplace = Workplace::new();
    let ledgers = checked_ledgers(&workplace, &answer(&workplace));
    assert_eq!(ledgers.len(), 12);
    for (name, lines) in &ledgers {
        let run = run_file(&workplace, name);
        let labels = &run["labels"];
        assert_eq!(labels["looked_at"], lines.len());
        assert_eq!(labels["paid"], run["record"]["allocation"]);
        assert_eq!(labels["cost_usd"], run["record"]["cost_usd"]);

        // As many of each kind and purpose as the stages of this kind trained and validated on.
        for stage in run["stages"].as_array().unwrap() {
            let folder = workplace.path().join("labelmix-store/stages").join(stage.as_str().unwrap());
            let outcome: Json =
                serde_json::from_str(&fs::read_to_string(folder.join("outcome.json")).unwrap()).unwrap();
            for (purpose, used) in [("train", "n_train"), ("validation", "n_validation")] {
                let entered = lines.iter().filter(|line| line.1 == outcome["labels"] && line.2 == purpose).count();
                assert_eq!(outcome["history"][used], entered, "{name} {purpose}");
            }
        }
        let distinct: BTreeSet<_> = lines.iter().map(|line| (&line.0, &line.1)).collect();
        assert_eq!(distinct.len(), lines.len(), "seq-sft looks at every label once");
        let kinds_of_an_id: BTreeSet<_> = lines.iter().map(|line| &line.0).collect();
        assert_eq!(kinds_of_an_id.len(), lines.len(), "the pools are disjoint");
    }
    // Nested: what $8 buys, $16 buys first.
    let (small, large) = (&ledgers["seq-sft_w0_g8_s0"], &ledgers["seq-sft_w0_g16_s0"]);
    let ids = |lines: &Lines| -> Vec<String> { lines.iter().map(|line| line.0.clone()).collect() };
    assert_eq!(ids(small), ids(large)[..8]);
}

#[test]
fn new_prices_rewrite_prices_only_and_lost_ledgers_are_written_again() {
    let workplace = Workplace::new();
    let before = checked_ledgers(&workplace, &answer(&workplace));
    let ledger = Path::new("labelmix-store/runs/small/seq-sft_w80_g8_s0/ledger.csv");
    fs::remove_file(workplace.path().join(ledger)).unwrap();
    // Half the price and half the budgets buy the same labels.
    let study = Workplace::study().replace("budgets = [8, 16]", "budgets = [4, 8]");
    workplace.write("study.toml", study + "[prices]\nweak = 0.05\ngold = 0.5\n");
    let after = checked_ledgers(&workplace, &answer(&workplace));
    let halved = |lines: &Lines| -> Lines {
        lines.iter().map(|(id, kind, purpose, price)| (id.clone(), kind.clone(), purpose.clone(), price / 2)).collect()
    };
    assert_eq!(after, before.iter().map(|(name, lines)| (name.clone(), halved(lines))).collect());
}

#[test]
fn a_run_from_before_there_were_ledgers_is_readable() {
    let workplace = Workplace::new();
    workplace.output_of(&["sweep", "study.toml", "--json"]);
    let run = "seq-sft_w80_g8_s0";
    let mut file = run_file(&workplace, run);
    assert!(file.as_object_mut().unwrap().remove("labels").is_some());
    assert!(file["record"].as_object_mut().unwrap().remove("cost_usd").is_some());
    let folder = format!("labelmix-store/runs/small/{run}");
    workplace.write(&format!("{folder}/run.json"), file.to_string());
    workplace.write("new.jsonl", "{\"text\": \"the soup was good\"}\n");
    workplace.output_of(&["predict", "--run", &folder, "--input", "new.jsonl", "--output", "predictions.jsonl"]);
    workplace.output_of(&["sweep", "study.toml", "--json"]);
    assert_eq!(run_file(&workplace, run)["record"]["cost_usd"], 16.0);
}
