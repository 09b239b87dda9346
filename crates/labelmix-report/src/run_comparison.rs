//! Two finished runs on the same test items.

use labelmix_data::{Example, weak_class};
use labelmix_stats::{
    Bootstrap, ComparedStatistic, McNemar, Measure, PairedComparison, PairedDifference, Resampled, Verdict, Z_95,
    auroc, auroc_interval, wilson_interval,
};
use labelmix_store::RunRecord;
use serde::Serialize;

use crate::run_report::SEED;

/// The probability of a false verdict that a comparison allows itself.
const SIGNIFICANCE: f64 = 0.05;

/// How two runs differ. The names of the fields are a promise to programs that read the JSON.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunComparison {
    /// The number of test items.
    pub items: usize,
    pub first: ComparedRun,
    pub second: ComparedRun,
    /// The first's accuracy minus the second's, by a paired bootstrap over the test items.
    pub accuracy: PairedDifference,
    /// The same of the AUROCs; `None` of items of one class.
    pub auroc: Option<PairedDifference>,
    /// The exact p-value of the test by [`McNemar`].
    pub mcnemar_p_value: f64,
    /// Whether the first is better, by that test at 0.05. It is about these two runs: other seeds of the same methods
    /// may differ otherwise.
    pub verdict: Verdict,
    /// Who is right, over all items.
    pub agreement: Agreement,
    /// The same for each gold class, and for items whose weak label is right or wrong; kinds without items are left out.
    pub by_kind: Vec<KindAgreement>,
}

/// One of the runs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ComparedRun {
    /// What it is and what it cost.
    #[serde(flatten)]
    pub record: RunRecord,
    /// Its accuracy with its Wilson interval.
    pub accuracy: Measure,
    /// Its AUROC with its bootstrap interval; `None` of items of one class.
    pub auroc: Option<Measure>,
}

/// How many items which of the runs gets right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Agreement {
    pub both_right: usize,
    /// The first alone is right.
    pub only_first_right: usize,
    /// The second alone is right.
    pub only_second_right: usize,
    pub both_wrong: usize,
}

/// The same for items of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KindAgreement {
    pub kind: ItemKind,
    /// Who is right.
    #[serde(flatten)]
    pub agreement: Agreement,
}

/// A kind of test items.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ItemKind {
    /// Gold class 0.
    Gold0,
    /// Gold class 1.
    Gold1,
    /// The weak label is right.
    WeakIsRight,
    /// The weak label is wrong.
    WeakIsWrong,
}

impl ItemKind {
    const ALL: [Self; 4] = [Self::Gold0, Self::Gold1, Self::WeakIsRight, Self::WeakIsWrong];

    /// As it is written in tables.
    pub(crate) fn in_words(self) -> &'static str {
        match self {
            Self::Gold0 => "gold 0",
            Self::Gold1 => "gold 1",
            Self::WeakIsRight => "weak label right",
            Self::WeakIsWrong => "weak label wrong",
        }
    }

    fn holds(self, example: &Example) -> bool {
        let weak_is_right = || Some(weak_class(example.weak?) == example.gold?);
        match self {
            Self::Gold0 => example.gold == Some(false),
            Self::Gold1 => example.gold == Some(true),
            Self::WeakIsRight => weak_is_right() == Some(true),
            Self::WeakIsWrong => weak_is_right() == Some(false),
        }
    }
}

impl RunComparison {
    /// Compares two runs by their log-odds of the same examples, in the examples' order. Examples without a gold label are
    /// passed over.
    ///
    /// `None` without examples, or where a prediction is not a number.
    ///
    /// # Panics
    /// If the slices differ in length.
    pub fn new(runs: [&RunRecord; 2], log_odds: [&[f32]; 2], examples: &[&Example]) -> Option<Self> {
        assert!(log_odds.iter().all(|scores| scores.len() == examples.len()), "log-odds of the same examples");
        let judged: Vec<(&Example, bool)> =
            examples.iter().filter_map(|example| Some((*example, example.gold?))).collect();
        let labels: Vec<bool> = judged.iter().map(|(_, gold)| *gold).collect();
        let scores = log_odds.map(|scores| -> Vec<f64> {
            let with_gold = scores.iter().zip(examples).filter(|(_, example)| example.gold.is_some());
            with_gold.map(|(score, _)| f64::from(*score)).collect()
        });
        let right = [0, 1].map(|run| -> Vec<bool> {
            scores[run].iter().zip(&labels).map(|(score, label)| (*score > 0.0) == *label).collect()
        });
        let bootstrap = Bootstrap::new(SEED);
        let difference = |statistic| {
            let comparison = PairedComparison { statistic, resampled: Resampled::Items, bootstrap };
            comparison.compare(&[&scores[0]], &[&scores[1]], &labels)
        };
        let compared = |run: usize| {
            let count = right[run].iter().filter(|right| **right).count();
            ComparedRun {
                record: runs[run].clone(),
                accuracy: Measure {
                    value: count as f64 / labels.len() as f64,
                    interval: Some(wilson_interval(count, labels.len(), Z_95)),
                },
                auroc: auroc(&scores[run], &labels).map(|value| Measure {
                    value,
                    interval: auroc_interval(&scores[run], &labels, &bootstrap).map(|resampled| resampled.interval),
                }),
            }
        };
        let agreement = |holds: &dyn Fn(&Example) -> bool| {
            let mut counts = Agreement::default();
            for (place, (example, _)) in judged.iter().enumerate() {
                if holds(example) {
                    *(match (right[0][place], right[1][place]) {
                        (true, true) => &mut counts.both_right,
                        (true, false) => &mut counts.only_first_right,
                        (false, true) => &mut counts.only_second_right,
                        (false, false) => &mut counts.both_wrong,
                    }) += 1;
                }
            }
            counts
        };
        let kinds =
            ItemKind::ALL.map(|kind| KindAgreement { kind, agreement: agreement(&|example| kind.holds(example)) });
        let mcnemar = McNemar::of(&right[0], &right[1]);
        Some(Self {
            items: labels.len(),
            first: compared(0),
            second: compared(1),
            accuracy: difference(ComparedStatistic::Accuracy)?,
            auroc: difference(ComparedStatistic::Auroc),
            mcnemar_p_value: mcnemar.exact_p_value(),
            verdict: mcnemar.verdict(SIGNIFICANCE),
            agreement: agreement(&|_| true),
            by_kind: kinds.into_iter().filter(|kind| kind.agreement != Agreement::default()).collect(),
        })
    }

    /// The comparison as JSON, indented, with a newline at its end.
    pub fn to_json(&self) -> String {
        let json = serde_json::to_string_pretty(self).expect("strings, numbers and lists of them become JSON");
        json + "\n"
    }
}
