//! The answer as a folder of files.

use std::fs;
use std::path::{Path, PathBuf};

use miette::Diagnostic;

use crate::figures::{
    Columns, FigureSettings, accuracy_by_weak_fraction, cost_accuracy, cost_accuracy_by_price, exchange_rates,
    figure_files, isoquants, learning_curves, methods_by_budget, prompt_or_sft, regime_map,
};
use crate::report::Report;
use crate::tables::tables;
use crate::{Style, page, render};

/// A file or folder of the report that cannot be written.
#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("{}: {source}", path.display())]
#[diagnostic(help("choose a folder that you may write to, on a disk with space"))]
pub struct WriteError {
    /// The file or folder.
    pub path: PathBuf,
    /// What the operating system says.
    pub source: std::io::Error,
}

/// Writes the report into a folder, which is made if need be, and returns the paths of the files:
/// - `report.html`, the page;
/// - `answer.json`, the answer as data;
/// - `table.txt`, as text;
/// - `figures/`, in the formats of the settings, with the method's name before the ending where a figure is about one of several methods;
/// - `tables/`: Markdown, LaTeX and CSV, and all runs as Parquet.
///
/// Files of these names are replaced, each at one stroke: a reader never sees half a file.
///
/// # Errors
/// [`WriteError`] for the first file or folder that cannot be written.
pub fn write_report(report: &Report, folder: &Path, settings: &FigureSettings) -> Result<Vec<PathBuf>, WriteError> {
    let Report { answer, .. } = report;
    let mut written = write_files(
        vec![
            ("report.html".to_owned(), page::page(report).into_bytes()),
            ("answer.json".to_owned(), answer.to_json().into_bytes()),
            ("table.txt".to_owned(), render(answer, Style::PLAIN).into_bytes()),
        ],
        folder,
    )?;
    let figures = figure_files(figures(report, settings.columns), &settings.formats);
    written.extend(write_files(figures, &folder.join("figures"))?);
    written.extend(write_files(tables(answer), &folder.join("tables"))?);
    Ok(written)
}

/// Writes files of these names and contents into a folder, which is made if need be.
pub(crate) fn write_files(
    files: impl IntoIterator<Item = (String, impl AsRef<[u8]>)>,
    folder: &Path,
) -> Result<Vec<PathBuf>, WriteError> {
    fs::create_dir_all(folder).map_err(|source| WriteError { path: folder.to_owned(), source })?;
    files.into_iter().map(|(name, content)| write_whole(folder.join(name), content.as_ref())).collect()
}

/// The names and contents of the figures, as SVG.
fn figures(report: &Report, columns: Columns) -> Vec<(String, String)> {
    let Report { answer, analysis, details } = report;
    let mut figures = Vec::new();
    let mut add = |name: &str, figure: Option<String>| figures.extend(figure.map(|svg| (name.to_owned(), svg)));
    let methods = answer.methods();
    for method in &methods {
        let named = |figure: &str| if methods.len() > 1 { format!("{figure}_{method}") } else { figure.to_owned() };
        let accuracies = accuracy_by_weak_fraction(answer, method, columns);
        add(&named("accuracy_by_weak_fraction"), Some(accuracies));
        if let Some(analysis) = analysis {
            add(&named("regime_map"), regime_map(answer, analysis, method, columns));
            add(&named("isoquants"), isoquants(answer, analysis, method, columns));
        }
    }
    if let Some(analysis) = analysis {
        add("cost_accuracy", Some(cost_accuracy(answer, analysis, columns)));
        add("cost_accuracy_by_price", Some(cost_accuracy_by_price(answer, analysis, columns)));
        add("methods_by_budget", methods_by_budget(answer, analysis, columns));
        add("exchange_rates", exchange_rates(answer, analysis, columns));
    }
    add("prompt_or_sft", prompt_or_sft(answer, &details.prompted, columns));
    add("learning_curves", learning_curves(&details.stages, columns));
    figures
}

