//! Every formula that the page repeats, under node, against the Rust one on the same data. Skipped without node.

use std::process::Command;

use labelmix_econ::{
    Allocation, Measurements, Prices, Resamples, Surface, SurfaceSettings, UncertainFrontier, best_split,
    expansion_path, marginal_values, pareto_frontier, regime,
};
use labelmix_report::page;
use labelmix_stats::Bootstrap;
use serde_json::{Value, json};

use super::simulated::{Simulation, embedded};

const PRICES: [(f64, f64); 4] = [(0.1, 1.0), (0.03, 1.0), (0.4, 0.9), (0.1, 12.0)];
const BUDGETS: [f64; 4] = [16.0, 70.5, 256.0, 900.0];

/// What the page's model answers to questions about this data.
fn answers(data: &Value, questions: &[Value]) -> Option<Vec<Value>> {
    let folder = tempfile::tempdir().unwrap();
    let program = concat!(env!("CARGO_MANIFEST_DIR"), "/src/page/model.js");
    std::fs::write(folder.path().join("data.json"), data.to_string()).unwrap();
    std::fs::write(folder.path().join("questions.json"), Value::from(questions).to_string()).unwrap();
    let script = r#"
        const { readFileSync } = require("fs");
        const read = (name) => JSON.parse(readFileSync(name, "utf8"));
        const Model = require(process.argv[1]);
        const model = Model.prepare(read("data.json"));
        const answer = ({ prices, budget, method, at }) => {
          const cost = Model.costs(model.points, prices);
          const surface = model.surfaces.find((surface) => surface.method === method);
          const split = Model.bestSplit(surface, prices, budget);
          return {
            frontier: Model.frontier(cost, model.observed), band: Model.band(model, cost),
            best: Model.bestWithin(model, cost, budget, method), regimes: Model.regimes(model, cost, budget, method),
            weak: split.best.weak, gold: split.best.gold, fraction: split.best.fraction, mean: split.best.mean,
            low: split.best.low, high: split.best.high, fractions: split.fractions, extrapolation: split.extrapolation,
            draws: Array.from(Model.accuracyDraws(surface, ...at)), rate: Model.exchangeRate(surface, ...at),
          };
        };
        process.stdout.write(JSON.stringify(read("questions.json").map(answer)));
    "#;
    let output = Command::new("node").args(["-e", script, program]).current_dir(folder.path()).output();
    let Ok(output) = output else {
        eprintln!("skipped: there is no node here");
        return None;
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

fn near(found: &Value, expected: f64, tolerance: f64, what: &str) {
    let found = found.as_f64().unwrap_or_else(|| panic!("{what}: {found}"));
    assert!((found - expected).abs() <= tolerance, "{what}: {found} for {expected}");
}

/// The surface with exactly as many draws as are embedded.
fn with_draws(surface: &Surface, draws: usize) -> Surface {
    (1..=draws).rev().map(|asked| surface.with_fewer_draws(asked)).find(|few| few.draws() == draws).unwrap()
}

#[test]
fn the_page_computes_what_rust_computes() {
    let simulation = Simulation::PLAIN;
    let (report, measured) = simulation.report();
    let data = embedded(&page(&report));
    let measurements = Measurements::new(measured).unwrap();
    let methods: Vec<&str> = data["methods"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();

    let mut questions = Vec::new();
    for (number, (weak, gold)) in PRICES.into_iter().enumerate() {
        for budget in BUDGETS {
            let method = number % methods.len();
            questions.push(json!({
                "prices": { "weak": weak, "gold": gold }, "budget": budget, "method": method, "at": [40 * number, 30],
            }));
        }
    }
    let Some(answers) = answers(&data, &questions) else { return };

    let count = data["resamples"]["count"].as_u64().unwrap() as usize;
    let bootstrap = Bootstrap { resamples: count, ..Bootstrap::new(0) };
    let resamples = Resamples::new(&measurements, &bootstrap).unwrap();
    for (question, answer) in questions.iter().zip(&answers) {
        let what = question.to_string();
        let number = |value: &Value| value.as_f64().unwrap();
        let prices = Prices::new(number(&question["prices"]["weak"]), number(&question["prices"]["gold"])).unwrap();
        let (budget, tariff) = (number(&question["budget"]), prices.into());
        let observations = measurements.observations(&tariff);
        assert_eq!(answer["frontier"], json!(pareto_frontier(&observations)), "{what}");

        let frontier = UncertainFrontier::new(&measurements, &resamples, &tariff);
        assert_eq!(answer["band"].as_array().unwrap().len(), frontier.band.len(), "{what}");
        for (found, expected) in answer["band"].as_array().unwrap().iter().zip(&frontier.band) {
            near(&found["cost"], expected.cost_usd, 1e-9, &what);
            near(&found["accuracy"], expected.accuracy, 1e-9, &what);
            near(&found["low"], expected.interval.low, 1e-5, &what);
            near(&found["high"], expected.interval.high, 1e-5, &what);
        }

        let place = question["method"].as_u64().unwrap() as usize;
        let known = measurements.methods().iter().position(|name| name == methods[place]).unwrap();
        let affordable: Vec<usize> = (0..observations.len())
            .filter(|&point| measurements.points()[point].method == known)
            .filter(|&point| observations[point].cost_usd <= budget * (1.0 + 1e-9))
            .collect();
        let chosen: Vec<_> = affordable.iter().map(|&point| observations[point]).collect();
        let best = best_split(&chosen).map_or(-1, |best| i64::try_from(affordable[best]).unwrap());
        assert_eq!(answer["best"], json!(best), "{what}");

        // All cells have the same seeds, so a method's own resamples are these.
        let of_method = measurements.of_method(methods[place]).unwrap();
        let own = Resamples::new(&of_method, &bootstrap).unwrap();
        match regime(&of_method, &own, &tariff, budget) {
            Ok(expected) => {
                let expected = expected.probabilities;
                for (found, expected) in answer["regimes"].as_array().unwrap().iter().zip([
                    expected.all_weak,
                    expected.mixed,
                    expected.all_gold,
                ]) {
                    near(found, expected, 1.5 / count as f64, &what);
                }
            }
            Err(_) => assert_eq!(answer["regimes"], Value::Null, "{what}"),
        }

        let surface = Surface::fit(&measurements, methods[place], &SurfaceSettings::new(0)).unwrap();
        let embedded = data["surfaces"].as_array().unwrap().iter().find(|surface| surface["method"] == json!(place));
        let draws = embedded.unwrap()["parts"].as_array().unwrap().iter().map(|part| part["draws"].as_u64().unwrap());
        let surface = with_draws(&surface, draws.sum::<u64>() as usize);
        let at = Allocation {
            n_weak: question["at"][0].as_u64().unwrap() as usize,
            n_gold: question["at"][1].as_u64().unwrap() as usize,
        };
        let expected = surface.accuracy_draws(at.n_weak as f64, at.n_gold as f64);
        assert_eq!(answer["draws"].as_array().unwrap().len(), expected.len());
        for (found, expected) in answer["draws"].as_array().unwrap().iter().zip(expected) {
            near(found, expected, 2e-5, &what);
        }
        let path = &expansion_path(&surface, &tariff, &[budget]).unwrap()[0];
        near(&answer["mean"], path.accuracy.mean, 2e-5, &what);
        near(&answer["low"], path.accuracy.interval.low, 5e-5, &what);
        near(&answer["high"], path.accuracy.interval.high, 5e-5, &what);
        assert_eq!(answer["weak"], json!(path.allocation.n_weak), "{what}");
        assert_eq!(answer["gold"], json!(path.allocation.n_gold), "{what}");
        near(&answer["fraction"], path.weak_fraction, 1e-9, &what);
        near(&answer["fractions"]["low"], path.interval.low, 1e-9, &what);
        near(&answer["fractions"]["high"], path.interval.high, 1e-9, &what);
        near(&answer["extrapolation"], path.extrapolation.times(), 1e-9, &what);
        let rate = marginal_values(&surface, &tariff, at).weak_per_gold;
        for (found, expected) in [("median", rate.median), ("low", rate.low), ("high", rate.high)] {
            match expected {
                Some(expected) => near(&answer["rate"][found], expected, 0.02 * expected.max(0.1), &what),
                None => assert_eq!(answer["rate"][found], Value::Null, "{what}"),
            }
        }
    }
}
