//! The numbers behind the tables, for programs: CSV, and all runs as one Parquet file for data frames.

use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray, UInt64Array};
use parquet::arrow::ArrowWriter;
use serde::Serialize;

use crate::{Answer, RunEntry};

/// A regime's row, flat.
#[derive(Serialize)]
struct RegimeRecord<'a> {
    method: &'a str,
    budget_usd: f64,
    all_weak: f64,
    mixed: f64,
    all_gold: f64,
    verdict: Option<&'static str>,
}

/// The lists of the answer as CSV, named as in the answer; lists without entries are left out.
pub(crate) fn records(answer: &Answer) -> Vec<(String, Vec<u8>)> {
    let regimes: Vec<RegimeRecord<'_>> = answer
        .regimes
        .iter()
        .map(|entry| RegimeRecord {
            method: &entry.method,
            budget_usd: entry.answer.budget_usd,
            all_weak: entry.answer.probabilities.all_weak,
            mixed: entry.answer.probabilities.mixed,
            all_gold: entry.answer.probabilities.all_gold,
            verdict: entry.answer.verdict.map(labelmix_econ::Regime::name),
        })
        .collect();
    let files = [
        ("methods.csv", csv_of(&answer.methods_within_budgets)),
        ("splits.csv", csv_of(&answer.budgets)),
        ("frontier.csv", csv_of(&answer.frontier)),
        ("regimes.csv", csv_of(&regimes)),
        ("runs.csv", csv_of(&answer.runs)),
    ];
    files
        .into_iter()
        .filter(|(_, content)| !content.is_empty())
        .map(|(name, content)| (name.to_owned(), content))
        .collect()
}

fn csv_of<T: Serialize>(entries: &[T]) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for entry in entries {
        writer.serialize(entry).expect("flat records fit into rows, and memory does not fail");
    }
    writer.into_inner().expect("memory does not fail")
}

/// All runs as Parquet: the columns of `runs.csv`.
pub(crate) fn parquet_of_runs(runs: &[RunEntry]) -> Vec<u8> {
    let text =
        |value: fn(&RunEntry) -> &str| Arc::new(StringArray::from_iter_values(runs.iter().map(value))) as ArrayRef;
    let count =
        |value: fn(&RunEntry) -> u64| Arc::new(UInt64Array::from_iter_values(runs.iter().map(value))) as ArrayRef;
    let number =
        |value: fn(&RunEntry) -> f64| Arc::new(Float64Array::from_iter_values(runs.iter().map(value))) as ArrayRef;
    let auroc = Arc::new(runs.iter().map(|run| run.auroc).collect::<Float64Array>()) as ArrayRef;
    let batch = RecordBatch::try_from_iter_with_nullable([
        ("run", text(|run| &run.run), false),
        ("method", text(|run| &run.method), false),
        ("task", text(|run| &run.task), false),
        ("model", text(|run| &run.model), false),
        ("seed", count(|run| run.seed), false),
        ("n_weak", count(|run| run.n_weak as u64), false),
        ("n_gold", count(|run| run.n_gold as u64), false),
        ("cost_usd", number(|run| run.cost_usd), false),
        ("accuracy", number(|run| run.accuracy), false),
        ("accuracy_low", number(|run| run.accuracy_low), false),
        ("accuracy_high", number(|run| run.accuracy_high), false),
        ("auroc", auroc, true),
    ])
    .expect("every column has a row for each run");
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None).expect("the columns are of common types");
    writer.write(&batch).expect("memory does not fail");
    writer.close().expect("memory does not fail");
    bytes
}

#[cfg(test)]
mod tests {
    use arrow_array::Array;
    use arrow_array::cast::AsArray;
    use arrow_array::types::{Float64Type, UInt64Type};
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

    use super::*;
    use crate::worked_example::{answer, answer_without_runs};

    #[test]
    fn parquet_holds_every_run() {
        let answer = answer();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("runs.parquet");
        std::fs::write(&path, parquet_of_runs(&answer.runs)).unwrap();
        let reader =
            ParquetRecordBatchReaderBuilder::try_new(std::fs::File::open(&path).unwrap()).unwrap().build().unwrap();
        let batches: Vec<RecordBatch> = reader.map(Result::unwrap).collect();
        let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
        assert_eq!(rows, answer.runs.len());
        let first = &batches[0];
        assert_eq!(first.column_by_name("run").unwrap().as_string::<i32>().value(0), answer.runs[0].run);
        let seeds = first.column_by_name("seed").unwrap().as_primitive::<UInt64Type>();
        assert_eq!(seeds.value(1), answer.runs[1].seed);
        let accuracies = first.column_by_name("accuracy").unwrap().as_primitive::<Float64Type>();
        assert_eq!(accuracies.value(0), answer.runs[0].accuracy);
        assert_eq!(first.column_by_name("auroc").unwrap().null_count(), 0);
    }

    #[test]
    fn csv_has_the_answers_names() {
        let files = records(&answer());
        let header = |wanted: &str| {
            let (_, content) = files.iter().find(|(name, _)| name == wanted).unwrap();
            String::from_utf8_lossy(content).lines().next().unwrap().to_owned()
        };
        assert_eq!(header("methods.csv"), "method,budget_usd,cost_usd,accuracy_mean,accuracy_sd,n_weak,n_gold");
        assert_eq!(header("frontier.csv"), "cost_usd,accuracy,method,n_weak,n_gold");
        assert!(header("runs.csv").starts_with("run,method,task,model,seed,n_weak,n_gold,cost_usd,accuracy"));
        assert!(records(&answer_without_runs()).is_empty());
    }
}
