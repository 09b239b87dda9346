//! `labelmix store`: what is in a store, whether it is whole, and what can go.

use std::fmt::Write;
use std::path::Path;

use labelmix_models::ByteSize;
use labelmix_report::count;
use labelmix_store::{Contents, Damage, Garbage, Item, Shown, StageOutcome, Store, StudyContents};
use serde::Serialize;

use crate::arguments::{
    StoreArguments, StoreCommand, StoreExportArguments, StoreGarbageArguments, StoreListArguments, StoreShowArguments,
    StoreVerifyArguments,
};
use crate::diagnosis::{Failure, Status, print_data, print_json};
use crate::progress::counting_bar;

pub(crate) fn run(arguments: &StoreArguments) -> Result<Status, Failure> {
    match &arguments.command {
        StoreCommand::Ls(arguments) => list(arguments),
        StoreCommand::Show(arguments) => show(arguments),
        StoreCommand::Verify(arguments) => verify(arguments),
        StoreCommand::Gc(arguments) => garbage(arguments),
        StoreCommand::Export(arguments) => export(arguments),
    }
}

fn list(arguments: &StoreListArguments) -> Result<Status, Failure> {
    let contents = Store::open_to_read(&arguments.store)?.contents()?;
    if arguments.json {
        print_json(&contents)?;
    } else {
        print_data(&in_words(&contents))?;
    }
    Ok(Status::Done)
}

fn in_words(contents: &Contents) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    for Item { kind, count: number, bytes } in &contents.items {
        let _ = writeln!(out, "{:<11} {:>7}  {}", kind.name(), count(*number), ByteSize(*bytes));
    }
    for study in &contents.studies {
        let StudyContents { study, planned_runs, finished_runs, stages, finished_stages, bytes } = study;
        let of = planned_runs.map_or(String::new(), |planned| format!(" of {}", count(planned)));
        let _ = write!(out, "\nstudy {study}: {}{of} runs, ", count(*finished_runs));
        let _ = write!(out, "{} of {} stages, {}", count(*finished_stages), count(*stages), ByteSize(*bytes));
    }
    if out.is_empty() {
        out.push_str("the store is empty");
    }
    out.trim_end().to_owned() + "\n"
}

fn show(arguments: &StoreShowArguments) -> Result<Status, Failure> {
    let shown = Store::open_to_read(&arguments.store)?.show(&arguments.name)?;
    if arguments.json {
        print_json(&shown)?;
        return Ok(Status::Done);
    }
    let text = match &shown {
        Shown::Stage { folder, bytes, outcome } => describe_stage(folder, *bytes, outcome),
        Shown::Labels { folder, bytes, outcome } => {
            let place = place(folder, *bytes);
            format!("labels    {}\n{place}\n{}", outcome.key, crate::weak_label::describe_quality(outcome))
        }
        Shown::Run { folder, study, run } => {
            let record = &run.record;
            let mut out = format!("run       {} of the study {study}\nfolder    {}\n", record.run, folder.display());
            let metrics = record.metrics;
            let _ = writeln!(out, "method    {}, seed {}", record.method, record.seed);
            let (weak, gold) = (record.allocation.n_weak, record.allocation.n_gold);
            let _ = writeln!(out, "labels    {} weak, {} gold", count(weak), count(gold));
            let _ = writeln!(out, "accuracy  {:.3} on {} test texts", metrics.accuracy, count(metrics.n_test));
            for stage in &run.stages {
                let _ = writeln!(out, "stage     {stage}");
            }
            out
        }
    };
    print_data(&text)?;
    Ok(Status::Done)
}

fn place(folder: &Path, bytes: u64) -> String {
    format!("folder    {}, {}", folder.display(), ByteSize(bytes))
}

