//! The frontier, the regimes and Table 1 against cases worked by hand, against brute force, and against noise.

#![expect(clippy::unwrap_used, reason = "clippy.toml allows it in test functions, not in the functions they call")]

use labelmix_econ::{
    Allocation, AnalysisError, CorrectItems, MeasuredRun, Measurements, Outcome, Prices, Regime, RegimeAt, Resamples,
    Tariff, UncertainFrontier, Warning, accuracy_at_budget, budget_table, pareto_frontier, regime, regime_boundaries,
    regimes_over_budgets, regimes_over_price_ratios,
};
use labelmix_stats::{Bootstrap, stream};
use proptest::prelude::*;
use rand::RngExt;

fn run(task: &str, method: &str, labels: (usize, usize), seed: u64, accuracy: f64) -> MeasuredRun {
    MeasuredRun {
        task: task.to_owned(),
        method: method.to_owned(),
        allocation: Allocation { n_weak: labels.0, n_gold: labels.1 },
        seed,
        outcome: Outcome::Accuracy { accuracy, n_test: 4000 },
        gpu_hours: None,
    }
}

fn ten_cents() -> Tariff {
    Prices::new(0.1, 1.0).unwrap().into()
}

fn resampled(measured: &Measurements) -> Resamples {
    Resamples::new(measured, &Bootstrap { resamples: 400, level: 0.9, seed: 5 }).unwrap()
}

/// Two tasks, two methods, three seeds: weak labels are good early, a mix in the middle, gold at the end.
fn worked_example() -> Measurements {
    let cells = [
        ((100, 0), 0.70, 0.60),
        ((0, 10), 0.55, 0.55),
        ((500, 50), 0.80, 0.70),
        ((1000, 0), 0.74, 0.64),
        ((0, 100), 0.72, 0.62),
        ((0, 1000), 0.90, 0.80),
        ((5000, 500), 0.84, 0.74),
        ((10000, 0), 0.75, 0.65),
    ];
    let runs = cells.iter().flat_map(|&(labels, on_a, on_b)| {
        [("sft", 0.0), ("prompt", -0.1)].into_iter().flat_map(move |(method, worse)| {
            [("a", on_a), ("b", on_b)].into_iter().flat_map(move |(task, accuracy)| {
                (0..3u32).map(move |seed| {
                    let accuracy = accuracy + worse + 0.01 * (f64::from(seed) - 1.0);
                    run(task, method, labels, u64::from(seed), accuracy)
                })
            })
        })
    });
    Measurements::new(runs.collect()).unwrap()
}

#[test]
fn table_one_by_hand() {
    let table = budget_table(&worked_example(), &ten_cents(), &[17.0, 150.0, 4097.0]).unwrap();
    let methods: Vec<&str> = table.rows.iter().map(|row| row.method.as_str()).collect();
    assert_eq!(methods, ["prompt", "sft"]);
    let sft: Vec<_> = table.rows[1].entries.iter().flatten().collect();
    let close = |found: f64, expected: f64| assert!((found - expected).abs() < 1e-9, "{found} for {expected}");
    for (entry, (accuracy, weak_share)) in sft.iter().zip([(0.65, 1.0), (0.75, 500.0 / 550.0), (0.85, 0.0)]) {
        close(entry.accuracy, accuracy);
        close(entry.weak_share, weak_share);
        close(entry.deviation.unwrap(), 0.01);
    }
    assert_eq!(sft[1].chosen, [Allocation { n_weak: 500, n_gold: 50 }; 2]);

    // Weak labels at 50 cents: the same runs, other choices.
    let dear = Prices::new(0.5, 1.0).unwrap().into();
    let repriced = budget_table(&worked_example(), &dear, &[150.0]).unwrap();
    close(repriced.rows[1].entries[0].as_ref().unwrap().accuracy, 0.67);
}

#[test]
fn a_curve_has_a_step_for_each_improvement() {
    let curves = accuracy_at_budget(&worked_example(), &ten_cents());
    let steps: Vec<(f64, f64)> =
        curves[1].steps.iter().map(|step| (step.budget_usd, (step.entry.accuracy * 1000.0).round())).collect();
    assert_eq!(steps, [(10.0, 650.0), (100.0, 750.0), (1000.0, 850.0)]);
}

