//! Methods at equal cost, as text for the terminal.

use labelmix_econ::{BudgetComparison, MethodAtBudget};
use labelmix_stats::ComparedStatistic;

use crate::StudyComparison;
use crate::notation::{count, dollars, mean_and_deviation, p_value, proportion, purchase, signed, signed_range};
use crate::text_table::{Style, align_right, table_with_header};

/// A table of methods and one of pairs for each budget, and what the words mean.
pub fn render_study_comparison(comparison: &StudyComparison, style: Style) -> String {
    let mut sections = vec![heading(comparison)];
    for budget in &comparison.comparison.budgets {
        sections.push(methods(budget, comparison, style));
        sections.push(pairs(budget, style));
    }
    sections.push(legend(comparison));
    sections.push(shortcomings(comparison));
    sections.retain(|section| !section.is_empty());
    sections.join("\n\n") + "\n"
}

fn heading(comparison: &StudyComparison) -> String {
    let against = match &comparison.baseline {
        Some(baseline) => format!("methods against {baseline}"),
        None => "methods against each other".to_owned(),
    };
    let statistic = statistic(comparison);
    format!("{}: {against} at equal cost, by {statistic} on the test set", comparison.study)
}

fn statistic(comparison: &StudyComparison) -> &'static str {
    match comparison.statistic {
        ComparedStatistic::Accuracy => "accuracy",
        ComparedStatistic::Auroc => "AUROC",
    }
}

fn methods(budget: &BudgetComparison, comparison: &StudyComparison, style: Style) -> String {
    let missing = match budget.missing.as_slice() {
        [] => String::new(),
        missing => format!("\nno run costs so little: {}", missing.join(", ")),
    };
    let title = dollars(budget.budget_usd);
    if budget.methods.is_empty() {
        return format!("{title}{missing}");
    }
    let header = ["method", "best purchase", "cost", statistic(comparison), "seeds", "splits", "achieved"];
    let mut table = table_with_header(style, header.map(str::to_owned));
    for method in &budget.methods {
        let MethodAtBudget { method, chosen_method, best, cost_usd, measured, deviation, seeds, candidates, achieved } =
            method;
        let of_method = chosen_method.as_ref().map_or(String::new(), |name| format!("{name}: "));
        table.add_row([
            method.clone(),
            of_method + &purchase(best.n_weak, best.n_gold),
            dollars(*cost_usd),
            mean_and_deviation(*measured, *deviation),
            count(*seeds),
            count(*candidates),
            proportion(*achieved),
        ]);
    }
    align_right(&mut table, &[2, 4, 5, 6]);
    format!("{title}\n{}{missing}", table.trim_fmt())
}

fn pairs(budget: &BudgetComparison, style: Style) -> String {
    if budget.pairs.is_empty() {
        return String::new();
    }
    let single_runs = budget.pairs.iter().any(|pair| pair.single_runs.is_some());
    let mut header = vec!["pair", "difference", "95% interval", "p", "p (Holm)", "verdict"];
    if single_runs {
        header.push("these runs (McNemar)");
    }
    let mut table = table_with_header(style, header.into_iter().map(str::to_owned));
    for pair in &budget.pairs {
        let mut row = vec![
            format!("{} − {}", pair.first, pair.second),
            signed(pair.difference),
            signed_range(pair.interval),
            p_value(pair.p_value),
            p_value(pair.holm_p_value),
            pair.verdict.in_words().to_owned(),
        ];
        if single_runs {
            row.push(pair.single_runs.map_or("–".to_owned(), |single| {
                let counts = single.counts;
                format!("{} : {}, p {}", counts.only_first_right, counts.only_second_right, p_value(single.p_value))
            }));
        }
        table.add_row(row);
    }
    align_right(&mut table, &[1, 3, 4]);
    table.trim_fmt()
}

/// What the columns mean, where there are pairs.
fn legend(comparison: &StudyComparison) -> String {
    let compared = comparison.comparison.compared;
    if compared == 0 {
        return "No pair of methods was compared.".to_owned();
    }
    let pairs = if compared == 1 { "one pair".to_owned() } else { format!("{} pairs", count(compared)) };
    let methods: Vec<&MethodAtBudget> =
        comparison.comparison.budgets.iter().flat_map(|budget| &budget.methods).collect();
    let mut lines = Vec::new();
    if methods.iter().any(|method| method.candidates > 1) {
        lines.push(
            "achieved, and the difference: with the split chosen by other noise than it is judged by; the best of several \
             splits, measured on the test items that chose it, is optimistic."
                .to_owned(),
        );
    }
    lines.push(
        "interval: another draw of seeds and test items, the same for both methods; Student's, as few seeds are."
            .to_owned(),
    );
    lines.push(if compared == 1 {
        "verdict: better or worse where the interval leaves out 0.".to_owned()
    } else {
        format!(
            "verdict: better or worse with Holm's correction for the {pairs} compared here; \"perhaps\" where the pair's own \
             interval leaves out 0, which {} of {} equal pairs would do by chance.",
            by_chance(compared),
            count(compared)
        )
    });
    lines.join("\n")
}

/// One pair in twenty.
fn by_chance(compared: usize) -> String {
    let expected = compared as f64 / 20.0;
    if expected < 1.0 { "less than one".to_owned() } else { format!("about {}", expected.round()) }
}

