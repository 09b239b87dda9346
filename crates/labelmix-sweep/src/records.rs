//! The records of runs, each beside the ledger of its labels at the study's prices.

use labelmix_methods::Schedule;
use labelmix_store::{RunFile, RunRecord, StageOutcome, Store};

use crate::error::Result;
use crate::graph::Run;
use crate::sweep::Sweep;

/// Steps up to which a training has hardly moved its threshold: on SST-2 with `MiniLM` every such run from labels of one kind
/// had test log-odds with a standard deviation below 0.2.
const FEW_STEPS: usize = 25;

/// A run whose record was written.
pub(crate) struct WrittenRun {
    pub(crate) record: RunRecord,
    /// Whether it trains, and made no more than a handful of steps in all.
    pub(crate) hardly_trained: bool,
}

/// The records of all runs whose stages are in the store. Each is written to the store as well,
/// beside the ledger of its labels at the study's prices.
///
/// # Errors
/// If the store cannot be read or written.
pub(crate) fn records(sweep: &Sweep, store: &Store) -> Result<Vec<WrittenRun>> {
    let runs = sweep.graph().runs().iter();
    runs.filter_map(|run| write_record(sweep, store, run).transpose()).collect()
}

/// Writes the record of a run, if all of its stages are in the store; the record.
pub(crate) fn write_record(sweep: &Sweep, store: &Store, run: &Run) -> Result<Option<WrittenRun>> {
    let study = sweep.study();
    let nodes = sweep.graph().nodes();
    let stages = run.stages.iter().map(|index| store.outcome(&nodes[*index].key));
    let Some(outcomes) = stages.collect::<std::result::Result<Option<Vec<StageOutcome>>, _>>()? else {
        return Ok(None);
    };
    let Some(outcome) = outcomes.last() else { return Ok(None) };
    let ledger = sweep.ledger(run, &outcomes);
    let record = RunRecord {
        run: run.name.clone(),
        method: run.method.clone(),
        task: study.name.clone(),
        model: study.model.path.display().to_string(),
        seed: run.seed,
        allocation: run.allocation,
        cost_usd: Some(ledger.cost_usd()),
        metrics: outcome.metrics,
    };
    let mut trainings = run.stages.iter().filter_map(|index| nodes[*index].plan.training());
    let recipe = trainings.next().map_or(&study.recipe, |training| training.recipe(&study.recipe));
    let file = RunFile {
        record: record.clone(),
        labels: Some(ledger.totals()),
        ledger_blake3: None,
        stages: run.stages.iter().map(|index| nodes[*index].key.clone()).collect(),
        study_file: study.absolute_file(),
        text: study.training_file().map(|(_, columns)| columns.text),
        model_path: std::path::absolute(&sweep.model_folder).unwrap_or_else(|_| sweep.model_folder.clone()),
        model_blake3: Some(sweep.model_blake3.clone()),
        engine: study.engine(),
        weights: study.model.weights,
        matmul_precision: study.model.matmul_precision,
        pooling: sweep.pooling.to_owned(),
        max_length: study.model.max_length,
        too_long: study.model.too_long,
        recipe: recipe.clone(),
        method: sweep.method_table(run).cloned(),
    };
    store.write_run(&study.name, &file, &ledger)?;
    let trained = || outcomes.iter().filter(|outcome| outcome.history.is_some());
    let steps: usize = trained().filter_map(|outcome| Some(outcome.history.as_ref()?.steps)).sum();
    // The robust schedule decides itself how many steps few labels need.
    let is_short = steps <= FEW_STEPS && trained().any(|outcome| outcome.recipe.schedule != Schedule::Robust);
    Ok(Some(WrittenRun { record, hardly_trained: is_short }))
}