fn describe_stage(folder: &Path, bytes: u64, outcome: &StageOutcome) -> String {
    let StageOutcome { key, parent, labels, count: number, seed, history, metrics, .. } = outcome;
    let mut out = format!("stage     {key}\n{}\n", place(folder, bytes));
    // Writing to a string cannot fail.
    if let Some(parent) = parent {
        let _ = writeln!(out, "parent    {parent}");
    }
    let _ = writeln!(out, "labels    {} {}, seed {seed}", count(*number), labels.name());
    if let Some(history) = history {
        let (steps, scheduled, best) = (history.steps, history.scheduled_steps, history.best_step);
        let _ = writeln!(out, "trained   {steps} of {scheduled} steps, of which step {best} is kept");
    }
    let _ = writeln!(out, "accuracy  {:.3} on {} test texts", metrics.accuracy, count(metrics.n_test));
    out
}

/// What is printed of a verification with `--json`.
#[derive(Serialize)]
struct Verification<'a> {
    /// Folders that were read.
    read: usize,
    damaged: &'a [Damage],
    set_aside: bool,
}

fn verify(arguments: &StoreVerifyArguments) -> Result<Status, Failure> {
    let store = Store::open_to_read(&arguments.store)?;
    let bar = counting_bar(0, "folders");
    let verified = store.verify(|done, total| {
        bar.set_length(total as u64);
        bar.set_position(done as u64);
    });
    bar.finish_and_clear();
    let (read, damaged) = verified?;
    if arguments.set_aside {
        store.set_all_aside(&damaged)?;
    }
    if arguments.json {
        print_json(&Verification { read, damaged: &damaged, set_aside: arguments.set_aside })?;
    } else {
        let mut out = String::new();
        // Writing to a string cannot fail.
        for Damage { path, reason } in &damaged {
            let _ = writeln!(out, "damaged: {}: {reason}", path.display());
        }
        let _ = writeln!(out, "{} folders read, {} damaged", count(read), count(damaged.len()));
        print_data(&out)?;
    }
    if damaged.is_empty() {
        return Ok(Status::Done);
    }
    if !arguments.set_aside {
        say!("hint: with --set-aside they are moved to damaged/; the next sweep does them anew");
    }
    Ok(Status::SomeStagesFailed)
}

/// What is printed of garbage with `--json`.
#[derive(Serialize)]
struct GarbageReport<'a> {
    garbage: &'a [Garbage],
    bytes: u64,
    deleted: bool,
}

fn garbage(arguments: &StoreGarbageArguments) -> Result<Status, Failure> {
    let store = Store::open_to_read(&arguments.store)?;
    let mut garbage = store.garbage()?;
    if arguments.delete {
        let found = garbage.len();
        garbage = store.delete(&garbage)?;
        if garbage.len() < found {
            say!("{} items stay: a process is at them, or wants them by now", found - garbage.len());
        }
    }
    let bytes = garbage.iter().map(|item| item.bytes).sum();
    if arguments.json {
        print_json(&GarbageReport { garbage: &garbage, bytes, deleted: arguments.delete })?;
        return Ok(Status::Done);
    }
    let mut out = String::new();
    // Writing to a string cannot fail.
    for Garbage { path, bytes, why } in &garbage {
        let _ = writeln!(out, "{}  {}: {}", ByteSize(*bytes), path.display(), why.in_words());
    }
    let deleted = if arguments.delete { " deleted" } else { "" };
    let _ = writeln!(out, "{} items, {}{deleted}", count(garbage.len()), ByteSize(bytes));
    print_data(&out)?;
    if !arguments.delete && !garbage.is_empty() {
        say!("hint: with --delete they are taken away");
    }
    Ok(Status::Done)
}

fn export(arguments: &StoreExportArguments) -> Result<Status, Failure> {
    let store = Store::open_to_read(&arguments.store)?;
    let out = &arguments.out;
    let records_alone = out.extension().is_some_and(|ending| ending == "jsonl");
    let exported = if records_alone {
        store.export_records(&arguments.study, out)?
    } else {
        store.export_folder(&arguments.study, out)?
    };
    let stages = if records_alone { String::new() } else { format!(" and {} stages", count(exported.stages)) };
    say!("{} runs{stages} written to {}", count(exported.runs), out.display());
    Ok(Status::Done)
}