/// Writes beside the final place, then renames.
fn write_whole(path: PathBuf, content: &[u8]) -> Result<PathBuf, WriteError> {
    let mut beside = path.clone().into_os_string();
    beside.push(".partial");
    match fs::write(&beside, content).and_then(|()| fs::rename(&beside, &path)) {
        Ok(()) => Ok(path),
        Err(source) => Err(WriteError { path, source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FigureFormat;
    use crate::worked_example::{answer, report};

    #[test]
    fn writes_every_file_and_nothing_else() {
        let scratch = tempfile::tempdir().unwrap();
        let folder = scratch.path().join("made/on/the/way");
        let report = report();
        let settings = FigureSettings::default();
        let mut written = write_report(&report, &folder, &settings).unwrap();
        assert_eq!(write_report(&report, &folder, &settings).unwrap(), written, "a second report replaces the first");

        let folders = [folder.clone(), folder.join("figures"), folder.join("tables")];
        let files = folders.iter().flat_map(|folder| fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()));
        let mut found: Vec<PathBuf> = files.filter(|path| path.is_file()).collect();
        found.sort();
        written.sort();
        assert_eq!(found, written);
        let names: Vec<_> =
            written.iter().map(|path| path.strip_prefix(&folder).unwrap().display().to_string()).collect();
        insta::assert_snapshot!(names.join("\n"), @r#"
        answer.json
        figures/accuracy_by_weak_fraction_few-shot.pdf
        figures/accuracy_by_weak_fraction_few-shot.svg
        figures/accuracy_by_weak_fraction_seq-sft.pdf
        figures/accuracy_by_weak_fraction_seq-sft.svg
        figures/cost_accuracy.pdf
        figures/cost_accuracy.svg
        figures/cost_accuracy_by_price.pdf
        figures/cost_accuracy_by_price.svg
        figures/exchange_rates.pdf
        figures/exchange_rates.svg
        figures/isoquants_few-shot.pdf
        figures/isoquants_few-shot.svg
        figures/isoquants_seq-sft.pdf
        figures/isoquants_seq-sft.svg
        figures/learning_curves.pdf
        figures/learning_curves.svg
        figures/methods_by_budget.pdf
        figures/methods_by_budget.svg
        figures/regime_map_few-shot.pdf
        figures/regime_map_few-shot.svg
        figures/regime_map_seq-sft.pdf
        figures/regime_map_seq-sft.svg
        report.html
        table.txt
        tables/frontier.csv
        tables/frontier.md
        tables/frontier.tex
        tables/methods.csv
        tables/methods.md
        tables/methods.tex
        tables/regimes.csv
        tables/regimes.md
        tables/regimes.tex
        tables/runs.csv
        tables/runs.parquet
        tables/splits.csv
        tables/splits.md
        tables/splits.tex
        "#);
        assert_eq!(fs::read_to_string(folder.join("answer.json")).unwrap(), report.answer.to_json());
    }

    #[test]
    fn one_method_needs_no_suffix() {
        let scratch = tempfile::tempdir().unwrap();
        let mut answer = answer();
        answer.budgets.retain(|split| split.method == "seq-sft");
        answer.not_affordable.clear();
        let report = Report { answer, analysis: None, details: crate::Details::default() };
        let settings = FigureSettings { columns: Columns::One, formats: vec![FigureFormat::Png] };
        write_report(&report, scratch.path(), &settings).unwrap();
        assert!(scratch.path().join("figures/accuracy_by_weak_fraction.png").exists());
    }

    #[test]
    fn says_which_path_cannot_be_written() {
        let scratch = tempfile::tempdir().unwrap();
        let in_the_way = scratch.path().join("report");
        fs::write(&in_the_way, "a file").unwrap();
        let error = write_files([("a".to_owned(), "")], &in_the_way).unwrap_err();
        assert_eq!(error.path, in_the_way);
        assert!(error.to_string().starts_with(&format!("{}: ", in_the_way.display())), "{error}");
    }
}
