use labelmix_econ::{MeasuredRun, Outcome, PriceSchedule, Prices, Tier};

use super::*;
use crate::text_table::Style;

/// Gold labels teach more the more there are; weak ones level off. Three seeds.
fn runs(method: &str, seeds: u64) -> Vec<MeasuredRun> {
    let tariff = tariff();
    let mut runs = Vec::new();
    for budget_usd in [16.0, 64.0] {
        for fraction in [0.0, 0.4, 1.0] {
            let allocation = tariff.allocation_for(budget_usd, fraction).unwrap();
            for seed in 0..seeds {
                let (weak, gold) = (allocation.n_weak as f64, allocation.n_gold as f64);
                let accuracy = 0.5 + 0.2 * weak / (weak + 60.0) + 0.25 * gold / (gold + 40.0) + 0.004 * seed as f64;
                runs.push(MeasuredRun {
                    task: "reviews".to_owned(),
                    method: method.to_owned(),
                    allocation,
                    seed,
                    outcome: Outcome::Accuracy { accuracy, n_test: 1000 },
                    gpu_hours: None,
                });
            }
        }
    }
    runs
}

fn tariff() -> Tariff {
    Prices::new(0.1, 1.0).unwrap().into()
}

fn basis(runs: Vec<MeasuredRun>) -> PlanBasis<'static> {
    PlanBasis { study: "reviews", tariff: tariff(), methods: vec!["seq-sft", "joint"], runs }
}

fn request(budget: Option<Budget>) -> PlanRequest {
    PlanRequest { budget, have: Allocation::default(), target: None, method: None }
}

fn planned(basis: PlanBasis<'_>, request: &PlanRequest) -> Result<PlanReport, PlanError> {
    PlanReport::new(basis, request, &SurfaceSettings { draws: 80, ..SurfaceSettings::new(0) })
}

