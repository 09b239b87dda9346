//! Surfaces, marginal values and plans against worlds whose truth is known.

#![expect(clippy::unwrap_used, reason = "clippy.toml allows it in test functions, not in the functions they call")]

use labelmix_econ::{
    Allocation, AnalysisError, HeldOut, MeasuredRun, Measurements, Outcome, PlanQuestion, PlanTrial, PriceSchedule,
    Prices, Regime, Rule, Surface, SurfaceKind, SurfaceRegimeAt, SurfaceSettings, Tariff, Tier, Warning, World,
    WorldKind, backtest, cheapest_mix, compare_surfaces, expansion_path, isoquant, marginal_values, plan,
    regime_boundaries, surface_regimes_over_budgets, surface_regimes_over_price_ratios,
};

fn ten_cents() -> Prices {
    Prices::new(0.1, 1.0).unwrap()
}

/// A sweep of budgets from $16 to $1,024 in seven splits each.
fn sweep() -> Vec<Allocation> {
    let tariff = Tariff::from(ten_cents());
    let budgets = [16.0, 64.0, 256.0, 1024.0];
    let splits = [0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0];
    let each = budgets.iter().flat_map(|&budget| splits.map(|split| tariff.allocation_for(budget, split).unwrap()));
    each.collect()
}

fn swept(kind: WorldKind, number: u64) -> (World, Measurements) {
    let world = World::random(kind, number);
    let measured = world.measure(&sweep(), 3).unwrap();
    (world, measured)
}

fn fitted(measured: &Measurements) -> Surface {
    Surface::fit(measured, "simulated", &SurfaceSettings::new(1)).unwrap()
}

fn question(budget_usd: f64, have: (usize, usize)) -> PlanQuestion {
    PlanQuestion { budget_usd, have: Allocation { n_weak: have.0, n_gold: have.1 }, target: None }
}

/// A small version of the example `simulated_worlds`, whose numbers are in docs/economics.md: 60 worlds of all kinds in
/// turn, at all its prices and budgets.
#[test]
fn intervals_hold_the_truth_and_plans_are_good() {
    let trials: Vec<PlanTrial> = (1000..1060)
        .map(|number: u64| {
            let place = number as usize;
            let prices = Prices::new([0.02, 0.05, 0.1, 0.2, 0.4][place % 5], 1.0).unwrap();
            let budget_usd = [200.0, 600.0, 2000.0][place % 3];
            let world = World::random(WorldKind::ALL[place % 4], number);
            PlanTrial::run(&world, prices, budget_usd, &SurfaceSettings::new(number)).unwrap()
        })
        .collect();
    let covered = |checks: Vec<bool>| checks.iter().filter(|inside| **inside).count() as f64 / checks.len() as f64;
    let inside = covered(trials.iter().flat_map(|trial| trial.inside.iter().map(|check| check.inside)).collect());
    let beyond = covered(trials.iter().flat_map(|trial| trial.beyond.iter().map(|check| check.inside)).collect());
    // Intervals of 90%, which of 200 worlds hold 85% to 95%; the checks of one world stand or fall together, so 60 worlds
    // are known to about 4%.
    assert!((0.82..=0.97).contains(&inside), "{inside}");
    assert!((0.82..=0.97).contains(&beyond), "{beyond}");
    let good = covered(trials.iter().map(|trial| trial.regret <= 0.01).collect());
    assert!(good >= 0.87, "{good}");
    let mean = |regret: fn(&PlanTrial) -> f64| trials.iter().map(regret).sum::<f64>() / trials.len() as f64;
    let planned = mean(|trial| trial.regret);
    for rule in [mean(|t| t.regret_all_gold), mean(|t| t.regret_half), mean(|t| t.regret_best_of_pilot)] {
        assert!(planned < rule, "{planned} and {rule}");
    }
}

/// Pilots of tasks that are suddenly solved, with seeds that fail: where nothing has risen yet, a surface must not be sure
/// that nothing will.
#[test]
fn a_rise_that_no_pilot_shows_is_not_ruled_out() {
    let checks: Vec<bool> = (0..24)
        .flat_map(|number| {
            let world = World::random(WorldKind::Sudden, 2000 + number);
            let trial = PlanTrial::run(&world, ten_cents(), 600.0, &SurfaceSettings::new(number)).unwrap();
            trial.beyond.into_iter().map(|check| check.inside)
        })
        .collect();
    let covered = checks.iter().filter(|inside| **inside).count() as f64 / checks.len() as f64;
    // Without a family of sudden rises these intervals hold 58%.
    assert!(covered >= 0.75, "{covered}");
}