fn shortcomings(comparison: &StudyComparison) -> String {
    let without = &comparison.without_runs;
    let unfinished =
        if without.is_empty() { None } else { Some(format!("without a finished run: {}", without.join(", "))) };
    let warnings = comparison.comparison.warnings.iter().map(ToString::to_string);
    unfinished.into_iter().chain(warnings).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use labelmix_econ::{ComparisonQuestion, CorrectItems, MeasuredRun, Outcome};
    use labelmix_store::RunRecord;

    use super::*;
    use crate::worked_example::{prices, runs};

    /// The worked example's runs, each right on the first items of a thousand.
    fn measured(seeds: u64) -> Vec<MeasuredRun> {
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
        runs().into_iter().filter(|run| run.seed < seeds).map(measure).collect()
    }

    fn compared(seeds: u64, budgets_usd: &[f64], baseline: Option<&str>) -> StudyComparison {
        asked(seeds, &ComparisonQuestion { budgets_usd, methods: &[], baseline, best_of_others: false })
    }

    fn asked(seeds: u64, question: &ComparisonQuestion<'_>) -> StudyComparison {
        let question = ComparisonQuestion { methods: &["seq-sft", "few-shot", "joint"], ..*question };
        let statistic = ComparedStatistic::Accuracy;
        StudyComparison::new("reviews", &prices(), statistic, &question, measured(seeds)).unwrap()
    }

    #[test]
    fn a_budget_with_one_split() {
        insta::assert_snapshot!(render_study_comparison(&compared(3, &[4.0], None), Style::PLAIN), @"
        reviews: methods against each other at equal cost, by accuracy on the test set

        $4
         method     best purchase   cost   accuracy      seeds   splits   achieved
        ───────────────────────────────────────────────────────────────────────────
         seq-sft    4 gold            $4   .529 ± .010       3        1       .529
         few-shot   4 gold            $4   .519              1        1       .519

         pair                 difference   95% interval        p   p (Holm)   verdict
        ──────────────────────────────────────────────────────────────────────────────
         seq-sft − few-shot        +.010   -.015 to +.035   .415       .415   tied

        interval: another draw of seeds and test items, the same for both methods; Student's, as few seeds are.
        verdict: better or worse where the interval leaves out 0.

        without a finished run: joint
        6 allocations have one seed: a deviation of 0.010 between seeds is taken from the other allocations
        ");
    }

    #[test]
    fn several_budgets_are_corrected_for() {
        let text = render_study_comparison(&compared(3, &[4.0, 64.0], None), Style::PLAIN);
        assert!(text.contains("Holm's correction for the 2 pairs compared here"), "{text}");
        assert!(text.contains("\nachieved, and the difference: "), "{text}");
        assert!(text.contains("160 weak + 48 gold"), "{text}");
    }

    #[test]
    fn single_runs_against_a_baseline() {
        let text = render_study_comparison(&compared(1, &[3.0, 4.5], Some("few-shot")), Style::PLAIN);
        assert!(text.starts_with("reviews: methods against few-shot at equal cost"), "{text}");
        assert!(text.contains("$3\nno run costs so little: seq-sft, few-shot"), "{text}");
        assert!(text.contains("these runs (McNemar)") && text.contains("0 : 0, p 1.000"), "{text}");
    }

    #[test]
    fn the_best_of_the_others_is_compared_too() {
        let (budgets_usd, baseline) = (&[64.0], Some("few-shot"));
        let found = asked(3, &ComparisonQuestion { budgets_usd, methods: &[], baseline, best_of_others: true });
        let text = render_study_comparison(&found, Style::PLAIN);
        assert!(text.contains("the best of the others − few-shot"), "{text}");
    }

    #[test]
    fn the_json_that_programs_read() {
        let mut found = compared(1, &[4.5], Some("few-shot"));
        // Numbers of resampling are the econ crate's to test.
        for pair in found.comparison.budgets.iter_mut().flat_map(|budget| &mut budget.pairs) {
            (pair.interval.low, pair.interval.high) = (-0.0625, 0.0625);
            (pair.difference, pair.p_value, pair.holm_p_value) = (0.5, 0.5, 0.5);
        }
        for method in found.comparison.budgets.iter_mut().flat_map(|budget| &mut budget.methods) {
            (method.measured, method.achieved) = (0.5, 0.5);
        }
        insta::assert_snapshot!(found.to_json(), @r#"
        {
          "study": "reviews",
          "statistic": "accuracy",
          "prices": {
            "weak_usd": 0.1,
            "gold_usd": 1.0
          },
          "baseline": "few-shot",
          "without_runs": [
            "joint"
          ],
          "budgets": [
            {
              "budget_usd": 4.5,
              "methods": [
                {
                  "method": "seq-sft",
                  "best": {
                    "n_weak": 45,
                    "n_gold": 0
                  },
                  "cost_usd": 4.5,
                  "measured": 0.5,
                  "deviation": null,
                  "seeds": 1,
                  "candidates": 3,
                  "achieved": 0.5
                },
                {
                  "method": "few-shot",
                  "best": {
                    "n_weak": 45,
                    "n_gold": 0
                  },
                  "cost_usd": 4.5,
                  "measured": 0.5,
                  "deviation": null,
                  "seeds": 1,
                  "candidates": 3,
                  "achieved": 0.5
                }
              ],
              "missing": [],
              "pairs": [
                {
                  "first": "seq-sft",
                  "second": "few-shot",
                  "difference": 0.5,
                  "interval": {
                    "low": -0.0625,
                    "high": 0.0625
                  },
                  "degrees_of_freedom": null,
                  "p_value": 0.5,
                  "holm_p_value": 0.5,
                  "verdict": "tied",
                  "single_runs": {
                    "only_first_right": 0,
                    "only_second_right": 0,
                    "p_value": 1.0
                  }
                }
              ]
            }
          ],
          "compared": 1,
          "warnings": [
            {
              "warning": "single-seed",
              "cells": 12,
              "deviation": 0.03,
              "assumed": true
            }
          ]
        }
        "#);
    }
}
