//! The model that arguments and studies name.

use std::path::{Component, Path, PathBuf};

use labelmix_hub::{HubError, Repository, RepositoryNameError};
use labelmix_models::{MissingFiles, check_configuration, checkpoint_files, tokenizer_files};
use labelmix_study::{EngineKind, Study, WeightPrecision};
use miette::Diagnostic;

use crate::diagnosis::Failure;
use crate::hub::{hub, warn};
use crate::progress::DownloadProgress;

/// How much of a checkpoint is wanted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Parts {
    /// All that it takes to run it.
    All,
    /// Its configuration and what its tokenizer is made of.
    Tokenizer,
    Configuration,
}

/// A name that leads to no checkpoint.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub(crate) enum NoCheckpoint {
    #[error("there is no folder {}", .0.display())]
    #[diagnostic(help(
        "a checkpoint is a folder in the Hugging Face layout, or organisation/name of a repository of the Hugging Face \
         Hub (with @revision, if not its newest)"
    ))]
    NoFolder(PathBuf),
    #[error(transparent)]
    #[diagnostic(transparent)]
    Name(#[from] RepositoryNameError),
    #[error("the model {name:?} (there is no folder of this name, so it was looked for on the Hugging Face Hub)")]
    Hub {
        name: String,
        #[source]
        #[diagnostic_source]
        cause: HubError,
    },
    #[error("the model {name:?} of the Hugging Face Hub cannot be run")]
    NotACheckpoint {
        name: String,
        #[source]
        #[diagnostic_source]
        cause: MissingFiles,
    },
    #[error("the model {name:?} of the Hugging Face Hub cannot be run")]
    Unsupported {
        name: String,
        #[source]
        #[diagnostic_source]
        cause: labelmix_models::Error,
    },
}

/// The folder of a checkpoint: the folder of this name in `base`, or a repository of the Hub, of which what is wanted
/// is downloaded unless the cache has it.
pub(crate) fn checkpoint(name: &Path, base: &Path, parts: Parts) -> Result<PathBuf, Failure> {
    checkpoint_for(EngineKind::Native, name, base, parts)
}

/// The same for an engine: another one than ours may run architectures that are not known here.
fn checkpoint_for(engine: EngineKind, name: &Path, base: &Path, parts: Parts) -> Result<PathBuf, Failure> {
    let folder = base.join(name);
    if folder.is_dir() {
        return Ok(folder);
    }
    let Some(text) = repository_name(name) else { return Err(NoCheckpoint::NoFolder(folder).into()) };
    let repository = Repository::model(text).map_err(NoCheckpoint::from)?;
    let hub = hub()?;
    let progress = DownloadProgress::new();
    let of_hub = |cause| NoCheckpoint::Hub { name: text.to_owned(), cause };
    if parts == Parts::Configuration {
        let file = hub.file(&repository, "config.json", &progress).map_err(of_hub)?;
        progress.clear();
        warn(file.warnings);
        let folder = file.path.parent().map(Path::to_owned);
        return Ok(folder.expect("in a snapshot a file lies in a folder"));
    }
    let listing = hub.list(&repository, &progress).map_err(of_hub)?;
    let names: Vec<&str> = listing.files.iter().map(|file| file.path.as_str()).collect();
    let wanted = match parts {
        Parts::All => checkpoint_files(&names),
        Parts::Tokenizer | Parts::Configuration => tokenizer_files(&names),
    };
    let wanted = wanted.map_err(|cause| NoCheckpoint::NotACheckpoint { name: text.to_owned(), cause })?;
    // What cannot be run is not downloaded.
    let configuration = hub.file(&repository, "config.json", &progress).map_err(of_hub)?;
    let unsupported = |cause| NoCheckpoint::Unsupported { name: text.to_owned(), cause };
    if engine == EngineKind::Native {
        check_configuration(&configuration.path).map_err(unsupported)?;
    }
    let snapshot = hub.snapshot(&repository, &|file| wanted.contains(&file), &progress).map_err(of_hub)?;
    progress.clear();
    warn(snapshot.warnings);
    Ok(snapshot.folder)
}

/// The folder of a study's model.
pub(crate) fn checkpoint_of(study: &Study, parts: Parts) -> Result<PathBuf, Failure> {
    checkpoint_for(study.engine.kind, &study.model.path, study.folder(), parts)
}

/// The folder of the model of a study's labeler, if it runs one.
pub(crate) fn labeler_checkpoint_of(study: &Study) -> Result<Option<PathBuf>, Failure> {
    let model =
        study.labeler.as_ref().filter(|labeler| labeler.kind.runs_model()).and_then(|labeler| labeler.model.as_ref());
    model.map(|model| checkpoint_for(study.engine.kind, &model.path, study.folder(), Parts::All)).transpose()
}

/// A path as the name of a repository, if it can be one: an organisation and a name, and nothing like `./` or `/`.
fn repository_name(path: &Path) -> Option<&str> {
    let normal = path.components().all(|component| matches!(component, Component::Normal(_)));
    let text = path.to_str()?;
    let name = text.split_once('@').map_or(text, |(name, _)| name);
    (normal && name.split('/').filter(|part| !part.is_empty()).count() == 2).then_some(text)
}

/// A name that no precision has.
#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("--weights: there is no precision named {0:?}")]
#[diagnostic(help("use auto, f32, bf16 or nf4"))]
pub(crate) struct UnknownPrecision(String);

/// The precision of an argument.
pub(crate) fn precision(name: &str) -> Result<WeightPrecision, UnknownPrecision> {
    WeightPrecision::ALL
        .into_iter()
        .find(|precision| precision.name() == name)
        .ok_or_else(|| UnknownPrecision(name.to_owned()))
}
