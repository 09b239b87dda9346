//! Scores of weak labels, over all and group by group.

use labelmix_stats::{
    Binning, Bootstrap, CalibrationBin, ConfusionMatrix, Interval, StatsError, Z_95, auroc, auroc_interval,
    brier_score, calibration_curve, expected_calibration_error, log_loss, wilson_interval,
};
use serde::Serialize;

use super::by_field::by_field;
use super::{ErrorProbe, FieldGroups, JudgedLabel};
use crate::notation::{count, number, one_line};

/// Bins of the calibration curve, of equal width.
const CALIBRATION_BINS: usize = 10;
/// Groups of as many labels each, of lengths and other numbers.
const QUANTILE_GROUPS: usize = 5;
/// What separates the groups of confidence, each of which holds its upper end.
const CONFIDENCE_EDGES: [f64; 6] = [0.5, 0.6, 0.7, 0.8, 0.9, 1.0];
/// Decides the resamples behind the intervals.
pub(super) const SEED: u64 = 0;

/// How good weak labels are, measured on the examples that have a gold label, too. A weak label of one half or more
/// stands for class 1.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LabelQuality {
    /// Examples with both labels.
    pub count: usize,
    /// The share of weak labels that are right.
    pub accuracy: f64,
    /// The accuracy's 95% Wilson interval.
    pub accuracy_interval: Interval,
    /// How well the weak labels rank the examples; `None` if all gold labels are of one class.
    pub auroc: Option<f64>,
    /// The AUROC's 95% interval over 1,000 bootstrap resamples.
    pub auroc_interval: Option<Interval>,
    /// The mean of −ln p(gold), in nats, p at least 2⁻⁵².
    pub log_loss: f64,
    /// Weak labels of exactly 0 or 1 that are wrong: each has an infinite log-loss and counts as 36.04.
    pub certain_mistakes: usize,
    /// The mean of (weak − gold)².
    pub brier_score: f64,
    /// The expected calibration error, over the bins of `calibration`.
    pub calibration_error: f64,
    /// The calibration curve: ten bins of equal width, without the empty ones.
    pub calibration: Vec<CalibrationBin>,
    /// Counts by weak and gold class.
    pub confusion: ConfusionMatrix,
    /// By the length of the text: fifths, fewer where many texts are equally long.
    pub by_length: Vec<LabelGroup>,
    /// By gold class.
    pub by_gold_class: Vec<LabelGroup>,
    /// By the probability that the weak label gives to its own class.
    pub by_confidence: Vec<LabelGroup>,
    /// By each field of the rows that was asked for.
    pub by_field: Vec<FieldGroups>,
    /// Whether the errors can be told from the text.
    pub errors: ErrorProbe,
}

/// The accuracy of some of the weak labels.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LabelGroup {
    #[serde(flatten)]
    pub of: GroupOf,
    /// Labels in the group, at least 1.
    pub count: usize,
    /// Those that are wrong.
    pub wrong: usize,
    /// The share that is right.
    pub accuracy: f64,
    /// The accuracy's 95% Wilson interval.
    pub accuracy_interval: Interval,
    /// Whether this interval lies below the accuracy of all labels.
    pub below_all: bool,
}

/// What the labels of a group have in common.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum GroupOf {
    /// Texts of this many characters: the shortest and the longest of them.
    Characters { low: usize, high: usize },
    /// A gold class, 0 or 1.
    GoldClass(u8),
    /// The probability that a label gives to its own class.
    Confidence {
        /// More than this, or exactly one half.
        low: f64,
        /// At most this.
        high: f64,
    },
    /// This value of a field; `None` where the row has none.
    Value(Option<String>),
    /// Numbers in a field: the smallest and the largest of them.
    Values {
        /// The smallest.
        low: f64,
        /// The largest.
        high: f64,
    },
    /// A field's rarer values, so many.
    OtherValues(usize),
}

