//! What annotators answered in one row of a file, in the shapes in which annotation tools write it.
//!
//! - **A table**: a column `label` (or `choice`), a row for each annotator; Label Studio's CSV and JSON-MIN.
//! - **Label Studio's JSON**: `annotations`, each with its results. Drafts and predictions are lists of their own.
//! - **Argilla 2's records**: `responses`, by question; flattened, a column `label.responses` and one of their statuses.
//! - **Argilla 1's records**: `responses`, a list of those of all questions; as a data set, a column `label` that holds a list;
//!   the oldest have one `annotation`.
//!
//! An answer counts if it was given in earnest: what was skipped, is a draft, waits, or was discarded is no label. Versions that
//! write no status have handed on what was submitted.

use super::{ID, KIND, LABEL};
use crate::cell::Cell;
use crate::table::TableRow;

/// Columns that hold a label.
const LABELS: [&str; 2] = [LABEL, "choice"];

/// The end of the names of columns that hold the answers of all annotators.
const RESPONSES: &str = ".responses";

/// The id of the example, as it is written: `None` where nothing in the row is one.
pub(super) fn written_id(row: &TableRow) -> Option<&Cell> {
    let inside = [&["data", ID], &["metadata", ID], &["fields", ID]];
    let ours = row.get(ID).or_else(|| inside.iter().find_map(|path| at(row, path)));
    // The records of Argilla have the id that they were given.
    let theirs = || is_argillas(row).then(|| present(row, "external_id").or_else(|| present(row, "id"))).flatten();
    ours.or_else(theirs)
}

/// The text of the example.
pub(super) fn text(row: &TableRow) -> Option<&Cell> {
    let inside = [["data", "text"], ["fields", "text"], ["inputs", "text"]];
    row.get("text").or_else(|| inside.iter().find_map(|path| at(row, path)))
}

/// The kind of label that the row asks for.
pub(super) fn kind(row: &TableRow) -> Option<String> {
    let parsed = row.get("metadata").map(parsed);
    let of_metadata = parsed.as_ref().and_then(|metadata| field(metadata, KIND));
    let kind = row.get(KIND).or_else(|| at(row, &["data", KIND])).or(of_metadata)?;
    let kind = kind.exact()?.trim().to_lowercase();
    (!kind.is_empty()).then_some(kind)
}

/// The answers that count; `None` where the row has no place for an answer.
pub(super) fn answers(row: &TableRow) -> Option<Vec<Cell>> {
    if let Some(annotations) = row.get("annotations").or_else(|| row.get("completions")) {
        return Some(label_studios(annotations));
    }
    if let Some(responses) = row.get("responses") {
        return Some(argillas(responses));
    }
    if let Some(column) = responses_column(row) {
        let statuses = row.get(&format!("{column}.status")).map(parsed);
        return Some(flat_argillas(&parsed(row.get(column)?), statuses.as_ref()));
    }
    let status = row.get("status").and_then(Cell::exact).map(|status| status.to_lowercase()).unwrap_or_default();
    if let Some(annotation) = row.get("annotation") {
        let counts = status.is_empty() || status == "validated";
        return Some(if counts { of_cell(annotation) } else { Vec::new() });
    }
    let label = LABELS.iter().find_map(|name| row.get(name))?;
    let counts = !["discarded", "draft", "pending"].contains(&status.as_str()) && !is_true(row.get("was_cancelled"));
    Some(if counts { of_cell(label) } else { Vec::new() })
}

fn is_argillas(row: &TableRow) -> bool {
    row.get("responses").is_some()
        || row.get("external_id").is_some()
        || row.get("annotation").is_some()
        || responses_column(row).is_some()
}

/// The column of the answers to the question `label`, or to the only question there is.
fn responses_column(row: &TableRow) -> Option<&str> {
    let mut columns = row.columns().filter(|name| name.ends_with(RESPONSES));
    let (first, second) = (columns.next()?, columns.next());
    if second.is_none() {
        return Some(first);
    }
    row.columns().find(|name| name.strip_suffix(RESPONSES) == Some(LABEL))
}

