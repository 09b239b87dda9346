//! A small, unfinished sweep for the tests: two methods, three budgets, one to three seeds.

use labelmix_econ::{Allocation, CorrectItems, LabelKind, MeasuredRun, Outcome, Prices, allocation_for};
use labelmix_methods::{Recipe, StageHistory, StageOptions, StopReason, TestMetrics, ValidationPoint};
use labelmix_store::{RunRecord, StageKey, StageOutcome};
use labelmix_study::{GridPoint, NotAffordable};

use crate::{Analysis, Answer, Details, Report, RunDetails, TestText};

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

/// The runs, each right on the first items of a thousand.
pub(crate) fn measured() -> Vec<MeasuredRun> {
    let measure = |run: RunRecord| {
        let right = (run.metrics.accuracy * 1000.0).round() as usize;
        let correct: Vec<bool> = (0..1000).map(|item| item < right).collect();
        MeasuredRun {
            task: run.task,
            method: run.method,
            allocation: run.allocation,
            seed: run.seed,
            outcome: Outcome::Items(CorrectItems::new(&correct)),
            gpu_hours: None,
        }
    };
    runs().into_iter().map(measure).collect()
}

/// Fitted once: it takes a while.
pub(crate) fn analysis() -> Analysis {
    static ANALYSIS: std::sync::OnceLock<Analysis> = std::sync::OnceLock::new();
    ANALYSIS.get_or_init(|| Analysis::new(&answer(), measured()).unwrap()).clone()
}

/// A weak stage, a gold stage on its shoulders, and a gold stage by itself.
pub(crate) fn stages() -> Vec<StageOutcome> {
    let stage = |number: u8, parent: Option<u8>, labels, count: usize| {
        let validation = (1..=4).map(|evaluation| ValidationPoint {
            step: 10 * evaluation,
            training_loss: 0.7,
            loss: 0.7 - 0.02 * evaluation as f64,
            accuracy: None,
            auroc: Some(0.5 + 0.05 * evaluation as f64),
        });
        let key = |number: u8| StageKey::try_from(format!("{number:032x}")).unwrap();
        StageOutcome {
            key: key(number),
            parent: parent.map(key),
            labels,
            count,
            seed: 0,
            options: StageOptions::default(),
            recipe: Recipe::default(),
            history: Some(StageHistory {
                n_train: count * 4 / 5,
                n_validation: count / 5,
                steps: 40,
                scheduled_steps: 60,
                best_step: 30,
                stop_reason: StopReason::NoImprovement,
                validation: validation.collect(),
            }),
            chosen: Vec::new(),
            averages: Vec::new(),
            shift: None,
            features: None,
            engine: None,
            metrics: run("seq-sft", count, 0, 0).metrics,
        }
    };
    vec![
        stage(0, None, LabelKind::Weak, 160),
        stage(1, Some(0), LabelKind::Gold, 48),
        stage(2, None, LabelKind::Gold, 64),
    ]
}

/// The answer with its analysis, and details of every run.
pub(crate) fn report() -> Report {
    let answer = answer().with_regimes(measured());
    let runs = answer.runs.iter().map(|run| {
        let log_odds = (0..1000).map(|item| if f64::from(item) < 1000.0 * run.accuracy { 1.5 } else { -0.5 });
        let details = RunDetails { stages: vec![0, 1], ledger: None, log_odds: log_odds.collect() };
        (run.run.clone(), details)
    });
    let test = (0..1000).map(|item| TestText {
        text: format!("text {item}"),
        gold: Some(true),
        weak: Some(if item % 3 == 0 { 0.2 } else { 0.9 }),
    });
    let details = Details { stages: stages(), runs: runs.collect(), test: test.collect(), prompted: Vec::new() };
    Report { answer, analysis: Some(analysis()), details }
}
