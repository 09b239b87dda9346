//! `labelmix label-report`: how good a study's weak labels are.

use std::collections::BTreeMap;

use labelmix_data::Example;
use labelmix_report::{AnnotatorFields, LabelReport, render_labels, write_label_report};
use labelmix_study::Study;

use crate::arguments::LabelReportArguments;
use crate::diagnosis::{Failure, Status, print_data};
use crate::kept::labeled_data;
use crate::style::terminal_style;
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
    let all_fields: Vec<String> = fields.iter().chain(&arguments.annotator).cloned().collect();
    let data = labeled_data(&study, &task_files, &all_fields, arguments.store.as_deref())?;
    let values = study.training_file().map_or_else(BTreeMap::new, |(_, columns)| columns.values.values);
    let mut report = LabelReport::new(&study.name, &fields, &data.train, &data.test)?;
    if !arguments.annotator.is_empty() {
        let annotators = AnnotatorFields { names: &arguments.annotator, values: &values, epsilon: arguments.epsilon };
        let all: Vec<&Example> = data.train.iter().chain(&data.test).collect();
        report = report.beside(annotators, &all)?;
    }
    if let Some(folder) = &arguments.out {
        for path in write_label_report(&report, folder, &arguments.figures.formats())? {
            say!("{}", path.display());
        }
    }
    print_data(&if arguments.json { report.to_json() } else { render_labels(&report, terminal_style()) })?;
    if fields.is_empty() && !arguments.json {
        name_fields(&study.field_names(&task_files)?);
    }
    Ok(Status::Done)
}

/// Says which fields `--by` could name.
fn name_fields(names: &[String]) {
    const MOST_NAMES: usize = 20;
    if names.is_empty() {
        return;
    }
    let more = if names.len() > MOST_NAMES { ", …" } else { "" };
    let names = names[..names.len().min(MOST_NAMES)].join(", ");
    say!("\n`--by FIELD` breaks the accuracy down by a field of the rows: {names}{more}");
}
