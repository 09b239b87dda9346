//! How good the weak labels are, as far as gold labels can tell.
//!
//! [`LabelReport`] judges every example that has both labels, those for sale and those of the test set apart; it is what
//! `labelmix label-report --json` prints. [`render_labels`] writes it as text, [`write_label_report`] puts it into a
//! folder, with figures. The same data gives the same bytes.

mod annotators;
mod by_field;
mod error_probe;
mod files;
mod quality;
#[cfg(test)]
mod tests;
mod text;
#[cfg(test)]
pub(crate) mod worked_example;

use labelmix_data::{Example, FieldValue, weak_class};
use labelmix_stats::StatsError;
use miette::Diagnostic;
use serde::Serialize;

pub use annotators::{AnnotatorFields, Annotators, Contest, Replacement, SourceLabels, SourcePair};
pub use by_field::FieldGroups;
pub use error_probe::ErrorProbe;
pub use files::write_label_report;
pub use quality::{GroupOf, LabelGroup, LabelQuality};
pub use text::render_labels;

/// The quality of a study's weak labels. The names of the fields are a promise to programs that read the JSON.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LabelReport {
    /// The study's name.
    pub study: String,
    /// The examples whose labels are for sale.
    pub pool: SplitLabels,
    /// The test set.
    pub test: SplitLabels,
    /// The weak labels beside those of several annotators, if those were named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub annotators: Option<Annotators>,
}

/// The labels of a split.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SplitLabels {
    pub examples: usize,
    /// Those with a gold label.
    pub with_gold: usize,
    /// Those with a weak label.
    pub with_weak: usize,
    /// How good the weak labels are, by the examples with both; `None` where no example has both.
    pub quality: Option<LabelQuality>,
}

/// Weak labels that cannot be judged.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum LabelReportError {
    #[error("none of the {examples} examples has a weak label")]
    #[diagnostic(help("fill the column that `weak` names in the study's [task] table, or name another one there"))]
    NoWeakLabels {
        /// Examples in the pool and the test set.
        examples: usize,
    },
    #[error("none of the {with_weak} examples with a weak label has a gold label")]
    #[diagnostic(help(
        "weak labels are judged by gold labels of the same texts: add some, for a hundred examples drawn at random to begin with"
    ))]
    NoGoldLabels {
        /// Examples with a weak label.
        with_weak: usize,
    },
    #[error("one annotator is named")]
    #[diagnostic(help("name at least two, and better three: whether one can be replaced is judged by the others"))]
    OneAnnotator,
    #[error("the annotator {annotator:?} says nothing of any text")]
    #[diagnostic(help(
        "name a field of the rows that holds 0, 1, true, false, a probability or a value of `values` in [task]"
    ))]
    SilentAnnotator { annotator: String },
    #[error("the annotator {annotator:?} says {value:?}, which is no label")]
    #[diagnostic(help("labels are 0, 1, true, false, probabilities, or what `values` in [task] gives a class"))]
    NoLabel { annotator: String, value: String },
    /// The probe of the errors could not be fitted.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Probe(#[from] StatsError),
}

impl LabelReport {
    /// Judges the weak labels of a study, by the fields of the examples, too: `fields` are the names of the first ones.
    ///
    /// # Errors
    /// If no example has both labels.
    pub fn new(study: &str, fields: &[String], pool: &[Example], test: &[Example]) -> Result<Self, LabelReportError> {
        let (pool, test) = (SplitLabels::new(pool, fields)?, SplitLabels::new(test, fields)?);
        let with_weak = pool.with_weak + test.with_weak;
        if with_weak == 0 {
            return Err(LabelReportError::NoWeakLabels { examples: pool.examples + test.examples });
        }
        if pool.quality.is_none() && test.quality.is_none() {
            return Err(LabelReportError::NoGoldLabels { with_weak });
        }
        Ok(Self { study: study.to_owned(), pool, test, annotators: None })
    }

    /// The same with the weak labels of these examples beside annotators.
    ///
    /// # Errors
    /// If those are fewer than two, or what one says is no label.
    pub fn beside(self, annotators: AnnotatorFields<'_>, examples: &[&Example]) -> Result<Self, LabelReportError> {
        Ok(Self { annotators: Some(Annotators::new(annotators, examples)?), ..self })
    }

    /// The report as JSON, indented, with a newline at its end.
    pub fn to_json(&self) -> String {
        let json = serde_json::to_string_pretty(self).expect("strings, numbers and lists of them become JSON");
        json + "\n"
    }

    pub(crate) fn splits(&self) -> [(&'static str, &SplitLabels); 2] {
        [("pool", &self.pool), ("test", &self.test)]
    }

    /// The splits of which weak labels could be judged.
    pub(crate) fn judged(&self) -> impl Iterator<Item = (&'static str, &LabelQuality)> {
        self.splits().into_iter().filter_map(|(name, split)| Some((name, split.quality.as_ref()?)))
    }
}

impl SplitLabels {
    fn new(examples: &[Example], fields: &[String]) -> Result<Self, StatsError> {
        let labels: Vec<JudgedLabel<'_>> = examples.iter().filter_map(JudgedLabel::of).collect();
        Ok(Self {
            examples: examples.len(),
            with_gold: examples.iter().filter(|example| example.gold.is_some()).count(),
            with_weak: examples.iter().filter(|example| example.weak.is_some()).count(),
            quality: LabelQuality::of(&labels, fields)?,
        })
    }
}

/// A weak label beside the gold one.
struct JudgedLabel<'a> {
    id: u64,
    text: &'a str,
    /// The probability of class 1.
    weak: f64,
    weak_class: bool,
    gold: bool,
    fields: &'a [FieldValue],
}

impl<'a> JudgedLabel<'a> {
    fn of(example: &'a Example) -> Option<Self> {
        let (weak, gold) = (example.weak?, example.gold?);
        Some(Self {
            id: example.id.number(),
            text: &example.text,
            weak: as_written(weak),
            weak_class: weak_class(weak),
            gold,
            fields: &example.fields,
        })
    }

    fn is_wrong(&self) -> bool {
        self.weak_class != self.gold
    }

    /// What the row holds in a field; nothing if the fields were not kept.
    fn field(&self, position: usize) -> &'a FieldValue {
        self.fields.get(position).unwrap_or(&FieldValue::Missing)
    }

    /// The probability that the label gives to its own class, from ½ to 1.
    fn confidence(&self) -> f64 {
        self.weak.max(1.0 - self.weak)
    }
}

/// The number that a user wrote: 0.6 rather than 0.6000000238, the nearest single-precision number, which falls into
/// the next bin.
fn as_written(weak: f32) -> f64 {
    weak.to_string().parse().expect("a number is written as a number")
}
