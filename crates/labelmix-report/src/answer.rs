//! The answer: one object with everything a sweep found out.

use std::collections::HashSet;

use labelmix_econ::{MeasuredRun, Prices, best_split, pareto_frontier};
use labelmix_store::{FinishedStudy, RunRecord, StudyQuestion};
use labelmix_study::{GridPoint, NotAffordable};
use serde::Serialize;

use crate::comparison::{WithinBudget, within_budgets};
use crate::notation::rising;
use crate::own_shares::OwnShares;
use crate::regimes::{RegimeEntry, regimes};
use crate::{FrontierEntry, NotAffordableEntry, RunEntry, SplitEntry};

/// Everything a sweep found out. The names of the fields are a promise to programs that read the JSON.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Answer {
    /// The study's name.
    pub study: String,
    /// The price of a weak and of a gold label.
    pub prices: Prices,
    /// The finished runs, by method, allocation and seed.
    pub runs: Vec<RunEntry>,
    /// The measured splits of each budget, by method, budget and weak fraction.
    pub budgets: Vec<SplitEntry>,
    /// The splits that ask for more labels than are for sale, or for none, in the same order.
    pub not_affordable: Vec<NotAffordableEntry>,
    /// The best that each method makes of each budget, by method and budget.
    pub methods_within_budgets: Vec<WithinBudget>,
    /// How each budget is best spent, by method and budget ([`with_regimes`](Self::with_regimes)).
    pub regimes: Vec<RegimeEntry>,
    /// The Pareto frontier of cost and accuracy, by rising cost, over all methods.
    pub frontier: Vec<FrontierEntry>,
    /// The share of weak labels that are right, where it is known.
    pub weak_label_accuracy: Option<f64>,
    /// The purchases at the test file's own shares of the classes, where balancing changed these.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub own_shares: Option<OwnShares>,
}

impl Answer {
    /// Gathers the runs of a sweep, whole or unfinished. A point without a finished run is left out of `budgets`;
    /// points that buy the same labels share their runs. The order of the runs does not matter.
    pub fn new(
        study: &str,
        prices: &Prices,
        points: &[GridPoint],
        not_affordable: &[NotAffordable],
        runs: &[RunRecord],
        weak_label_accuracy: Option<f64>,
    ) -> Self {
        let all_points = || points.iter().chain(not_affordable.iter().map(|missed| &missed.point));
        let place = |method: &str| all_points().position(|point| point.method == method).unwrap_or(usize::MAX);
        let by_place = |a: &GridPoint, b: &GridPoint| {
            (place(&a.method).cmp(&place(&b.method)))
                .then(a.budget_usd.total_cmp(&b.budget_usd))
                .then(a.weak_fraction.total_cmp(&b.weak_fraction))
        };

        let mut runs: Vec<&RunRecord> = runs.iter().collect();
        runs.sort_by(|a, b| {
            (place(&a.method).cmp(&place(&b.method)))
                .then_with(|| (&a.method, a.allocation, a.seed).cmp(&(&b.method, b.allocation, b.seed)))
        });
        let mut points = points.to_vec();
        points.sort_by(by_place);
        let mut not_affordable: Vec<&NotAffordable> = not_affordable.iter().collect();
        not_affordable.sort_by(|a, b| by_place(&a.point, &b.point));

        let budgets = points.iter().filter_map(|point| SplitEntry::new(point, prices, &runs)).collect();
        Self {
            not_affordable: not_affordable.into_iter().map(NotAffordableEntry::new).collect(),
            weak_label_accuracy,
            runs: runs.into_iter().map(|run| RunEntry::new(run, prices)).collect(),
            ..Self::of_splits(study, prices, budgets)
        }
    }

    /// What a study's finished runs say, `measured` as the economics reads them.
    pub fn of(finished: &FinishedStudy, measured: &[MeasuredRun]) -> Self {
        let StudyQuestion { prices, points, not_affordable, weak_label_accuracy, .. } = &finished.question;
        let records: Vec<RunRecord> = finished.records().cloned().collect();
        let own_share = finished.own_share.filter(|_| !finished.test.is_empty());
        let own_shares = own_share.map(|share| {
            let test: Vec<bool> = finished.test.iter().filter_map(|example| example.gold).collect();
            OwnShares::new(share, &test, measured, prices)
        });
        let answer = Self::new(&finished.study, prices, points, not_affordable, &records, *weak_label_accuracy);
        Self { own_shares, ..answer.with_regimes(measured.to_vec()) }
    }

    /// What the measured splits say, which are by method, budget and weak fraction.
    pub(crate) fn of_splits(study: &str, prices: &Prices, mut budgets: Vec<SplitEntry>) -> Self {
        mark_best(&mut budgets);
        let methods = distinct_methods(budgets.iter().map(|split| split.method.as_str()));
        Self {
            study: study.to_owned(),
            prices: *prices,
            runs: Vec::new(),
            methods_within_budgets: within_budgets(&methods, &budgets),
            frontier: frontier(&distinct_purchases(&budgets)),
            budgets,
            not_affordable: Vec::new(),
            regimes: Vec::new(),
            weak_label_accuracy: None,
            own_shares: None,
        }
    }

