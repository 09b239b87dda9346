//! `labelmix weak-label`: the weak labels of a study's labeler, as a file.

use std::fmt::Write;
use std::time::Duration;

use indicatif::HumanDuration;
use labelmix_data::{Example, ExampleId, write_table};
use labelmix_engine::{EngineOptions, available_memory};
use labelmix_llm::Estimate;
use labelmix_methods::{StageHistory, StopReason, TargetStop};
use labelmix_report::count;
use labelmix_store::{Abstention, LabelAccuracy, LabelsOutcome, Store, Tally};
use labelmix_sweep::{ExecuteOptions, LabeledData, LabelerProgress, Origin, WeakLabeling, estimate_labels, label_data};
use serde::Serialize;

use crate::arguments::WeakLabelArguments;
use crate::diagnosis::{Failure, SignalError, Status, print_data, print_interrupted, print_json};
use crate::engine::{engine_options, study_on_engine};
use crate::model::labeler_checkpoint_of;
use crate::progress::MessageBar;
use crate::signals::Signals;
use crate::task::files_of;

/// A row of the file.
#[derive(Serialize)]
struct Row<'a> {
    id: ExampleId,
    split: &'static str,
    text: &'a str,
    gold: Option<u8>,
    weak: f32,
}

/// What is printed with `--json`.
#[derive(Serialize)]
struct Report<'a> {
    origin: Origin,
    #[serde(flatten)]
    outcome: &'a LabelsOutcome,
}

pub(crate) fn run(arguments: &WeakLabelArguments) -> Result<Status, Failure> {
    let study = study_on_engine(&arguments.study, &arguments.engine)?;
    let store = Store::open(&arguments.store.clone().unwrap_or_else(|| study.default_store()))?;
    let options = EngineOptions {
        memory: Some(arguments.memory.map_or_else(available_memory, |memory| memory.0)),
        ..engine_options(&study.engine(), &arguments.engine)?
    };
    let model_folder = labeler_checkpoint_of(&study)?;
    let dataset = study.load_data(&files_of(&study)?)?;
    if arguments.dry_run {
        let estimate = estimate_labels(&study, &dataset, &store)?;
        if arguments.json {
            print_json(&estimate)?;
        } else {
            print_data(&describe_estimate(&estimate))?;
        }
        return Ok(Status::Done);
    }
    let progress = MessageBar::new();
    let signals = Signals::handle().map_err(SignalError)?;
    let observe = |event: LabelerProgress<'_>| {
        signals.catch();
        progress.labeling(event);
    };
    // Who asks for the labels alone has seen why they failed.
    let settings =
        ExecuteOptions { interrupt: signals.interrupt().clone(), retry_failed: true, ..ExecuteOptions::default() };
    let labeling = WeakLabeling::made(&store, model_folder.as_deref(), &observe).with(&settings);
    let labeled = label_data(&study, dataset, &options, &labeling);
    progress.clear();
    signals.release();
    let LabeledData { dataset, outcome, origin } = match labeled {
        Err(error) if error.is_interruption() => return Ok(print_interrupted()),
        labeled => labeled?,
    };
    let out = arguments.out.as_ref().expect("it is required without --dry-run");
    write_table(out, rows("pool", &dataset.train).chain(rows("test", &dataset.test)))?;
    if arguments.json {
        print_json(&Report { origin, outcome: &outcome })?;
    } else {
        print_data(&describe(&outcome, origin, dataset.train.len()))?;
    }
    let written = outcome.pool_labels + outcome.test_labels;
    say!("{} labels written to {}", count(written), out.display());
    Ok(Status::Done)
}

/// A row for each example of a split that has a weak label.
fn rows<'a>(split: &'static str, examples: &'a [Example]) -> impl Iterator<Item = Row<'a>> + Clone {
    examples.iter().filter_map(move |example| {
        let weak = example.weak?;
        Some(Row { id: example.id, split, text: &example.text, gold: example.gold.map(u8::from), weak })
    })
}

/// What labels would take, for people.
fn describe_estimate(estimate: &Estimate) -> String {
    let Estimate { texts, requests, tokens, usd, most_usd, spent_usd, seconds } = estimate;
    let time = seconds.map_or_else(
        || "time      unknown before there are answers: `texts = 20` in [labeler.llm] asks about a few\n".to_owned(),
        |seconds| format!("time      about {}\n", HumanDuration(Duration::from_secs_f64(seconds))),
    );
    format!(
        "texts     {}\nrequests  {} to send\ntokens    about {} in, {} out\ndollars   about {usd:.4}, at most {most_usd:.4}; {spent_usd:.4} \
         spent already\n{time}",
        count(*texts),
        count(*requests),
        count(tokens.input as usize),
        count(tokens.output as usize),
    )
}

