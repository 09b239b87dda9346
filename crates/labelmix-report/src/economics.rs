//! The economics of measured runs at any prices: the frontier with its uncertainty, the best within each budget, and how
//! budgets are best spent. Nothing is computed anew for other prices but these tables.

use std::path::{Path, PathBuf};

use labelmix_econ::{
    AnalysisError, BudgetTable, MeasuredRun, Measurements, RegimeAt, RegimeBoundary, Resamples, Tariff,
    UncertainFrontier, budget_table, regime_boundaries, regimes_over_budgets, regimes_over_price_ratios,
};
use labelmix_files::{WriteError, write_files};
use labelmix_stats::Bootstrap;
use serde::Serialize;

use crate::notation::{dollars, percent, price, prices_in_words, proportion, purchase, range, rising};
use crate::text_table::{Style, align_right, table_with_header};

/// What measured runs say at given prices. The names of the fields are a promise to programs that read the JSON.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Economics {
    /// The study's name.
    pub study: String,
    /// What labels cost.
    pub tariff: Tariff,
    /// The frontier of all methods, with its band.
    pub frontier: UncertainFrontier,
    /// The best that each method makes of each budget.
    pub within_budgets: BudgetTable,
    /// How budgets are best spent, method by method.
    pub methods: Vec<MethodRegimes>,
}

/// How budgets are best spent with a method.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MethodRegimes {
    pub method: String,
    /// The budgets, rising.
    pub budgets: Vec<RegimeAt>,
    /// Where the leading regime changes from one budget to the next.
    pub boundaries: Vec<RegimeBoundary>,
    /// The largest budget at other prices of a weak label, in gold labels.
    pub price_ratios: Vec<RegimeAt>,
    /// Where the leading regime changes from one price to the next.
    pub price_boundaries: Vec<RegimeBoundary>,
}

/// Prices of a weak label, in gold labels, at which the largest budget is judged.
const PRICE_RATIOS: [f64; 5] = [0.01, 0.05, 0.1, 0.2, 0.5];

impl Economics {
    /// The economics of runs at these prices, for these budgets in dollars.
    ///
    /// # Errors
    /// [`AnalysisError`] without runs, for runs that do not belong together, and where no budget pays for a run.
    pub fn new(
        study: &str,
        runs: Vec<MeasuredRun>,
        tariff: Tariff,
        budgets_usd: &[f64],
    ) -> Result<Self, AnalysisError> {
        let measured = Measurements::new(runs)?;
        let observed = measured.observations(&tariff);
        let cheapest_usd = observed.iter().map(|observed| observed.cost_usd).fold(f64::INFINITY, f64::min);
        let mut budgets = rising(budgets_usd.to_vec());
        let largest = budgets.last().copied().unwrap_or(0.0);
        budgets.retain(|budget| *budget >= cheapest_usd);
        if budgets.is_empty() {
            return Err(AnalysisError::NothingAffordable { budget_usd: largest, cheapest_usd });
        }
        let bootstrap = Bootstrap::new(0);
        let mut methods = Vec::new();
        for method in measured.methods() {
            let of_method = measured.of_method(method)?;
            let resamples = Resamples::new(&of_method, &bootstrap)?;
            let place = |places: &[RegimeAt]| regime_boundaries(places.iter().map(RegimeAt::place));
            let by_budget = if_affordable(regimes_over_budgets(&of_method, &resamples, &tariff, &budgets))?;
            let by_price =
                if_affordable(regimes_over_price_ratios(&of_method, &resamples, &tariff, largest, &PRICE_RATIOS))?;
            methods.push(MethodRegimes {
                method: method.clone(),
                boundaries: place(&by_budget),
                budgets: by_budget,
                price_boundaries: place(&by_price),
                price_ratios: by_price,
            });
        }
        let resamples = Resamples::new(&measured, &bootstrap)?;
        Ok(Self {
            study: study.to_owned(),
            frontier: UncertainFrontier::new(&measured, &resamples, &tariff),
            within_budgets: budget_table(&measured, &tariff, &budgets)?,
            methods,
            tariff,
        })
    }

    /// Writes `economics.json` and `economics.txt` into a folder, and returns their paths.
    ///
    /// # Errors
    /// [`WriteError`] for the first file or folder that cannot be written.
    pub fn write(&self, folder: &Path) -> Result<Vec<PathBuf>, WriteError> {
        let json = serde_json::to_string_pretty(self).expect("strings, numbers and lists of them become JSON");
        let files = [("economics.json", json + "\n"), ("economics.txt", render_economics(self, Style::PLAIN))];
        write_files(folder, files.map(|(name, content)| (name.to_owned(), content)))
    }
}

