//! One finished run: what it is, what it bought, how it trained, how good it is, and where it is wrong.

use labelmix_data::{Example, weak_class};
use labelmix_stats::{
    Bootstrap, Evaluation, GapItem, Interval, gap_recovered_interval, performance_gap_recovered, probability,
};
use labelmix_store::{FinishedRun, RunFile, StageOutcome};
use serde::Serialize;

/// Decides the resamples behind the intervals.
pub(crate) const SEED: u64 = 0;

/// Everything there is to say of a run. The names of the fields are a promise to programs that read the JSON.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunReport {
    /// The run as it is kept: its record, its ledger in numbers, its configuration, the keys of its stages.
    #[serde(flatten)]
    pub file: RunFile,
    /// How its stages trained, first to last.
    pub training: Vec<StageOutcome>,
    /// How good it is.
    pub evaluation: RunEvaluation,
    /// The test examples that it is most confidently wrong about, the worst first.
    pub most_confidently_wrong: Vec<WrongExample>,
}

/// A run's predictions of the test set, judged in every way.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RunEvaluation {
    /// Against the gold labels.
    pub gold: Evaluation,
    /// Against the weak labels (of one half or more: class 1) of the test examples that have one.
    pub weak: Option<Evaluation>,
    /// Against the gold labels where the weak label is wrong: of a classifier that has learned the weak labels' errors, little
    /// is right here.
    pub gold_where_weak_is_wrong: Option<Evaluation>,
    /// How much of the way from the weak labels to the ceiling it goes.
    pub gap_recovered: Option<GapRecovered>,
}

/// The performance gap recovered, (accuracy − weak) / (ceiling − weak), on the test examples with both labels.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GapRecovered {
    /// The share of the gap; none where the ceiling is not above the weak labels.
    pub value: Option<f64>,
    /// Its 95% interval over test items.
    pub interval: Option<Interval>,
    /// Resamples without a gap, which are left out; where they are many the gap is too small for the share to mean much.
    pub left_out: usize,
    /// The share of the weak labels that are right.
    pub weak_accuracy: f64,
    pub ceiling_accuracy: f64,
    /// The run that is the ceiling: of the same study, method and seed, on gold labels alone, and the most of them.
    pub ceiling_run: String,
}

/// A test example that a run is wrong about.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WrongExample {
    pub id: String,
    pub text: String,
    /// Its gold label.
    pub gold: u8,
    /// Its weak label, a probability of class 1, if it has one.
    pub weak: Option<f32>,
    /// The predicted probability of class 1.
    pub probability: f64,
    /// The predicted log-odds.
    pub log_odds: f32,
}

impl RunReport {
    /// Judges a run by the examples that it was tested on, in the order of its predictions. `ceiling` is the run that it is
    /// held against, if there is one, with its log-odds of the same examples. Names the `most_wrong` worst examples.
    ///
    /// `None` without test examples, or where a prediction is not a number.
    pub fn new(
        run: &FinishedRun,
        examples: &[&Example],
        ceiling: Option<(&str, &[f32])>,
        most_wrong: usize,
    ) -> Option<Self> {
        let scores = &run.log_odds;
        Some(Self {
            file: run.file.clone(),
            training: run.stages.iter().map(|stage| StageOutcome::clone(stage)).collect(),
            evaluation: RunEvaluation::new(scores, examples, ceiling)?,
            most_confidently_wrong: most_confidently_wrong(scores, examples, most_wrong),
        })
    }

    /// The report as JSON, indented, with a newline at its end.
    pub fn to_json(&self) -> String {
        let json = serde_json::to_string_pretty(self).expect("strings, numbers and lists of them become JSON");
        json + "\n"
    }
}

impl RunEvaluation {
    pub(crate) fn new(scores: &[f32], examples: &[&Example], ceiling: Option<(&str, &[f32])>) -> Option<Self> {
        let bootstrap = Bootstrap::new(SEED);
        let judge = |label: &dyn Fn(&Example) -> Option<bool>| {
            let judged =
                scores.iter().zip(examples).filter_map(|(score, example)| Some((f64::from(*score), label(example)?)));
            let (scores, labels): (Vec<f64>, Vec<bool>) = judged.unzip();
            Evaluation::of(&scores, &labels, &bootstrap)
        };
        let weak_is_wrong =
            |example: &Example| example.weak.zip(example.gold).is_some_and(|(weak, gold)| weak_class(weak) != gold);
        Some(Self {
            gold: judge(&|example| example.gold)?,
            weak: judge(&|example| example.weak.map(weak_class)),
            gold_where_weak_is_wrong: judge(&|example| example.gold.filter(|_| weak_is_wrong(example))),
            gap_recovered: ceiling.and_then(|(run, of_ceiling)| gap_recovered(scores, examples, run, of_ceiling)),
        })
    }
}