/// The answer of each annotation that was not skipped.
fn label_studios(annotations: &Cell) -> Vec<Cell> {
    let annotations = parsed(annotations);
    let given = items(&annotations)
        .iter()
        .filter(|annotation| !is_true(field(annotation, "was_cancelled")) && !is_true(field(annotation, "skipped")));
    let answer = |annotation: &Cell| {
        let results = items(field(annotation, "result")?);
        let is_label =
            |result: &&Cell| field(result, "from_name").is_some_and(|name| *name == Cell::Text(LABEL.into()));
        let ours = results.iter().filter(is_label).find_map(|result| field(result, "value"));
        ours.and_then(chosen).or_else(|| results.iter().find_map(|result| chosen(field(result, "value")?)))
    };
    given.filter_map(answer).collect()
}

/// The number or the choice that was made. Several choices are no label, and stay together.
fn chosen(value: &Cell) -> Option<Cell> {
    if let Some(number) = field(value, "number") {
        return Some(number.clone());
    }
    let choices = field(value, "choices")?;
    match items(choices) {
        [] => None,
        [choice] => Some(choice.clone()),
        _ => Some(choices.clone()),
    }
}

/// The responses that were submitted, of records: by question, or by annotator.
fn argillas(responses: &Cell) -> Vec<Cell> {
    match &parsed(responses) {
        questions @ Cell::Record(_) => question(questions).map_or(Vec::new(), of_cell),
        Cell::List(annotators) => {
            let given = annotators.iter().filter(|annotator| is_submitted(annotator));
            let answers = given.filter_map(|annotator| question(field(annotator, "values")?));
            answers.filter_map(|answer| field(answer, "value").cloned()).collect()
        }
        _ => Vec::new(),
    }
}

/// What is said of the question `label`, or of the only question there is.
fn question(questions: &Cell) -> Option<&Cell> {
    match questions {
        Cell::Record(entries) if entries.len() == 1 => entries.first().map(|(_, answers)| answers),
        questions => field(questions, LABEL),
    }
}

fn flat_argillas(answers: &Cell, statuses: Option<&Cell>) -> Vec<Cell> {
    let statuses = statuses.map_or(&[][..], items);
    let counts = |place: usize| statuses.get(place).is_none_or(is_status_of_submitted);
    let answers = if let Cell::List(answers) = answers { answers.clone() } else { of_cell(answers) };
    answers.into_iter().enumerate().filter(|(place, _)| counts(*place)).map(|(_, answer)| answer).collect()
}

/// The answers in a cell: one, or several annotators' as a list of responses, or as a tool nests its only one.
fn of_cell(cell: &Cell) -> Vec<Cell> {
    match parsed(cell) {
        Cell::Missing => Vec::new(),
        Cell::List(list) => list.iter().filter(|item| is_submitted(item)).flat_map(of_cell).collect(),
        record @ Cell::Record(_) => match field(&record, "value") {
            Some(value) => vec![value.clone()],
            None => vec![chosen(&record).unwrap_or(record)],
        },
        answer => vec![answer],
    }
}

fn is_submitted(response: &Cell) -> bool {
    field(response, "status").is_none_or(is_status_of_submitted)
}

fn is_status_of_submitted(status: &Cell) -> bool {
    status.exact().is_some_and(|status| status.is_empty() || status.eq_ignore_ascii_case("submitted"))
}

fn is_true(cell: Option<&Cell>) -> bool {
    cell.and_then(Cell::exact).is_some_and(|value| value.trim().eq_ignore_ascii_case("true") || value.trim() == "1")
}

/// A list or a record that a table holds as text: as JSON, or as Python prints it.
fn parsed(cell: &Cell) -> Cell {
    let Cell::Text(text) = cell else { return cell.clone() };
    if !text.trim_start().starts_with(['[', '{']) {
        return cell.clone();
    }
    let read = serde_json::from_str(text);
    let of_python = || serde_json::from_str(&text.replace('\'', "\"").replace("None", "null"));
    read.or_else(|_| of_python()).unwrap_or_else(|_| cell.clone())
}

fn items(cell: &Cell) -> &[Cell] {
    match cell {
        Cell::List(items) => items,
        _ => &[],
    }
}

fn field<'a>(cell: &'a Cell, name: &str) -> Option<&'a Cell> {
    match cell {
        Cell::Record(entries) => entries.iter().find(|(key, _)| key == name).map(|(_, value)| value),
        _ => None,
    }
}

fn at<'a>(row: &'a TableRow, [outer, inner]: &[&str; 2]) -> Option<&'a Cell> {
    row.get(outer).and_then(|cell| field(cell, inner))
}

fn present<'a>(row: &'a TableRow, name: &str) -> Option<&'a Cell> {
    row.get(name).filter(|cell| **cell != Cell::Missing)
}
