//! The label report as a folder of files.

use std::path::{Path, PathBuf};

use super::{LabelReport, render_labels};
use crate::Style;
use crate::export::{WriteError, write_files};
use crate::figures::{label_accuracy, label_calibration};

/// Writes the report into a folder, which is made if need be, and returns the paths of the files:
/// - `labels.json`, the report as data;
/// - `labels.txt`, as text;
/// - `pool_calibration.svg` and `pool_accuracy.svg`, and the same of `test`, where there are labels to judge.
///
/// Files of these names are replaced, each at one stroke.
///
/// # Errors
/// [`WriteError`] for the first file or folder that cannot be written.
pub fn write_label_report(report: &LabelReport, folder: &Path) -> Result<Vec<PathBuf>, WriteError> {
    let mut files = vec![
        ("labels.json".to_owned(), report.to_json()),
        ("labels.txt".to_owned(), render_labels(report, Style::PLAIN)),
    ];
    for (name, quality) in report.judged() {
        let title = format!("{}, {name}", report.study);
        files.push((format!("{name}_calibration.svg"), label_calibration(quality, &title)));
        files.push((format!("{name}_accuracy.svg"), label_accuracy(quality, &title)));
    }
    write_files(files, folder)
}
