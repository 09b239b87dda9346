//! `labelmix label-report`: how good a study's weak labels are.

use std::path::Path;

use labelmix_data::{Dataset, SplitFiles};
use labelmix_report::{LabelReport, render_labels, write_label_report};
use labelmix_sweep::{PrepareOptions, Study, WeakLabeling, label_data};

use crate::arguments::LabelReportArguments;
use crate::diagnosis::{Failure, Status, print_data};
use crate::kept::store_of;
use crate::model::labeler_checkpoint_of;
use crate::sweep::terminal_style;
use crate::task::files_of;

pub(crate) fn run(arguments: &LabelReportArguments) -> Result<Status, Failure> {
    let study = Study::read(&arguments.study)?;
    let task_files = files_of(&study)?;
    let mut fields: Vec<String> = Vec::new();
    for field in &arguments.by {
        if !fields.contains(field) {
            fields.push(field.clone());
        }
    }
    let data = labeled_data(&study, &task_files, &fields, arguments.store.as_deref())?;
    let report = LabelReport::new(&study.name, &fields, &data.train, &data.test)?;
    if let Some(folder) = &arguments.out {
        for path in write_label_report(&report, folder, &arguments.figures.formats())? {
            anstream::eprintln!("{}", path.display());
        }
    }
    print_data(&if arguments.json { report.to_json() } else { render_labels(&report, terminal_style()) })?;
    if fields.is_empty() && !arguments.json {
        name_fields(&study.field_names(&task_files)?);
    }
    Ok(Status::Done)
}

/// The study's examples with the weak labels that a sweep would sell. Those of a labeler must have been made, and are in
/// this store, or beside the study.
pub(crate) fn labeled_data(
    study: &Study,
    task_files: &SplitFiles,
    fields: &[String],
    store: Option<&Path>,
) -> Result<Dataset, Failure> {
    let dataset = study.load_data_with_fields(task_files, fields)?;
    if study.labeler.is_none() {
        return Ok(dataset);
    }
    let store = store_of(study, store);
    let model_folder = labeler_checkpoint_of(study)?;
    let labeling = WeakLabeling::kept(&store, model_folder.as_deref());
    Ok(label_data(study, dataset, &PrepareOptions::default(), &labeling)?.dataset)
}

/// Says which fields `--by` could name.
fn name_fields(names: &[String]) {
    const MOST_NAMES: usize = 20;
    if names.is_empty() {
        return;
    }
    let more = if names.len() > MOST_NAMES { ", …" } else { "" };
    let names = names[..names.len().min(MOST_NAMES)].join(", ");
    anstream::eprintln!("\n`--by FIELD` breaks the accuracy down by a field of the rows: {names}{more}");
}
