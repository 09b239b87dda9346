//! A study as the store has it: nothing is trained, the labeler neither.

use std::collections::BTreeSet;
use std::path::Path;

use labelmix_data::{Dataset, SplitFiles};
use labelmix_econ::MeasuredRun;
use labelmix_engine::EngineOptions;
use labelmix_report::Answer;
use labelmix_store::{FinishedStudy, Store};
use labelmix_study::Study;
use labelmix_sweep::{Inputs, Sweep, WeakLabeling, label_data};

use crate::arguments::EngineArguments;
use crate::diagnosis::Failure;
use crate::engine::engine_options;
use crate::model::{Parts, checkpoint_of, labeler_checkpoint_of};
use crate::progress::patiently;
use crate::task::files_of;

/// What a study's finished runs say.
pub(crate) struct Finished {
    pub(crate) study: Study,
    pub(crate) runs: FinishedStudy,
    /// The runs with the test items that each got right.
    pub(crate) measured: Vec<MeasuredRun>,
    pub(crate) answer: Answer,
}

impl Finished {
    /// Reads the runs.
    pub(crate) fn read(study: Study, store: &Store) -> Result<Self, Failure> {
        let runs = finished_runs(&study, store)?;
        let measured = runs.measured();
        let answer = Answer::of(&runs, &measured);
        Ok(Self { study, runs, measured, answer })
    }
}

/// The finished runs of a study, from the store alone: its data are read only where the store does not have the test set yet.
pub(crate) fn finished_runs(study: &Study, store: &Store) -> Result<FinishedStudy, Failure> {
    let mut finished = patiently("reading runs", || store.study(study))?;
    if finished.test.is_empty() && !finished.runs.is_empty() {
        let data = labeled_data(study, &files_of(study)?, &[], Some(store.root()))?;
        finished = finished.tested_on(&data.test)?;
        finished.own_share = data.summary.test.own_shares().map(|(_, share)| share);
    }
    Ok(finished)
}

/// Says how many of the runs that are asked for are not finished, and what of the study is not as it was swept.
pub(crate) fn tell_unfinished(finished: &FinishedStudy) {
    let missing = finished.unfinished;
    if missing > 0 {
        say!("{missing} runs are not finished yet and are left out; `labelmix sweep` finishes them");
    }
    let stages = || finished.runs.iter().flat_map(|run| &run.stages);
    let engines: BTreeSet<&str> = stages().filter_map(|stage| stage.engine.as_deref()).collect();
    if engines.len() > 1 {
        let engines: Vec<&str> = engines.into_iter().collect();
        say!("its stages were done by different engines, which round differently: {}", engines.join("; "));
    }
    if finished.unchecked > 0 {
        say!(
            "{} records are from before records had a checksum and are taken as they are; `labelmix sweep` writes them anew",
            finished.unchecked
        );
    }
    if !finished.changed.is_empty() {
        let tables: Vec<String> = finished.changed.iter().map(|table| format!("[{table}]")).collect();
        say!("since its last sweep the study has another {}", tables.join(", "));
    }
}

/// The sweep of a study whose weak labels, if a labeler makes them, are in the store.
pub(crate) fn kept_sweep(study: Study, store: &Store, options: &EngineOptions) -> Result<Sweep, Failure> {
    let inputs = Inputs { task_files: files_of(&study)?, model_folder: checkpoint_of(&study, Parts::All)? };
    let labeler_folder = labeler_checkpoint_of(&study)?;
    let labeling = WeakLabeling::kept(store, labeler_folder.as_deref());
    Ok(Sweep::prepare(study, inputs, options, &labeling)?)
}

/// The store of a study, or the one that is named, to read what is in it.
pub(crate) fn store_of(study: &Study, named: Option<&Path>) -> Store {
    Store::to_look_at(&named.map_or_else(|| study.default_store(), Path::to_owned))
}

/// The study's examples with the weak labels that a sweep would sell. Those of a labeler must have been made, and are in
/// this store, or beside the study.
pub(crate) fn labeled_data(
    study: &Study,
    task_files: &SplitFiles,
    fields: &[String],
    store: Option<&Path>,
) -> Result<Dataset, Failure> {
    let dataset = study.load_data_with_fields(task_files, fields)?;
    if study.labeler.is_none() {
        return Ok(dataset);
    }
    let store = store_of(study, store);
    let model_folder = labeler_checkpoint_of(study)?;
    let options = engine_options(&study.engine(), &EngineArguments::of_study())?;
    let labeling = WeakLabeling::kept(&store, model_folder.as_deref());
    Ok(label_data(study, dataset, &options, &labeling)?.dataset)
}