/// How the labels were made and how good they are, for people.
fn describe(outcome: &LabelsOutcome, origin: Origin, pool: usize) -> String {
    let LabelsOutcome { key, labeler, history, target_stop, temperature, shift, bought, pool_labels, .. } = outcome;
    let origin = match origin {
        Origin::Found => "found in the store",
        Origin::Made => "made now",
    };
    let of_service = labeler.llm.as_ref().map(|llm| llm.model.clone());
    let model = labeler.model.as_ref().map(|model| model.path.display().to_string()).or(of_service);
    let model = model.map_or(String::new(), |model| format!(", {model}"));
    let mut out = format!("labels    {key}, {origin}\nlabeler   {}{model}\n", labeler.kind.name());
    // Writing to a string cannot fail.
    if let Some(history) = history {
        let (train, validation) = (count(history.n_train), count(history.n_validation));
        let _ = writeln!(
            out,
            "trained   on {train} gold labels, validated on {validation}; {}",
            stop(history, *target_stop)
        );
    }
    if let Some(temperature) = temperature {
        let _ = writeln!(out, "flips     by the model's margin, with temperature {temperature:.3}");
    }
    if let Some(shift) = shift {
        let _ =
            writeln!(out, "shifted   by {shift:+.3} in log-odds, to the share of class 1 that the study believes in");
    }
    if let Some(tally) = bought {
        out += &describe_tally(tally);
    }
    if labeler.shuffle_errors {
        let _ = writeln!(out, "errors    dealt out anew");
    }
    if pool > *pool_labels {
        let _ = writeln!(out, "left out  {} examples of the pool", count(pool - pool_labels));
    }
    out + &describe_quality(outcome)
}

/// What a language model's labels took, for people.
fn describe_tally(tally: &Tally) -> String {
    let Tally { labels, abstentions, bounded, sure, tokens, usd, perhaps_usd } = tally;
    let each = if *labels > 0 { format!(", ${:.6} a label", usd / *labels as f64) } else { String::new() };
    let mut out = format!(
        "bought    for ${usd:.4}{each}: {} tokens in, {} out\n",
        count(tokens.input as usize),
        count(tokens.output as usize)
    );
    if *perhaps_usd > 0.0 {
        let _ = writeln!(out, "perhaps   ${perhaps_usd:.4} more, for requests whose answers did not arrive");
    }
    for (why, texts) in abstentions {
        let _ = writeln!(out, "no label  {} texts: {}", count(*texts), in_word(*why));
    }
    if *bounded > 0 {
        let _ = writeln!(out, "bounded   {} answers told the probability of one word alone", count(*bounded));
    }
    if *sure > 0 {
        let _ = writeln!(out, "sure      {} answers without a probability count as sure", count(*sure));
    }
    out
}

fn in_word(why: Abstention) -> &'static str {
    match why {
        Abstention::Unreadable => "neither of the words",
        Abstention::Empty => "an empty answer",
        Abstention::Refused => "the model refuses",
        Abstention::Filtered => "the service's filter",
        Abstention::TooLong => "too long for the model",
        Abstention::Rejected => "the service refuses the request",
    }
}

/// How many labels there are of each split, and how good they are, for people.
pub(crate) fn describe_quality(outcome: &LabelsOutcome) -> String {
    let mut out = String::new();
    let pool_labels = &outcome.pool_labels;
    for (name, labels, quality) in [("pool", *pool_labels, outcome.pool), ("test", outcome.test_labels, outcome.test)] {
        let _ = writeln!(out, "{name}      {:>7} labels{}", count(labels), in_words(quality));
    }
    out
}

/// How training ended.
fn stop(history: &StageHistory, target_stop: Option<TargetStop>) -> String {
    let StageHistory { steps, scheduled_steps, best_step, stop_reason, .. } = history;
    match (stop_reason, target_stop) {
        (StopReason::TargetReached, Some(TargetStop { from_step, to_step, share, accuracy, .. })) => format!(
            "stopped at step {steps} of {scheduled_steps}, {share:.2} of the way from step {from_step} to {to_step}, where \
             the validation accuracy is {accuracy:.3}"
        ),
        _ => format!("{steps} of {scheduled_steps} steps, of which step {best_step} is kept"),
    }
}

fn in_words(quality: LabelAccuracy) -> String {
    let part = |name: &str, value: Option<f64>| value.map_or(String::new(), |value| format!("   {name} {value:.3}"));
    part("accuracy", quality.accuracy) + &part("AUROC", quality.auroc)
}
