//! The weak labels beside those of several annotators: how good each is, whether they err together, and whether the weak labels may
//! stand in for the annotators.

use std::collections::BTreeMap;

use labelmix_data::{Example, FieldValue, weak_class};
use labelmix_stats::{AnnotatorContest, Interval, Z_95, alternative_annotator_test, wilson_interval};
use serde::Serialize;

use super::LabelReportError;

/// The level of its tests: the share of annotators of whom it would be said wrongly that they can be replaced.
const LEVEL: f64 = 0.05;

/// Fields of the rows that hold annotators' labels, and what is made of them.
#[derive(Clone, Copy, Debug)]
pub struct AnnotatorFields<'a> {
    /// The names of the annotators, which are the last fields of the examples.
    pub names: &'a [String],
    /// The class of each value that is neither a number nor true or false.
    pub values: &'a BTreeMap<String, u8>,
    /// By how much the weak labels may fall behind an annotator, who is dearer.
    pub epsilon: f64,
}

/// The weak labels beside those of several annotators.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Annotators {
    /// The weak labels, then the annotators.
    pub sources: Vec<SourceLabels>,
    /// Each two of them.
    pub pairs: Vec<SourcePair>,
    /// Whether the weak labels may stand in for the annotators.
    pub replacement: Replacement,
}

/// The labels of one source.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SourceLabels {
    pub name: String,
    pub labels: usize,
    /// Those whose text has a gold label.
    pub with_gold: usize,
    /// The share of them that are right.
    pub accuracy: Option<f64>,
    /// Its 95% interval (Wilson).
    pub accuracy_interval: Option<Interval>,
}

/// Two sources.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SourcePair {
    pub sources: [String; 2],
    /// Texts that both label.
    pub texts: usize,
    /// The share of them on which they agree.
    pub agreement: Option<f64>,
    /// The correlation of "is wrong" on those with a gold label: where it is high, the labels of one say little beyond those of
    /// the other.
    pub error_correlation: Option<f64>,
}

/// The alternative annotator test.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Replacement {
    /// By how much the weak labels may fall behind an annotator.
    pub epsilon: f64,
    pub contests: Vec<Contest>,
    /// The share of annotators who fare no better than the weak labels; none where texts are too few.
    pub winning_rate: Option<f64>,
    /// How often the weak labels fare at least as well as an annotator, on average.
    pub advantage_probability: Option<f64>,
    /// Whether that holds of at least half of the annotators.
    pub may_replace: Option<bool>,
}

/// One annotator, left out.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Contest {
    pub annotator: String,
    /// Texts that the annotator, the weak labels and another annotator label.
    pub texts: usize,
    /// How often the weak label agrees with the other annotators at least as well as the annotator.
    pub weak_advantage: f64,
    /// The same the other way round.
    pub annotator_advantage: f64,
    /// The probability of as much if the weak labels fall behind by `epsilon`, adjusted for the number of annotators.
    pub p_value: f64,
}

impl Annotators {
    pub(super) fn new(fields: AnnotatorFields<'_>, examples: &[&Example]) -> Result<Self, LabelReportError> {
        let AnnotatorFields { names, values, epsilon } = fields;
        if names.len() < 2 {
            return Err(LabelReportError::OneAnnotator);
        }
        let weak: Vec<Option<bool>> = examples.iter().map(|example| example.weak.map(weak_class)).collect();
        let mut annotators: Vec<Vec<Option<bool>>> = Vec::new();
        for (place, name) in names.iter().enumerate() {
            let label = |example: &&Example| {
                let position = example.fields.len().checked_sub(names.len()).map(|first| first + place);
                let value = position.map_or(&FieldValue::Missing, |position| &example.fields[position]);
                class(value, values).map_err(|value| LabelReportError::NoLabel { annotator: name.clone(), value })
            };
            let labels: Vec<Option<bool>> = examples.iter().map(label).collect::<Result<_, _>>()?;
            if labels.iter().all(Option::is_none) {
                return Err(LabelReportError::SilentAnnotator { annotator: name.clone() });
            }
            annotators.push(labels);
        }
        let gold: Vec<Option<bool>> = examples.iter().map(|example| example.gold).collect();
        let contests = alternative_annotator_test(&weak, &annotators, epsilon);
        let labels: Vec<(&str, &[Option<bool>])> = [("weak labels", &weak[..])]
            .into_iter()
            .chain(names.iter().map(String::as_str).zip(annotators.iter().map(Vec::as_slice)))
            .collect();
        let pairs = (0..labels.len()).flat_map(|a| (a + 1..labels.len()).map(move |b| (a, b)));
        Ok(Self {
            sources: labels.iter().map(|(name, labels)| SourceLabels::of(name, labels, &gold)).collect(),
            pairs: pairs.map(|(a, b)| SourcePair::of(labels[a], labels[b], &gold)).collect(),
            replacement: Replacement::of(names, &contests, epsilon),
        })
    }
}

/// The class that an annotator's value stands for; the value where it stands for none.
fn class(value: &FieldValue, values: &BTreeMap<String, u8>) -> Result<Option<bool>, String> {
    let of_number = |number: f64| (0.0..=1.0).contains(&number).then_some(Some(number >= 0.5));
    match value {
        FieldValue::Missing => Ok(None),
        FieldValue::Number(number) => of_number(*number).ok_or_else(|| number.to_string()),
        FieldValue::Text(text) => {
            let known = values.get(&**text).map(|class| Some(*class == 1));
            let truth = || text.to_lowercase().parse::<bool>().ok().map(Some);
            let number = || text.parse().ok().and_then(of_number);
            known.or_else(truth).or_else(number).ok_or_else(|| text.to_string())
        }
    }
}

