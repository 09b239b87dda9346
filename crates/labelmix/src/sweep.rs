//! `labelmix sweep`: do what a study asks and print the answer.

use std::io::{self, IsTerminal};

use labelmix_report::{Answer, Colours, Style, render};
use labelmix_sweep::{
    Execution, Inputs, LabelerProgress, PrepareOptions, RunRecord, Store, Study, Sweep, WeakLabeling, available_memory,
    execute, measured_runs,
};

use crate::arguments::SweepArguments;
use crate::diagnosis::{Failure, Status, print_data, print_diagnostic};
use crate::model::{Parts, checkpoint_of, device, labeler_checkpoint_of};
use crate::progress::{MessageBar, SweepProgress};
use crate::task::files_of;

pub(crate) fn run(arguments: &SweepArguments) -> Result<Status, Failure> {
    let study = Study::read(&arguments.study)?;
    let store = Store::open(&arguments.store.clone().unwrap_or_else(|| study.default_store()))?;
    let options = PrepareOptions {
        device: device(&arguments.device)?,
        jobs: arguments.jobs.map(usize::from),
        memory: Some(arguments.memory.map_or_else(available_memory, |memory| memory.0)),
    };
    let swept = sweep(study, &store, &options)?;
    if arguments.json {
        print_data(&swept.answer.to_json())?;
    } else {
        print_data(&render(&swept.answer, terminal_style()))?;
    }
    Ok(swept.status())
}

/// What came of a study.
pub(crate) struct Swept {
    pub(crate) answer: Answer,
    pub(crate) execution: Execution,
}

impl Swept {
    /// Prints the failures, if there are any.
    pub(crate) fn status(&self) -> Status {
        if self.execution.failures.is_empty() {
            return Status::Done;
        }
        anstream::eprintln!();
        for failure in &self.execution.failures {
            print_diagnostic(failure);
        }
        Status::SomeStagesFailed
    }
}

/// Does what a study asks, and shows the progress.
pub(crate) fn sweep(study: Study, store: &Store, options: &PrepareOptions) -> Result<Swept, Failure> {
    let inputs = Inputs { task_files: files_of(&study)?, model_folder: checkpoint_of(&study, Parts::All)? };
    let labeler_folder = labeler_checkpoint_of(&study)?;
    let labeling_progress = MessageBar::new();
    let observe = |progress: LabelerProgress<'_>| labeling_progress.labeling(progress);
    let labeling = WeakLabeling::made(store, labeler_folder.as_deref(), &observe);
    let sweep = Sweep::prepare(study, inputs, options, &labeling);
    labeling_progress.clear();
    let sweep = sweep?;
    anstream::eprintln!("{}", sweep.summary());
    let progress = SweepProgress::new();
    let execution = execute(&sweep, store, &progress)?;
    progress.clear();
    Ok(Swept { answer: answer(&sweep, store, &execution.records)?, execution })
}

/// Colours where a person looks at a terminal and has not asked for none (`NO_COLOR`).
pub(crate) fn terminal_style() -> Style {
    let colourful = io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    Style { colours: if colourful { Colours::On } else { Colours::Off }, width: None }
}

/// What the finished runs of a sweep say.
pub(crate) fn answer(sweep: &Sweep, store: &Store, records: &[RunRecord]) -> Result<Answer, Failure> {
    let answer = Answer::new(
        &sweep.study().name,
        sweep.prices(),
        sweep.points(),
        sweep.not_affordable(),
        records,
        sweep.summary().data.train.weak_accuracy,
    );
    Ok(answer.with_regimes(measured_runs(sweep, store)?))
}
