//! `labelmix report`: a page, figures and tables from what the store holds.

use std::path::{Path, PathBuf};

use labelmix_report::{Analysis, Details, Economics, FigureSettings, Report, write_report};
use labelmix_sweep::{Store, Study, records};

use crate::arguments::ReportArguments;
use crate::diagnosis::{Failure, Status, print_data};
use crate::kept::{kept_sweep, tell_unfinished};
use crate::plan::repriced;
use crate::sweep::Finished;

pub(crate) fn run(arguments: &ReportArguments) -> Result<Status, Failure> {
    let study = Study::read(&arguments.study)?;
    let store = Store::open(&arguments.store.clone().unwrap_or_else(|| study.default_store()))?;
    let sweep = kept_sweep(study, &store)?;
    let records = records(&sweep, &store)?;
    tell_unfinished(&sweep, records.len());
    let finished = Finished::of(sweep, &store, records)?;
    for path in write(&finished, &store, &arguments.out, &arguments.figures.settings())? {
        print_data(&format!("{}\n", path.display()))?;
    }
    let Finished { sweep, runs, .. } = finished;
    if !runs.is_empty() {
        let tariff = repriced(sweep.tariff(), arguments.price)?;
        let economics = Economics::new(&sweep.study().name, runs, tariff, &sweep.study().grid.budgets)?;
        for path in economics.write(&arguments.out)? {
            print_data(&format!("{}\n", path.display()))?;
        }
    }
    Ok(Status::Done)
}

/// Writes the report of a sweep's finished runs, and says which files it wrote.
pub(crate) fn write(
    Finished { sweep, records, runs, answer }: &Finished,
    store: &Store,
    folder: &Path,
    figures: &FigureSettings,
) -> Result<Vec<PathBuf>, Failure> {
    anstream::eprintln!("resampling {} runs and fitting response surfaces", records.len());
    let analysis = Analysis::new(answer, runs.clone());
    let details = Details::read(sweep, store, records)?;
    Ok(write_report(&Report { answer: answer.clone(), analysis, details }, folder, figures)?)
}