#[test]
fn threads_do_not_change_a_surface() {
    let (_, measured) = swept(WorldKind::Saturating, 3);
    let with_threads = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| fitted(&measured).accuracy_draws(700.0, 70.0))
    };
    assert_eq!(with_threads(1), with_threads(3));
}

#[test]
fn a_surface_knows_where_it_extrapolates() {
    let (_, measured) = swept(WorldKind::Saturating, 4);
    let surface = fitted(&measured);
    assert_eq!(surface.largest(), Allocation { n_weak: 10_240, n_gold: 1024 });
    assert!(surface.extrapolation(5000.0, 500.0).times() < 1.0);
    assert!(surface.extrapolation(5000.0, 4096.0).is_far());
    let width = |allocation| {
        let interval = surface.accuracy(allocation).interval;
        interval.high - interval.low
    };
    let near = width(Allocation { n_weak: 2000, n_gold: 100 });
    let far = width(Allocation { n_weak: 2_000_000, n_gold: 0 });
    assert!(near < far, "{near} and {far}");

    let gold_only = measured.with_allocations(|labels| labels.n_weak == 0 || labels.n_gold < 30).unwrap();
    let planned = plan(&[&fitted(&gold_only)], &ten_cents().into(), &question(50_000.0, (0, 0))).unwrap();
    assert!(matches!(planned.warnings.as_slice(), [Warning::Extrapolated { times }] if *times > 2.0));
}

#[test]
fn one_seed_is_answered_with_wider_intervals() {
    let world = World::random(WorldKind::Saturating, 5);
    let width = |seeds| {
        let surface = fitted(&world.measure(&sweep(), seeds).unwrap());
        let interval = surface.accuracy(Allocation { n_weak: 1000, n_gold: 100 }).interval;
        interval.high - interval.low
    };
    assert!(width(1) > 1.2 * width(5), "{} and {}", width(1), width(5));
}

#[test]
fn accuracies_without_items_are_fitted_too() {
    let (world, measured) = swept(WorldKind::Saturating, 6);
    let runs = measured.points().iter().flat_map(|point| {
        (0..3).map(|seed| MeasuredRun {
            task: "task".to_owned(),
            method: "simulated".to_owned(),
            allocation: point.allocation,
            seed,
            outcome: Outcome::Accuracy { accuracy: point.accuracy, n_test: 1000 },
            gpu_hours: None,
        })
    });
    let surface = fitted(&Measurements::new(runs.collect()).unwrap());
    let found = surface.accuracy(Allocation { n_weak: 1000, n_gold: 100 });
    let truth = world.accuracy(1000.0, 100.0);
    assert!((found.mean - truth).abs() < 0.03, "{found:?} for {truth}");
    assert!(found.interval.high - found.interval.low > 0.01);
}

#[test]
fn marginal_values_are_the_truths_slopes() {
    let mut held = 0;
    for number in 10..20 {
        let (world, measured) = swept(WorldKind::Saturating, number);
        let at = Allocation { n_weak: 500, n_gold: 50 };
        let values = marginal_values(&fitted(&measured), &ten_cents().into(), at);
        let here = world.accuracy(500.0, 50.0);
        let (weak, gold) = (world.accuracy(510.0, 50.0) - here, world.accuracy(500.0, 51.0) - here);
        let holds = |interval: labelmix_stats::Interval, truth: f64| interval.low <= truth && truth <= interval.high;
        held += usize::from(holds(values.weak_per_usd.interval, weak));
        held += usize::from(holds(values.gold_per_usd.interval, gold));
        let rate = 10.0 * gold / weak;
        let low_enough = values.weak_per_gold.low.is_some_and(|low| low <= rate);
        held += usize::from(low_enough && values.weak_per_gold.high.is_none_or(|high| rate <= high));
    }
    // 30 intervals of 90%.
    assert!(held >= 23, "{held} of 30");
}