/// No places where none pays for a run, which an expensive method among cheap ones is no reason to refuse.
fn if_affordable(places: Result<Vec<RegimeAt>, AnalysisError>) -> Result<Vec<RegimeAt>, AnalysisError> {
    match places {
        Err(AnalysisError::NothingAffordable { .. }) => Ok(Vec::new()),
        other => other,
    }
}

/// The economics as text.
pub(crate) fn render_economics(economics: &Economics, style: Style) -> String {
    let heading = format!("{}. {}.", economics.study, prices_in_words(&economics.tariff));
    let mut sections = vec![heading, within_budgets(economics, style), frontier(economics, style)];
    sections.extend(economics.methods.iter().map(|method| regimes(method, &economics.tariff, style)));
    sections.extend(economics.frontier.warnings.iter().map(|warning| format!("warning: {warning}")));
    sections.retain(|section| !section.is_empty());
    sections.join("\n\n") + "\n"
}

fn within_budgets(economics: &Economics, style: Style) -> String {
    let BudgetTable { budgets_usd, rows } = &economics.within_budgets;
    let header = ["method".to_owned()].into_iter().chain(budgets_usd.iter().map(|budget| dollars(*budget)));
    let mut table = table_with_header(style, header);
    for row in rows {
        let cells = row.entries.iter().map(|entry| match entry {
            None => "–".to_owned(),
            Some(entry) => {
                let deviation = entry.deviation.map_or(String::new(), |value| format!(" ± {}", proportion(value)));
                format!("{}{deviation} ({} weak)", proportion(entry.accuracy), percent(entry.weak_share))
            }
        });
        table.add_row([row.method.clone()].into_iter().chain(cells));
    }
    format!("The best of what costs no more, and the weak share of its labels\n{}", table.trim_fmt())
}

fn frontier(economics: &Economics, style: Style) -> String {
    let header = ["cost", "method", "buy", "accuracy", "best at this cost", "on the frontier"].map(str::to_owned);
    let mut table = table_with_header(style, header);
    for point in economics.frontier.points.iter().filter(|point| point.on_frontier || point.probability >= 0.1) {
        let band = economics.frontier.band.iter().rev().find(|step| step.cost_usd <= point.cost_usd);
        table.add_row([
            dollars(point.cost_usd),
            point.method.clone(),
            purchase(point.allocation.n_weak, point.allocation.n_gold),
            format!("{} ({})", proportion(point.accuracy), range(point.interval)),
            band.map_or(String::new(), |step| range(step.interval)),
            format!("{} {:.2}", if point.on_frontier { "yes" } else { "no" }, point.probability),
        ]);
    }
    align_right(&mut table, &[0]);
    let dominated: Vec<&str> = economics
        .frontier
        .methods
        .iter()
        .filter(|standing| standing.dominated)
        .map(|standing| standing.method.as_str())
        .collect();
    let dominated = if dominated.is_empty() { String::new() } else { format!("\ndominated: {}", dominated.join(", ")) };
    format!("Frontier of cost and accuracy, with probabilities\n{}{dominated}", table.trim_fmt())
}

fn regimes(method: &MethodRegimes, tariff: &Tariff, style: Style) -> String {
    let gold_usd = tariff.gold.next_label_usd(0);
    let rows = |title: &str, places: &[RegimeAt], written: &dyn Fn(f64) -> String| {
        if places.is_empty() {
            return String::new();
        }
        let mut table =
            table_with_header(style, [title, "all weak", "mixed", "all gold", "verdict"].map(str::to_owned));
        for RegimeAt { at, answer } in places {
            let [weak, mixed, gold] =
                labelmix_econ::Regime::ALL.map(|regime| format!("{:.2}", answer.probabilities.of(regime)));
            let verdict = answer.verdict.map_or("undecided", labelmix_econ::Regime::name).to_owned();
            table.add_row([written(*at), weak, mixed, gold, verdict]);
        }
        align_right(&mut table, &[0, 1, 2, 3]);
        table.trim_fmt()
    };
    let titled = |what: &str, text: String| {
        if text.is_empty() { text } else { format!("{}: how {what}\n{text}", method.method) }
    };
    let by_budget = titled("each budget is best spent", rows("budget", &method.budgets, &dollars));
    let largest_usd = method.price_ratios.first().map_or(0.0, |at| at.answer.budget_usd);
    let by_price = rows("weak label", &method.price_ratios, &|ratio| price(ratio * gold_usd));
    let by_price = titled(&format!("{} are best spent where a weak label costs this", dollars(largest_usd)), by_price);
    [by_budget, by_price].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join("\n\n")
}

#[cfg(test)]
mod tests {
    use labelmix_econ::{Outcome, Prices};

