//! `labelmix export`: a finished run's classifier for Python.

use std::fmt::Write;
use std::path::Path;

use labelmix_hub::Repository;
use labelmix_models::BaseModel;
use labelmix_sweep::{ExportForm, ExportedRun, RunExport};

use crate::arguments::ExportArguments;
use crate::diagnosis::{Failure, Status, print_data, print_json};
use crate::progress::patiently;

pub(crate) fn run(arguments: &ExportArguments) -> Result<Status, Failure> {
    let form = if arguments.merged { ExportForm::Merged } else { ExportForm::Adapter };
    // The store is above the folder, which may be named from within.
    let run = std::path::absolute(&arguments.run).unwrap_or_else(|_| arguments.run.clone());
    let export = RunExport::read(&run, form)?;
    let base = base_model(export.model_folder());
    let exported = patiently("writing what Python loads", || export.write(&base, &arguments.out))?;
    if arguments.json {
        print_json(&exported)?;
    } else {
        print_data(&describe(&exported))?;
    }
    Ok(Status::Done)
}

/// What Python calls the checkpoint in a folder: its repository at its commit, if it came from the Hub, else the folder.
fn base_model(folder: &Path) -> BaseModel {
    match Repository::of_snapshot(folder) {
        Some(repository) => {
            let (name, revision) = (repository.name().to_owned(), Some(repository.revision().to_owned()));
            BaseModel { name, revision }
        }
        None => BaseModel { name: folder.display().to_string(), revision: None },
    }
}

/// The export for people.
fn describe(exported: &ExportedRun) -> String {
    let ExportedRun { folder, run, class, with_head, prompted, classifiers, files } = exported;
    let mut out = format!("{run} written to {}\n", folder.display());
    // Writing to a string cannot fail.
    for file in files {
        let _ = writeln!(out, "  {file}");
    }
    let _ = writeln!(out, "transformers loads it as {class}");
    if *classifiers > 1 {
        let _ = writeln!(out, "  {classifiers} of them: log-odds are the mean of theirs");
    }
    if !with_head {
        let _ = writeln!(out, "  without pooling and head: log-odds come from classify.py alone");
    }
    if *prompted {
        let _ = writeln!(out, "  for texts in the prompt that classify.py writes: alone, they get other log-odds");
    }
    let _ = writeln!(out, "try it: python {} \"a text\"", folder.join("classify.py").display());
    out
}