#[test]
fn each_budget_has_its_regime() {
    let measured = worked_example();
    let resamples = resampled(&measured);
    let answers = regimes_over_budgets(&measured, &resamples, &ten_cents(), &[1.0, 17.0, 150.0, 4097.0]).unwrap();
    let verdicts: Vec<_> = answers.iter().map(|place| place.answer.verdict).collect();
    assert_eq!(verdicts, [Some(Regime::AllWeak), Some(Regime::Mixed), Some(Regime::AllGold)]);
    let boundaries: Vec<_> =
        regime_boundaries(answers.iter().map(RegimeAt::place)).iter().map(|b| (b.after, b.before, b.decided)).collect();
    assert_eq!(boundaries, [(17.0, 150.0, true), (150.0, 4097.0, true)]);

    // At $150 and half the gold price the mix is out of reach, and 100 gold labels are the best that is left.
    let over_ratios =
        regimes_over_price_ratios(&measured, &resamples, &ten_cents(), 120.0, &[0.001, 0.1, 0.9]).unwrap();
    let verdicts: Vec<_> = over_ratios.iter().map(|place| place.answer.verdict).collect();
    assert_eq!(verdicts, [Some(Regime::Mixed), Some(Regime::Mixed), Some(Regime::AllGold)]);
}

#[test]
fn the_frontier_names_its_members_and_the_dominated() {
    let measured = worked_example();
    let frontier = UncertainFrontier::new(&measured, &resampled(&measured), &ten_cents());
    let members: Vec<_> = frontier.points.iter().filter(|point| point.on_frontier).collect();
    let labels: Vec<_> = members.iter().map(|point| (point.allocation.n_weak, point.allocation.n_gold)).collect();
    assert_eq!(labels, [(100, 0), (500, 50), (0, 1000)]);
    assert!(members.iter().all(|point| point.method == "sft" && point.probability > 0.99));
    let standings: Vec<_> = frontier.methods.iter().map(|m| (m.method.as_str(), m.places, m.dominated)).collect();
    assert_eq!(standings, [("prompt", 0, true), ("sft", 3, false)]);
    let heights: Vec<_> = frontier.band.iter().map(|step| (step.cost_usd, (step.accuracy * 100.0).round())).collect();
    assert_eq!(heights, [(10.0, 65.0), (100.0, 75.0), (1000.0, 85.0)]);
    assert!(frontier.band.iter().all(|step| step.interval.low < step.accuracy && step.optimism < 0.01));
}

#[test]
fn computing_is_shown_beside_the_cost() {
    let mut timed = run("a", "sft", (0, 10), 0, 0.6);
    timed.gpu_hours = Some(1.5);
    let measured = Measurements::new(vec![timed, run("a", "sft", (0, 20), 0, 0.7)]).unwrap();
    let tariff = ten_cents().with_compute(2.0).unwrap();
    let frontier = UncertainFrontier::new(&measured, &resampled(&measured), &tariff);
    let shown: Vec<_> = frontier.points.iter().map(|point| (point.cost_usd, point.compute_usd)).collect();
    assert_eq!(shown, [(10.0, Some(3.0)), (20.0, None)]);
}

#[test]
fn senseless_questions_are_refused() {
    let measured = worked_example();
    let resamples = resampled(&measured);
    assert_eq!(
        regime(&measured, &resamples, &ten_cents(), 5.0).unwrap_err().to_string(),
        "no run costs $5 or less: the cheapest costs $10"
    );
    assert!(regime(&measured, &resamples, &ten_cents(), -5.0).is_err());
    assert!(matches!(
        budget_table(&measured, &ten_cents(), &[100.0, 5.0]),
        Err(AnalysisError::NothingAffordable { budget_usd: 5.0, .. })
    ));
}

