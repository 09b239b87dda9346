//! `labelmix import`: runs of the published code, as records, tables and figures.

use std::collections::HashSet;
use std::path::PathBuf;

use labelmix_data::write_table;
use labelmix_econ::Prices;
use labelmix_files::own;
use labelmix_report::{Answer, Details, Model, Overview, StudyAnswer, render};
use labelmix_store::RunRecord;
use labelmix_study::StudyError;
use labelmix_sweep::{ImportedRuns, PUBLISHED_BUDGETS, SetAside, import_published, published_points};

use crate::arguments::ImportArguments;
use crate::diagnosis::{Failure, Status, print_data};
use crate::overview::{study_folder, write_overview};
use crate::report::write_analysed;
use crate::style::terminal_style;

const RECORDS_FILE: &str = "records.jsonl";
/// So many runs that were set aside are named; the others are counted.
const NAMED: usize = 10;

pub(crate) fn run(arguments: &ImportArguments) -> Result<Status, Failure> {
    let prices = Prices::new(arguments.weak_price, arguments.gold_price).map_err(StudyError::from)?;
    let budgets = if arguments.budgets.is_empty() { &PUBLISHED_BUDGETS[..] } else { &arguments.budgets };
    let ImportedRuns { studies, set_aside } = import_published(&arguments.results)?;
    name_set_aside(&set_aside);
    let figures = arguments.figures.settings();
    own(&arguments.out, [RECORDS_FILE].into_iter())?;
    write_table(&arguments.out.join(RECORDS_FILE), studies.iter().flat_map(|study| &study.records))?;
    let several = studies.len() > 1;
    let mut answers = Vec::new();
    for study in studies {
        let name = format!("{}_{}", study.task, study.model.replace('/', "_"));
        let points = published_points(&study.records, &prices, budgets);
        let bought: HashSet<_> = points.iter().map(|point| (&point.method, point.allocation)).collect();
        let on_points = |record: &&RunRecord| bought.contains(&(&record.method, record.allocation));
        let beyond = study.records.len() - study.records.iter().filter(on_points).count();
        if beyond > 0 {
            say!("{name}: {beyond} runs cost more than the largest budget; --budgets takes more");
        }
        let answer = Answer::new(&name, &prices, &points, &[], &study.records, study.weak_accuracy)
            .with_regimes(study.measured.clone());
        print_data(&(render(&answer, terminal_style()) + "\n"))?;
        let folder = study_folder(&arguments.out, &name);
        tell_paths(&write_analysed(&answer, &study.measured, Details::default(), &folder, &figures)?);
        let model = Model::named(&study.model);
        answers.push(StudyAnswer { task: study.task, model, tariff: prices.into(), answer, runs: study.measured });
    }
    if several {
        let tell = |paths: &[PathBuf]| {
            tell_paths(paths);
            Ok(())
        };
        for (mean, _) in write_overview(&Overview::new(answers)?, &arguments.out, &figures, tell)? {
            print_data(&(render(&mean.answer, terminal_style()) + "\n"))?;
        }
    }
    Ok(Status::Done)
}

/// Says where files are; standard output has the tables.
fn tell_paths(paths: &[PathBuf]) {
    for path in paths {
        say!("{}", path.display());
    }
}

fn name_set_aside(set_aside: &[SetAside]) {
    for SetAside { folder, reason } in set_aside.iter().take(NAMED) {
        say!("left out: {}: {reason}", folder.display());
    }
    if set_aside.len() > NAMED {
        say!("left out: {} more", set_aside.len() - NAMED);
    }
}
