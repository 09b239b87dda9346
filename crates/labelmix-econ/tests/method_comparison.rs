//! Methods at equal cost: by hand, and in worlds whose truth is known.

#![expect(clippy::unwrap_used, reason = "clippy.toml allows it in test functions, not in the functions they call")]

use labelmix_econ::{
    Allocation, BEST_OF_OTHERS, ComparisonQuestion, CorrectItems, MeasuredRun, Measurements, MethodComparison, Outcome,
    PairVerdict, Prices, Resamples, SIGNIFICANCE, Tariff, compare_methods,
};
use labelmix_stats::{Bootstrap, stream};
use rand_distr::{Distribution, StandardNormal};

const ITEMS: usize = 1000;

fn ten_cents() -> Tariff {
    Prices::new(0.1, 1.0).unwrap().into()
}

fn run(method: &str, n_weak: usize, n_gold: usize, seed: u64, correct: &[bool]) -> MeasuredRun {
    MeasuredRun {
        task: "task".to_owned(),
        method: method.to_owned(),
        allocation: Allocation { n_weak, n_gold },
        seed,
        outcome: Outcome::Items(CorrectItems::new(correct)),
        gpu_hours: None,
    }
}

fn first_right(right: usize) -> Vec<bool> {
    (0..ITEMS).map(|item| item < right).collect()
}

/// Seeds differ by a point; "good" is 80 items better than "plain" with its best split; "late" needs $50.
fn by_hand() -> Measurements {
    let runs = (0..3).flat_map(|seed| {
        let right = |base: usize| first_right(base + 10 * seed);
        let seed = seed as u64;
        [
            run("plain", 0, 10, seed, &right(700)),
            run("plain", 100, 0, seed, &right(600)),
            run("good", 0, 10, seed, &right(780)),
            run("late", 0, 50, seed, &right(900)),
        ]
    });
    Measurements::new(runs.collect()).unwrap()
}

fn compared(measured: &Measurements, budgets_usd: &[f64], baseline: Option<&str>) -> MethodComparison {
    let resamples = Resamples::with_left_out(measured, &Bootstrap::new(3)).unwrap();
    let methods: Vec<&str> = measured.methods().iter().map(String::as_str).collect();
    let question = ComparisonQuestion { budgets_usd, methods: &methods, baseline, best_of_others: false };
    compare_methods(measured, &resamples, &ten_cents(), &question).unwrap()
}

/// Nine methods that are all equal to a tenth: the best of them is no better.
#[test]
fn the_choice_of_a_method_is_paid_for() {
    let (mut measured_gain, mut found_better, mut achieved_gain) = (0.0, 0, 0.0);
    let worlds = 20;
    for world in 0..worlds {
        let mut random = stream(world, "a world of equal methods");
        let mut runs = Vec::new();
        for method in 0..10 {
            for seed in 0..5 {
                let noise: f64 = StandardNormal.sample(&mut random);
                let right = 700.0 + 20.0 * noise;
                runs.push(run(&format!("m{method}"), 0, 10, seed, &first_right(right as usize)));
            }
        }
        let measured = Measurements::new(runs).unwrap();
        let resamples = Resamples::with_left_out(&measured, &Bootstrap::new(3)).unwrap();
        let methods: Vec<&str> = measured.methods().iter().map(String::as_str).collect();
        let question =
            ComparisonQuestion { budgets_usd: &[10.0], methods: &methods, baseline: Some("m0"), best_of_others: true };
        let found = compare_methods(&measured, &resamples, &ten_cents(), &question).unwrap();
        let best = found.budgets[0].methods.last().unwrap();
        assert_eq!((best.method.as_str(), best.candidates), (BEST_OF_OTHERS, 9));
        assert!(best.chosen_method.as_ref().is_some_and(|name| name != "m0"));
        let pair = found.budgets[0].pairs.last().unwrap();
        assert_eq!((pair.first.as_str(), pair.second.as_str()), (BEST_OF_OTHERS, "m0"));
        measured_gain += best.measured - 0.7;
        achieved_gain += best.achieved - 0.7;
        found_better += usize::from(pair.p_value < SIGNIFICANCE && pair.difference > 0.0);
    }
    let [measured_gain, achieved_gain] = [measured_gain, achieved_gain].map(|gain| gain / worlds as f64);
    assert!(measured_gain > 0.01 && achieved_gain < 0.5 * measured_gain, "{achieved_gain} of {measured_gain}");
    assert!(found_better <= 3, "{found_better} of {worlds}");
}

