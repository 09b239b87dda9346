//! Finished runs that an argument names, and the test set that they were judged by.

use std::path::{Path, PathBuf};

use labelmix_data::Example;
use labelmix_store::FinishedRun;
use labelmix_study::Study;
use miette::Diagnostic;

use crate::diagnosis::Failure;
use crate::kept::labeled_data;
use crate::task::files_of;

/// A run whose test set cannot be found.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub(crate) enum NoTestSet {
    #[error("{}: the run was kept before runs named their study", .0.display())]
    #[diagnostic(help(
        "name the study's file: `labelmix show RUN --study STUDY`, `labelmix compare STUDY --runs RUN_A RUN_B`"
    ))]
    NoStudy(PathBuf),
    #[error("{}: its study {} is no longer there", run.display(), study.display())]
    #[diagnostic(help(
        "name the study's file: `labelmix show RUN --study STUDY`, `labelmix compare STUDY --runs RUN_A RUN_B`"
    ))]
    StudyIsGone { run: PathBuf, study: PathBuf },
}

/// A run that predicts nothing that can be judged.
#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("{}: its predictions of the test set cannot be judged", .0.display())]
#[diagnostic(help("it has none, or some are not numbers: look at the training curve of its stages in the store"))]
pub(crate) struct NoPredictions(PathBuf);

impl NoPredictions {
    pub(crate) fn of(run: &FinishedRun) -> Self {
        Self(run.folder.clone())
    }
}

/// The run of an argument.
pub(crate) fn read_run(folder: &Path) -> Result<FinishedRun, Failure> {
    // The store is above the folder, which may be named from within.
    let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    Ok(FinishedRun::read(&folder)?)
}

/// The test set of a run, with weak labels if there are any: of a study's file if one is named, else as the store keeps it, else
/// of the study that the run names.
pub(crate) fn test_set(run: &FinishedRun, study: Option<&Path>) -> Result<Vec<Example>, Failure> {
    if study.is_none()
        && let Some(test) = run.kept_test_set()?
    {
        return Ok(test);
    }
    let study = match (study, &run.file.study_file) {
        (Some(path), _) => Study::read(path)?,
        (None, Some(path)) if path.exists() => Study::read(path)?,
        (None, Some(path)) => {
            return Err(NoTestSet::StudyIsGone { run: run.folder.clone(), study: path.clone() }.into());
        }
        (None, None) => return Err(NoTestSet::NoStudy(run.folder.clone()).into()),
    };
    Ok(labeled_data(&study, &files_of(&study)?, &[], Some(run.store()?.root()))?.test)
}
