//! The task that an argument or a study names, and its data: on this machine, or of the Hugging Face Hub.

use std::collections::BTreeSet;
use std::path::Path;

use labelmix_data::{DataSource, HubTable, SplitFiles, Task, TaskError};
use labelmix_hub::{Hub, HubError, Repository, RepositoryNameError};
use labelmix_study::Study;
use miette::Diagnostic;

use crate::diagnosis::Failure;
use crate::hub::{cache, hub, warn};
use crate::progress::DownloadProgress;

/// Which splits of a task are wanted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum TaskSplits {
    All,
    Training,
}

/// A task without its data.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub(crate) enum NoData {
    #[error(transparent)]
    #[diagnostic(transparent)]
    Task(#[from] TaskError),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Name(#[from] RepositoryNameError),
    #[error("the data of task {task} (on the Hugging Face Hub) cannot be had")]
    Hub {
        task: String,
        #[source]
        #[diagnostic_source]
        cause: HubError,
    },
}

/// A task of labelmix, or a user's own: a file that ends in .toml. With its data in `folder`, if there is one.
pub(crate) fn task(name: &str, folder: Option<&Path>) -> Result<Task, TaskError> {
    let is_file = Path::new(name).extension().is_some_and(|extension| extension == "toml");
    let task = if is_file { Task::read(Path::new(name))? } else { Task::named(name)? };
    Ok(match folder {
        Some(folder) => task.with_folder(folder),
        None => task,
    })
}

/// The files of a task's splits; those of the Hub are downloaded unless the cache has them.
pub(crate) fn files(task: &Task, splits: TaskSplits) -> Result<SplitFiles, Failure> {
    Ok(match task.source() {
        DataSource::Local(_) => task.local_files()?,
        DataSource::Hub(table) => hub_files(&hub()?, task, table, splits)?,
    })
}

/// The same without a download: `None` where the cache lacks them.
pub(crate) fn files_at_hand(task: &Task, splits: TaskSplits) -> Result<Option<SplitFiles>, Failure> {
    let DataSource::Hub(table) = task.source() else { return files(task, splits).map(Some) };
    match hub_files(&cache()?, task, table, splits) {
        Ok(files) => Ok(Some(files)),
        // What others left of the dataset in the cache may be no data at all.
        Err(NoData::Task(_) | NoData::Hub { cause: HubError::NotCached { .. }, .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The files of a study's task; none if its data is files of texts.
pub(crate) fn files_of(study: &Study) -> Result<SplitFiles, Failure> {
    study.named_task()?.map_or_else(|| Ok(SplitFiles::new()), |task| files(&task, TaskSplits::All))
}

#[expect(clippy::result_large_err, reason = "it is made once in a command, and then boxed")]
fn hub_files(hub: &Hub, task: &Task, table: &HubTable, splits: TaskSplits) -> Result<SplitFiles, NoData> {
    let of_hub = |cause| NoData::Hub { task: task.name().to_owned(), cause };
    let repository = Repository::dataset(&table.dataset)?;
    let repository = match &table.revision {
        Some(revision) => repository.at(revision)?,
        None => repository,
    };
    let progress = DownloadProgress::new();
    let listing = hub.list(&repository, &progress).map_err(of_hub)?;
    let names: Vec<String> = listing.files.into_iter().map(|file| file.path).collect();
    let mut files = task.hub_files(&names)?;
    if splits == TaskSplits::Training {
        let wanted = task.train_splits();
        files.retain(|split, _| wanted.contains(&split.as_str()));
    }
    let wanted: BTreeSet<&str> = files.values().flatten().map(String::as_str).collect();
    let snapshot = hub.snapshot(&repository, &|file| wanted.contains(file), &progress).map_err(of_hub)?;
    progress.clear();
    warn(snapshot.warnings);
    let at_hand = |(split, names): (&String, &Vec<String>)| {
        (split.clone(), names.iter().map(|name| snapshot.folder.join(name)).collect())
    };
    Ok(files.iter().map(at_hand).collect())
}
