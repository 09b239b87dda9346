//! `labelmix label-report`: how good a study's weak labels are.

use labelmix_report::{LabelReport, render_labels, write_label_report};
use labelmix_sweep::{Study, load_data};

use crate::arguments::LabelReportArguments;
use crate::diagnosis::{Failure, Status, print_data};
use crate::sweep::terminal_style;

pub(crate) fn run(arguments: &LabelReportArguments) -> Result<Status, Failure> {
    let study = Study::read(&arguments.study)?;
    let data = load_data(&study)?;
    let report = LabelReport::new(&study.name, &data.train, &data.test)?;
    if let Some(folder) = &arguments.out {
        for path in write_label_report(&report, folder)? {
            anstream::eprintln!("{}", path.display());
        }
    }
    print_data(&if arguments.json { report.to_json() } else { render_labels(&report, terminal_style()) })?;
    Ok(Status::Done)
}
