//! A study as the store has it: nothing is trained, the labeler neither.

use labelmix_sweep::{Inputs, PrepareOptions, Store, Study, Sweep, WeakLabeling};

use crate::diagnosis::Failure;
use crate::model::{Parts, checkpoint_of, labeler_checkpoint_of};
use crate::task::files_of;

/// The sweep of a study whose weak labels, if a labeler makes them, are in the store.
pub(crate) fn kept_sweep(study: Study, store: &Store) -> Result<Sweep, Failure> {
    kept_sweep_with(study, store, &PrepareOptions::default())
}

/// The same, for this machine.
pub(crate) fn kept_sweep_with(study: Study, store: &Store, options: &PrepareOptions) -> Result<Sweep, Failure> {
    let inputs = Inputs { task_files: files_of(&study)?, model_folder: checkpoint_of(&study, Parts::All)? };
    let labeler_folder = labeler_checkpoint_of(&study)?;
    let labeling = WeakLabeling::kept(store, labeler_folder.as_deref());
    Ok(Sweep::prepare(study, inputs, options, &labeling)?)
}

/// Says how many runs of a sweep are not among the finished ones, if any are.
pub(crate) fn tell_unfinished(sweep: &Sweep, finished: usize) {
    let missing = sweep.graph().runs().len() - finished;
    if missing > 0 {
        anstream::eprintln!("{missing} runs are not finished yet and are left out; `labelmix sweep` finishes them");
    }
}
