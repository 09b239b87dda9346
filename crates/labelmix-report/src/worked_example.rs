//! A small, unfinished sweep for the tests: two methods, three budgets, one to three seeds.

use labelmix_econ::{Allocation, Prices, allocation_for};
use labelmix_elicit::TestMetrics;
use labelmix_sweep::{GridPoint, NotAffordable, RunRecord};

use crate::Answer;

const GOLD_FOR_SALE: usize = 100;

pub(crate) fn prices() -> Prices {
    Prices::new(0.1, 1.0).unwrap()
}

/// The grid, with the methods in an order that is not the alphabet's.
pub(crate) fn points() -> (Vec<GridPoint>, Vec<NotAffordable>) {
    let mut points = Vec::new();
    for method in ["seq-sft", "few-shot"] {
        for budget_usd in [256.0, 4.5, 64.0] {
            for weak_fraction in [1.0, 0.0, 0.25] {
                let allocation = allocation_for(budget_usd, weak_fraction, &prices()).unwrap();
                points.push(GridPoint { method: method.to_owned(), budget_usd, weak_fraction, allocation });
            }
        }
    }
    let (can, cannot): (Vec<_>, Vec<_>) =
        points.into_iter().partition(|point| point.allocation.n_gold <= GOLD_FOR_SALE);
    let reason = format!("{GOLD_FOR_SALE} gold labels for sale");
    (can, cannot.into_iter().map(|point| NotAffordable { point, reason: reason.clone() }).collect())
}

/// A finished run. Gold labels teach more the more there are; weak ones level off at .700.
pub(crate) fn run(method: &str, n_weak: usize, n_gold: usize, seed: u64) -> RunRecord {
    let weak = 0.2 * (n_weak as f64 / (n_weak as f64 + 20.0));
    let gold = 0.3 * (n_gold as f64 / (n_gold as f64 + 60.0));
    let accuracy = 0.5 + weak.max(gold) + 0.2 * weak.min(gold) + 0.01 * seed as f64;
    RunRecord {
        run: format!("{method}-w{n_weak}-g{n_gold}-s{seed}"),
        method: method.to_owned(),
        task: "reviews".to_owned(),
        model: "tiny".to_owned(),
        seed,
        allocation: Allocation { n_weak, n_gold },
        cost_usd: None,
        metrics: TestMetrics {
            n_test: 1000,
            accuracy,
            accuracy_low: accuracy - 0.03,
            accuracy_high: accuracy + 0.03,
            auroc: Some(accuracy + 0.05),
        },
    }
}

/// Three seeds of the first method, one of the second, and not yet the all-weak split of the biggest budget.
pub(crate) fn runs() -> Vec<RunRecord> {
    let (points, _) = points();
    let finished = points.iter().filter(|point| point.allocation.n_weak < 2560);
    let runs = finished.flat_map(|point| {
        let seeds = if point.method == "seq-sft" { 0..3 } else { 0..1 };
        seeds.map(|seed| run(&point.method, point.allocation.n_weak, point.allocation.n_gold, seed))
    });
    runs.collect()
}

pub(crate) fn answer() -> Answer {
    let (points, not_affordable) = points();
    Answer::new("reviews", &prices(), &points, &not_affordable, &runs(), Some(0.683))
}

pub(crate) fn answer_without_runs() -> Answer {
    let (points, not_affordable) = points();
    Answer::new("reviews", &prices(), &points, &not_affordable, &[], None)
}
