//! `labelmix compare`: the methods of a study at equal cost, or two finished runs.

use labelmix_econ::ComparisonQuestion;
use labelmix_report::{RunComparison, StudyComparison, render_run_comparison, render_study_comparison};
use labelmix_study::Study;
use miette::Diagnostic;

use crate::arguments::{CompareArguments, Statistic};
use crate::diagnosis::{Failure, Status, print_data};
use crate::finished_run::{NoPredictions, read_run, test_set};
use crate::kept::{finished_runs, store_of, tell_unfinished};
use crate::style::terminal_style;

/// A comparison that cannot be made.
#[derive(Debug, thiserror::Error, Diagnostic)]
enum NoComparison {
    #[error("the study {study} has no finished run")]
    #[diagnostic(help("`labelmix sweep` makes its runs; --store names the store that has them, if it is another one"))]
    NoRuns { study: String },
    #[error("the study {study} has one method, {method}: there is nothing to compare it with")]
    #[diagnostic(help("add a method to the study's [[methods]]; `labelmix methods` lists them"))]
    OneMethod { study: String, method: String },
    #[error("--baseline: the study has no method named {name:?}")]
    #[diagnostic(help("its methods are {known}"))]
    UnknownBaseline { name: String, known: String },
    #[error("--budget: {0} is not an amount of dollars above 0")]
    #[diagnostic(help("give an amount such as 64"))]
    Budget(f64),
}

pub(crate) fn run(arguments: &CompareArguments) -> Result<Status, Failure> {
    match (&arguments.runs[..], &arguments.study) {
        ([first, second], study) => {
            let (first, second) = (read_run(first)?, read_run(second)?);
            let scores = second.log_odds_in_order_of(&first)?;
            let test = test_set(&first, study.as_deref())?;
            // The second run, too, was judged by these gold labels.
            second.examples(&test)?;
            let examples = first.examples(&test)?;
            let records = [&first.file.record, &second.file.record];
            let comparison = RunComparison::new(records, [&first.log_odds, &scores], &examples)
                .ok_or_else(|| NoPredictions::of(&first))?;
            let text = if arguments.json {
                comparison.to_json()
            } else {
                render_run_comparison(&comparison, terminal_style())
            };
            print_data(&text)?;
        }
        (_, Some(path)) => {
            let comparison = compare_methods(Study::read(path)?, arguments)?;
            let text = if arguments.json {
                comparison.to_json()
            } else {
                render_study_comparison(&comparison, terminal_style())
            };
            print_data(&text)?;
        }
        (_, None) => unreachable!("a study or two runs are required"),
    }
    Ok(Status::Done)
}

fn compare_methods(study: Study, arguments: &CompareArguments) -> Result<StudyComparison, Failure> {
    let store = store_of(&study, arguments.store.as_deref());
    let names: Vec<String> = study.methods.iter().map(|method| method.name.clone()).collect();
    if let [method] = names.as_slice() {
        return Err(NoComparison::OneMethod { study: study.name, method: method.clone() }.into());
    }
    if let Some(name) = arguments.baseline.as_ref().filter(|baseline| !names.contains(baseline)) {
        return Err(NoComparison::UnknownBaseline { name: name.clone(), known: names.join(", ") }.into());
    }
    if let Some(budget) = arguments.budget.iter().find(|budget| !(budget.is_finite() && **budget > 0.0)) {
        return Err(NoComparison::Budget(*budget).into());
    }
    let finished = finished_runs(&study, &store)?;
    tell_unfinished(&finished);
    if finished.runs.is_empty() {
        return Err(NoComparison::NoRuns { study: study.name }.into());
    }
    let mut budgets = if arguments.budget.is_empty() { study.grid.budgets.clone() } else { arguments.budget.clone() };
    budgets.sort_by(f64::total_cmp);
    budgets.dedup();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let statistic = arguments.statistic.into();
    let runs = finished.measured_by(statistic)?;
    let question = ComparisonQuestion {
        budgets_usd: &budgets,
        methods: &names,
        baseline: arguments.baseline.as_deref(),
        best_of_others: arguments.best_of_others,
    };
    Ok(StudyComparison::new(&study.name, &finished.question.prices, statistic, &question, runs)?)
}

impl From<Statistic> for labelmix_report::ComparedStatistic {
    fn from(statistic: Statistic) -> Self {
        match statistic {
            Statistic::Accuracy => Self::Accuracy,
            Statistic::Auroc => Self::Auroc,
        }
    }
}
