//! `labelmix report`: pages, figures and tables from what the store holds.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use labelmix_econ::{MeasuredRun, Tariff};
use labelmix_models::ModelShape;
use labelmix_report::{
    Analysis, Answer, Details, Economics, FigureSettings, Model, Overview, OverviewError, Report, StudyAnswer,
    write_report,
};
use labelmix_sweep::{Store, Study, records};

use crate::arguments::{PriceList, ReportArguments};
use crate::diagnosis::{Failure, Status, print_data};
use crate::kept::{kept_sweep, tell_unfinished};
use crate::overview::{KnownTasks, study_folder, write_overview};
use crate::plan::repriced;
use crate::sweep::Finished;

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
        let store = Store::open(&arguments.store.clone().unwrap_or_else(|| study.default_store()))?;
        let finished = finished(study, &store)?;
        reports.push(StudyReport::new(&finished, &store)?);
        if several {
            answers.extend(seen_with_others(finished, &mut tasks)?);
        }
    }
    // Before what takes long: it may be that they do not belong together.
    let overview = several.then(|| Overview::new(answers)).transpose()?;
    for report in reports {
        let study = &report.answer.study;
        let folder = if several { study_folder(&arguments.out, study) } else { arguments.out.clone() };
        report.write(&folder, &figures, arguments.price)?;
    }
    if let Some(overview) = overview {
        for (mean, folder) in write_overview(&overview, &arguments.out, &figures, print_paths)? {
            let budgets = mean.answer.budgets_usd();
            write_economics(&mean.answer.study, mean.runs, mean.tariff, &budgets, &folder, arguments.price)?;
        }
    }
    Ok(Status::Done)
}

/// What the store holds of a study.
fn finished(study: Study, store: &Store) -> Result<Finished, Failure> {
    let sweep = kept_sweep(study, store)?;
    let records = records(&sweep, store)?;
    tell_unfinished(&sweep, records.len());
    Finished::of(sweep, store, records)
}

/// A study as one of several, if some run of it is finished.
fn seen_with_others(finished: Finished, tasks: &mut KnownTasks) -> Result<Option<StudyAnswer>, Failure> {
    let Finished { sweep, runs, answer, .. } = finished;
    if runs.is_empty() {
        anstream::eprintln!("{}: without a finished run it is not seen together with the others", answer.study);
        return Ok(None);
    }
    let path = &sweep.study().model.path;
    let in_folder = sweep.study().folder().join(path);
    let name = if in_folder.is_dir() { std::path::absolute(&in_folder).unwrap_or(in_folder) } else { path.clone() };
    let parameters = ModelShape::read(sweep.model_folder())?.summary().parameters;
    let model = Model { name: name.display().to_string(), parameters: Some(parameters) };
    Ok(Some(StudyAnswer { task: tasks.name_of(&sweep), model, tariff: sweep.tariff(), answer, runs }))
}

/// What is reported of a study.
struct StudyReport {
    answer: Answer,
    runs: Vec<MeasuredRun>,
    details: Details,
    tariff: Tariff,
    budgets_usd: Vec<f64>,
}

impl StudyReport {
    fn new(finished: &Finished, store: &Store) -> Result<Self, Failure> {
        let Finished { sweep, records, runs, answer } = finished;
        let details = Details::read(sweep, store, records)?;
        let budgets_usd = sweep.study().grid.budgets.clone();
        Ok(Self { answer: answer.clone(), runs: runs.clone(), details, tariff: sweep.tariff(), budgets_usd })
    }

    fn write(self, folder: &Path, figures: &FigureSettings, price: Option<PriceList>) -> Result<(), Failure> {
        let Self { answer, runs, details, tariff, budgets_usd } = self;
        print_paths(&write_analysed(&answer, &runs, details, folder, figures)?)?;
        if runs.is_empty() {
            return Ok(());
        }
        write_economics(&answer.study, runs, tariff, &budgets_usd, folder, price)
    }
}

/// Writes the report of a sweep's finished runs, without the economics.
pub(crate) fn write(
    Finished { sweep, records, runs, answer }: &Finished,
    store: &Store,
    folder: &Path,
    figures: &FigureSettings,
) -> Result<(), Failure> {
    write_analysed(answer, runs, Details::read(sweep, store, records)?, folder, figures)?;
    Ok(())
}

/// Analyses runs, writes their report, and says which files it wrote.
pub(crate) fn write_analysed(
    answer: &Answer,
    runs: &[MeasuredRun],
    details: Details,
    folder: &Path,
    figures: &FigureSettings,
) -> Result<Vec<PathBuf>, Failure> {
    anstream::eprintln!("resampling {} runs and fitting response surfaces", runs.len());
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