    /// With the regimes of the budgets, as the same runs tell them with their test items.
    pub fn with_regimes(self, runs: Vec<MeasuredRun>) -> Self {
        Self { regimes: regimes(&self.prices, &self.budgets, runs), ..self }
    }

    /// The answer as JSON, indented, with a newline at its end: what `labelmix sweep --json` prints.
    pub fn to_json(&self) -> String {
        let json = serde_json::to_string_pretty(self).expect("strings, numbers and lists of them become JSON");
        json + "\n"
    }

    /// The methods in the order of the study, each once.
    pub(crate) fn methods(&self) -> Vec<&str> {
        let measured = self.budgets.iter().map(|split| split.method.as_str());
        let missed = self.not_affordable.iter().map(|missed| missed.method.as_str());
        distinct_methods(measured.chain(missed))
    }

    /// A method's place in the order of the study.
    pub(crate) fn place_of(&self, method: &str) -> usize {
        self.methods().iter().position(|name| *name == method).unwrap_or(0)
    }

    /// The study's budgets of which something was measured, rising.
    pub fn budgets_usd(&self) -> Vec<f64> {
        rising(self.budgets.iter().map(|split| split.budget_usd).collect())
    }

    /// The same without $0, which nothing is split of.
    pub(crate) fn budgets_to_split_usd(&self) -> Vec<f64> {
        self.budgets_usd().into_iter().filter(|budget| *budget > 0.0).collect()
    }

    /// The measured splits of a method, by budget and weak fraction.
    pub(crate) fn splits_of(&self, method: &str) -> impl Iterator<Item = &SplitEntry> {
        self.budgets.iter().filter(move |split| split.method == method)
    }
}

/// Each method once, in the order of their first places.
pub(crate) fn distinct_methods<'a>(methods: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut seen = HashSet::new();
    methods.filter(|method| seen.insert(*method)).collect()
}

/// Marks the best split of each method and budget. The splits of one budget stand together.
fn mark_best(budgets: &mut [SplitEntry]) {
    let same_budget =
        |a: &SplitEntry, b: &SplitEntry| a.method == b.method && a.budget_usd.total_cmp(&b.budget_usd).is_eq();
    for splits in budgets.chunk_by_mut(same_budget) {
        let observations: Vec<_> = splits.iter().map(SplitEntry::observation).collect();
        if let Some(best) = best_split(&observations) {
            splits[best].best = true;
        }
    }
}

/// The first split of every method and allocation: different splits may buy the same labels.
pub(crate) fn distinct_purchases(budgets: &[SplitEntry]) -> Vec<&SplitEntry> {
    let mut seen = HashSet::new();
    budgets.iter().filter(|split| seen.insert((split.method.as_str(), split.n_weak, split.n_gold))).collect()
}

fn frontier(purchases: &[&SplitEntry]) -> Vec<FrontierEntry> {
    let observations: Vec<_> = purchases.iter().map(|split| split.observation()).collect();
    let entry = |split: &SplitEntry| FrontierEntry {
        cost_usd: split.cost_usd,
        accuracy: split.accuracy_mean,
        method: split.method.clone(),
        n_weak: split.n_weak,
        n_gold: split.n_gold,
    };
    pareto_frontier(&observations).into_iter().map(|index| entry(purchases[index])).collect()
}

#[cfg(test)]
mod tests {
    use labelmix_econ::Allocation;

    use super::*;
    use crate::worked_example::{answer, answer_without_runs, points, prices, run, runs};

    fn line(split: &SplitEntry) -> String {
        let SplitEntry { method, budget_usd, weak_fraction, n_weak, n_gold, cost_usd, accuracy_mean, seeds, .. } =
            split;
        let deviation = split.accuracy_sd.map_or(String::new(), |deviation| format!(" ± {deviation:.4}"));
        let best = if split.best { " best" } else { "" };
        format!(
            "{method} ${budget_usd} at {weak_fraction}: {n_weak} + {n_gold} for ${cost_usd}, \
             {accuracy_mean:.4}{deviation} of {seeds}{best}"
        )
    }

