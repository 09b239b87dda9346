//! What plans would have been worth: recorded sweeps replayed as if only a cheap pilot had been run.

mod text;

use labelmix_econ::{AnalysisError, Backtest, MeasuredRun, Measurements, Rule, SurfaceSettings, Tariff, backtest};
use serde::Serialize;

pub use self::text::render_backtest;

/// Replays of the sweeps of one or several studies. The names of the fields are a promise to programs that read the JSON.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BacktestReport {
    /// What labels cost.
    pub tariff: Tariff,
    /// The share of measurements that a perfect interval holds.
    pub level: f64,
    /// The replays, by study, method, budget and share of the pilot.
    pub replays: Vec<Replay>,
    /// Replays that could not be made, and why.
    pub not_replayed: Vec<NotReplayed>,
    /// All replays together; none where there are none.
    pub summary: Option<BacktestSummary>,
}

/// One replay.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Replay {
    pub study: String,
    /// The share of the budget that the pilot spent.
    pub pilot_share: f64,
    /// The outcome.
    #[serde(flatten)]
    pub backtest: Backtest,
}

/// A replay that could not be made.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NotReplayed {
    pub study: String,
    pub method: String,
    /// The budget, in dollars.
    pub budget_usd: f64,
    /// The share of the budget for the pilot.
    pub pilot_share: f64,
    pub reason: String,
}

/// All replays together.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BacktestSummary {
    /// How far the plans stay behind the best split in hindsight.
    pub plan: Regrets,
    /// The same of rules that need no pilot, or no surface.
    pub rules: Vec<RuleSummary>,
    /// Later measurements that were predicted.
    pub predicted: usize,
    /// The share of them in their intervals.
    pub coverage: f64,
}

/// How far choices stay behind the best split in hindsight.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Regrets {
    /// The mean regret, in accuracy.
    pub mean: f64,
    pub largest: f64,
    /// The choices that come within a point of the best.
    pub within_a_point: usize,
    /// Of so many.
    pub of: usize,
}

/// A rule of thumb against the plans.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RuleSummary {
    pub rule: Rule,
    /// How far it stays behind the best.
    pub regrets: Regrets,
    /// Replays in which the plan is more accurate.
    pub plan_wins: usize,
    /// Replays in which both are equally accurate.
    pub ties: usize,
    /// Replays in which the rule is more accurate.
    pub plan_loses: usize,
}

/// What is replayed of a study.
#[derive(Clone, Debug)]
pub struct RecordedSweep<'a> {
    /// The study's name.
    pub study: &'a str,
    /// Its finished runs.
    pub runs: Vec<MeasuredRun>,
    /// The budgets to replay, in dollars; where there are none, the dearest run's cost, a quarter and a sixteenth of it.
    pub budgets_usd: Vec<f64>,
}

/// A point of accuracy.
const POINT: f64 = 0.01;

impl BacktestReport {
    /// Replays every method of every sweep, for every budget and share of it for the pilot.
    ///
    /// # Errors
    /// [`AnalysisError`] for runs that do not belong together and for shares that are none; a replay that the runs do not
    /// allow is taken note of.
    pub fn new(
        sweeps: Vec<RecordedSweep<'_>>,
        tariff: Tariff,
        pilot_shares: &[f64],
        settings: &SurfaceSettings,
    ) -> Result<Self, AnalysisError> {
        if sweeps.iter().all(|sweep| sweep.runs.is_empty()) {
            return Err(AnalysisError::NoRuns);
        }
        let (mut replays, mut not_replayed) = (Vec::new(), Vec::new());
        for RecordedSweep { study, runs, budgets_usd } in sweeps.into_iter().filter(|sweep| !sweep.runs.is_empty()) {
            let measured = Measurements::new(runs)?;
            for method in measured.methods() {
                for budget_usd in budgets(&budgets_usd, &measured, method, &tariff)? {
                    for &pilot_share in pilot_shares {
                        match backtest(&measured, method, &tariff, budget_usd, pilot_share, settings) {
                            Ok(backtest) => replays.push(Replay { study: study.to_owned(), pilot_share, backtest }),
                            Err(error @ (AnalysisError::PilotShare { .. } | AnalysisError::Econ(_))) => {
                                return Err(error);
                            }
                            Err(error) => not_replayed.push(NotReplayed {
                                study: study.to_owned(),
                                method: method.clone(),
                                budget_usd,
                                pilot_share,
                                reason: reason(&error),
                            }),
                        }
                    }
                }
            }
        }
        let summary = (!replays.is_empty()).then(|| BacktestSummary::of(&replays));
        Ok(Self { tariff, level: settings.level, replays, not_replayed, summary })
    }

