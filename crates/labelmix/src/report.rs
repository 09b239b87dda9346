//! `labelmix report`: tables and figures from what the store holds.

use labelmix_sweep::{Inputs, PrepareOptions, Store, Study, Sweep, WeakLabeling, records};

use crate::arguments::ReportArguments;
use crate::diagnosis::{Failure, Status, print_data};
use crate::model::{Parts, checkpoint_of, labeler_checkpoint_of};
use crate::sweep::answer;
use crate::task::files_of;

pub(crate) fn run(arguments: &ReportArguments) -> Result<Status, Failure> {
    let study = Study::read(&arguments.study)?;
    let store = Store::open(&arguments.store.clone().unwrap_or_else(|| study.default_store()))?;
    let sweep = prepare_kept(study, &store)?;
    let records = records(&sweep, &store)?;
    let missing = sweep.graph().runs().len() - records.len();
    if missing > 0 {
        anstream::eprintln!("{missing} runs are not finished yet and are left out; `labelmix sweep` finishes them");
    }
    for path in labelmix_report::write_report(&answer(&sweep, &store, &records)?, &arguments.out)? {
        print_data(&format!("{}\n", path.display()))?;
    }
    Ok(Status::Done)
}

/// A sweep to read results of: it trains nothing, the labeler neither.
pub(crate) fn prepare_kept(study: Study, store: &Store) -> Result<Sweep, Failure> {
    let inputs = Inputs { task_files: files_of(&study)?, model_folder: checkpoint_of(&study, Parts::All)? };
    let labeler_folder = labeler_checkpoint_of(&study)?;
    let labeling = WeakLabeling::kept(store, labeler_folder.as_deref());
    Ok(Sweep::prepare(study, inputs, &PrepareOptions::default(), &labeling)?)
}
