//! The model and the device that arguments and studies name.

use std::path::{Component, Path, PathBuf};

use labelmix_hub::{HubError, Repository, RepositoryNameError};
use labelmix_models::{Device, MissingFiles, checkpoint_files};
use labelmix_sweep::{Study, WeightPrecision};
use miette::Diagnostic;

use crate::arguments::DeviceArgument;
use crate::diagnosis::Failure;
use crate::hub::{hub, warn};
use crate::progress::DownloadProgress;

/// How much of a checkpoint is wanted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Parts {
    /// All that it takes to run it.
    All,
    /// Its configuration and its tokenizer.
    Tokenizer,
    /// Its configuration.
    Configuration,
}

impl Parts {
    /// The files that are wanted, where that does not depend on which there are.
    fn named_files(self) -> Option<&'static [&'static str]> {
        match self {
            Self::All => None,
            Self::Tokenizer => Some(&["tokenizer.json", "config.json"]),
            Self::Configuration => Some(&["config.json"]),
        }
    }
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
}

/// The folder of a checkpoint: the folder of this name in `base`, or a repository of the Hub, of which what is wanted
/// is downloaded unless the cache has it.
pub(crate) fn checkpoint(name: &Path, base: &Path, parts: Parts) -> Result<PathBuf, Failure> {
    let folder = base.join(name);
    if folder.is_dir() {
        return Ok(folder);
    }
    let Some(text) = repository_name(name) else { return Err(NoCheckpoint::NoFolder(folder).into()) };
    let repository = Repository::model(text).map_err(NoCheckpoint::from)?;
    let hub = hub()?;
    let progress = DownloadProgress::new();
    let of_hub = |cause| NoCheckpoint::Hub { name: text.to_owned(), cause };
    if let Some(names) = parts.named_files() {
        let files = names.iter().map(|name| hub.file(&repository, name, &progress));
        let files = files.collect::<Result<Vec<_>, _>>().map_err(of_hub)?;
        progress.clear();
        let folder = files.last().and_then(|file| file.path.parent()).map(Path::to_owned);
        warn(files.into_iter().flat_map(|file| file.warnings).collect());
        return Ok(folder.expect("a file is named, and in a snapshot it lies in a folder"));
    }
    let listing = hub.list(&repository, &progress).map_err(of_hub)?;
    let names: Vec<&str> = listing.files.iter().map(|file| file.path.as_str()).collect();
    let wanted =
        checkpoint_files(&names).map_err(|cause| NoCheckpoint::NotACheckpoint { name: text.to_owned(), cause })?;
    let snapshot = hub.snapshot(&repository, &|file| wanted.contains(&file), &progress).map_err(of_hub)?;
    progress.clear();
    warn(snapshot.warnings);
    Ok(snapshot.folder)
}

/// The folder of a study's model.
pub(crate) fn checkpoint_of(study: &Study, parts: Parts) -> Result<PathBuf, Failure> {
    checkpoint(&study.model.path, study.folder(), parts)
}

/// A path as the name of a repository, if it can be one: an organisation and a name, and nothing like `./` or `/`.
fn repository_name(path: &Path) -> Option<&str> {
    let normal = path.components().all(|component| matches!(component, Component::Normal(_)));
    let text = path.to_str()?;
    let name = text.split_once('@').map_or(text, |(name, _)| name);
    (normal && name.split('/').filter(|part| !part.is_empty()).count() == 2).then_some(text)
}

/// A device that cannot be used.
#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("--device: {0}")]
#[diagnostic(help(
    "cpu is always there; graphics processors need a build with --features cuda or --features metal (docs/devices.md)"
))]
pub(crate) struct UnusableDevice(String);

/// The device of an argument.
pub(crate) fn device(argument: &DeviceArgument) -> Result<Device, UnusableDevice> {
    Device::named(&argument.device).map_err(|error| UnusableDevice(error.to_string()))
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
