//! `labelmix report`: tables and figures from what the store holds.

use labelmix_report::Economics;
use labelmix_sweep::{Store, Study, measured_runs, records};

use crate::arguments::ReportArguments;
use crate::diagnosis::{Failure, Status, print_data};
use crate::kept::kept_sweep;
use crate::plan::repriced;
use crate::sweep::answer;

pub(crate) fn run(arguments: &ReportArguments) -> Result<Status, Failure> {
    let study = Study::read(&arguments.study)?;
    let store = Store::open(&arguments.store.clone().unwrap_or_else(|| study.default_store()))?;
    let sweep = kept_sweep(study, &store)?;
    let records = records(&sweep, &store)?;
    let missing = sweep.graph().runs().len() - records.len();
    if missing > 0 {
        anstream::eprintln!("{missing} runs are not finished yet and are left out; `labelmix sweep` finishes them");
    }
    for path in labelmix_report::write_report(&answer(&sweep, &store, &records)?, &arguments.out)? {
        print_data(&format!("{}\n", path.display()))?;
    }
    let runs = measured_runs(&sweep, &store)?;
    if !runs.is_empty() {
        let tariff = repriced(sweep.tariff(), arguments.price)?;
        let economics = Economics::new(&sweep.study().name, runs, tariff, &sweep.study().grid.budgets)?;
        for path in economics.write(&arguments.out)? {
            print_data(&format!("{}\n", path.display()))?;
        }
    }
    Ok(Status::Done)
}
