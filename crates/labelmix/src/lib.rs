//! The command line: arguments, printing, exit codes. One file per command.

#[macro_use]
mod say;

mod arguments;
mod compare;
mod demo;
mod diagnosis;
mod doctor;
mod engine;
mod events;
mod export;
mod finished_run;
mod hub;
mod import;
mod ingest;
mod inspect;
mod kept;
mod label_report;
mod methods;
mod model;
mod observers;
mod overview;
mod plan;
mod predict;
mod progress;
mod report;
mod sandbox;
mod serve;
mod show;
mod signals;
mod slurm;
mod status;
mod store;
mod study_file;
mod style;
mod sweep;
mod task;
mod tasks;
mod tensorboard;
mod texts;
mod weak_label;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;

use crate::arguments::{Arguments, Command};
use crate::diagnosis::{Failure, Status};

/// Runs the command that the arguments ask for.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            // Asking for help is no error; anything else is the user's.
            let status = if error.use_stderr() { Status::UserError } else { Status::Done };
            // There is nowhere left to report to if this cannot be printed.
            let _ = error.print();
            return status.into();
        }
    };
    signals::explain_bus_errors();
    progress::show_reading();
    match std::panic::catch_unwind(|| obey(&arguments.command)) {
        Ok(Ok(status)) => status.into(),
        Ok(Err(Failure::ReaderLeft)) => Status::Done.into(),
        Ok(Err(failure)) => {
            diagnosis::print(&failure);
            failure.status().into()
        }
        // What it was has been said.
        Err(_) => {
            say!("error: labelmix made a mistake\nhint: please report this, with the command and the message above");
            Status::OurError.into()
        }
    }
}

fn obey(command: &Command) -> Result<Status, Failure> {
    match command {
        Command::Demo(arguments) => demo::run(arguments),
        Command::Sweep(arguments) => sweep::run(arguments),
        Command::Status(arguments) => status::run(arguments),
        Command::WeakLabel(arguments) => weak_label::run(arguments),
        Command::Report(arguments) => report::run(arguments),
        Command::Serve(arguments) => serve::run(arguments),
        Command::Plan(arguments) => plan::run(arguments),
        Command::Ingest(arguments) => ingest::run(arguments),
        Command::Compare(arguments) => compare::run(arguments),
        Command::Show(arguments) => show::run(arguments),
        Command::LabelReport(arguments) => label_report::run(arguments),
        Command::Import(arguments) => import::run(arguments),
        Command::Predict(arguments) => predict::run(arguments),
        Command::Export(arguments) => export::run(arguments),
        Command::Store(arguments) => store::run(arguments),
        Command::Tasks(arguments) => tasks::run(arguments),
        Command::Methods(arguments) => methods::run(arguments),
        Command::StudyFile(arguments) => study_file::run(arguments),
        Command::Inspect(arguments) => inspect::run(arguments),
        Command::Sandbox(arguments) => sandbox::run(arguments),
        Command::Engine(arguments) => engine::run(arguments),
        Command::Doctor(arguments) => doctor::run(arguments),
        Command::SlurmTask(arguments) => slurm::do_task(arguments),
    }
}
