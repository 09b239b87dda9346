//! `labelmix sweep`: do what a study asks and print the answer.

use std::io::{self, IsTerminal};

use labelmix_report::{Answer, Colours, Style, render};
use labelmix_sweep::{Inputs, PrepareOptions, RunRecord, Store, Study, Sweep, WeakLabeling, available_memory, execute};

use crate::arguments::SweepArguments;
use crate::diagnosis::{Failure, Status, print_data, print_diagnostic};
use crate::model::{Parts, checkpoint_of, device, labeler_checkpoint_of};
use crate::progress::{LabelingProgress, SweepProgress};
use crate::task::files_of;

pub(crate) fn run(arguments: &SweepArguments) -> Result<Status, Failure> {
    let study = Study::read(&arguments.study)?;
    let store = Store::open(&arguments.store.clone().unwrap_or_else(|| study.default_store()))?;
    let options = PrepareOptions {
        device: device(&arguments.device)?,
        jobs: arguments.jobs.map(usize::from),
        memory: Some(arguments.memory.map_or_else(available_memory, |memory| memory.0)),
    };
    let inputs = Inputs { task_files: files_of(&study)?, model_folder: checkpoint_of(&study, Parts::All)? };
    let labeler_folder = labeler_checkpoint_of(&study)?;
    let labeling_progress = LabelingProgress::new();
    let observe = |progress| labeling_progress.observe(progress);
    let labeling = WeakLabeling::made(&store, labeler_folder.as_deref(), &observe);
    let sweep = Sweep::prepare(study, inputs, &options, &labeling);
    labeling_progress.clear();
    let sweep = sweep?;
    anstream::eprintln!("{}", sweep.summary());
    let progress = SweepProgress::new();
    let execution = execute(&sweep, &store, &progress)?;
    progress.clear();
    let answer = answer(&sweep, &execution.records);
    if arguments.json {
        print_data(&answer.to_json())?;
    } else {
        print_data(&render(&answer, terminal_style()))?;
    }
    if execution.failures.is_empty() {
        return Ok(Status::Done);
    }
    anstream::eprintln!();
    for failure in &execution.failures {
        print_diagnostic(failure);
    }
    Ok(Status::SomeStagesFailed)
}

/// Colours where a person looks at a terminal and has not asked for none (`NO_COLOR`).
pub(crate) fn terminal_style() -> Style {
    let colourful = io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    Style { colours: if colourful { Colours::On } else { Colours::Off }, width: None }
}

/// What the finished runs of a sweep say.
pub(crate) fn answer(sweep: &Sweep, records: &[RunRecord]) -> Answer {
    Answer::new(
        &sweep.study().name,
        sweep.prices(),
        sweep.points(),
        sweep.not_affordable(),
        records,
        sweep.summary().data.train.weak_accuracy,
    )
}
