//! The Hugging Face Hub of this process's environment, and what it has to say.

use labelmix_hub::{Access, Hub, Settings, SettingsError, Warning};
use miette::Diagnostic;

/// An environment that names no usable Hub.
#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("the settings of the Hugging Face Hub")]
pub(crate) struct UnusableSettings(
    #[from]
    #[diagnostic_source]
    SettingsError,
);

/// The Hub, with its cache.
pub(crate) fn hub() -> Result<Hub, UnusableSettings> {
    Ok(Hub::new(Settings::from_environment()?)?)
}

/// The cache alone.
pub(crate) fn cache() -> Result<Hub, UnusableSettings> {
    Ok(Hub::new(Settings { access: Access::Offline, ..Settings::from_environment()? })?)
}

/// Prints warnings, each once: what several files have in common is said for each of them.
pub(crate) fn warn(mut warnings: Vec<Warning>) {
    warnings.dedup();
    for warning in warnings {
        say!("warning: {warning}");
    }
}
