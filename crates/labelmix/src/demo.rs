//! `labelmix demo`: the whole job on the sandbox, from weak labels to what to buy.

use std::path::Path;

use labelmix_engine::{EngineOptions, available_memory};
use labelmix_files::write_files;
use labelmix_report::{Answer, FigureSettings, count, render};
use labelmix_sandbox::{UNTRAINED, write_question_files};
use labelmix_store::Store;
use labelmix_study::Study;

use crate::arguments::DemoArguments;
use crate::diagnosis::{Failure, Status, print_data};
use crate::observers::WatchFiles;
use crate::style::terminal_style;
use crate::sweep::{SweepSettings, Swept, sweep};

/// The text of the demo's studies, with names in braces for what they differ in.
const STUDY: &str = include_str!("demo/study.toml");

/// A study of the demo.
struct DemoStudy {
    file: &'static str,
    name: &'static str,
    question: &'static str,
    model: &'static str,
    budgets: &'static str,
    fast_budgets: &'static str,
    weak_fractions: &'static str,
}

/// The main one.
const MIXES: DemoStudy = DemoStudy {
    file: "study.toml",
    name: "demo",
    question: "Which mix of weak labels (ten cents) and gold labels (a dollar) brings out what the model knows?",
    model: "strong",
    budgets: "[16, 64, 160, 512, 1024]",
    fast_budgets: "[16, 64]",
    weak_fractions: "[0.0, 0.4, 1.0]",
};
/// The same labels for a model that never saw the corpus.
const CONTROL: DemoStudy = DemoStudy {
    file: "control.toml",
    name: "demo-control",
    question: "What do gold labels bring out of a model of the same shape that was never trained?",
    model: UNTRAINED,
    budgets: "[1024]",
    fast_budgets: "[64]",
    weak_fractions: "[0.0]",
};

impl DemoStudy {
    fn text(&self, fast: bool) -> String {
        let [budgets, seeds, max_test, epochs, total_examples] = if fast {
            [self.fast_budgets, "[0]", "300", "3", "640"]
        } else {
            [self.budgets, "[0, 1, 2]", "1000", "14", "8000"]
        };
        let values = [
            ("{question}", self.question),
            ("{name}", self.name),
            ("{model}", self.model),
            ("{budgets}", budgets),
            ("{weak_fractions}", self.weak_fractions),
            ("{seeds}", seeds),
            ("{max_test}", max_test),
            ("{epochs}", epochs),
            ("{total_examples}", total_examples),
        ];
        values.into_iter().fold(STUDY.to_owned(), |text, (name, value)| text.replace(name, value))
    }
}

pub(crate) fn run(arguments: &DemoArguments) -> Result<Status, Failure> {
    let folder = &arguments.out;
    write_question_files(folder)?;
    print_data(&format!(
        "A tiny language model has read a corpus about an invented world. Labels are to bring out what it knows:\n\
         of what colour a person's tool is, say, which no sentence of the corpus states.\n\
         Models, data and studies: {}\n",
        folder.display()
    ))?;
    let mixes = run_study(folder, &MIXES, arguments.fast)?;
    let Some(finished) = &mixes.finished else { return Ok(mixes.status()) };
    print_data(&format!("\n{}", render(&finished.answer, terminal_style())))?;
    let status = mixes.status();
    if status != Status::Done {
        return Ok(status);
    }
    let control = run_study(folder, &CONTROL, arguments.fast)?;
    let status = control.status();
    let (Status::Done, Some(control)) = (status, &control.finished) else { return Ok(status) };
    print_data(&control_sentence(&control.answer))?;
    let report = folder.join("report");
    crate::report::write(finished, &report, &FigureSettings::default())?;
    let page = report.join("report.html");
    print_data(&format!(
        "\nReport: {} (open it in a browser; figures and tables are beside it)\n\n{}",
        page.display(),
        next_steps(folder)
    ))?;
    Ok(Status::Done)
}

/// Writes the study's file and does what it asks. Results are kept in the folder's store.
fn run_study(folder: &Path, study: &DemoStudy, fast: bool) -> Result<Swept, Failure> {
    let path = folder.join(study.file);
    write_files(folder, [(study.file.to_owned(), study.text(fast))])?;
    let study = Study::read(&path)?;
    let store = Store::open(&study.default_store())?;
    let options = EngineOptions { memory: Some(available_memory()), ..EngineOptions::default() };
    sweep(study, &store, &options, SweepSettings::usual(&WatchFiles::default()))
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