#[test]
fn isoquants_fall_and_meet_the_cheapest_mix() {
    let (world, measured) = swept(WorldKind::Saturating, 21);
    let surface = fitted(&measured);
    let target = world.accuracy(1000.0, 100.0);
    let counts = [0, 100, 1000, 10_000];
    let curve = isoquant(&surface, target, &counts).unwrap();
    let golds: Vec<f64> = curve.iter().map(|point| point.n_gold.median.unwrap()).collect();
    assert!(golds.windows(2).all(|two| two[1] <= two[0] + 1.0), "{golds:?}");
    assert!((golds[2] / 100.0).ln().abs() < 0.7, "{golds:?}");

    let tariff = Tariff::from(ten_cents());
    let cheapest = cheapest_mix(&surface, &tariff, Allocation::default(), target).unwrap();
    let cost = cheapest.cost_usd.median.unwrap();
    for (n_weak, n_gold) in counts.into_iter().zip(&golds) {
        assert!(cost <= 1.2 * (0.1 * n_weak as f64 + n_gold), "{cost} and {n_weak} + {n_gold}");
    }
    assert!(tariff.cost_usd(cheapest.safe.unwrap()) >= tariff.cost_usd(cheapest.expected.unwrap()));

    let out_of_reach = cheapest_mix(&surface, &tariff, Allocation::default(), 0.999).unwrap();
    assert_eq!((out_of_reach.expected, out_of_reach.safe, out_of_reach.cost_usd.low), (None, None, None));
    assert!(matches!(isoquant(&surface, 1.2, &counts), Err(AnalysisError::Target { target: 1.2 })));
}

#[test]
fn more_money_is_expected_to_buy_more() {
    let (_, measured) = swept(WorldKind::PowerLaw, 22);
    let path = expansion_path(&fitted(&measured), &ten_cents().into(), &[16.0, 64.0, 256.0, 1024.0]).unwrap();
    assert!(path.windows(2).all(|two| two[0].accuracy.mean < two[1].accuracy.mean));
    assert!(path.iter().all(|step| step.interval.low <= step.interval.high && !step.extrapolation.is_far()));
}

#[test]
fn a_plan_does_not_depend_on_the_currency() {
    let (_, measured) = swept(WorldKind::Saturating, 23);
    let surface = fitted(&measured);
    let tariff = Tariff::from(ten_cents());
    let here = plan(&[&surface], &tariff, &question(500.0, (300, 60))).unwrap();
    let there = plan(&[&surface], &tariff.scaled(4.0).unwrap(), &question(2000.0, (300, 60))).unwrap();
    assert_eq!((here.buy, here.confidence, here.probabilities), (there.buy, there.confidence, there.probabilities));
    assert!(here.cost_usd <= 500.0 && here.cost_usd > 495.0);
}

/// Runs without noise of a method whose accuracy is this function of weak and gold labels.
fn exact(method: &str, accuracy: fn(f64, f64) -> f64) -> Measurements {
    let runs = sweep().into_iter().flat_map(|allocation| {
        let accuracy = accuracy(allocation.n_weak as f64, allocation.n_gold as f64);
        (0..3).map(move |seed| MeasuredRun {
            task: "task".to_owned(),
            method: method.to_owned(),
            allocation,
            seed,
            outcome: Outcome::Accuracy { accuracy, n_test: 10_000 },
            gpu_hours: None,
        })
    });
    Measurements::new(runs.collect()).unwrap()
}