#[test]
fn a_regime_without_runs_is_said() {
    let measured = Measurements::new(vec![
        run("a", "sft", (0, 10), 0, 0.6),
        run("a", "sft", (0, 10), 1, 0.6),
        run("a", "sft", (1000, 10), 0, 0.7),
        run("a", "sft", (1000, 10), 1, 0.7),
    ]);
    let measured = measured.unwrap();
    let answer = regime(&measured, &resampled(&measured), &ten_cents(), 110.0).unwrap();
    let said = |warning: &Warning| answer.warnings.contains(warning);
    assert!(said(&Warning::NotMeasured { regime: "all-weak" }));
    assert!(said(&Warning::BudgetNotSpent { regime: "all-gold", share: 10.0 / 110.0 }));
    assert_eq!(answer.probabilities.all_weak, 0.0);
}

/// Accuracies of `mixes` mixed, one all-weak and one all-gold allocation, each with noise of its own.
fn noisy(mixes: usize, gain_of_mixes: f64, deviation: f64, world: u64) -> Measurements {
    let mut random = stream(world, "noisy worlds");
    let mut noise = || deviation * ((0..12).map(|_| random.random::<f64>()).sum::<f64>() - 6.0);
    let labels = [(1000, 0), (0, 100)].into_iter().chain((0..mixes).map(|mix| (900 - 10 * mix, 10 + mix)));
    let mut runs = Vec::new();
    for labels in labels {
        let gain = if labels.0 > 0 && labels.1 > 0 { gain_of_mixes } else { 0.0 };
        for seed in 0..4 {
            runs.push(run("a", "sft", labels, seed, 0.75 + gain + noise()));
        }
    }
    Measurements::new(runs).unwrap()
}

#[test]
fn many_mixes_do_not_win_by_their_number() {
    let worlds = 150;
    let (mut mixed, mut decided_mixed, mut naively_mixed) = (0.0, 0, 0);
    for world in 0..worlds {
        let measured = noisy(20, 0.0, 0.02, world);
        let resamples = resampled(&measured);
        let answer = regime(&measured, &resamples, &ten_cents(), 100.0).unwrap();
        mixed += answer.probabilities.mixed;
        decided_mixed += usize::from(answer.verdict == Some(Regime::Mixed));
        let wins = (0..resamples.resamples()).filter(|&number| {
            let drawn = resamples.accuracies(number);
            let best = (0..drawn.len()).max_by(|&a, &b| drawn[a].total_cmp(&drawn[b])).unwrap();
            Regime::of(measured.points()[best].allocation) == Some(Regime::Mixed)
        });
        naively_mixed += usize::from(wins.count() >= resamples.resamples() * 9 / 10);
    }
    // A third each is fair among three regimes of equal accuracy; the best of all resampled allocations would say
    // "mixed" most of the time.
    let mixed = mixed / worlds as f64;
    assert!((0.25..0.42).contains(&mixed), "{mixed}");
    assert!(decided_mixed <= worlds as usize / 10, "{decided_mixed} of {worlds}");
    assert!(naively_mixed >= worlds as usize / 2, "{naively_mixed} of {worlds}");
}

#[test]
fn what_is_clear_is_decided_and_what_is_not_says_what_would() {
    let clear = noisy(20, 0.06, 0.02, 1);
    let answer = regime(&clear, &resampled(&clear), &ten_cents(), 100.0).unwrap();
    assert_eq!((answer.verdict, answer.undecided), (Some(Regime::Mixed), None));

    let close = noisy(1, 0.004, 0.02, 3);
    let answer = regime(&close, &resampled(&close), &ten_cents(), 100.0).unwrap();
    let decides = answer.undecided.unwrap();
    assert_eq!(answer.verdict, None);
    assert!(decides.both_times.is_none_or(|times| times > 1.0));
    assert!(decides.seeds_needed.is_none_or(|needed| needed > decides.seeds));
    assert!(decides.interval.low < decides.difference && decides.difference < decides.interval.high);
}

