//! The methods of a study at equal cost: what `labelmix compare` says.

use labelmix_econ::{
    AnalysisError, ComparisonQuestion, MeasuredRun, Measurements, MethodComparison, Prices, Resamples, compare_methods,
};
use labelmix_stats::{Bootstrap, ComparedStatistic};
use serde::Serialize;

/// Methods against each other. The names of the fields are a promise to programs that read the JSON.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StudyComparison {
    /// The study's name.
    pub study: String,
    pub statistic: ComparedStatistic,
    /// The price of a weak and of a gold label.
    pub prices: Prices,
    /// The method that all others are compared with, if there is one.
    pub baseline: Option<String>,
    /// The methods of the study without a finished run.
    pub without_runs: Vec<String>,
    /// The comparison at every budget.
    #[serde(flatten)]
    pub comparison: MethodComparison,
}

impl StudyComparison {
    /// Compares methods of a study, some of which may have no runs, by runs that were judged by `statistic`.
    ///
    /// # Errors
    /// [`AnalysisError`] without runs, for a baseline without runs, and for a budget that makes no sense.
    pub fn new(
        study: &str,
        prices: &Prices,
        statistic: ComparedStatistic,
        question: &ComparisonQuestion<'_>,
        runs: Vec<MeasuredRun>,
    ) -> Result<Self, AnalysisError> {
        let measured = Measurements::new(runs)?;
        let has_runs = |method: &&&str| measured.methods().iter().any(|name| name == **method);
        let (with_runs, without_runs): (Vec<&str>, Vec<&str>) =
            question.methods.iter().copied().partition(|method| has_runs(&method));
        let resamples = Resamples::with_left_out(&measured, &Bootstrap::new(0))?;
        let question = ComparisonQuestion { methods: &with_runs, ..*question };
        Ok(Self {
            study: study.to_owned(),
            statistic,
            prices: *prices,
            baseline: question.baseline.map(str::to_owned),
            without_runs: without_runs.into_iter().map(str::to_owned).collect(),
            comparison: compare_methods(&measured, &resamples, &(*prices).into(), &question)?,
        })
    }

    /// The comparison as JSON, indented, with a newline at its end.
    pub fn to_json(&self) -> String {
        let json = serde_json::to_string_pretty(self).expect("strings, numbers and lists of them become JSON");
        json + "\n"
    }
}
