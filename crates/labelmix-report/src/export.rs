//! The answer as a folder of files.

use std::path::{Path, PathBuf};

use labelmix_files::{WriteError, own, write_files};

use crate::figures::{
    Columns, FigureSettings, accuracy_by_weak_fraction, cost_accuracy, cost_accuracy_by_price, exchange_rates,
    figure_files, isoquants, learning_curves, methods_by_budget, prompt_or_sft, regime_map,
};
use crate::report::Report;
use crate::tables::tables;
use crate::{Style, page, render};

/// Writes the report into a folder, which is made if need be, and returns the paths of the files:
/// - `report.html`, the page;
/// - `answer.json`, the answer as data;
/// - `table.txt`, as text;
/// - `figures/`, in the formats of the settings, with the method's name before the ending where a figure is about one of several methods;
/// - `tables/`: Markdown, LaTeX and CSV, and all runs as Parquet.
///
/// Files that labelmix wrote there before are replaced, each at one stroke: a reader never sees half a file.
///
/// # Errors
/// [`WriteError`] for the first file or folder that cannot be written.
pub fn write_report(report: &Report, folder: &Path, settings: &FigureSettings) -> Result<Vec<PathBuf>, WriteError> {
    let Report { answer, .. } = report;
    let files = [
        ("report.html", page::page(report)),
        ("answer.json", answer.to_json()),
        ("table.txt", render(answer, Style::PLAIN)),
    ];
    own(folder, ["figures", "tables"].into_iter())?;
    let mut written = write_files(folder, files.map(|(name, content)| (name.to_owned(), content)))?;
    let figures = figure_files(figures(report, settings.columns), &settings.formats);
    written.extend(write_files(&folder.join("figures"), figures)?);
    written.extend(write_files(&folder.join("tables"), tables(answer))?);
    Ok(written)
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

#[cfg(test)]
mod tests {
    use std::fs;

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
        let is_list = |path: &PathBuf| path.ends_with(".labelmix-files");
        let mut found: Vec<PathBuf> = files.filter(|path| path.is_file() && !is_list(path)).collect();
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
        let error = write_files(&in_the_way, [("a".to_owned(), "")]).unwrap_err();
        assert_eq!(error.path, in_the_way);
        assert!(error.to_string().starts_with(&format!("{}: ", in_the_way.display())), "{error}");
    }
}
