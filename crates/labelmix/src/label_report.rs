//! `labelmix label-report`: how good a study's weak labels are.

use labelmix_data::Dataset;
use labelmix_report::{LabelReport, render_labels, write_label_report};
use labelmix_sweep::{PrepareOptions, Store, Study, WeakLabeling, label_data};

use crate::arguments::LabelReportArguments;
use crate::diagnosis::{Failure, Status, print_data};
use crate::model::labeler_checkpoint_of;
use crate::sweep::terminal_style;
use crate::task::files_of;

pub(crate) fn run(arguments: &LabelReportArguments) -> Result<Status, Failure> {
    let study = Study::read(&arguments.study)?;
    let data = labeled_data(&study)?;
    let report = LabelReport::new(&study.name, &data.train, &data.test)?;
    if let Some(folder) = &arguments.out {
        for path in write_label_report(&report, folder)? {
            anstream::eprintln!("{}", path.display());
        }
    }
    print_data(&if arguments.json { report.to_json() } else { render_labels(&report, terminal_style()) })?;
    Ok(Status::Done)
}

/// The study's examples with the weak labels that a sweep would sell. Those of a labeler must have been made.
fn labeled_data(study: &Study) -> Result<Dataset, Failure> {
    let task_files = files_of(study)?;
    if study.labeler.is_none() {
        return Ok(study.load_data(&task_files)?);
    }
    let store = Store::open(&study.default_store())?;
    let model_folder = labeler_checkpoint_of(study)?;
    let labeling = WeakLabeling::kept(&store, model_folder.as_deref());
    Ok(label_data(study, &task_files, &PrepareOptions::default(), &labeling)?.dataset)
}
