//! `labelmix plan`: what to buy, from the runs in the store.

mod backtest;

use std::path::Path;

use labelmix_econ::{Allocation, PriceSchedule, SurfaceSettings, Tariff};
use labelmix_report::{Budget, PlanBasis, PlanReport, PlanRequest, render_plan};
use labelmix_store::Store;
use labelmix_study::Study;

use crate::arguments::{EngineArguments, Have, PlanArguments, PriceList};
use crate::diagnosis::{Failure, Status, print_data};
use crate::engine::engine_options;
use crate::kept::{finished_runs, kept_sweep, labeled_data, store_of, tell_unfinished};
use crate::progress::patiently;
use crate::style::terminal_style;
use crate::task::files_of;

/// The seed of a surface's draws: the same runs give the same plan.
const SEED: u64 = 0;

pub(crate) fn run(arguments: &PlanArguments) -> Result<Status, Failure> {
    match (&arguments.backtest, &arguments.study) {
        (Some(store), study) => backtest::run(arguments, store, study.as_deref()),
        (None, Some(study)) => plan(arguments, study),
        (None, None) => unreachable!("a study is required where nothing is replayed"),
    }
}

fn plan(arguments: &PlanArguments, study: &Path) -> Result<Status, Failure> {
    let study = Study::read(study)?;
    let store = store_of(&study, arguments.store.as_deref());
    let finished = finished_runs(&study, &store)?;
    tell_unfinished(&finished);
    let methods = study.splitting_methods();
    let basis = PlanBasis {
        study: &study.name,
        tariff: repriced(study.tariff(), arguments.price)?,
        methods: methods.iter().map(String::as_str).collect(),
        runs: finished.measured(),
    };
    let request = PlanRequest {
        budget: arguments.budget.map(Budget::InAll).or(arguments.next.map(Budget::Next)),
        have: have(&study, &store, arguments.have)?,
        target: arguments.target,
        method: arguments.method.clone(),
    };
    let mut report = patiently("planning", || PlanReport::new(basis, &request, &SurfaceSettings::new(SEED)))?;
    if let Some(folder) = &arguments.out {
        let sweep = kept_sweep(study.clone(), &store, &engine_options(&study.engine(), &EngineArguments::of_study())?)?;
        let choose = || sweep.next_texts(&store, &report.plan.method, report.plan.have, report.plan.buy);
        let texts = patiently("choosing texts", choose)?;
        report.write_purchase(&texts, arguments.format, folder)?;
    }
    print_data(&if arguments.json { report.to_json() } else { render_plan(&report, terminal_style()) })?;
    Ok(Status::Done)
}

/// Prices with those of an argument in their place.
pub(crate) fn repriced(mut tariff: Tariff, price: Option<PriceList>) -> Result<Tariff, Failure> {
    let flat = |usd| PriceSchedule::flat(usd).map_err(|_| UnusablePrice(usd));
    if let Some(PriceList { weak_usd, gold_usd }) = price {
        if let Some(usd) = weak_usd {
            tariff.weak = flat(usd)?;
        }
        if let Some(usd) = gold_usd {
            tariff.gold = flat(usd)?;
        }
    }
    Ok(tariff)
}

/// A price that is none.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
#[error("--price: a label cannot cost {0}")]
#[diagnostic(help("prices are positive amounts of dollars per label, such as weak=0.05,gold=1"))]
struct UnusablePrice(f64);

/// The labels that are bought already.
fn have(study: &Study, store: &Store, have: Have) -> Result<Allocation, Failure> {
    match have {
        Have::Counts(counts) => Ok(counts),
        Have::Data => {
            let train = labeled_data(study, &files_of(study)?, &[], Some(store.root()))?.summary.train;
            Ok(Allocation { n_weak: train.with_weak, n_gold: train.with_gold })
        }
    }
}
