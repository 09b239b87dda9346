//! A simulated sweep with all that a report shows of it.

use std::collections::HashMap;

use labelmix_econ::{
    Allocation, CorrectItems, LabelKind, LedgerTotals, MeasuredRun, Outcome, Prices, Purpose, UseTotals, World,
    WorldKind, allocation_for,
};
use labelmix_methods::{Recipe, StageHistory, StageOptions, StopReason, TestMetrics, ValidationPoint};
use labelmix_report::{Analysis, Answer, Details, Report, RunDetails, TestText};
use labelmix_stats::{Z_95, auroc, stream, wilson_interval};
use labelmix_store::{RunRecord, StageOutcome};
use labelmix_study::GridPoint;
use rand::RngExt;

/// What is simulated.
pub(crate) struct Simulation<'a> {
    pub(crate) study: &'a str,
    pub(crate) methods: &'a [&'a str],
    pub(crate) budgets: &'a [f64],
    pub(crate) fractions: &'a [f64],
    pub(crate) seeds: u64,
    pub(crate) n_test: usize,
    /// The text of a test item.
    pub(crate) text: fn(usize) -> String,
}

impl Simulation<'_> {
    pub(crate) const PLAIN: Simulation<'static> = Simulation {
        study: "simulated",
        methods: &["seq-sft", "log-confidence"],
        budgets: &[16.0, 64.0, 256.0, 1024.0],
        fractions: &[0.0, 0.2, 0.5, 0.8, 1.0],
        seeds: 3,
        n_test: 500,
        text: |item| format!("text number {item}"),
    };

    pub(crate) fn prices() -> Prices {
        Prices::new(0.1, 1.0).unwrap()
    }

    /// The report, and the runs that it is made of.
    pub(crate) fn report(&self) -> (Report, Vec<MeasuredRun>) {
        let world = World::random(WorldKind::Saturating, 3);
        let mut random = stream(1, "simulated report");
        let gold: Vec<bool> = (0..self.n_test).map(|item| item % 2 == 0).collect();
        let difficulty: Vec<f64> = (0..self.n_test).map(|_| random.random()).collect();
        let mut points = Vec::new();
        for (number, method) in self.methods.iter().enumerate() {
            for budget_usd in self.budgets {
                for weak_fraction in self.fractions {
                    let allocation = allocation_for(*budget_usd, *weak_fraction, &Self::prices()).unwrap();
                    let point = GridPoint {
                        method: (*method).to_owned(),
                        budget_usd: *budget_usd,
                        weak_fraction: *weak_fraction,
                        allocation,
                    };
                    points.push((number, point));
                }
            }
        }
        let (mut records, mut measured, mut stages, mut runs) = (Vec::new(), Vec::new(), Vec::new(), HashMap::new());
        let mut done: Vec<(usize, Allocation)> = Vec::new();
        for (number, point) in &points {
            if done.contains(&(*number, point.allocation)) {
                continue;
            }
            done.push((*number, point.allocation));
            let Allocation { n_weak, n_gold } = point.allocation;
            for seed in 0..self.seeds {
                let luck = 0.04 * (random.random::<f64>() - 0.5);
                let truth = world.accuracy(n_weak as f64, n_gold as f64) - 0.01 * *number as f64 + luck;
                let log_odds: Vec<f32> = gold
                    .iter()
                    .zip(&difficulty)
                    .map(|(gold, difficulty)| {
                        let chance = 0.7 * difficulty + 0.3 * random.random::<f64>();
                        let right = chance < truth;
                        let sure = 0.1 + 3.0 * (chance - truth).abs() as f32;
                        if *gold == right { sure } else { -sure }
                    })
                    .collect();
                let run = format!("{}_w{n_weak}_g{n_gold}_s{seed}", point.method);
                stages.push(stage(stages.len(), point.allocation, seed));
                let correct: Vec<bool> =
                    log_odds.iter().zip(&gold).map(|(score, gold)| (*score > 0.0) == *gold).collect();
                let metrics = metrics(&log_odds, &gold, &correct);
                records.push(RunRecord {
                    run: run.clone(),
                    method: point.method.clone(),
                    task: self.study.to_owned(),
                    model: "models/tiny".to_owned(),
                    seed,
                    allocation: point.allocation,
                    cost_usd: Some(Self::prices().bill_usd(point.allocation)),
                    metrics,
                });
                measured.push(MeasuredRun {
                    task: self.study.to_owned(),
                    method: point.method.clone(),
                    allocation: point.allocation,
                    seed,
                    outcome: Outcome::Items(CorrectItems::new(&correct)),
                    gpu_hours: None,
                });
                let ledger = Some(ledger(point.allocation));
                let details = RunDetails { stages: vec![stages.len() - 1], ledger, log_odds };
                runs.insert(run, details);
            }
        }
        let points: Vec<GridPoint> = points.into_iter().map(|(_, point)| point).collect();
        let answer =
            Answer::new(self.study, &Self::prices(), &points, &[], &records, Some(0.7)).with_regimes(measured.clone());
        let test = gold.iter().enumerate().map(|(item, gold)| TestText {
            text: (self.text)(item),
            gold: Some(*gold),
            weak: Some(if item % 10 < 3 { f32::from(!gold) } else { f32::from(*gold) }),
        });
        let details = Details { stages, runs, test: test.collect(), prompted: Vec::new() };
        let analysis = Analysis::new(&answer, measured.clone());
        (Report { answer, analysis, details }, measured)
    }
}