    /// The report as JSON, indented, with a newline at its end.
    pub fn to_json(&self) -> String {
        let json = serde_json::to_string_pretty(self).expect("strings, numbers and lists of them become JSON");
        json + "\n"
    }
}

fn budgets(given: &[f64], measured: &Measurements, method: &str, tariff: &Tariff) -> Result<Vec<f64>, AnalysisError> {
    if !given.is_empty() {
        return Ok(given.to_vec());
    }
    let observed = measured.of_method(method)?.observations(tariff);
    let dearest = observed.iter().map(|observed| observed.cost_usd).fold(0.0, f64::max);
    Ok([16.0, 4.0, 1.0].map(|part| dearest / part).to_vec())
}

/// Why a replay cannot be made, in the words of a replay.
fn reason(error: &AnalysisError) -> String {
    match error {
        AnalysisError::TooFewAllocations { needed, .. } => {
            format!("the pilot sees fewer than the {needed} allocations that a plan needs")
        }
        AnalysisError::NothingAffordable { .. } => "no other run costs so little".to_owned(),
        other => other.to_string(),
    }
}

impl BacktestSummary {
    fn of(replays: &[Replay]) -> Self {
        let plan: Vec<f64> = replays.iter().map(|replay| replay.backtest.regret).collect();
        let rule = |rule: Rule| {
            let of_rule = |replay: &Replay| {
                let followed = replay.backtest.rules.iter().find(|regret| regret.rule == rule);
                followed.expect("every replay follows every rule").regret
            };
            let regrets: Vec<f64> = replays.iter().map(of_rule).collect();
            let count = |holds: fn(f64, f64) -> bool| {
                plan.iter().zip(&regrets).filter(|&(&plan, &rule)| holds(plan, rule)).count()
            };
            RuleSummary {
                rule,
                plan_wins: count(|plan, rule| plan < rule),
                ties: count(|plan, rule| plan == rule),
                plan_loses: count(|plan, rule| plan > rule),
                regrets: Regrets::of(&regrets),
            }
        };
        let predicted: usize = replays.iter().map(|replay| replay.backtest.score.predicted).sum();
        let held: f64 =
            replays.iter().map(|replay| replay.backtest.score.coverage * replay.backtest.score.predicted as f64).sum();
        Self {
            rules: [Rule::AllGold, Rule::AllWeak, Rule::HalfAndHalf, Rule::BestOfPilot].map(rule).into(),
            plan: Regrets::of(&plan),
            predicted,
            coverage: held / predicted as f64,
        }
    }
}

