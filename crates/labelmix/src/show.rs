//! `labelmix show`: one finished run.

use labelmix_report::{RunReport, render_run};

use crate::arguments::ShowArguments;
use crate::diagnosis::{Failure, Status, print_data};
use crate::finished_run::{NoPredictions, read_run, test_set};
use crate::style::terminal_style;

pub(crate) fn run(arguments: &ShowArguments) -> Result<Status, Failure> {
    let run = read_run(&arguments.run)?;
    let test = test_set(&run, arguments.study.as_deref())?;
    let examples = run.examples(&test)?;
    let ceiling = run.ceiling()?;
    let ceiling = match &ceiling {
        Some(ceiling) => Some((ceiling.file.record.run.as_str(), ceiling.log_odds_in_order_of(&run)?)),
        None => None,
    };
    let ceiling = ceiling.as_ref().map(|(name, scores)| (*name, scores.as_slice()));
    let report = RunReport::new(&run, &examples, ceiling, arguments.wrong).ok_or_else(|| NoPredictions::of(&run))?;
    print_data(&if arguments.json { report.to_json() } else { render_run(&report, terminal_style()) })?;
    Ok(Status::Done)
}