#[test]
fn the_noise_that_is_shared_needs_no_seeds() {
    // Both allocations fail on the same items, the second on ten more in each seed: clear, though the accuracies'
    // intervals overlap.
    let items = |failed: usize| CorrectItems::new(&(0..500).map(|item| item >= failed).collect::<Vec<bool>>());
    let runs = [((1000, 0), 100), ((0, 100), 110)].into_iter().flat_map(|(labels, failed)| {
        (0..3).map(move |seed| MeasuredRun {
            outcome: Outcome::Items(items(failed + 10 * seed)),
            ..run("a", "sft", labels, seed as u64, 0.0)
        })
    });
    let measured = Measurements::new(runs.collect()).unwrap();
    let answer = regime(&measured, &resampled(&measured), &ten_cents(), 100.0).unwrap();
    assert_eq!(answer.verdict, Some(Regime::AllWeak));
    assert!(answer.contenders[0].interval.low < answer.contenders[1].interval.high);
}

/// Runs on a coarse grid of labels, so that costs collide, with accuracies in hundredths.
fn runs() -> impl Strategy<Value = Vec<MeasuredRun>> {
    let cell = (0usize..4, 0usize..4, 0usize..2, prop::collection::vec(50u32..100, 4));
    prop::collection::vec(cell, 1..25).prop_map(|cells| {
        let mut seen = std::collections::BTreeSet::new();
        let mut runs = Vec::new();
        for (weak, gold, method, accuracies) in cells {
            if seen.insert((weak, gold, method)) {
                for (place, accuracy) in accuracies.into_iter().enumerate() {
                    let (task, method) = (["a", "b"][place % 2], ["sft", "joint"][method]);
                    let labels = (100 * weak, 10 * gold);
                    runs.push(run(task, method, labels, place as u64 / 2, f64::from(accuracy) / 100.0));
                }
            }
        }
        runs
    })
}

