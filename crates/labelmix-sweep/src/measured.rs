//! Finished runs as the economics read them: which test items each run got right, or how it ranks them.

use labelmix_econ::{MeasuredRun, Outcome, RankedItems};
use labelmix_stats::ComparedStatistic;

use crate::error::{Error, Result};
use crate::followed::items_right;
use crate::store::Store;
use crate::sweep::Sweep;

/// The finished runs of a sweep with the test items that each got right, in the graph's order.
///
/// # Errors
/// If the store cannot be read, or holds predictions of another test set.
pub fn measured_runs(sweep: &Sweep, store: &Store) -> Result<Vec<MeasuredRun>> {
    measured_runs_by(sweep, store, ComparedStatistic::Accuracy)
}

/// The same, judged by accuracy or by AUROC.
///
/// # Errors
/// As [`measured_runs`], and if a run has no AUROC.
pub fn measured_runs_by(sweep: &Sweep, store: &Store, statistic: ComparedStatistic) -> Result<Vec<MeasuredRun>> {
    let test = sweep.test();
    let mut measured = Vec::new();
    for run in sweep.graph().runs() {
        let key = &sweep.graph().nodes()[run.last_stage()].key;
        let Some(predicted) = store.test_log_odds(key)? else { continue };
        let same_items = predicted.ids.len() == test.len()
            && predicted.log_odds.len() == test.len()
            && predicted.ids.iter().zip(test).all(|(id, example)| *id == example.id);
        if !same_items {
            let reason = "its predictions are of another test set".to_owned();
            return Err(Error::Damaged { path: store.stage_folder(key), reason });
        }
        let outcome = match statistic {
            ComparedStatistic::Accuracy => items_right(&predicted.log_odds, test),
            ComparedStatistic::Auroc => {
                let judged = predicted.log_odds.iter().zip(test);
                let (scores, labels): (Vec<f64>, Vec<bool>) =
                    judged.filter_map(|(score, example)| Some((f64::from(*score), example.gold?))).unzip();
                let ranked = RankedItems::new(&scores, &labels);
                Outcome::Ranked(ranked.ok_or_else(|| Error::NoAuroc { run: run.name.clone() })?)
            }
        };
        measured.push(MeasuredRun {
            task: sweep.study().name.clone(),
            method: run.method.clone(),
            allocation: run.allocation,
            seed: run.seed,
            outcome,
            gpu_hours: None,
        });
    }
    Ok(measured)
}
