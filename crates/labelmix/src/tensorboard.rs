//! `--tensorboard DIR`: the curves of each stage, for TensorBoard.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use labelmix_files::WriteError;
use labelmix_methods::ValidationPoint;
use labelmix_report::{TensorBoardFile, read_tensorboard};
use labelmix_store::{StageKey, StageOutcome};
use labelmix_sweep::{Observer, StageNode, SweepEvent};
use labelmix_train::StageProgress;

/// A folder of TensorBoard runs, one for each stage.
pub(crate) struct TensorBoard {
    folder: PathBuf,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The stages in work.
    stages: HashMap<StageKey, Curves>,
    /// What went wrong first.
    error: Option<WriteError>,
}

/// The file of a stage.
struct Curves {
    file: TensorBoardFile,
    /// The steps whose evaluations are in this file or an earlier one.
    evaluated: BTreeSet<usize>,
}

impl TensorBoard {
    /// A folder with a folder for each stage of a study in it. Nothing is written yet.
    pub(crate) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), state: Mutex::default() }
    }

    /// Whether everything could be written.
    pub(crate) fn check(&self) -> Result<(), WriteError> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).error.take().map_or(Ok(()), Err)
    }

    /// `32 gold labels, seed 0` with the key `1f3a…` is in `32-gold-labels_seed-0_1f3a5b7c`.
    fn folder_of(&self, stage: &StageNode) -> PathBuf {
        let words = stage.in_words().replace(", ", "_").replace(' ', "-");
        self.folder.join(format!("{words}_{}", &stage.key.to_string()[..8]))
    }

    /// Writes to a stage's files. After the first error nothing more is written: curves are no reason to end a sweep.
    fn write(&self, stage: &StageNode, write: impl FnOnce(&mut HashMap<StageKey, Curves>) -> io::Result<()>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.error.is_some() {
            return;
        }
        if let Err(source) = write(&mut state.stages) {
            state.error = Some(WriteError { path: self.folder_of(stage), source });
        }
    }

    fn progress(
        &self,
        stages: &mut HashMap<StageKey, Curves>,
        stage: &StageNode,
        progress: &StageProgress,
    ) -> io::Result<()> {
        let StageProgress { step, training_loss, learning_rate, evaluation, .. } = *progress;
        let curves = match stages.entry(stage.key.clone()) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                let mut curves = Curves::begin(&self.folder_of(stage))?;
                // A process that was killed may have come further than its last checkpoint.
                curves.file.resume_at(now(), step)?;
                curves.evaluated.retain(|evaluated| *evaluated < step);
                entry.insert(curves)
            }
        };
        if let Some(point) = evaluation {
            curves.evaluation(&point)?;
        }
        curves.file.scalars(now(), step, &[("loss/training", training_loss), ("learning rate", learning_rate)])
    }

    fn finish(
        &self,
        stages: &mut HashMap<StageKey, Curves>,
        stage: &StageNode,
        outcome: &StageOutcome,
    ) -> io::Result<()> {
        let curves = stages.remove(&stage.key);
        curves.map_or_else(|| Curves::begin(&self.folder_of(stage)), Ok)?.end(outcome)
    }
}

/// The curves that are read again.
const VALIDATION_LOSS: &str = "loss/validation";
const TEST_ACCURACY: &str = "accuracy/test";

impl Curves {
    /// Of a finished stage, what its files lack.
    fn complete(folder: &Path, outcome: &StageOutcome) -> io::Result<()> {
        let before = written(folder)?;
        if before.contains_key(TEST_ACCURACY) { Ok(()) } else { Self::after(folder, &before)?.end(outcome) }
    }

    fn begin(folder: &Path) -> io::Result<Self> {
        Self::after(folder, &written(folder)?)
    }

    /// A new file beside those that hold these curves.
    fn after(folder: &Path, before: &Written) -> io::Result<Self> {
        let evaluated = before.get(VALIDATION_LOSS).into_iter().flatten().map(|(step, _)| *step).collect();
        Ok(Self { file: TensorBoardFile::create(folder, now(), std::process::id())?, evaluated })
    }

    fn evaluation(&mut self, point: &ValidationPoint) -> io::Result<()> {
        let ValidationPoint { step, loss, accuracy, auroc, .. } = *point;
        let mut curves = vec![(VALIDATION_LOSS, loss)];
        curves.extend(accuracy.map(|accuracy| ("accuracy/validation", accuracy)));
        curves.extend(auroc.map(|auroc| ("AUROC/validation", auroc)));
        self.evaluated.insert(step);
        self.file.scalars(now(), step, &curves)
    }

    /// What a stage ends with: the evaluations that are in no file yet, and how good its best checkpoint is.
    fn end(mut self, outcome: &StageOutcome) -> io::Result<()> {
        for point in outcome.history.iter().flat_map(|history| &history.validation) {
            if !self.evaluated.contains(&point.step) {
                self.evaluation(point)?;
            }
        }
        let step = outcome.history.as_ref().map_or(0, |history| history.best_step);
        let metrics = &outcome.metrics;
        let mut curves = vec![(TEST_ACCURACY, metrics.accuracy)];
        curves.extend(metrics.auroc.map(|auroc| ("AUROC/test", auroc)));
        self.file.scalars(now(), step, &curves)
    }
}

/// The curves of a stage's files.
type Written = BTreeMap<String, Vec<(usize, f32)>>;

/// What a stage's files hold; nothing if there are none.
fn written(folder: &Path) -> io::Result<Written> {
    if folder.exists() { read_tensorboard(folder) } else { Ok(Written::new()) }
}

/// Seconds since 1970.
fn now() -> f64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64())
}

impl Observer for TensorBoard {
    fn hear(&self, event: &SweepEvent<'_>) {
        match *event {
            SweepEvent::StageProgressed { stage, ref progress, .. } => {
                self.write(stage, |stages| self.progress(stages, stage, progress));
            }
            SweepEvent::StageFinished { worker: Some(_), stage, outcome } => {
                self.write(stage, |stages| self.finish(stages, stage, outcome));
            }
            SweepEvent::StageKept { stage, outcome } => {
                self.write(stage, |_| Curves::complete(&self.folder_of(stage), outcome));
            }
            SweepEvent::StageFailed { stage, .. } => self.write(stage, |stages| {
                stages.remove(&stage.key);
                Ok(())
            }),
            _ => {}
        }
    }
}