    #[test]
    fn splits_by_method_budget_and_fraction() {
        insta::assert_snapshot!(answer().budgets.iter().map(line).collect::<Vec<_>>().join("\n"), @"
        seq-sft $4.5 at 0: 0 + 4 for $4, 0.5288 ± 0.0100 of 3
        seq-sft $4.5 at 0.25: 15 + 3 for $4.5, 0.5986 ± 0.0100 of 3
        seq-sft $4.5 at 1: 45 + 0 for $4.5, 0.6485 ± 0.0100 of 3 best
        seq-sft $64 at 0: 0 + 64 for $64, 0.6648 ± 0.0100 of 3
        seq-sft $64 at 0.25: 160 + 48 for $64, 0.7144 ± 0.0100 of 3 best
        seq-sft $64 at 1: 640 + 0 for $64, 0.7039 ± 0.0100 of 3
        few-shot $4.5 at 0: 0 + 4 for $4, 0.5188 of 1
        few-shot $4.5 at 0.25: 15 + 3 for $4.5, 0.5886 of 1
        few-shot $4.5 at 1: 45 + 0 for $4.5, 0.6385 of 1 best
        few-shot $64 at 0: 0 + 64 for $64, 0.6548 of 1
        few-shot $64 at 0.25: 160 + 48 for $64, 0.7044 of 1 best
        few-shot $64 at 1: 640 + 0 for $64, 0.6939 of 1
        ");
    }

    #[test]
    fn the_order_of_the_runs_does_not_matter() {
        let (points, not_affordable) = points();
        let mut runs = runs();
        runs.reverse();
        let reversed = Answer::new("reviews", &prices(), &points, &not_affordable, &runs, Some(0.683));
        assert_eq!(reversed.to_json(), answer().to_json());
        let names: Vec<&str> = reversed.runs.iter().map(|run| run.run.as_str()).collect();
        assert_eq!(&names[..2], ["seq-sft-w0-g4-s0", "seq-sft-w0-g4-s1"]);
        assert_eq!(names.last(), Some(&"few-shot-w640-g0-s0"));
    }

    #[test]
    fn one_best_split_for_each_method_and_budget() {
        let answer = answer();
        for method in answer.methods() {
            let best: Vec<f64> =
                answer.splits_of(method).filter(|split| split.best).map(|split| split.budget_usd).collect();
            assert_eq!(best, [4.5, 64.0]);
        }
    }

    #[test]
    fn splits_that_buy_the_same_share_their_runs() {
        let (points, _) = points();
        let (mut same, allocation) = (points[0].clone(), Allocation { n_weak: 0, n_gold: 4 });
        same.allocation = allocation;
        let points = [GridPoint { budget_usd: 4.0, ..same.clone() }, GridPoint { budget_usd: 4.5, ..same }];
        let answer = Answer::new("reviews", &prices(), &points, &[], &[run("seq-sft", 0, 4, 0)], None);
        assert_eq!(answer.budgets.len(), 2);
        assert!(answer.budgets.iter().all(|split| split.seeds == 1));
        assert_eq!(answer.frontier.len(), 1);
    }

    #[test]
    fn without_runs_only_the_question_remains() {
        let answer = answer_without_runs();
        assert!(answer.runs.is_empty() && answer.budgets.is_empty() && answer.frontier.is_empty());
        assert_eq!(answer.not_affordable.len(), 4);
        assert_eq!(answer.methods(), ["seq-sft", "few-shot"]);
    }

    /// The fields' names and the nulls are what programs rely on.
    #[test]
    fn the_json_that_programs_read() {
        let (points, not_affordable) = points();
        let runs = [run("seq-sft", 160, 48, 0)];
        let answer = Answer::new("reviews", &prices(), &points, &not_affordable[..1], &runs, None);
        insta::assert_snapshot!(answer.to_json(), @r#"
        {
          "study": "reviews",
          "prices": {
            "weak_usd": 0.1,
            "gold_usd": 1.0
          },
          "runs": [
            {
              "run": "seq-sft-w160-g48-s0",
              "method": "seq-sft",
              "task": "reviews",
              "model": "tiny",
              "seed": 0,
              "n_weak": 160,
              "n_gold": 48,
              "cost_usd": 64.0,
              "accuracy": 0.7044444444444444,
              "accuracy_low": 0.6744444444444444,
              "accuracy_high": 0.7344444444444445,
              "auroc": 0.7544444444444445
            }
          ],
          "budgets": [
            {
              "method": "seq-sft",
              "budget_usd": 64.0,
              "weak_fraction": 0.25,
              "n_weak": 160,
              "n_gold": 48,
              "cost_usd": 64.0,
              "accuracy_mean": 0.7044444444444444,
              "accuracy_sd": null,
              "seeds": 1,
              "best": true
            }
          ],
          "not_affordable": [
            {
              "method": "seq-sft",
              "budget_usd": 256.0,
              "weak_fraction": 0.0,
              "n_weak": 0,
              "n_gold": 256,
              "reason": "100 gold labels for sale"
            }
          ],
          "methods_within_budgets": [
            {
              "method": "seq-sft",
              "budget_usd": 64.0,
              "cost_usd": 64.0,
              "accuracy_mean": 0.7044444444444444,
              "accuracy_sd": null,
              "n_weak": 160,
              "n_gold": 48
            }
          ],
          "regimes": [],
          "frontier": [
            {
              "cost_usd": 64.0,
              "accuracy": 0.7044444444444444,
              "method": "seq-sft",
              "n_weak": 160,
              "n_gold": 48
            }
          ],
          "weak_label_accuracy": null
        }
        "#);
    }
}
