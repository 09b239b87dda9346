//! `labelmix weak-label`: the weak labels of a study's labeler, as a file.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{HumanDuration, ProgressBar, ProgressStyle};
use labelmix_data::{Example, ExampleId};
use labelmix_elicit::{LabelQuality, StageHistory, StopReason, TargetStop};
use labelmix_report::count;
use labelmix_sweep::{
    IfMissing, LabeledData, LabelerProgress, LabelsOutcome, Origin, PrepareOptions, Store, Study, WeakLabeling,
    available_memory, label_data,
};
use serde::Serialize;

use crate::arguments::WeakLabelArguments;
use crate::diagnosis::{Failure, Status, WriteError, print_data};
use crate::model::{device, labeler_checkpoint_of};
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
    let study = Study::read(&arguments.study)?;
    let store = Store::open(&arguments.store.clone().unwrap_or_else(|| study.default_store()))?;
    let options = PrepareOptions {
        device: device(&arguments.device)?,
        jobs: None,
        memory: Some(arguments.memory.map_or_else(available_memory, |memory| memory.0)),
    };
    let model_folder = labeler_checkpoint_of(&study)?;
    let progress = LabelingProgress::new();
    let labeling = WeakLabeling {
        store: &store,
        model_folder: model_folder.as_deref(),
        if_missing: IfMissing::Make,
        observe: &|event| progress.observe(event),
    };
    let labeled = label_data(&study, &files_of(&study)?, &options, &labeling);
    progress.clear();
    let LabeledData { dataset, outcome, origin } = labeled?;
    write(&arguments.out, &[("pool", &dataset.train), ("test", &dataset.test)])
        .map_err(|source| WriteError { place: arguments.out.display().to_string(), source })?;
    if arguments.json {
        let json = serde_json::to_string_pretty(&Report { origin, outcome: &outcome }).expect("a report is JSON");
        print_data(&format!("{json}\n"))?;
    } else {
        print_data(&describe(&outcome, origin, dataset.train.len()))?;
    }
    let written = outcome.pool_labels + outcome.test_labels;
    anstream::eprintln!("{} labels written to {}", count(written), arguments.out.display());
    Ok(Status::Done)
}

/// Writes the labels beside their place and renames them.
fn write(out: &Path, splits: &[(&'static str, &Vec<Example>)]) -> io::Result<()> {
    let mut beside = out.to_path_buf().into_os_string();
    beside.push(format!(".{}", std::process::id()));
    let mut file = BufWriter::new(File::create(&beside)?);
    for &(split, examples) in splits {
        for example in examples {
            let Some(weak) = example.weak else { continue };
            let row = Row { id: example.id, split, text: &example.text, gold: example.gold.map(u8::from), weak };
            serde_json::to_writer(&mut file, &row)?;
            file.write_all(b"\n")?;
        }
    }
    file.into_inner().map_err(std::io::IntoInnerError::into_error)?.sync_all()?;
    std::fs::rename(&beside, out)
}

/// How the labels were made and how good they are, for people.
fn describe(outcome: &LabelsOutcome, origin: Origin, pool: usize) -> String {
    let LabelsOutcome { key, labeler, history, target_stop, temperature, pool_labels, .. } = outcome;
    let origin = match origin {
        Origin::Found => "found in the store",
        Origin::Made => "made now",
    };
    let model = labeler.model.as_ref().map_or(String::new(), |model| format!(", {}", model.path.display()));
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
    if labeler.shuffle_errors {
        let _ = writeln!(out, "errors    dealt out anew");
    }
    if pool > *pool_labels {
        let _ = writeln!(out, "left out  {} examples of the pool", count(pool - pool_labels));
    }
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

fn in_words(quality: LabelQuality) -> String {
    let part = |name: &str, value: Option<f64>| value.map_or(String::new(), |value| format!("   {name} {value:.3}"));
    part("accuracy", quality.accuracy) + &part("AUROC", quality.auroc)
}

/// The progress of a labeler: a bar on a terminal, a line every now and then elsewhere.
pub(crate) struct LabelingProgress {
    bar: ProgressBar,
    on_terminal: bool,
    started: Instant,
    last_line: Mutex<Instant>,
}

/// Without a terminal, the time between two lines.
const LINE_EVERY: Duration = Duration::from_secs(10);

impl LabelingProgress {
    pub(crate) fn new() -> Self {
        let style = ProgressStyle::with_template("{bar:30} {msg}").expect("the template is valid");
        let now = Instant::now();
        Self {
            bar: ProgressBar::new(1).with_style(style),
            on_terminal: io::stderr().is_terminal(),
            started: now,
            last_line: Mutex::new(now),
        }
    }

    pub(crate) fn observe(&self, progress: LabelerProgress) {
        let (done, total, message) = match progress {
            LabelerProgress::Training(progress) => {
                let (step, scheduled) = (progress.step, progress.scheduled_steps);
                let message =
                    format!("weak labeler: step {step} of at most {scheduled}, loss {:.3}", progress.training_loss);
                (step, scheduled, message)
            }
            LabelerProgress::Labeling { done, total } => (done, total, format!("weak labels: {done} of {total} texts")),
        };
        self.bar.set_length(total as u64);
        self.bar.set_position(done as u64);
        self.bar.set_message(message.clone());
        let mut last_line = self.last_line.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.on_terminal && last_line.elapsed() > LINE_EVERY {
            *last_line = Instant::now();
            anstream::eprintln!("{message}, {} elapsed", HumanDuration(self.started.elapsed()));
        }
    }

    /// Takes the bar off the screen.
    pub(crate) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}
