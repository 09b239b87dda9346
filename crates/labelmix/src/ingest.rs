//! `labelmix ingest`: labels that were collected, into the training data.

use std::path::PathBuf;

use labelmix_data::{IfMissing, TableFile, read_collected_labels, with_labels};
use labelmix_econ::LabelKind;
use labelmix_report::count;
use labelmix_study::Study;
use serde::Serialize;

use crate::arguments::IngestArguments;
use crate::diagnosis::{Failure, Status, print_data, print_json};

/// A study whose data labels cannot be put into.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
#[error("{}: the data of this study is a task, whose rows are no texts with labels", study.display())]
#[diagnostic(help(
    "`labelmix ingest` works on files of texts ([task] train = …); weak labels of a task can be given in a file of their \
     own, by id: [task.weak] file = … (docs/tasks.md)"
))]
struct NoFilesOfTexts {
    study: PathBuf,
}

/// What was done.
#[derive(Serialize)]
struct Ingested {
    /// The file that was written.
    out: PathBuf,
    kind: LabelKind,
    rows: usize,
    /// Texts that were given a label.
    texts: usize,
    /// Rows that got one.
    labeled: usize,
    /// Rows that had it already.
    known: usize,
    /// Rows of the files without a label.
    missing: usize,
}

pub(crate) fn run(arguments: &IngestArguments) -> Result<Status, Failure> {
    let study = Study::read(&arguments.study)?;
    let (train, columns) = study.training_file().ok_or_else(|| NoFilesOfTexts { study: arguments.study.clone() })?;
    let if_missing = if arguments.partial { IfMissing::LeaveOut } else { IfMissing::Refuse };
    let (mut labels, mut missing) = (Vec::new(), 0);
    for file in &arguments.labels {
        let file = TableFile::new(file).in_encoding(arguments.encoding);
        let collected = read_collected_labels(file, arguments.kind, &columns.values, if_missing)?;
        labels.extend(collected.labels);
        missing += collected.missing;
    }
    let rows = with_labels(&train, &columns, &labels, arguments.kind, &arguments.out)?;
    let ingested = Ingested {
        out: arguments.out.clone(),
        kind: arguments.kind,
        rows: rows.rows,
        texts: rows.texts,
        labeled: rows.labeled,
        known: rows.known,
        missing,
    };
    if arguments.json {
        print_json(&ingested)?;
    } else {
        print_data(&in_words(&ingested))?;
    }
    Ok(Status::Done)
}

fn in_words(ingested: &Ingested) -> String {
    let Ingested { out, kind, rows, labeled, known, missing, .. } = ingested;
    let kind = kind.name();
    let labeled = format!("{} rows, {} of them with a new {kind} label", count(*rows), count(*labeled));
    let known = (*known > 0).then(|| format!("{} had the same one already", count(*known)));
    let missing = (*missing > 0).then(|| format!("{} texts are not labelled yet", count(*missing)));
    let parts: Vec<String> = [Some(labeled), known, missing].into_iter().flatten().collect();
    format!("{}: {}\nName it as `train` in the study's [task] to go on with it.\n", out.display(), parts.join("; "))
}
