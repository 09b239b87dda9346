//! All who hear of a sweep while it runs: the screen, and the files that the command line asks for.

use labelmix_files::WriteError;
use labelmix_sweep::{Execution, Observer, SweepEvent};
use serde_json::json;

use crate::arguments::WatchArguments;
use crate::events::EventFile;
use crate::progress::SweepProgress;
use crate::tensorboard::TensorBoard;

/// The files that tell of a sweep.
#[derive(Default)]
pub(crate) struct WatchFiles {
    events: Option<EventFile>,
    tensorboard: Option<TensorBoard>,
}

impl WatchFiles {
    /// Opens what the command line asks for, in the study's name.
    pub(crate) fn open(arguments: &WatchArguments, study: &str) -> Result<Self, WriteError> {
        let events = arguments.events.as_deref().map(EventFile::open).transpose()?;
        let tensorboard = arguments.tensorboard.as_deref().map(|folder| TensorBoard::new(&folder.join(study)));
        Ok(Self { events, tensorboard })
    }

    /// Whether everything could be written.
    pub(crate) fn check(&self) -> Result<(), WriteError> {
        self.events.as_ref().map_or(Ok(()), EventFile::check)?;
        self.tensorboard.as_ref().map_or(Ok(()), TensorBoard::check)
    }

    /// Takes note of the end.
    pub(crate) fn ended(&self, Execution { records, failures, interrupted, .. }: &Execution) {
        if let Some(events) = &self.events {
            let (runs, failed) = (records.len(), failures.len());
            let fields = json!({"finished_runs": runs, "failed_stages": failed, "interrupted": interrupted});
            events.write("sweep-ended", fields);
        }
    }
}

/// The screen and the files.
pub(crate) struct Observers<'a> {
    pub(crate) progress: &'a SweepProgress,
    pub(crate) files: &'a WatchFiles,
}

impl Observer for Observers<'_> {
    fn hear(&self, event: &SweepEvent<'_>) {
        self.progress.hear(event);
        if let Some(events) = &self.files.events {
            events.hear(event);
        }
        if let Some(tensorboard) = &self.files.tensorboard {
            tensorboard.hear(event);
        }
    }
}
