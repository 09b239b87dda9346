//! Finished runs as the economics read them: which test items each run got right.

use labelmix_econ::{CorrectItems, MeasuredRun, Outcome};

use crate::error::{Error, Result};
use crate::store::Store;
use crate::sweep::Sweep;

/// The finished runs of a sweep with the test items that each got right, in the graph's order.
///
/// # Errors
/// If the store cannot be read, or holds predictions of another test set.
pub fn measured_runs(sweep: &Sweep, store: &Store) -> Result<Vec<MeasuredRun>> {
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
        let right = |(score, gold): (&f32, Option<bool>)| gold == Some(*score > 0.0);
        let gold = test.iter().map(|example| example.gold);
        let correct: Vec<bool> = predicted.log_odds.iter().zip(gold).map(right).collect();
        measured.push(MeasuredRun {
            task: sweep.study().name.clone(),
            method: run.method.clone(),
            allocation: run.allocation,
            seed: run.seed,
            outcome: Outcome::Items(CorrectItems::new(&correct)),
            gpu_hours: None,
        });
    }
    Ok(measured)
}
