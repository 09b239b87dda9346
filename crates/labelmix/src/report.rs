//! `labelmix report`: a page, figures and tables from what the store holds.

use std::path::{Path, PathBuf};

use labelmix_report::{Analysis, Columns, Details, Report, write_report};
use labelmix_sweep::{Inputs, PrepareOptions, RunRecord, Store, Study, Sweep, WeakLabeling, measured_runs, records};

use crate::arguments::{FigureColumns, ReportArguments};
use crate::diagnosis::{Failure, Status, print_data};
use crate::model::{Parts, checkpoint_of, labeler_checkpoint_of};
use crate::sweep::answer;
use crate::task::files_of;

pub(crate) fn run(arguments: &ReportArguments) -> Result<Status, Failure> {
    let study = Study::read(&arguments.study)?;
    let store = Store::open(&arguments.store.clone().unwrap_or_else(|| study.default_store()))?;
    let inputs = Inputs { task_files: files_of(&study)?, model_folder: checkpoint_of(&study, Parts::All)? };
    let labeler_folder = labeler_checkpoint_of(&study)?;
    // A report trains nothing, the labeler neither.
    let labeling = WeakLabeling::kept(&store, labeler_folder.as_deref());
    let sweep = Sweep::prepare(study, inputs, &PrepareOptions::default(), &labeling)?;
    let records = records(&sweep, &store)?;
    let missing = sweep.graph().runs().len() - records.len();
    if missing > 0 {
        anstream::eprintln!("{missing} runs are not finished yet and are left out; `labelmix sweep` finishes them");
    }
    let columns = match arguments.columns {
        FigureColumns::One => Columns::One,
        FigureColumns::Two => Columns::Two,
    };
    for path in write(&sweep, &store, &records, &arguments.out, columns)? {
        print_data(&format!("{}\n", path.display()))?;
    }
    Ok(Status::Done)
}

/// Writes the report of a sweep's finished runs, and says which files it wrote.
pub(crate) fn write(
    sweep: &Sweep,
    store: &Store,
    records: &[RunRecord],
    folder: &Path,
    columns: Columns,
) -> Result<Vec<PathBuf>, Failure> {
    anstream::eprintln!("resampling {} runs and fitting response surfaces", records.len());
    let answer = answer(sweep, store, records)?;
    let analysis = Analysis::new(&answer, measured_runs(sweep, store)?);
    let details = Details::read(sweep, store, records)?;
    Ok(write_report(&Report { answer, analysis, details }, folder, columns)?)
}