/// `None` without test examples that have both labels.
fn gap_recovered(scores: &[f32], examples: &[&Example], run: &str, of_ceiling: &[f32]) -> Option<GapRecovered> {
    let items = scores.iter().zip(of_ceiling).zip(examples).filter_map(|((score, ceiling), example)| {
        let (gold, weak) = (example.gold?, weak_class(example.weak?));
        Some(GapItem { method: (*score > 0.0) == gold, weak: weak == gold, ceiling: (*ceiling > 0.0) == gold })
    });
    let items: Vec<GapItem> = items.collect();
    let share =
        |is_right: fn(&GapItem) -> bool| items.iter().filter(|item| is_right(item)).count() as f64 / items.len() as f64;
    let (method, weak, ceiling) = (share(|item| item.method), share(|item| item.weak), share(|item| item.ceiling));
    let resampled = gap_recovered_interval(&items, &Bootstrap::new(SEED));
    (!items.is_empty()).then(|| GapRecovered {
        value: performance_gap_recovered(method, weak, ceiling),
        interval: resampled.map(|resampled| resampled.interval),
        left_out: resampled.map_or(0, |resampled| resampled.left_out),
        weak_accuracy: weak,
        ceiling_accuracy: ceiling,
        ceiling_run: run.to_owned(),
    })
}

fn most_confidently_wrong(scores: &[f32], examples: &[&Example], most: usize) -> Vec<WrongExample> {
    let wrong = scores.iter().zip(examples).filter_map(|(score, example)| {
        let gold = example.gold.filter(|gold| *gold != (*score > 0.0))?;
        Some(WrongExample {
            id: example.id.to_string(),
            text: example.text.clone(),
            gold: u8::from(gold),
            weak: example.weak,
            probability: probability(f64::from(*score)),
            log_odds: *score,
        })
    });
    let mut wrong: Vec<WrongExample> = wrong.collect();
    wrong.sort_by(|a, b| b.log_odds.abs().total_cmp(&a.log_odds.abs()).then_with(|| a.id.cmp(&b.id)));
    wrong.truncate(most);
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example(text: &str, gold: bool, weak: Option<f32>) -> Example {
        Example::new(text.to_owned(), Some(gold), weak)
    }

    #[test]
    fn judged_in_every_way() {
        let examples = [
            example("a", true, Some(0.9)),
            example("b", false, Some(0.8)),
            example("c", true, None),
            example("d", false, Some(0.1)),
            example("e", true, Some(0.2)),
        ];
        let examples: Vec<&Example> = examples.iter().collect();
        let scores = [2.0, 1.0, -3.0, -1.0, 0.5];
        let ceiling = [1.0, -1.0, 1.0, -1.0, 1.0];
        let found = RunEvaluation::new(&scores, &examples, Some(("all-gold", &ceiling))).unwrap();
        assert_eq!((found.gold.items, found.gold.accuracy.value), (5, 0.6));
        let weak = found.weak.unwrap();
        assert_eq!((weak.items, weak.accuracy.value), (4, 0.75));
        // The weak labels of b and e are wrong; the run is right about e.
        let disputed = found.gold_where_weak_is_wrong.unwrap();
        assert_eq!((disputed.items, disputed.accuracy.value), (2, 0.5));
        // Of four examples weak labels get 2, the run 3 and the ceiling 4.
        let gap = found.gap_recovered.unwrap();
        assert_eq!((gap.value, gap.weak_accuracy, gap.ceiling_accuracy), (Some(0.5), 0.5, 1.0));

        let wrong = most_confidently_wrong(&scores, &examples, 5);
        let texts: Vec<&str> = wrong.iter().map(|example| example.text.as_str()).collect();
        assert_eq!(texts, ["c", "b"]);
        assert_eq!(most_confidently_wrong(&scores, &examples, 1).len(), 1);
    }

    #[test]
    fn without_weak_labels_there_is_only_gold() {
        let examples = [example("a", true, None), example("b", false, None)];
        let examples: Vec<&Example> = examples.iter().collect();
        let found = RunEvaluation::new(&[1.0, 1.0], &examples, Some(("all-gold", &[1.0, 1.0]))).unwrap();
        assert_eq!((found.weak, found.gold_where_weak_is_wrong, found.gap_recovered), (None, None, None));
        assert_eq!(RunEvaluation::new(&[f32::NAN, 1.0], &examples, None), None);
    }
}
