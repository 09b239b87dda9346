//! The label report as a folder of files.

use std::path::{Path, PathBuf};

use super::{FieldGroups, LabelReport, render_labels};
use labelmix_files::{WriteError, write_files};

use crate::figures::{figure_files, label_accuracy, label_accuracy_by_field, label_calibration};
use crate::{FigureFormat, Style};

/// Writes the report into a folder, which is made if need be, and returns the paths of the files:
/// - `labels.json`, the report as data;
/// - `labels.txt`, as text;
/// - the figures `pool_calibration` and `pool_accuracy`, and the same of `test`, in each of the formats, where there are labels to judge;
/// - `pool_accuracy_by_NAME`, and the same of `test`, for each field that was asked for.
///
/// Files that labelmix wrote there before are replaced, each at one stroke.
///
/// # Errors
/// [`WriteError`] for the first file or folder that cannot be written.
pub fn write_label_report(
    report: &LabelReport,
    folder: &Path,
    formats: &[FigureFormat],
) -> Result<Vec<PathBuf>, WriteError> {
    let files = [
        ("labels.json".to_owned(), report.to_json().into_bytes()),
        ("labels.txt".to_owned(), render_labels(report, Style::PLAIN).into_bytes()),
    ];
    let mut figures = Vec::new();
    for (name, quality) in report.judged() {
        let title = format!("{}, {name}", report.study);
        figures.push((format!("{name}_calibration"), label_calibration(quality, &title)));
        figures.push((format!("{name}_accuracy"), label_accuracy(quality, &title)));
        for (field, file_name) in quality.by_field.iter().zip(file_names(&quality.by_field)) {
            let figure = label_accuracy_by_field(quality, field, &title);
            figures.push((format!("{name}_accuracy_by_{file_name}"), figure));
        }
    }
    write_files(folder, files.into_iter().chain(figure_files(figures, formats)))
}

/// The fields' names as parts of file names, each another one on any file system.
fn file_names(fields: &[FieldGroups]) -> Vec<String> {
    /// Longer ones are cut: file systems take 255 bytes in all.
    const MOST_CHARACTERS: usize = 60;
    let mut names: Vec<String> = Vec::new();
    for FieldGroups { field, .. } in fields {
        let safe =
            |character: char| if character.is_alphanumeric() || "_-.".contains(character) { character } else { '-' };
        let plain: String = field.chars().take(MOST_CHARACTERS).map(safe).collect();
        let numbered = (2..).map(|number| format!("{plain}-{number}"));
        let is_free = |name: &String| names.iter().all(|taken| taken.to_lowercase() != name.to_lowercase());
        names.extend([plain.clone()].into_iter().chain(numbered).find(is_free));
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_has_a_file_of_its_own() {
        let fields = ["source", "a/b", "a b", "A-b", "meta.jahr"];
        let fields = fields.map(|field| FieldGroups { field: field.to_owned(), groups: Vec::new() });
        assert_eq!(file_names(&fields), ["source", "a-b", "a-b-2", "A-b-3", "meta.jahr"]);
    }
}