#[test]
fn by_hand_with_every_pair() {
    let found = compared(&by_hand(), &[10.0, 50.0], None);
    assert_eq!(found.compared, 4);
    let ten = &found.budgets[0];
    assert_eq!(ten.missing, ["late"]);
    let [pair] = ten.pairs.as_slice() else { panic!("{:?}", ten.pairs) };
    assert_eq!((pair.first.as_str(), pair.second.as_str()), ("good", "plain"));
    assert!((pair.difference - 0.08).abs() < 1e-9, "{pair:?}");
    assert!(pair.interval.low > 0.05 && pair.interval.high < 0.11, "{pair:?}");
    assert_eq!(pair.verdict, PairVerdict::Better);
    assert_eq!(pair.single_runs, None);
    let plain = ten.methods.iter().find(|method| method.method == "plain").unwrap();
    assert_eq!((plain.best, plain.candidates, plain.seeds), (Allocation { n_weak: 0, n_gold: 10 }, 2, 3));
    assert!((plain.measured - 0.71).abs() < 1e-9 && (plain.achieved - 0.71).abs() < 1e-9, "{plain:?}");
    assert!((plain.deviation.unwrap() - 0.01).abs() < 1e-9);
    assert_eq!(found.budgets[1].pairs.len(), 3);
    for pair in found.budgets.iter().flat_map(|budget| &budget.pairs) {
        assert!(pair.holm_p_value >= pair.p_value);
    }
}

#[test]
fn with_a_baseline() {
    let found = compared(&by_hand(), &[10.0, 50.0], Some("good"));
    let pairs: Vec<(&str, &str, PairVerdict)> = found
        .budgets
        .iter()
        .flat_map(|budget| &budget.pairs)
        .map(|pair| (pair.first.as_str(), pair.second.as_str(), pair.verdict))
        .collect();
    assert_eq!(
        pairs,
        [
            ("plain", "good", PairVerdict::Worse),
            ("late", "good", PairVerdict::Better),
            ("plain", "good", PairVerdict::Worse)
        ]
    );
    // Where the baseline costs too much, nothing is compared.
    let found = compared(&by_hand(), &[10.0], Some("late"));
    assert_eq!((found.compared, found.budgets[0].missing.len()), (0, 1));
}

#[test]
fn refuses_what_was_not_measured() {
    let measured = by_hand();
    let resamples = Resamples::with_left_out(&measured, &Bootstrap::new(3)).unwrap();
    let refused = |methods: &[&str], baseline, budget| {
        let question = ComparisonQuestion { budgets_usd: &[budget], methods, baseline, best_of_others: false };
        compare_methods(&measured, &resamples, &ten_cents(), &question).unwrap_err().to_string()
    };
    assert_eq!(
        refused(&["plain"], Some("best"), 10.0),
        "there are no runs of the method \"best\" (there are: good, late, plain)"
    );
    assert!(refused(&["plain"], None, f64::NAN).contains("NaN"));
}

#[test]
fn a_method_ties_with_its_double() {
    let runs = (0..3).flat_map(|seed| {
        let right = first_right(700 + 10 * seed);
        ["one", "other"].map(|method| run(method, 0, 10, seed as u64, &right))
    });
    let found = compared(&Measurements::new(runs.collect()).unwrap(), &[10.0], None);
    let pair = &found.budgets[0].pairs[0];
    assert_eq!((pair.difference, pair.p_value, pair.verdict), (0.0, 1.0, PairVerdict::Tied));
    assert_eq!((pair.interval.low, pair.interval.high), (0.0, 0.0));
}

#[test]
fn single_runs_say_what_they_are() {
    // Ten points apart on the same items, but with one seed each: seeds are assumed to deviate by three points.
    let runs = vec![run("one", 0, 10, 0, &first_right(700)), run("other", 0, 10, 0, &first_right(650))];
    let found = compared(&Measurements::new(runs).unwrap(), &[10.0], None);
    let pair = &found.budgets[0].pairs[0];
    assert_eq!(pair.verdict, PairVerdict::Tied);
    let single = pair.single_runs.unwrap();
    assert_eq!((single.counts.only_first_right, single.counts.only_second_right), (50, 0));
    assert!(single.p_value < 1e-12);
    assert_eq!(found.warnings.len(), 1);
}

