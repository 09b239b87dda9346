//! How often intervals hold the truth, plans are good and verdicts right, in worlds whose truth is known.
//!
//! ```console
//! $ cargo run --release -p labelmix-econ --example simulated_worlds [WORLDS [FIRST]]
//! ```

use labelmix_econ::{
    PlanTrial, Prices, Regime, RegimeTrial, SurfaceKind, SurfaceSettings, TruthCheck, World, WorldKind,
};
use labelmix_stats::Bootstrap;
use rayon::prelude::*;

/// Prices of weak labels in gold ones, taken in turn.
const WEAK_PRICES: [f64; 5] = [0.02, 0.05, 0.1, 0.2, 0.4];

/// Budgets in gold labels, taken in turn; a tenth is spent on the pilot.
const BUDGETS_USD: [f64; 3] = [200.0, 600.0, 2000.0];

fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let argument = |place: usize, otherwise: u64| {
        std::env::args().nth(place).map_or(Ok(otherwise), |argument| argument.parse::<u64>())
    };
    let (worlds, first) = (argument(1, 200)?, argument(2, 0)?);
    // A quarter of each kind's worlds.
    let mut mixed: Vec<PlanTrial> = Vec::new();
    for (place, kind) in (0..).zip(WorldKind::ALL) {
        println!("\n{kind:?} worlds: {worlds}");
        for surface in SurfaceKind::ALL {
            let trials: Result<Vec<PlanTrial>, _> = (first..first + worlds)
                .into_par_iter()
                .map(|number| {
                    let prices = Prices::new(WEAK_PRICES[number as usize % WEAK_PRICES.len()], 1.0)?;
                    let settings = SurfaceSettings { kind: surface, ..SurfaceSettings::new(number) };
                    let budget_usd = BUDGETS_USD[number as usize % BUDGETS_USD.len()];
                    PlanTrial::run(&World::random(kind, number), prices, budget_usd, &settings)
                })
                .collect();
            let trials = trials?;
            report_plans(surface, &trials);
            if surface == SurfaceKind::Combined {
                let turns = (first..).zip(trials).filter(|(number, _)| number % WorldKind::ALL.len() as u64 == place);
                mixed.extend(turns.map(|(_, trial)| trial));
            }
        }
        let trials: Result<Vec<RegimeTrial>, _> = (first..first + worlds)
            .into_par_iter()
            .map(|number| {
                let prices = Prices::new(WEAK_PRICES[number as usize % WEAK_PRICES.len()], 1.0)?;
                // From $64 to $1,024, where regimes change.
                let budget_usd = 64.0 * 2f64.powi((number / 5 % 5) as i32);
                let bootstrap = Bootstrap { level: 0.9, ..Bootstrap::new(number) };
                RegimeTrial::run(&World::random(kind, number), prices, budget_usd, &bootstrap)
            })
            .collect();
        report_regimes(&trials?);
    }
    println!("\nworlds of all kinds in turn: {}", mixed.len());
    report_plans(SurfaceKind::Combined, &mixed);
    Ok(())
}

/// A regret of one trial.
type Regret = fn(&PlanTrial) -> f64;

fn report_plans(surface: SurfaceKind, trials: &[PlanTrial]) {
    println!("  {} surface", surface.name());
    let checks = |name: &str, checks: Vec<TruthCheck>| {
        let count = checks.len() as f64;
        println!(
            "    {name:<28} coverage {:5.1}%  width {:5.1} points  root mean square error {:4.1} points",
            100.0 * checks.iter().filter(|check| check.inside).count() as f64 / count,
            100.0 * checks.iter().map(|check| check.width).sum::<f64>() / count,
            100.0 * (checks.iter().map(|check| check.error.powi(2)).sum::<f64>() / count).sqrt(),
        );
    };
    checks("between the pilot's points", trials.iter().flat_map(|trial| trial.inside.clone()).collect());
    checks("splits of the whole budget", trials.iter().flat_map(|trial| trial.beyond.clone()).collect());
    checks("the plan", trials.iter().map(|trial| trial.planned).collect());
    let rules: [(&str, Regret); 5] = [
        ("the plan", |trial| trial.regret),
        ("all gold", |trial| trial.regret_all_gold),
        ("all weak", |trial| trial.regret_all_weak),
        ("half and half", |trial| trial.regret_half),
        ("shares of the pilot's best", |trial| trial.regret_best_of_pilot),
    ];
    for (name, regret) in rules {
        let mut regrets: Vec<f64> = trials.iter().map(regret).collect();
        regrets.sort_unstable_by(f64::total_cmp);
        println!(
            "    regret of {name:<26} mean {:5.2}  90% quantile {:5.2} points  within a point {:5.1}%",
            100.0 * regrets.iter().sum::<f64>() / regrets.len() as f64,
            100.0 * regrets[regrets.len() * 9 / 10],
            100.0 * regrets.iter().filter(|regret| **regret <= 0.01).count() as f64 / regrets.len() as f64,
        );
    }
    let sure: Vec<&PlanTrial> = trials.iter().filter(|trial| !trial.pilot_proposed).collect();
    let good = |trials: &[&PlanTrial]| {
        100.0 * trials.iter().filter(|trial| trial.regret <= 0.01).count() as f64 / trials.len().max(1) as f64
    };
    let unsure: Vec<&PlanTrial> = trials.iter().filter(|trial| trial.pilot_proposed).collect();
    println!(
        "    mean confidence {:.1}%; sure of {} plans, {:.1}% within a point; unsure of {}, {:.1}%",
        100.0 * trials.iter().map(|trial| trial.confidence).sum::<f64>() / trials.len() as f64,
        sure.len(),
        good(&sure),
        unsure.len(),
        good(&unsure),
    );
}

fn report_regimes(trials: &[RegimeTrial]) {
    let mean = |value: fn(&RegimeTrial) -> f64| 100.0 * trials.iter().map(value).sum::<f64>() / trials.len() as f64;
    println!(
        "  full sweeps: coverage of points {:.1}%, of the frontier's band {:.1}%",
        mean(|trial| trial.points_covered),
        mean(|trial| trial.band_covered),
    );
    println!("  regimes, by how much the best one truly leads");
    for (name, low, high) in
        [("under 0.5 points", 0.0, 0.005), ("0.5 to 2", 0.005, 0.02), ("2 to 4", 0.02, 0.04), ("over 4", 0.04, 1.0)]
    {
        let chosen: Vec<&RegimeTrial> = trials.iter().filter(|trial| (low..high).contains(&trial.margin)).collect();
        let share = |holds: &dyn Fn(&RegimeTrial) -> bool| {
            100.0 * chosen.iter().filter(|trial| holds(trial)).count() as f64 / chosen.len().max(1) as f64
        };
        let wrong =
            |verdict: Option<Regime>, trial: &RegimeTrial| verdict.is_some_and(|verdict| verdict != trial.truth);
        println!(
            "    {name:<17} {:4} worlds: right {:5.1}%  undecided {:5.1}%  wrong {:4.1}%   \
             (uncorrected: right {:5.1}%, wrong {:4.1}%)",
            chosen.len(),
            share(&|trial| trial.verdict == Some(trial.truth)),
            share(&|trial| trial.verdict.is_none()),
            share(&|trial| wrong(trial.verdict, trial)),
            share(&|trial| trial.naive_verdict == Some(trial.truth)),
            share(&|trial| wrong(trial.naive_verdict, trial)),
        );
    }
}