fn ledger(paid: Allocation) -> LedgerTotals {
    let prices = Simulation::prices();
    let of = |kind, purpose, labels: usize, paid: usize| UseTotals {
        kind,
        purpose,
        looked_at: labels,
        paid,
        cost_usd: paid as f64 * prices.price_usd(kind),
    };
    LedgerTotals {
        looked_at: paid.n_weak + paid.n_gold,
        paid,
        cost_usd: prices.bill_usd(paid),
        uses: vec![
            of(LabelKind::Weak, Purpose::Train, paid.n_weak, paid.n_weak),
            of(LabelKind::Gold, Purpose::Train, paid.n_gold, paid.n_gold),
            of(LabelKind::Gold, Purpose::Validation, paid.n_gold / 5, 0),
        ],
    }
}

fn metrics(log_odds: &[f32], gold: &[bool], correct: &[bool]) -> TestMetrics {
    let right = correct.iter().filter(|right| **right).count();
    let interval = wilson_interval(right, gold.len(), Z_95);
    let scores: Vec<f64> = log_odds.iter().map(|score| f64::from(*score)).collect();
    TestMetrics {
        n_test: gold.len(),
        accuracy: right as f64 / gold.len() as f64,
        accuracy_low: interval.low,
        accuracy_high: interval.high,
        auroc: auroc(&scores, gold),
    }
}

fn stage(number: usize, allocation: Allocation, seed: u64) -> StageOutcome {
    let validation = (1..=8).map(|evaluation| ValidationPoint {
        step: 25 * evaluation,
        training_loss: 0.7 - 0.03 * evaluation as f64,
        loss: 0.69 - 0.02 * evaluation as f64,
        accuracy: None,
        auroc: Some(0.5 + 0.04 * evaluation as f64),
    });
    StageOutcome {
        key: serde_json::from_value(serde_json::Value::from(format!("{number:032x}"))).unwrap(),
        parent: None,
        labels: if allocation.n_gold > 0 { LabelKind::Gold } else { LabelKind::Weak },
        count: allocation.n_weak + allocation.n_gold,
        seed,
        options: StageOptions::default(),
        recipe: Recipe::default(),
        history: Some(StageHistory {
            n_train: 8,
            n_validation: 2,
            steps: 200,
            scheduled_steps: 400,
            best_step: 150,
            stop_reason: StopReason::NoImprovement,
            validation: validation.collect(),
        }),
        chosen: Vec::new(),
        averages: Vec::new(),
        shift: None,
        features: None,
        engine: None,
        metrics: TestMetrics { n_test: 10, accuracy: 0.6, accuracy_low: 0.5, accuracy_high: 0.7, auroc: None },
    }
}

/// The data that a page embeds.
pub(crate) fn embedded(page: &str) -> serde_json::Value {
    let start = page.find("id=\"data\">").unwrap() + "id=\"data\">".len();
    let end = start + page[start..].find("</script>").unwrap();
    serde_json::from_str(&page[start..end]).unwrap()
}
