//! How budgets are best spent: on weak labels, on gold ones, or on both, with probabilities.

use labelmix_econ::{MeasuredRun, Measurements, Prices, Regime, RegimeAnswer, Resamples, regime};
use labelmix_stats::Bootstrap;
use serde::Serialize;

use crate::SplitEntry;
use crate::notation::{dollars, proportion, purchase, rising};
use crate::text_table::{Style, align_right, table_with_header};

/// How a method best spends a budget.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RegimeEntry {
    pub method: String,
    /// The budget, the regimes' probabilities, the verdict, and what would decide where there is none.
    #[serde(flatten)]
    pub answer: RegimeAnswer,
}

/// The regimes of the budgets of every method that was measured with weak labels alone, with gold labels alone, or both:
/// with two of the three at least.
pub(crate) fn regimes(prices: &Prices, budgets: &[SplitEntry], runs: Vec<MeasuredRun>) -> Vec<RegimeEntry> {
    let Ok(measured) = Measurements::new(runs) else { return Vec::new() };
    let mut methods: Vec<&str> = budgets.iter().map(|split| split.method.as_str()).collect();
    methods.dedup();
    let mut entries = Vec::new();
    for method in methods {
        let Ok(measured) = measured.of_method(method) else { continue };
        let there = |regime| measured.points().iter().any(|point| Regime::of(point.allocation) == Some(regime));
        if Regime::ALL.into_iter().filter(|regime| there(*regime)).count() < 2 {
            continue;
        }
        let resamples = Resamples::new(&measured, &Bootstrap::new(0)).expect("a bootstrap's defaults make sense");
        let of_method = budgets.iter().filter(|split| split.method == method);
        let of_method = rising(of_method.map(|split| split.budget_usd).collect());
        let tariff = (*prices).into();
        // A budget that no finished run keeps to has no regime yet.
        entries.extend(of_method.into_iter().filter_map(|budget| {
            let answer = regime(&measured, &resamples, &tariff, budget).ok()?;
            Some(RegimeEntry { method: method.to_owned(), answer })
        }));
    }
    entries
}

/// A table for each method.
pub(crate) fn regimes_text(entries: &[RegimeEntry], style: Style) -> String {
    let tables = entries.chunk_by(|a, b| a.method == b.method).map(|entries| {
        let header = ["budget", "all weak", "mixed", "all gold", "verdict"].map(str::to_owned);
        let mut table = table_with_header(style, header);
        for RegimeEntry { answer, .. } in entries {
            let probability = |regime| format!("{:.2}", answer.probabilities.of(regime));
            let probabilities = Regime::ALL.map(probability);
            table.add_row([dollars(answer.budget_usd)].into_iter().chain(probabilities).chain([verdict(answer)]));
        }
        align_right(&mut table, &[0, 1, 2, 3]);
        format!("{}: probability that each way to spend a budget is best\n{}", entries[0].method, table.trim_fmt())
    });
    tables.collect::<Vec<_>>().join("\n\n")
}

fn verdict(answer: &RegimeAnswer) -> String {
    match (answer.verdict, &answer.undecided) {
        (Some(verdict), _) => {
            let best = answer.contenders.iter().find(|contender| contender.regime == verdict);
            let bought = best.map_or(String::new(), |best| {
                let labels = purchase(best.allocation.n_weak, best.allocation.n_gold);
                format!(" ({labels}, {})", proportion(best.accuracy))
            });
            format!("{}{bought}", verdict.name())
        }
        (None, Some(what)) => {
            let [first, second] = what.between.map(|index| answer.contenders[index].regime.name());
            let more = match what.seeds_needed {
                Some(seeds) if seeds < 1000.0 => format!("; about {:.0} seeds would tell", seeds.ceil()),
                _ => String::new(),
            };
            format!("undecided: {first} or {second}{more}")
        }
        (None, None) => "undecided".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::worked_example::{answer, measured, prices};

    #[test]
    fn a_table_for_each_method() {
        let entries = regimes(&prices(), &answer().budgets, measured());
        insta::assert_snapshot!(regimes_text(&entries, Style::PLAIN), @"
seq-sft: probability that each way to spend a budget is best
 budget   all weak   mixed   all gold   verdict
─────────────────────────────────────────────────────────────────────────
  $4.50       1.00    0.00       0.00   all-weak (45 weak, .648)
    $64       0.00    1.00       0.00   mixed (160 weak + 48 gold, .714)

few-shot: probability that each way to spend a budget is best
 budget   all weak   mixed   all gold   verdict
─────────────────────────────────────────────────────────────────────
  $4.50       0.86    0.14       0.00   undecided: all-weak or mixed
    $64       0.27    0.64       0.09   undecided: mixed or all-weak
");
        assert!(regimes(&prices(), &answer().budgets, Vec::new()).is_empty());
    }
}