#[test]
fn clear_regimes_are_found_and_the_better_method_chosen() {
    let settings = SurfaceSettings::new(1);
    let fit = |method: &str, accuracy| Surface::fit(&exact(method, accuracy), method, &settings).unwrap();
    let tariff = Tariff::from(ten_cents());
    let planned = |surfaces: &[&Surface]| plan(surfaces, &tariff, &question(500.0, (0, 0))).unwrap();

    let useless_weak = fit("gold", |_, gold| 0.5 + 0.4 * gold / (gold + 80.0));
    let all_gold = planned(&[&useless_weak]);
    assert_eq!((all_gold.verdict, all_gold.weak_fraction), (Some(Regime::AllGold), 0.0));
    assert!(all_gold.gain_over_all_weak.interval.low > 0.1 && all_gold.gain_over_all_gold.mean == 0.0);
    assert!(all_gold.confidence > 0.9 && all_gold.pilot.is_none());

    let as_good_as_gold = fit("weak", |weak, gold| 0.5 + 0.35 * (weak + gold) / (weak + gold + 400.0));
    let all_weak = planned(&[&as_good_as_gold]);
    assert_eq!((all_weak.verdict, all_weak.weak_fraction), (Some(Regime::AllWeak), 1.0));

    let both_needed = fit("both", |weak, gold| {
        let from_weak = 0.25 * weak / (weak + 200.0);
        0.5 + from_weak + (0.45 - from_weak) * gold / (gold + 250.0)
    });
    assert_eq!(planned(&[&both_needed]).verdict, Some(Regime::Mixed));

    // The dearer weak labels are, the less there is to mix; in between, both are bought.
    let ratios = [0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0];
    let along = surface_regimes_over_price_ratios(&as_good_as_gold, &tariff, 500.0, &ratios).unwrap();
    let boundaries = regime_boundaries(along.iter().map(SurfaceRegimeAt::place));
    assert_eq!(along[0].probabilities.leading(), Regime::AllWeak);
    assert_eq!(along[6].probabilities.leading(), Regime::AllGold);
    assert!(boundaries.iter().any(|boundary| boundary.after >= 0.5 && boundary.to == Regime::AllGold), "{along:?}");
    let over_budgets = surface_regimes_over_budgets(&useless_weak, &tariff, &[64.0, 50_000.0]).unwrap();
    assert_eq!(over_budgets[0].probabilities.decided(), Some(Regime::AllGold));
    assert!(!over_budgets[0].extrapolation.is_far() && over_budgets[1].extrapolation.is_far());

    // At $500 the methods reach .84, .82 and .86.
    assert_eq!(planned(&[&useless_weak, &as_good_as_gold, &both_needed]).method, "both");
}

#[test]
fn a_set_up_cost_beyond_the_budget_buys_nothing() {
    let (_, measured) = swept(WorldKind::Saturating, 28);
    let surface = fitted(&measured);
    let tier = Tier { from_label: 1, usd_per_label: 0.01 };
    let with_set_up = |set_up_usd| {
        let tariff =
            Tariff::new(PriceSchedule::new(set_up_usd, vec![tier]).unwrap(), PriceSchedule::flat(1.0).unwrap());
        plan(&[&surface], &tariff, &question(100.0, (0, 0))).unwrap()
    };
    assert!(with_set_up(0.0).buy.n_weak > 0);
    let planned = with_set_up(600.0);
    assert_eq!(planned.buy, Allocation { n_weak: 0, n_gold: 100 });
    // What is paid already needs no set-up again.
    let tariff = Tariff::new(PriceSchedule::new(600.0, vec![tier]).unwrap(), PriceSchedule::flat(1.0).unwrap());
    assert!(plan(&[&surface], &tariff, &question(100.0, (10, 0))).unwrap().buy.n_weak > 0);
}

#[test]
fn an_unsure_plan_names_a_pilot_and_a_target_its_price() {
    let tariff = Tariff::from(ten_cents());
    // Seven allocations of little: far too little to plan $5,000.
    let tiny: Vec<Allocation> = [(10, 0), (30, 0), (0, 3), (0, 10), (30, 3), (30, 10), (100, 10)]
        .map(|(n_weak, n_gold)| Allocation { n_weak, n_gold })
        .to_vec();
    let measured = World::random(WorldKind::Saturating, 25).measure(&tiny, 2).unwrap();
    let asked = PlanQuestion { target: Some(0.8), ..question(5000.0, (100, 10)) };
    let planned = plan(&[&fitted(&measured)], &tariff, &asked).unwrap();
    assert!(planned.confidence < 0.9 && planned.verdict.is_none());
    let pilot = planned.pilot.unwrap();
    assert!(pilot.cost_usd <= 0.3 * 5000.0 + 1e-6 && pilot.expected_gain >= 0.0);
    assert!(pilot.confidence > planned.confidence, "{} and {}", pilot.confidence, planned.confidence);
    let target = planned.target.unwrap();
    assert!(target.probability > 0.0 && target.probability < 1.0);
    assert!(target.cheapest.expected.is_none_or(|labels| labels.n_weak >= 100 && labels.n_gold >= 10));
}

