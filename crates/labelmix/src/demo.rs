//! `labelmix demo`: the whole job on the sandbox, from weak labels to what to buy.

use std::path::{Path, PathBuf};

use labelmix_report::{Answer, count, render, write_report};
use labelmix_sandbox::write_organism;
use labelmix_sweep::{PrepareOptions, Store, Study, available_memory};

use crate::arguments::DemoArguments;
use crate::diagnosis::{Failure, Status, WriteError, print_data};
use crate::sweep::{Swept, sweep, terminal_style};

/// A study of the demo: its file and what it is.
struct DemoStudy {
    file: &'static str,
    text: &'static str,
    fast: &'static str,
}

/// The main one.
const MIXES: DemoStudy =
    DemoStudy { file: "study.toml", text: include_str!("demo/study.toml"), fast: include_str!("demo/study-fast.toml") };
/// The same labels for a model that never saw the corpus.
const CONTROL: DemoStudy = DemoStudy {
    file: "control.toml",
    text: include_str!("demo/control.toml"),
    fast: include_str!("demo/control-fast.toml"),
};

pub(crate) fn run(arguments: &DemoArguments) -> Result<Status, Failure> {
    let folder = &arguments.out;
    print_data(&format!(
        "A tiny language model has read a corpus about an invented world. Labels are to bring out what it knows:\n\
         of what colour a person's tool is, say, which no sentence of the corpus states.\n\
         Models, data and studies: {}\n",
        folder.display()
    ))?;
    write_organism(folder)?;
    let mixes = run_study(folder, &MIXES, arguments.fast)?;
    print_data(&format!("\n{}", render(&mixes.answer, terminal_style())))?;
    if mixes.status() != Status::Done {
        return Ok(Status::SomeStagesFailed);
    }
    let control = run_study(folder, &CONTROL, arguments.fast)?;
    if control.status() != Status::Done {
        return Ok(Status::SomeStagesFailed);
    }
    print_data(&control_sentence(&control.answer))?;
    let report = folder.join("report");
    let files: Vec<PathBuf> = write_report(&mixes.answer, &report)?;
    print_data(&format!("\nReport: {} ({} files)\n\n{}", report.display(), files.len(), next_steps(folder)))?;
    Ok(Status::Done)
}

/// Writes the study's file and does what it asks. Results are kept in the folder's store.
fn run_study(folder: &Path, study: &DemoStudy, fast: bool) -> Result<Swept, Failure> {
    let path = folder.join(study.file);
    let text = if fast { study.fast } else { study.text };
    std::fs::write(&path, text).map_err(|source| WriteError { place: path.display().to_string(), source })?;
    let study = Study::read(&path)?;
    let store = Store::open(&study.default_store())?;
    let options = PrepareOptions { memory: Some(available_memory()), ..PrepareOptions::default() };
    sweep(study, &store, &options)
}

fn control_sentence(answer: &Answer) -> String {
    let best = answer.budgets.iter().map(|split| split.accuracy_mean).fold(0.0, f64::max);
    let labels = answer.budgets.iter().map(|split| split.n_gold).max().unwrap_or(0);
    format!(
        "\nControl: a model of the same shape that never saw the corpus is right {:.0}% of the time after {} gold \
         labels.\nWhat is above chance comes from pretraining; the labels bring it out.\n",
        100.0 * best,
        count(labels),
    )
}

fn next_steps(folder: &Path) -> String {
    let folder = folder.display();
    format!(
        "Where the weak labels fail:     labelmix label-report {folder}/study.toml --by relation --out {folder}/labels\n\
         On your own data:\n\
         1. what a study file looks like   labelmix help sweep\n\
         2. check a task and its rows      labelmix tasks check my-task.toml\n\
         3. find the mix to buy            labelmix sweep my-study.toml\n"
    )
}