impl SourceLabels {
    fn of(name: &str, labels: &[Option<bool>], gold: &[Option<bool>]) -> Self {
        let judged: Vec<bool> =
            labels.iter().zip(gold).filter_map(|(label, gold)| Some((*label)? == (*gold)?)).collect();
        let right = judged.iter().filter(|right| **right).count();
        let is_judged = !judged.is_empty();
        Self {
            name: name.to_owned(),
            labels: labels.iter().flatten().count(),
            with_gold: judged.len(),
            accuracy: is_judged.then(|| right as f64 / judged.len() as f64),
            accuracy_interval: is_judged.then(|| wilson_interval(right, judged.len(), Z_95)),
        }
    }
}

impl SourcePair {
    fn of(one: (&str, &[Option<bool>]), other: (&str, &[Option<bool>]), gold: &[Option<bool>]) -> Self {
        let both: Vec<(bool, bool, Option<bool>)> =
            one.1.iter().zip(other.1).zip(gold).filter_map(|((a, b), gold)| Some(((*a)?, (*b)?, *gold))).collect();
        let agreeing = both.iter().filter(|(a, b, _)| a == b).count();
        let errors: Vec<(bool, bool)> =
            both.iter().filter_map(|(a, b, gold)| gold.map(|gold| (*a != gold, *b != gold))).collect();
        Self {
            sources: [one.0, other.0].map(str::to_owned),
            texts: both.len(),
            agreement: (!both.is_empty()).then(|| agreeing as f64 / both.len() as f64),
            error_correlation: correlation(&errors),
        }
    }
}

/// Pearson's correlation of two indicators; none where one does not vary.
fn correlation(pairs: &[(bool, bool)]) -> Option<f64> {
    let share =
        |of: fn(&(bool, bool)) -> bool| pairs.iter().filter(|pair| of(pair)).count() as f64 / pairs.len() as f64;
    let (first, second, both) = (share(|pair| pair.0), share(|pair| pair.1), share(|pair| pair.0 && pair.1));
    let variance = first * (1.0 - first) * second * (1.0 - second);
    (variance > 0.0).then(|| (both - first * second) / variance.sqrt())
}

impl Replacement {
    fn of(names: &[String], contests: &[AnnotatorContest], epsilon: f64) -> Self {
        let mean = |sum: f64| (!contests.is_empty()).then(|| sum / contests.len() as f64);
        let won = contests.iter().filter(|contest| contest.adjusted_p_value <= LEVEL).count();
        let winning_rate = mean(won as f64);
        let contest = |contest: &AnnotatorContest| Contest {
            annotator: names[contest.annotator].clone(),
            texts: contest.items,
            weak_advantage: contest.candidate_advantage,
            annotator_advantage: contest.annotator_advantage,
            p_value: contest.adjusted_p_value,
        };
        Self {
            epsilon,
            contests: contests.iter().map(contest).collect(),
            winning_rate,
            advantage_probability: mean(contests.iter().map(|contest| contest.candidate_advantage).sum()),
            may_replace: winning_rate.map(|rate| rate >= 0.5),
        }
    }

    /// The answer in a sentence or two.
    pub(super) fn sentence(&self) -> String {
        let Self { epsilon, contests, winning_rate, advantage_probability, may_replace } = self;
        let (Some(rate), Some(advantage), Some(may_replace)) = (winning_rate, advantage_probability, may_replace)
        else {
            return "texts with labels of several annotators are too few for a test: at least 30 for one of them"
                .to_owned();
        };
        let verdict = if *may_replace { "may stand" } else { "may not stand" };
        let few = if contests.len() < 3 { "\nwith fewer than three annotators this says little" } else { "" };
        format!(
            "the weak labels {verdict} in for the annotators: with a handicap of {epsilon} they fare no worse than {:.0} of {} by the \
             alternative annotator test, and agree with the others at least as well as an annotator on {:.0}% of texts{few}",
            rate * contests.len() as f64,
            contests.len(),
            advantage * 100.0
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_annotators() {
        let values = BTreeMap::from([("spam".to_owned(), 1), ("ham".to_owned(), 0)]);
        let of = |value: FieldValue| class(&value, &values);
        let text = |text: &str| FieldValue::Text(text.into());
        assert_eq!(of(FieldValue::Missing), Ok(None));
        assert_eq!([of(FieldValue::Number(1.0)), of(FieldValue::Number(0.2))], [Ok(Some(true)), Ok(Some(false))]);
        assert_eq!(
            [of(text("spam")), of(text("True")), of(text("0"))],
            [Ok(Some(true)), Ok(Some(true)), Ok(Some(false))]
        );
        assert_eq!(of(text("eggs")), Err("eggs".to_owned()));
        assert_eq!(of(FieldValue::Number(3.0)), Err("3".to_owned()));
    }

    #[test]
    fn errors_that_coincide() {
        let pairs = |both, first, second, neither| {
            let of = |count, pair| std::iter::repeat_n(pair, count);
            let all = of(both, (true, true)).chain(of(first, (true, false))).chain(of(second, (false, true)));
            correlation(&all.chain(of(neither, (false, false))).collect::<Vec<_>>())
        };
        assert_eq!(pairs(10, 0, 0, 30), Some(1.0));
        assert!(pairs(1, 9, 9, 81).unwrap().abs() < 1e-12);
        assert_eq!(pairs(0, 5, 0, 5), None);
    }
}