/// Table 1's entry, asked of the runs themselves.
fn best_by_brute_force(runs: &[MeasuredRun], method: &str, tariff: &Tariff, budget_usd: f64) -> Option<f64> {
    let best_on = |task: &str| {
        let mut best: Option<f64> = None;
        for candidate in runs.iter().filter(|run| run.task == task && run.method == method) {
            let seeds: Vec<f64> = runs
                .iter()
                .filter(|run| run.task == task && run.method == method && run.allocation == candidate.allocation)
                .map(|run| run.outcome.accuracy())
                .collect();
            let mean = seeds.iter().sum::<f64>() / seeds.len() as f64;
            if tariff.cost_usd(candidate.allocation) <= budget_usd {
                best = Some(best.map_or(mean, |best| best.max(mean)));
            }
        }
        best
    };
    Some(f64::midpoint(best_on("a")?, best_on("b")?))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn table_one_is_what_brute_force_finds(runs in runs(), budget in 0.0f64..70.0) {
        let measured = Measurements::new(runs.clone()).unwrap();
        let tariff = ten_cents();
        match budget_table(&measured, &tariff, &[budget]) {
            Err(error) => {
                prop_assert!(runs.iter().all(|run| tariff.cost_usd(run.allocation) > budget), "{}", error);
            }
            Ok(table) => for row in table.rows {
                let expected = best_by_brute_force(&runs, &row.method, &tariff, budget);
                let found = row.entries[0].as_ref().map(|entry| entry.accuracy);
                prop_assert_eq!(found.is_some(), expected.is_some());
                prop_assert!((found.unwrap_or(0.0) - expected.unwrap_or(0.0)).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn more_money_never_buys_less(runs in runs(), budget in 0.0f64..70.0, more in 0.0f64..20.0) {
        let measured = Measurements::new(runs).unwrap();
        if let Ok(table) = budget_table(&measured, &ten_cents(), &[budget, budget + more]) {
            for row in table.rows {
                if let Some(less) = &row.entries[0] {
                    prop_assert!(row.entries[1].as_ref().unwrap().accuracy >= less.accuracy);
                }
            }
        }
        for curve in accuracy_at_budget(&measured, &ten_cents()) {
            prop_assert!(curve.steps.windows(2).all(|two| two[0].entry.accuracy < two[1].entry.accuracy));
        }
    }

    /// By powers of two, which multiply without rounding.
    #[test]
    fn nothing_depends_on_the_currency(runs in runs(), exponent in -6i32..6, budget in 1.0f64..70.0) {
        let measured = Measurements::new(runs).unwrap();
        let resamples = Resamples::new(&measured, &Bootstrap { resamples: 40, level: 0.9, seed: 5 }).unwrap();
        let factor = 2f64.powi(exponent);
        let (tariff, other) = (ten_cents(), ten_cents().scaled(factor).unwrap());
        let (here, there) = (
            UncertainFrontier::new(&measured, &resamples, &tariff),
            UncertainFrontier::new(&measured, &resamples, &other),
        );
        let places = |frontier: &UncertainFrontier| {
            frontier.points.iter().map(|point| (point.point, point.on_frontier, point.probability)).collect::<Vec<_>>()
        };
        prop_assert_eq!(places(&here), places(&there));
        let answer = |tariff: &Tariff, budget: f64| regime(&measured, &resamples, tariff, budget);
        match (answer(&tariff, budget), answer(&other, budget * factor)) {
            (Ok(here), Ok(there)) => prop_assert_eq!(here.probabilities, there.probabilities),
            (Err(_), Err(_)) => {}
            (here, there) => prop_assert!(false, "{:?} and {:?}", here, there),
        }
    }

    /// The frontier of what was measured is the published rule's, and nothing on it is dominated.
    #[test]
    fn members_are_those_of_the_published_rule(runs in runs()) {
        let measured = Measurements::new(runs).unwrap();
        let observations = measured.observations(&ten_cents());
        let resamples = Resamples::new(&measured, &Bootstrap { resamples: 40, level: 0.9, seed: 5 }).unwrap();
        let frontier = UncertainFrontier::new(&measured, &resamples, &ten_cents());
        let members: Vec<usize> =
            frontier.points.iter().filter(|point| point.on_frontier).map(|point| point.point).collect();
        prop_assert_eq!(&members, &pareto_frontier(&observations));
        for &member in &members {
            let dominated = observations.iter().any(|other| {
                other.cost_usd <= observations[member].cost_usd && other.accuracy > observations[member].accuracy
            });
            prop_assert!(!dominated);
        }
        // Each resample has the same number of best regimes: one.
        if let Ok(answer) = regime(&measured, &resamples, &ten_cents(), 50.0) {
            let sum: f64 = Regime::ALL.iter().map(|&regime| answer.probabilities.of(regime)).sum();
            prop_assert!((sum - 1.0).abs() < 1e-9);
        }
    }

    /// Without noise to speak of, the regime is that of the best run within the budget.
    #[test]
    fn exact_regimes_are_what_brute_force_finds(runs in runs(), budget in 5.0f64..70.0) {
        let tariff = ten_cents();
        let exact: Vec<MeasuredRun> = runs
            .into_iter()
            .filter(|run| run.task == "a" && run.seed == 0)
            .flat_map(|run| (0..3).map(move |seed| MeasuredRun {
                seed,
                outcome: Outcome::Accuracy { accuracy: run.outcome.accuracy(), n_test: 10_000_000 },
                ..run.clone()
            }))
            .collect();
        let measured = Measurements::new(exact.clone()).unwrap();
        let best = Regime::ALL.map(|regime| {
            let within = exact.iter().filter(|run| tariff.cost_usd(run.allocation) <= budget);
            let of_regime = within.filter(|run| Regime::of(run.allocation) == Some(regime));
            of_regime.map(|run| run.outcome.accuracy()).fold(0.0, f64::max)
        });
        let highest = best.iter().copied().fold(0.0, f64::max);
        match regime(&measured, &resampled(&measured), &tariff, budget) {
            Err(_) => prop_assert_eq!(highest, 0.0),
            Ok(answer) => {
                let wins = |regime: &Regime| best[*regime as usize] == highest;
                let winners: Vec<Regime> = Regime::ALL.into_iter().filter(wins).collect();
                if let [only] = winners.as_slice() {
                    prop_assert_eq!(answer.verdict, Some(*only));
                } else {
                    prop_assert!(answer.verdict.is_none_or(|verdict| winners.contains(&verdict)));
                }
            }
        }
    }

    #[test]
    fn the_order_of_the_runs_does_not_matter(runs in runs()) {
        let mut reversed = runs.clone();
        reversed.reverse();
        prop_assert_eq!(Measurements::new(runs).unwrap(), Measurements::new(reversed).unwrap());
    }
}