/// Two methods: one with `splits` ways to spend the budget, all truly equally accurate, one with a single way, truly
/// `lead` worse. Items share their difficulty; seeds deviate by `seed_deviation`, half of it in common.
fn world(number: u64, splits: usize, seeds: u64, seed_deviation: f64, lead: f64) -> Measurements {
    let mut random = stream(number, "comparison worlds");
    let mut normal = || -> f64 { StandardNormal.sample(&mut random) };
    let difficulty: Vec<f64> = (0..ITEMS).map(|_| normal()).collect();
    let mut runs = Vec::new();
    for seed in 0..seeds {
        let common = seed_deviation * 0.5f64.sqrt() * normal();
        for place in 0..=splits {
            let (method, n_gold) = if place < splits { ("many", place + 1) } else { ("one", 1) };
            let shift = common + seed_deviation * 0.5f64.sqrt() * normal() - if place < splits { 0.0 } else { lead };
            // Right where ability exceeds difficulty; at an ability of 0.95 three quarters are, and a shift of accuracy
            // is a shift of ability divided by the density there.
            let ability = 0.95 + shift / 0.225;
            let correct: Vec<bool> = difficulty.iter().map(|hard| ability > hard + 0.99 * normal()).collect();
            runs.push(run(method, 0, n_gold, seed, &correct));
        }
    }
    Measurements::new(runs).unwrap()
}

/// The share of worlds with a verdict for this pair alone, and what the same would be with the best split of "many"
/// taken at its word and a normal distribution: (corrected, naive).
fn decided(worlds: u64, splits: usize, seeds: u64, seed_deviation: f64, lead: f64) -> (f64, f64) {
    let (mut corrected, mut naive) = (0, 0);
    for number in 0..worlds {
        let measured = world(number, splits, seeds, seed_deviation, lead);
        let resamples =
            Resamples::with_left_out(&measured, &Bootstrap { resamples: 400, level: 0.95, seed: number }).unwrap();
        let methods = ["many", "one"];
        let question =
            ComparisonQuestion { budgets_usd: &[100.0], methods: &methods, baseline: None, best_of_others: false };
        let found = compare_methods(&measured, &resamples, &ten_cents(), &question).unwrap();
        let budget = &found.budgets[0];
        corrected += usize::from(budget.pairs[0].p_value <= SIGNIFICANCE);
        let point = |side: usize| {
            let best = budget.methods[side].best;
            let is_best = |point: &&labelmix_econ::Point| {
                point.allocation == best && measured.methods()[point.method] == budget.methods[side].method
            };
            let points = measured.points();
            points.iter().position(|point| is_best(&point)).unwrap()
        };
        let (many, one) = (point(0), point(1));
        let mut drawn: Vec<f64> = (0..resamples.resamples())
            .map(|number| resamples.accuracies(number)[many] - resamples.accuracies(number)[one])
            .collect();
        let interval = labelmix_stats::percentile_interval(&mut drawn, 0.95).unwrap();
        naive += usize::from(interval.low > 0.0 || interval.high < 0.0);
    }
    (f64::from(corrected as u32) / worlds as f64, f64::from(naive as u32) / worlds as f64)
}

#[test]
fn equal_methods_are_seldom_told_apart() {
    for (splits, seed_deviation) in [(8, 0.01), (8, 0.04), (1, 0.04)] {
        let (corrected, naive) = decided(120, splits, 3, seed_deviation, 0.0);
        println!("{splits} splits, seeds deviate by {seed_deviation}: {corrected:.3}, naive {naive:.3}");
        assert!(corrected <= 0.08, "{splits} splits, {seed_deviation}: {corrected}");
        if splits > 1 && seed_deviation > 0.03 {
            assert!(naive > 2.0 * SIGNIFICANCE, "what is corrected is there to be corrected: {naive}");
        }
    }
}

#[test]
fn methods_that_differ_are_told_apart() {
    let (found, _) = decided(60, 8, 5, 0.01, 0.06);
    println!("{found}");
    assert!(found > 0.9, "{found}");
}
