//! `labelmix plan --backtest`: recorded sweeps, replayed.

use std::path::Path;

use labelmix_econ::{MeasuredRun, SurfaceSettings, Tariff};
use labelmix_report::{BacktestReport, RecordedSweep, render_backtest};
use labelmix_store::{RunRecord, Store};
use labelmix_study::{PricesTable, Study};

use super::{SEED, repriced};
use crate::arguments::PlanArguments;
use crate::diagnosis::{Failure, Status, print_data};
use crate::kept::{finished_runs, tell_unfinished};
use crate::progress::patiently;
use crate::style::terminal_style;

pub(super) fn run(arguments: &PlanArguments, store: &Path, study: Option<&Path>) -> Result<Status, Failure> {
    let recorded = Store::open_to_read(store)?.recorded_runs()?;
    let given: Vec<f64> = arguments.budget.into_iter().collect();
    let of_method = |runs: Vec<MeasuredRun>| match &arguments.method {
        Some(method) => runs.into_iter().filter(|run| run.method == *method).collect(),
        None => runs,
    };
    let settings = SurfaceSettings::new(SEED);
    let replay =
        |sweeps, tariff| patiently("replaying", || BacktestReport::new(sweeps, tariff, &arguments.pilot, &settings));
    let report = if let Some(study) = study {
        let (study, store) = (Study::read(study)?, Store::open_to_read(store)?);
        let finished = finished_runs(&study, &store)?;
        tell_unfinished(&finished);
        let runs = of_method(finished.measured());
        let budgets_usd = if given.is_empty() { study.grid.budgets.clone() } else { given };
        replay(
            vec![RecordedSweep { study: &study.name, runs, budgets_usd }],
            repriced(study.tariff(), arguments.price)?,
        )?
    } else {
        let sweeps = recorded.iter().map(|(study, records)| RecordedSweep {
            study,
            runs: of_method(records.iter().map(RunRecord::measured).collect()),
            budgets_usd: given.clone(),
        });
        let usual: Tariff = PricesTable::default().tariff().expect("the usual prices are prices");
        replay(sweeps.collect(), repriced(usual, arguments.price)?)?
    };
    print_data(&if arguments.json { report.to_json() } else { render_backtest(&report, terminal_style()) })?;
    Ok(Status::Done)
}