impl Regrets {
    fn of(regrets: &[f64]) -> Self {
        Self {
            mean: regrets.iter().sum::<f64>() / regrets.len() as f64,
            largest: regrets.iter().copied().fold(0.0, f64::max),
            // Regrets are differences of accuracies: what is a point on paper may be a hair more in binary.
            within_a_point: regrets.iter().filter(|&&regret| regret <= POINT + 1e-9).count(),
            of: regrets.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use labelmix_econ::{Outcome, Prices};

    use super::*;
    use crate::text_table::Style;

    /// Gold labels teach more the more there are; weak ones level off. Budgets of $16 and $64, three seeds.
    fn sweep() -> RecordedSweep<'static> {
        let mut runs = Vec::new();
        let tariff = Tariff::from(Prices::new(0.1, 1.0).unwrap());
        for budget_usd in [4.0, 8.0, 16.0, 64.0] {
            for fraction in [0.0, 0.3, 0.6, 1.0] {
                let allocation = tariff.allocation_for(budget_usd, fraction).unwrap();
                for seed in 0..3 {
                    let (weak, gold) = (allocation.n_weak as f64, allocation.n_gold as f64);
                    let accuracy = 0.5 + 0.2 * weak / (weak + 60.0) + 0.25 * gold / (gold + 40.0) + 0.004 * seed as f64;
                    runs.push(MeasuredRun {
                        task: "reviews".to_owned(),
                        method: "seq-sft".to_owned(),
                        allocation,
                        seed,
                        outcome: Outcome::Accuracy { accuracy, n_test: 1000 },
                        gpu_hours: None,
                    });
                }
            }
        }
        RecordedSweep { study: "reviews", runs, budgets_usd: vec![4.0, 64.0] }
    }

    fn report() -> BacktestReport {
        let tariff = Prices::new(0.1, 1.0).unwrap().into();
        let settings = SurfaceSettings { draws: 80, ..SurfaceSettings::new(0) };
        BacktestReport::new(vec![sweep()], tariff, &[0.5], &settings).unwrap()
    }

    #[test]
    fn a_table_of_replays_and_of_rules() {
        insta::assert_snapshot!(render_backtest(&report(), Style::PLAIN), @r#"
        1 replay of reviews: recorded runs, as if only those within a pilot's labels had been made.
        A weak label costs $0.10, a gold label $1.

        Regret is accuracy lost against the best split in hindsight, in points
         study     method    budget   pilot   seen   plan                 regret   best in hindsight    in intervals
        ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
         reviews   seq-sft      $64     50%     12   200 weak + 44 gold      0.0   200 weak + 44 gold         4 of 4

        The plan and rules of thumb
                                      mean regret   largest   within a point   plan better   equal   plan worse
        ────────────────────────────────────────────────────────────────────────────────────────────────────────
         the plan                             0.0       0.0           1 of 1
         all gold                            13.1      13.1           0 of 1             1       0            0
         all weak                            10.2      10.2           0 of 1             1       0            0
         half and half                        1.5       1.5           0 of 1             1       0            0
         shares of the pilot's best           1.5       1.5           0 of 1             1       0            0

        Intervals of 90% hold 100% of 4 later measurements.

        Not replayed:
        reviews, seq-sft, $4 with a pilot of 50%: the pilot sees fewer than the 4 allocations that a plan needs
        "#);
    }

    #[test]
    fn wins_ties_and_losses_are_all_replays() {
        let report = report();
        let summary = report.summary.unwrap();
        for rule in &summary.rules {
            assert_eq!(rule.plan_wins + rule.ties + rule.plan_loses, report.replays.len());
        }
        let predicted: usize = report.replays.iter().map(|replay| replay.backtest.score.predicted).sum();
        assert_eq!(summary.predicted, predicted);
        assert!((0.0..=1.0).contains(&summary.coverage));
    }

    #[test]
    fn shares_that_are_none_and_stores_without_runs_are_refused() {
        let tariff = || Prices::new(0.1, 1.0).unwrap().into();
        let settings = SurfaceSettings::new(0);
        let error = BacktestReport::new(vec![sweep()], tariff(), &[1.5], &settings).unwrap_err();
        assert_eq!(error, AnalysisError::PilotShare { share: 1.5 });
        assert_eq!(BacktestReport::new(vec![], tariff(), &[0.5], &settings).unwrap_err(), AnalysisError::NoRuns);
    }
}