#[test]
fn the_whole_plan() {
    let have = Allocation { n_weak: 300, n_gold: 20 };
    let request = PlanRequest { have, target: Some(0.8), ..request(Some(Budget::InAll(128.0))) };
    let mut both = runs("seq-sft", 3);
    both.extend(runs("joint", 3));
    both.extend(runs("few-shot", 3));
    insta::assert_snapshot!(render_plan(&planned(basis(both), &request).unwrap(), Style::PLAIN), @r#"
    reviews: $78 to spend, on top of 300 weak + 20 gold that cost $50. A weak label costs $0.10, a gold label $1.
    Measured: 36 runs of 12 allocations, 3 seeds.

    Buy 240 weak + 54 gold with joint, for $78 (31% of it on weak labels)
     accuracy                     .829 (.794–.852)
     the best split is between    78 gold and 590 weak + 19 gold
     within a point of it         0% to 60% of the money on weak labels
     best spent on                undecided: all-gold (0.74)
     against all weak             +.044 (+.001 to +.070)
     against all gold             −.001 (−.011 to +.007)
     confidence                   0.85 that no split is better by more than a point; .006 is lost on average
     reaches the target           .800 with probability 0.91
     the target costs             $29 ($15–$57)
     cheapest mix for it          9 weak + 28 gold more
     safe in 9 of 10 cases        57 gold more
     the next dollar then adds    0.026 (0.003 to 0.052) points if spent on weak labels, 0.048 (−0.007 to 0.080) on gold labels
     a gold label is then worth   22 (0–105) weak ones

    It is not certain. Buy and measure 3 gold first (joint, $3 of the budget): that is expected to settle it (confidence 0.91),
    and the accuracy that the budget buys rises by .000 on average.

    warning: 36 runs have an accuracy but no test items: their noise is binomial and shared with no other run
    few-shot is not planned: it leaves no choice between weak and gold labels

    The same money with each method
     method    buy                  accuracy           best spent on
    ──────────────────────────────────────────────────────────────────────────────
     joint     240 weak + 54 gold   .829 (.794–.852)   undecided: all-gold (0.74)
     seq-sft   240 weak + 54 gold   .829 (.794–.852)   undecided: all-gold (0.74)

    Other budgets, from nothing
     budget    weak   gold   on weak labels   accuracy           best spent on
    ──────────────────────────────────────────────────────────────────────────────────────────
        $32     130     19   41% (30%–55%)    .724 (.703–.744)   mixed (1.00)
        $64     260     38   41% (25%–55%)    .786 (.768–.800)   mixed (1.00)
       $128     520     76   41% (20%–70%)    .829 (.794–.853)   mixed (1.00)
       $256   1,030    153   40% (10%–70%)    .859 (.810–.895)   mixed (1.00)    extrapolated
       $512   1,540    358   30% (5%–70%)     .882 (.822–.925)   mixed (1.00)    extrapolated

    How $128 are best spent where a weak label costs this (gold: $1)
     weak label   all weak   mixed   all gold   on weak labels
    ──────────────────────────────────────────────────────────────────────────
         $0.005       0.00    1.00       0.00              20%   extrapolated
          $0.01       0.00    1.00       0.00              30%   extrapolated
          $0.02       0.00    1.00       0.00              35%   extrapolated
          $0.05       0.00    1.00       0.00              40%
          $0.10       0.00    1.00       0.00              40%
          $0.20       0.00    1.00       0.00              45%
          $0.50       0.00    1.00       0.00              50%

    Mixes that reach .800
      weak   gold
    ─────────────────────────
         0   382 (237–1,417)
       135   76 (54–264)
       270   52 (37–148)
       540   36 (20–60)
     1,080   29 (15–52)
    "#);
}

#[test]
fn a_plan_never_spends_more_than_is_left_and_never_goes_below_what_one_has() {
    for budget_usd in [52.0, 60.0, 500.0] {
        let have = Allocation { n_weak: 300, n_gold: 20 };
        let request = PlanRequest { have, ..request(Some(Budget::InAll(budget_usd))) };
        let report = planned(basis(runs("seq-sft", 2)), &request).unwrap();
        assert!(report.total.n_weak >= have.n_weak && report.total.n_gold >= have.n_gold);
        assert!(tariff().cost_usd(report.total) <= budget_usd * (1.0 + 1e-9), "{:?}", report.total);
    }
}

#[test]
fn what_is_spent_next_comes_on_top() {
    let have = Allocation { n_weak: 300, n_gold: 20 };
    let next = PlanRequest { have, ..request(Some(Budget::Next(30.0))) };
    let in_all = PlanRequest { have, ..request(Some(Budget::InAll(80.0))) };
    let [next, in_all] = [next, in_all].map(|request| planned(basis(runs("seq-sft", 2)), &request).unwrap());
    assert_eq!(next, in_all);
}

#[test]
fn a_target_alone_is_planned_at_its_cheapest() {
    let request = PlanRequest { target: Some(0.7), ..request(None) };
    let report = planned(basis(runs("seq-sft", 3)), &request).unwrap();
    assert!(report.plan.accuracy.mean >= 0.7 - 1e-9);
    let cheaper = PlanRequest { budget: Some(Budget::InAll(0.8 * report.budget_usd)), ..request };
    assert!(planned(basis(runs("seq-sft", 3)), &cheaper).unwrap().plan.accuracy.mean < 0.7);
}

#[test]
fn prices_scaled_together_change_no_plan() {
    let report = |factor: f64| {
        let basis = PlanBasis { tariff: tariff().scaled(factor).unwrap(), ..basis(runs("seq-sft", 3)) };
        planned(basis, &request(Some(Budget::InAll(200.0 * factor)))).unwrap()
    };
    let (dollars, others) = (report(1.0), report(4.0));
    assert_eq!(dollars.plan.buy, others.plan.buy);
    assert_eq!(dollars.plan.probabilities, others.plan.probabilities);
}

#[test]
fn a_set_up_cost_is_reckoned_with() {
    let weak = PriceSchedule::new(100.0, vec![Tier { from_label: 1, usd_per_label: 0.1 }]).unwrap();
    let basis = PlanBasis { tariff: Tariff::new(weak, PriceSchedule::flat(1.0).unwrap()), ..basis(runs("seq-sft", 3)) };
    let report = planned(basis, &request(Some(Budget::InAll(90.0)))).unwrap();
    assert_eq!(report.plan.buy, Allocation { n_weak: 0, n_gold: 90 });
}

#[test]
fn methods_that_cannot_be_planned_are_named() {
    let mut few: Vec<MeasuredRun> = runs("seq-sft", 1);
    few.truncate(2);
    let error = planned(basis(few), &request(Some(Budget::InAll(90.0)))).unwrap_err();
    insta::assert_snapshot!(error.to_string(), @r#"no method can be planned: seq-sft (2 allocations are measured, and a plan needs 4)"#);
    let error = planned(basis(runs("few-shot", 1)), &request(Some(Budget::InAll(90.0)))).unwrap_err();
    insta::assert_snapshot!(error.to_string(), @r#"no method can be planned: few-shot (it leaves no choice between weak and gold labels)"#);
    let error = planned(basis(runs("seq-sft", 3)), &PlanRequest { target: Some(0.999), ..request(None) }).unwrap_err();
    insta::assert_snapshot!(error.to_string(), @r#"no mix of labels within reach of what was measured is expected to be right 0.999 of the time"#);
}
