//! `--events FILE`: what happens in a sweep, a line of JSON each, for programs.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use labelmix_files::WriteError;
use labelmix_sweep::{Observer, StageNode, SweepEvent};
use labelmix_train::StageProgress;
use serde_json::{Value, json};

/// The least time between two lines on the progress of one stage.
const PROGRESS_EVERY: Duration = Duration::from_secs(1);

/// A file of events.
pub(crate) struct EventFile {
    path: PathBuf,
    state: Mutex<State>,
}

struct State {
    file: File,
    /// When each worker's progress was written last.
    last_progress: HashMap<usize, Instant>,
    /// What went wrong first.
    error: Option<io::Error>,
}

impl EventFile {
    /// Opens a file, to write after what it holds.
    pub(crate) fn open(path: &Path) -> Result<Self, WriteError> {
        let file = File::options().create(true).append(true).open(path);
        let file = file.map_err(|source| WriteError { path: path.to_owned(), source })?;
        let state = State { file, last_progress: HashMap::new(), error: None };
        Ok(Self { path: path.to_owned(), state: Mutex::new(state) })
    }

    /// Writes one event.
    pub(crate) fn write(&self, event: &str, mut fields: Value) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let time = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64());
        fields["event"] = event.into();
        fields["time"] = ((time * 1e3).round() / 1e3).into();
        // One write for a line: several processes may append to the file.
        if let Err(error) = state.file.write_all(format!("{fields}\n").as_bytes()) {
            state.error.get_or_insert(error);
        }
    }

    /// Whether everything could be written.
    pub(crate) fn check(&self) -> Result<(), WriteError> {
        let error = self.state.lock().unwrap_or_else(PoisonError::into_inner).error.take();
        error.map_or(Ok(()), |source| Err(WriteError { path: self.path.clone(), source }))
    }

    /// Whether a worker's progress is to be written now.
    fn is_due(&self, worker: usize, progress: StageProgress) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let last = state.last_progress.get(&worker);
        let is_due = progress.step == progress.scheduled_steps
            || last.is_none_or(|last| now.duration_since(*last) >= PROGRESS_EVERY);
        if is_due {
            state.last_progress.insert(worker, now);
        }
        is_due
    }
}

fn facts(stage: &StageNode) -> Value {
    json!({"key": stage.key, "stage": stage.in_words(), "seed": stage.seed})
}

fn with(stage: &StageNode, more: &[(&str, Value)]) -> Value {
    let mut fields = facts(stage);
    for (name, value) in more {
        fields[*name] = value.clone();
    }
    fields
}

impl Observer for EventFile {
    fn hear(&self, event: &SweepEvent<'_>) {
        match event {
            SweepEvent::StageDamaged { stage, damage } => {
                self.write(
                    "stage-damaged",
                    with(stage, &[("path", json!(damage.path)), ("reason", json!(damage.reason))]),
                );
            }
            SweepEvent::Began { stages, jobs, .. } => {
                self.write("sweep-began", json!({"missing_stages": stages.len(), "jobs": jobs}));
            }
            SweepEvent::StageBegan { worker, stage } => {
                self.write("stage-began", with(stage, &[("worker", json!(worker))]));
            }
            SweepEvent::StageElsewhere { stage, holder } => {
                let holder = holder.map(ToString::to_string);
                self.write("stage-elsewhere", with(stage, &[("holder", json!(holder))]));
            }
            SweepEvent::StageProgressed { worker, stage, progress } => {
                if self.is_due(*worker, *progress) {
                    let StageProgress { step, scheduled_steps, training_loss, .. } = progress;
                    let steps = [("step", json!(step)), ("scheduled_steps", json!(scheduled_steps))];
                    let more = [("worker", json!(worker)), ("training_loss", json!(training_loss))];
                    self.write("stage-progressed", with(stage, &[steps, more].concat()));
                }
            }
            SweepEvent::StageFinished { worker, stage, outcome } => {
                let more = [("worker", json!(worker)), ("accuracy", json!(outcome.metrics.accuracy))];
                self.write("stage-finished", with(stage, &more));
            }
            SweepEvent::StageFailed { worker, stage, failure } => {
                let more = [("worker", json!(worker)), ("error", json!(failure.cause.to_string()))];
                self.write("stage-failed", with(stage, &more));
            }
            SweepEvent::RunFinished { record } => self.write("run-finished", json!({"run": record})),
            SweepEvent::FeaturesDamaged { damage } => {
                self.write("features-damaged", json!({"path": damage.path, "reason": damage.reason}));
            }
            SweepEvent::TextsRead { done, total } => {
                self.write("texts-read", json!({"texts": done, "of": total}));
            }
            SweepEvent::StageKept { .. } => {}
        }
    }
}
