//! `labelmix report`: pages, figures and tables from what the store holds.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use labelmix_econ::{MeasuredRun, Tariff};
use labelmix_report::{
    Analysis, Answer, Details, Economics, FigureSettings, Model, Overview, OverviewError, Report, StudyAnswer,
    write_report,
};
use labelmix_study::Study;

use crate::arguments::{PriceList, ReportArguments};
use crate::diagnosis::{Failure, Status, print_data};
use crate::kept::{Finished, store_of, tell_unfinished};
use crate::overview::{KnownTasks, study_folder, write_overview};
use crate::plan::repriced;

pub(crate) fn run(arguments: &ReportArguments) -> Result<Status, Failure> {
    let studies = arguments.studies.iter().map(|file| Study::read(file)).collect::<Result<Vec<_>, _>>()?;
    let figures = arguments.figures.settings();
    let (mut reports, mut answers, mut tasks) = (Vec::new(), Vec::new(), KnownTasks::default());
    let several = studies.len() > 1;
    let mut names = HashSet::new();
    if let Some(twin) = studies.iter().find(|study| !names.insert(&study.name)) {
        return Err(OverviewError::SameName { study: twin.name.clone() }.into());
    }
    for study in studies {
        let store = store_of(&study, arguments.store.as_deref());
        let finished = Finished::read(study, &store)?;
        tell_unfinished(&finished.runs);
        if several {
            answers.extend(seen_with_others(&finished, &mut tasks));
        }
        reports.push(finished);
    }
    // Before what takes long: it may be that they do not belong together.
    let overview = several.then(|| Overview::new(answers)).transpose()?;
    for finished in reports {
        let study = &finished.answer.study;
        let folder = if several { study_folder(&arguments.out, study) } else { arguments.out.clone() };
        print_paths(&write(&finished, &folder, &figures)?)?;
        let Finished { study, measured, .. } = finished;
        if !measured.is_empty() {
            write_economics(&study.name, measured, study.tariff(), &study.grid.budgets, &folder, arguments.price)?;
        }
    }
    if let Some(overview) = overview {
        for (mean, folder) in write_overview(&overview, &arguments.out, &figures, print_paths)? {
            let budgets = mean.answer.budgets_usd();
            write_economics(&mean.answer.study, mean.runs, mean.tariff, &budgets, &folder, arguments.price)?;
        }
    }
    Ok(Status::Done)
}

/// A study as one of several, if some run of it is finished.
fn seen_with_others(finished: &Finished, tasks: &mut KnownTasks) -> Option<StudyAnswer> {
    let Finished { study, runs, measured, answer } = finished;
    if measured.is_empty() {
        say!("{}: without a finished run it is not seen together with the others", answer.study);
        return None;
    }
    let model = match &runs.question.found {
        Some(found) => Model { name: found.model.clone(), parameters: Some(found.parameters) },
        None => Model { name: study.model.path.display().to_string(), parameters: None },
    };
    let (task, answer) = (tasks.name_of(study, &runs.test), answer.clone());
    Some(StudyAnswer { task, model, tariff: study.tariff(), answer, runs: measured.clone() })
}

/// Writes the report of a study's finished runs, without the economics.
pub(crate) fn write(
    Finished { study, runs, measured, answer }: &Finished,
    folder: &Path,
    figures: &FigureSettings,
) -> Result<Vec<PathBuf>, Failure> {
    write_analysed(answer, measured, Details::of(runs).with_prompted(study), folder, figures)
}

/// Analyses runs, writes their report, and says which files it wrote.
pub(crate) fn write_analysed(
    answer: &Answer,
    runs: &[MeasuredRun],
    details: Details,
    folder: &Path,
    figures: &FigureSettings,
) -> Result<Vec<PathBuf>, Failure> {
    say!("resampling {} runs and fitting response surfaces", runs.len());
    let analysis = Analysis::new(answer, runs.to_vec());
    Ok(write_report(&Report { answer: answer.clone(), analysis, details }, folder, figures)?)
}

fn write_economics(
    study: &str,
    runs: Vec<MeasuredRun>,
    tariff: Tariff,
    budgets_usd: &[f64],
    folder: &Path,
    price: Option<PriceList>,
) -> Result<(), Failure> {
    let economics = Economics::new(study, runs, repriced(tariff, price)?, budgets_usd)?;
    print_paths(&economics.write(folder)?)
}

/// Prints where files are, a line each.
fn print_paths(paths: &[PathBuf]) -> Result<(), Failure> {
    for path in paths {
        print_data(&format!("{}\n", path.display()))?;
    }
    Ok(())
}