#[test]
fn senseless_questions_are_refused() {
    let (_, measured) = swept(WorldKind::Saturating, 26);
    let surface = fitted(&measured);
    let tariff = Tariff::from(ten_cents());
    let refused = |surfaces: &[&Surface], asked: PlanQuestion| plan(surfaces, &tariff, &asked).unwrap_err().to_string();
    assert_eq!(refused(&[], question(10.0, (0, 0))), "there are no runs to analyse");
    assert_eq!(
        refused(&[&surface], question(-10.0, (0, 0))),
        "the budget is -10: it must be a number of dollars, zero or more"
    );
    let target = PlanQuestion { target: Some(0.3), ..question(10.0, (0, 0)) };
    assert_eq!(refused(&[&surface], target), "the target accuracy is 0.3: it must lie between 0.5 and 1");

    let two = measured.with_allocations(|labels| labels.n_weak == 0 && labels.n_gold < 100).unwrap();
    let error = Surface::fit(&two, "simulated", &SurfaceSettings::new(0)).unwrap_err();
    assert_eq!(error.to_string(), "2 allocations of the method \"simulated\" with labels: a surface needs at least 4");
    let settings = SurfaceSettings { draws: 3, ..SurfaceSettings::new(0) };
    assert!(matches!(Surface::fit(&measured, "simulated", &settings), Err(AnalysisError::Resampling { .. })));
}

#[test]
fn held_out_allocations_are_predicted() {
    let (_, measured) = swept(WorldKind::Saturating, 27);
    let tariff = Tariff::from(ten_cents());
    let settings = SurfaceSettings { draws: 100, ..SurfaceSettings::new(2) };
    let each = compare_surfaces(&measured, "simulated", &tariff, HeldOut::EachAllocation, &settings).unwrap();
    assert_eq!(each.iter().map(|score| score.kind).collect::<Vec<_>>(), SurfaceKind::ALL);
    for score in &each {
        assert_eq!(score.score.predicted, measured.points().len());
        assert!(score.score.root_mean_square_error < 0.04 && score.score.coverage > 0.7, "{score:?}");
    }
    let largest = compare_surfaces(&measured, "simulated", &tariff, HeldOut::LargestBudget, &settings).unwrap();
    assert!(largest.iter().all(|score| score.score.predicted == 7));
    let [parametric, process, _] = largest.as_slice() else { panic!("three kinds") };
    assert!(parametric.score.log_density > process.score.log_density, "{largest:?}");
}

#[test]
fn a_backtest_replays_a_pilot() {
    let mut behind = [0.0; 2];
    for number in 30..36 {
        let (_, measured) = swept(WorldKind::Saturating, number);
        let tariff = Tariff::from(ten_cents());
        let replayed = backtest(&measured, "simulated", &tariff, 1024.0, 0.25, &SurfaceSettings::new(3)).unwrap();
        assert_eq!(replayed.pilot, Allocation { n_weak: 1280, n_gold: 128 });
        assert_eq!(replayed.pilot_allocations + replayed.score.predicted, measured.points().len());
        assert!(replayed.regret >= 0.0 && replayed.rules.iter().all(|rule| rule.regret >= 0.0));
        let all_gold = replayed.rules.iter().find(|rule| rule.rule == Rule::AllGold).unwrap();
        assert_eq!(all_gold.allocation, Allocation { n_weak: 0, n_gold: 1024 });
        behind[0] += replayed.regret;
        behind[1] += replayed.rules.iter().find(|rule| rule.rule == Rule::AllWeak).unwrap().regret;
    }
    assert!(behind[0] < behind[1], "{behind:?}");

    let (_, measured) = swept(WorldKind::Saturating, 30);
    let refused = |share| {
        let error = backtest(&measured, "simulated", &ten_cents().into(), 1024.0, share, &SurfaceSettings::new(3));
        error.unwrap_err().to_string()
    };
    assert_eq!(refused(1.5), "the pilot's share of the budget is 1.5: it must lie between 0 and 1");
    assert_eq!(refused(0.001), "0 allocations of the method \"simulated\" with labels: a surface needs at least 4");
}
