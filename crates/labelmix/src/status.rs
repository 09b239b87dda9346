//! `labelmix status`: how far a study is, from the store.

use std::fmt::Write;
use std::io::{self, IsTerminal};
use std::time::Duration;

use indicatif::HumanDuration;
use labelmix_report::count;
use labelmix_store::{RunningStage, Status as StudyStatus, StoreError};
use labelmix_study::Study;
use labelmix_sweep::{QueueCounts, queue_counts};
use serde::Serialize;

use crate::arguments::StatusArguments;
use crate::diagnosis::{Failure, Status, print_data, print_diagnostic, print_json};
use crate::kept::store_of;

/// The time between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Failures that are told in full.
const FAILURES: usize = 5;

pub(crate) fn run(arguments: &StatusArguments) -> Result<Status, Failure> {
    let study = Study::read(&arguments.study)?;
    let store = store_of(&study, arguments.store.as_deref());
    let mut shown = String::new();
    loop {
        // A sweep may begin, or ask something else, while this watches.
        let asked = match store.asked(&study) {
            Err(error @ StoreError::NotSwept { .. }) if arguments.watch => {
                if shown.is_empty() {
                    shown = format!("{error}: waiting for that\n");
                    anstream::eprint!("{shown}");
                }
                std::thread::sleep(LOOK_EVERY);
                continue;
            }
            asked => asked?,
        };
        let status = asked.status(&store)?;
        // The store has the last word; the queue says what it knows besides, if it can be asked.
        let queue = queue_counts(&asked, &store).unwrap_or_else(|error| {
            print_diagnostic(&error);
            None
        });
        let status = QueuedStatus { status, queue };
        let text = in_words(&status);
        match (arguments.json, arguments.watch) {
            (true, false) => print_json(&status)?,
            (true, true) => {
                let line = serde_json::to_string(&status).expect("what is printed is text and numbers with names");
                print_data(&format!("{line}\n"))?;
            }
            (false, _) if text == shown => {}
            (false, _) => {
                // A terminal shows one status, in the place of the one before.
                if io::stdout().is_terminal() && !shown.is_empty() {
                    print_data(&format!("\u{1b}[{}A\u{1b}[J", shown.lines().count()))?;
                }
                print_data(&text)?;
            }
        }
        shown = text;
        if !arguments.watch || status.status.waiting + status.status.running.len() == 0 {
            return Ok(Status::Done);
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

/// How far a study is, and what of it is in a cluster's queue.
#[derive(Serialize)]
struct QueuedStatus {
    #[serde(flatten)]
    status: StudyStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    queue: Option<QueueCounts>,
}

fn in_words(QueuedStatus { status, queue }: &QueuedStatus) -> String {
    let StudyStatus {
        study,
        runs,
        finished_runs,
        not_swept,
        stages,
        finished,
        running,
        failed,
        blocked,
        waiting,
        seconds_left,
    } = status;
    let mut out = format!("study {study}: {} of {} runs finished", count(*finished_runs), count(*runs));
    if *not_swept > 0 {
        // Writing to a string cannot fail.
        let _ = write!(out, ", {} not swept yet", count(*not_swept));
    }
    let _ = write!(out, "\nstages: {} of {} done", count(*finished), count(*stages));
    for (number, what) in
        [(running.len(), "running"), (*waiting, "waiting"), (failed.len(), "failed"), (*blocked, "behind a failed one")]
    {
        if number > 0 {
            let _ = write!(out, ", {} {what}", count(number));
        }
    }
    out.push('\n');
    for RunningStage { stage, holder, .. } in running {
        let holder = holder.as_ref().map_or_else(|| "another process".to_owned(), ToString::to_string);
        let _ = writeln!(out, "  running: {stage} ({holder})");
    }
    for failure in failed.iter().take(FAILURES) {
        let _ = writeln!(out, "  failed: {}: {}", failure.stage, failure.log.join(": "));
        if let Some(help) = &failure.help {
            let _ = writeln!(out, "    hint: {help}");
        }
    }
    if failed.len() > FAILURES {
        let _ = writeln!(out, "  and {} more that failed", count(failed.len() - FAILURES));
    }
    if let Some(seconds) = seconds_left {
        let _ = writeln!(out, "about {} left", HumanDuration(Duration::from_secs_f64(*seconds)));
    }
    if let Some(QueueCounts { running, waiting }) = queue {
        let _ = writeln!(
            out,
            "in the cluster's queue: {} in tasks that run, {} in tasks that wait",
            count(*running),
            count(*waiting)
        );
    }
    let queued = queue.is_some_and(|queue| queue.running + queue.waiting > 0);
    if running.is_empty() && *waiting + *not_swept > 0 && !queued {
        let _ = writeln!(out, "nobody is at it: `labelmix sweep` goes on");
    }
    out
}