impl LabelQuality {
    /// `None` of no labels. `fields` are the names of the labels' fields.
    pub(super) fn of(labels: &[JudgedLabel<'_>], fields: &[String]) -> Result<Option<Self>, StatsError> {
        let weak: Vec<f64> = labels.iter().map(|label| label.weak).collect();
        let gold: Vec<bool> = labels.iter().map(|label| label.gold).collect();
        let weak_class: Vec<f64> = labels.iter().map(|label| f64::from(u8::from(label.weak_class))).collect();
        let Some(calibration) = calibration_curve(&weak, &gold, CALIBRATION_BINS, Binning::EqualWidth) else {
            return Ok(None);
        };
        let scored = "there are labels, and weak labels are probabilities";
        let confusion = ConfusionMatrix::at_threshold(&weak_class, &gold, 0.5).expect("classes are numbers");
        let accuracy = confusion.accuracy().expect("there are labels");
        let groups = |grouped: Vec<(GroupOf, Vec<&JudgedLabel<'_>>)>| -> Vec<LabelGroup> {
            let of_labels = grouped.into_iter().filter(|(_, members)| !members.is_empty());
            of_labels.map(|(of, members)| LabelGroup::new(of, &members, accuracy)).collect()
        };
        Ok(Some(Self {
            count: labels.len(),
            accuracy,
            accuracy_interval: confusion.accuracy_interval(),
            auroc: auroc(&weak, &gold),
            auroc_interval: auroc_interval(&weak, &gold, &Bootstrap::new(SEED)).map(|resampled| resampled.interval),
            log_loss: log_loss(&weak, &gold).expect(scored),
            certain_mistakes: labels
                .iter()
                .filter(|label| label.is_wrong() && [0.0, 1.0].contains(&label.weak))
                .count(),
            brier_score: brier_score(&weak, &gold).expect(scored),
            calibration_error: expected_calibration_error(&calibration).expect(scored),
            calibration,
            confusion,
            by_length: groups(by_length(labels)),
            by_gold_class: groups(by_gold_class(labels)),
            by_confidence: groups(by_confidence(labels)),
            by_field: fields
                .iter()
                .enumerate()
                .map(|(position, field)| FieldGroups {
                    field: field.clone(),
                    groups: groups(by_field(labels, position)),
                })
                .collect(),
            errors: ErrorProbe::of(labels)?,
        }))
    }

    /// The groups that every report has, those of one kind together.
    pub(crate) fn groups(&self) -> [&[LabelGroup]; 3] {
        [&self.by_length, &self.by_gold_class, &self.by_confidence]
    }
}

impl LabelGroup {
    fn new(of: GroupOf, members: &[&JudgedLabel<'_>], accuracy_of_all: f64) -> Self {
        let count = members.len();
        let right = members.iter().filter(|label| !label.is_wrong()).count();
        let accuracy_interval = wilson_interval(right, count, Z_95);
        Self {
            of,
            count,
            wrong: count - right,
            accuracy: right as f64 / count as f64,
            accuracy_interval,
            below_all: accuracy_interval.high < accuracy_of_all,
        }
    }
}

impl GroupOf {
    /// In words: `39–74 characters`.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Characters { low, high } if low == high => format!("{low} characters"),
            Self::Characters { low, high } => format!("{low}–{high} characters"),
            Self::GoldClass(class) => format!("gold {class}"),
            Self::Confidence { low, high } => format!("confidence {low:.1}–{high:.1}"),
            Self::Value(Some(value)) => one_line(value),
            Self::Value(None) => "no value".to_owned(),
            Self::Values { low, high } if low == high => number(*low),
            Self::Values { low, high } => format!("{} to {}", number(*low), number(*high)),
            Self::OtherValues(values) => format!("{} other values", count(*values)),
        }
    }
}

fn by_length<'a>(labels: &'a [JudgedLabel<'a>]) -> Vec<(GroupOf, Vec<&'a JudgedLabel<'a>>)> {
    let measured = labels.iter().map(|label| (label.text.chars().count() as f64, label)).collect();
    // A length is a whole number far below 2⁵³.
    let of_length = |(low, high, members)| (GroupOf::Characters { low: low as usize, high: high as usize }, members);
    fifths(measured).into_iter().map(of_length).collect()
}

/// Groups between the quintiles of a number, each with the smallest and the largest in it; equal numbers stay together.
pub(super) fn fifths<'a>(mut measured: Vec<(f64, &'a JudgedLabel<'a>)>) -> Vec<(f64, f64, Vec<&'a JudgedLabel<'a>>)> {
    measured.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    let mut largest: Vec<f64> = (1..=QUANTILE_GROUPS)
        .filter_map(|group| (group * measured.len()).div_ceil(QUANTILE_GROUPS).checked_sub(1))
        .map(|last| measured[last].0)
        .collect();
    largest.dedup();
    let group = |number: f64| largest.partition_point(|largest| *largest < number);
    let groups = measured.chunk_by(|(a, _), (b, _)| group(*a) == group(*b));
    groups
        .map(|group| (group[0].0, group[group.len() - 1].0, group.iter().map(|(_, label)| *label).collect()))
        .collect()
}

fn by_gold_class<'a>(labels: &'a [JudgedLabel<'a>]) -> Vec<(GroupOf, Vec<&'a JudgedLabel<'a>>)> {
    let members = |class: bool| labels.iter().filter(|label| label.gold == class).collect();
    [false, true].map(|class| (GroupOf::GoldClass(u8::from(class)), members(class))).into()
}

fn by_confidence<'a>(labels: &'a [JudgedLabel<'a>]) -> Vec<(GroupOf, Vec<&'a JudgedLabel<'a>>)> {
    let ends = CONFIDENCE_EDGES.windows(2).map(|ends| (ends[0], ends[1]));
    ends.map(|(low, high)| {
        let belongs = |confidence: f64| confidence <= high && (confidence > low || low == CONFIDENCE_EDGES[0]);
        let members = labels.iter().filter(|label| belongs(label.confidence())).collect();
        (GroupOf::Confidence { low, high }, members)
    })
    .collect()
}