    use super::*;
    use crate::worked_example::runs;

    fn measured() -> Vec<MeasuredRun> {
        let measured = |run: labelmix_store::RunRecord| MeasuredRun {
            task: run.task,
            method: run.method,
            allocation: run.allocation,
            seed: run.seed,
            outcome: Outcome::Accuracy { accuracy: run.metrics.accuracy, n_test: 1000 },
            gpu_hours: None,
        };
        runs().into_iter().map(measured).collect()
    }

    fn at(weak_usd: f64) -> Economics {
        let tariff = Prices::new(weak_usd, 1.0).unwrap().into();
        Economics::new("reviews", measured(), tariff, &[4.5, 64.0]).unwrap()
    }

    #[test]
    fn the_same_runs_at_other_prices() {
        insta::assert_snapshot!(render_economics(&at(0.5), Style::PLAIN), @r#"
        reviews. A weak label costs $0.50, a gold label $1.

        The best of what costs no more, and the weak share of its labels
         method     $4.50                   $64
        ──────────────────────────────────────────────────────────
         few-shot   .519 (0% weak)          .655 (0% weak)
         seq-sft    .529 ± .010 (0% weak)   .665 ± .010 (0% weak)

        Frontier of cost and accuracy, with probabilities
           cost   method     buy                  accuracy           best at this cost   on the frontier
        ─────────────────────────────────────────────────────────────────────────────────────────────────
             $4   few-shot   4 gold               .519 (.481–.554)   .494–.551           no 0.35
             $4   seq-sft    4 gold               .529 (.495–.562)   .494–.551           yes 0.65
         $10.50   few-shot   15 weak + 3 gold     .589 (.554–.626)   .567–.622           no 0.34
         $10.50   seq-sft    15 weak + 3 gold     .599 (.565–.631)   .567–.622           yes 0.66
         $22.50   few-shot   45 weak              .638 (.604–.673)   .615–.669           no 0.35
         $22.50   seq-sft    45 weak              .648 (.616–.679)   .615–.669           yes 0.64
            $64   few-shot   64 gold              .655 (.619–.688)   .634–.681           no 0.27
            $64   seq-sft    64 gold              .665 (.633–.696)   .634–.681           yes 0.50
           $128   few-shot   160 weak + 48 gold   .704 (.671–.739)   .683–.736           no 0.34
           $128   seq-sft    160 weak + 48 gold   .714 (.684–.743)   .683–.736           yes 0.66
           $320   seq-sft    640 weak             .704 (.674–.735)   .683–.730           no 0.18

        few-shot: how each budget is best spent
         budget   all weak   mixed   all gold   verdict
        ──────────────────────────────────────────────────
          $4.50       0.00    0.00       1.00   all-gold
            $64       0.33    0.04       0.63   undecided

        few-shot: how $64 are best spent where a weak label costs this
         weak label   all weak   mixed   all gold   verdict
        ──────────────────────────────────────────────────────
              $0.01       0.24    0.68       0.08   undecided
              $0.05       0.24    0.68       0.08   undecided
              $0.10       0.24    0.68       0.08   undecided
              $0.20       0.33    0.04       0.63   undecided
              $0.50       0.33    0.04       0.63   undecided

        seq-sft: how each budget is best spent
         budget   all weak   mixed   all gold   verdict
        ──────────────────────────────────────────────────
          $4.50       0.00    0.00       1.00   all-gold
            $64       0.22    0.00       0.78   undecided

        seq-sft: how $64 are best spent where a weak label costs this
         weak label   all weak   mixed   all gold   verdict
        ──────────────────────────────────────────────────────
              $0.01       0.31    0.69       0.00   undecided
              $0.05       0.31    0.69       0.00   undecided
              $0.10       0.31    0.69       0.00   undecided
              $0.20       0.22    0.00       0.78   undecided
              $0.50       0.22    0.00       0.78   undecided

        warning: 6 allocations have one seed: a deviation of 0.010 between seeds is taken from the other allocations

        warning: 24 runs have an accuracy but no test items: their noise is binomial and shared with no other run
        "#);
    }

    #[test]
    fn cheaper_weak_labels_never_make_a_budget_buy_less() {
        let best = |economics: &Economics| economics.within_budgets.rows[0].entries[1].as_ref().unwrap().accuracy;
        assert!(best(&at(0.1)) >= best(&at(0.5)));
    }

    #[test]
    fn budgets_below_every_run_are_refused() {
        let tariff = Prices::new(0.1, 1.0).unwrap().into();
        let error = Economics::new("reviews", measured(), tariff, &[1.0]).unwrap_err();
        assert!(matches!(error, AnalysisError::NothingAffordable { .. }), "{error}");
    }
}
