//! The records of runs, each beside the ledger of its labels at the study's prices.

use labelmix_store::{RunFile, RunRecord, StageOutcome, Store};

use crate::error::Result;
use crate::graph::Run;
use crate::sweep::Sweep;

/// The records of all runs whose stages are in the store. Each is written to the store as well,
/// beside the ledger of its labels at the study's prices.
///
/// # Errors
/// If the store cannot be read or written.
pub(crate) fn records(sweep: &Sweep, store: &Store) -> Result<Vec<RunRecord>> {
    let runs = sweep.graph().runs().iter();
    runs.filter_map(|run| write_record(sweep, store, run).transpose()).collect()
}

/// Writes the record of a run, if all of its stages are in the store; the record.
pub(crate) fn write_record(sweep: &Sweep, store: &Store, run: &Run) -> Result<Option<RunRecord>> {
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
    let file = RunFile {
        record: record.clone(),
        labels: Some(ledger.totals()),
        ledger_blake3: None,
        stages: run.stages.iter().map(|index| nodes[*index].key.clone()).collect(),
        study_file: study.absolute_file(),
        text: study.training_file().map(|(_, columns)| columns.text),
        model_path: std::path::absolute(&sweep.model_folder).unwrap_or_else(|_| sweep.model_folder.clone()),
        model_blake3: Some(sweep.model_blake3.clone()),
        weights: study.model.weights,
        matmul_precision: study.model.matmul_precision,
        pooling: sweep.pooling.to_owned(),
        max_length: study.model.max_length,
        too_long: study.model.too_long,
        recipe: study.recipe.clone(),
        method: sweep.method_table(run).cloned(),
    };
    store.write_run(&study.name, &file, &ledger)?;
    Ok(Some(record))
}

/// Steps below which a training has hardly moved its threshold: on SST-2 with `MiniLM` every such run from labels of one kind had
/// test log-odds with a standard deviation below 0.2.
const FEW_STEPS: usize = 25;

/// How many of the finished runs train, and made no more than a handful of steps in all.
///
/// # Errors
/// If the store cannot be read.
pub fn hardly_trained(sweep: &Sweep, store: &Store) -> Result<usize> {
    let nodes = sweep.graph().nodes();
    let mut hardly = 0;
    for run in sweep.graph().runs() {
        let outcomes = run.stages.iter().map(|stage| store.outcome(&nodes[*stage].key));
        let Some(outcomes) = outcomes.collect::<std::result::Result<Option<Vec<StageOutcome>>, _>>()? else { continue };
        let steps: Vec<usize> = outcomes.into_iter().filter_map(|outcome| Some(outcome.history?.steps)).collect();
        hardly += usize::from(!steps.is_empty() && steps.iter().sum::<usize>() <= FEW_STEPS);
    }
    Ok(hardly)
}
