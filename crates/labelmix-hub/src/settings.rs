//! Where the cache is, whom to ask, with which token, and with how much patience.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use labelmix_http::{CertificatesError, Connections, Retries, Secret, is_http};
use miette::Diagnostic;
use thiserror::Error;

/// Everything that [`crate::Hub`] needs to know of its surroundings.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The Hub's address.
    pub endpoint: String,
    /// The folder of cached repositories, which Python shares.
    pub cache: PathBuf,
    /// What shows the Hub who asks, for private and gated repositories.
    pub token: Option<Secret>,
    /// How connections to the Hub come about.
    pub connections: Connections,
    /// Whether the Hub may be asked at all.
    pub access: Access,
    /// How a snapshot refers to the contents that it shares with others.
    pub links: Links,
    /// What is done about failures that may pass.
    pub retries: Retries,
}

/// Whether the Hub may be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// It is asked for the revision every time, and for files that the cache lacks.
    Online,
    /// It is never asked: there is the cache and nothing else.
    Offline,
}

/// How a snapshot's files refer to the cache's contents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Links {
    /// By relative symbolic links, or by copies where the file system or the user's rights do not allow links.
    Symbolic,
    /// By copies always.
    Copies,
}

/// Surroundings that do not fit together.
#[derive(Debug, Error, Diagnostic)]
pub enum SettingsError {
    #[error("there is no place for the cache of the Hugging Face Hub: this user has no home folder")]
    #[diagnostic(help("set HF_HOME to a folder that you may write to"))]
    NoHome,

    #[error("{} cannot be read, where your Hugging Face token is kept: {reason}", file.display())]
    #[diagnostic(help("make the file readable for you, or set HF_TOKEN"))]
    UnreadableToken {
        file: PathBuf,
        /// What the operating system says.
        reason: String,
    },

    #[error("the Hugging Face token holds a character that no token has (it is not shown here)")]
    #[diagnostic(help(
        "copy it again from https://huggingface.co/settings/tokens into HF_TOKEN: letters, digits and `_`, all on one line"
    ))]
    MalformedToken,

    #[error(transparent)]
    #[diagnostic(transparent)]
    Certificates(#[from] CertificatesError),

    #[error("HF_ENDPOINT is `{endpoint}`, which is no address of a Hub")]
    #[diagnostic(help("write it as https://huggingface.co, with a host alone and no user name; or unset it"))]
    MalformedEndpoint { endpoint: String },
}

impl Settings {
    /// The public Hub without a token, with this folder of cached repositories.
    pub fn new(cache: impl Into<PathBuf>) -> Self {
        Self {
            endpoint: "https://huggingface.co".to_owned(),
            cache: cache.into(),
            token: None,
            connections: Connections::new(|_| None),
            access: Access::Online,
            links: Links::Symbolic,
            retries: Retries::default(),
        }
    }

    /// The settings that Python's `huggingface_hub` has in this process's environment.
    ///
    /// # Errors
    ///
    /// No home folder and no variable that replaces it; a token file that cannot be read.
    pub fn from_environment() -> Result<Self, SettingsError> {
        Self::from_variables(|name| env::var_os(name))
    }

    /// The same, with `variable` for the environment. An empty variable counts as absent.
    ///
    /// - The cache: `HF_HUB_CACHE`, else `HUGGINGFACE_HUB_CACHE`, else `hub` in `HF_HOME`, else `huggingface/hub` in
    ///   `XDG_CACHE_HOME`, else `~/.cache/huggingface/hub`. A `~` at the beginning and variables in the value
    ///   (`$NAME`, `${NAME}`) are replaced.
    /// - The token: `HF_TOKEN`, else `HUGGING_FACE_HUB_TOKEN`, else the file `HF_TOKEN_PATH`, else `token` in
    ///   `HF_HOME`. None of them where `HF_HUB_DISABLE_IMPLICIT_TOKEN` is on.
    /// - Certificate authorities: `SSL_CERT_FILE`, else `REQUESTS_CA_BUNDLE`.
    /// - The endpoint: `HF_ENDPOINT`. Offline: `HF_HUB_OFFLINE`, else `TRANSFORMERS_OFFLINE`. Copies instead of links:
    ///   `HF_HUB_DISABLE_SYMLINKS`. On is 1, on, yes or true.
    ///
    /// # Errors
    ///
    /// As for [`Self::from_environment`].
    pub fn from_variables(variable: impl Fn(&str) -> Option<OsString>) -> Result<Self, SettingsError> {
        let variables = Variables(&variable);
        let home = match variables.path("HF_HOME") {
            Some(home) => home,
            None => match variables.path("XDG_CACHE_HOME") {
                Some(cache) => cache.join("huggingface"),
                None => variables.home().ok_or(SettingsError::NoHome)?.join(".cache/huggingface"),
            },
        };
        let cache = variables.path("HF_HUB_CACHE").or_else(|| variables.path("HUGGINGFACE_HUB_CACHE"));
        let mut settings = Self::new(cache.unwrap_or_else(|| home.join("hub")));
        if let Some(endpoint) = variables.text("HF_ENDPOINT") {
            settings.endpoint = endpoint;
        }
        settings.connections = Connections::new(|name| variables.path(name));
        if variables.is_on("HF_HUB_OFFLINE", Some("TRANSFORMERS_OFFLINE")) {
            settings.access = Access::Offline;
        }
        if variables.is_on("HF_HUB_DISABLE_SYMLINKS", None) {
            settings.links = Links::Copies;
        }
        if !variables.is_on("HF_HUB_DISABLE_IMPLICIT_TOKEN", None) {
            let named = variables.text("HF_TOKEN").or_else(|| variables.text("HUGGING_FACE_HUB_TOKEN"));
            settings.token = match named.as_deref().and_then(Secret::new) {
                Some(token) => Some(token),
                None => token_in(&variables.path("HF_TOKEN_PATH").unwrap_or_else(|| home.join("token")))?,
            };
        }
        Ok(settings)
    }

    /// Finds what cannot work before anything is tried.
    pub(crate) fn check(&self) -> Result<(), SettingsError> {
        if !is_http(&self.endpoint) {
            return Err(SettingsError::MalformedEndpoint { endpoint: self.endpoint.clone() });
        }
        if self.token.as_ref().is_some_and(|token| !token.is_well_formed()) {
            return Err(SettingsError::MalformedToken);
        }
        Ok(())
    }
}

fn token_in(file: &Path) -> Result<Option<Secret>, SettingsError> {
    match fs::read_to_string(file) {
        Ok(text) => Ok(Secret::new(&text)),
        Err(reason) if reason.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(reason) => Err(SettingsError::UnreadableToken { file: file.to_path_buf(), reason: reason.to_string() }),
    }
}

struct Variables<'a>(&'a dyn Fn(&str) -> Option<OsString>);

impl Variables<'_> {
    fn value(&self, name: &str) -> Option<OsString> {
        (self.0)(name).filter(|value| !value.is_empty())
    }

    fn text(&self, name: &str) -> Option<String> {
        self.value(name).map(|value| value.to_string_lossy().into_owned())
    }

    /// A path, with `~` and variables replaced; one that is not Unicode is taken as it is.
    fn path(&self, name: &str) -> Option<PathBuf> {
        let value = self.value(name)?;
        let Some(text) = value.to_str() else { return Some(value.into()) };
        let text = match (text.strip_prefix('~'), self.home()) {
            (Some(rest), Some(home)) if rest.is_empty() || rest.starts_with(['/', '\\']) => {
                format!("{}{rest}", home.display())
            }
            _ => text.to_owned(),
        };
        Some(self.expanded(&text).into())
    }

    /// `$NAME` and `${NAME}` replaced; a variable that is not set stays as it is written.
    fn expanded(&self, text: &str) -> String {
        let mut expanded = String::new();
        let mut rest = text;
        while let Some(dollar) = rest.find('$') {
            expanded.push_str(&rest[..dollar]);
            rest = &rest[dollar..];
            let name_end =
                |name: &str| name.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(name.len());
            let (name, length) = match rest[1..].strip_prefix('{').map(|name| (name, name.find('}'))) {
                Some((name, Some(end))) => (&name[..end], end + 3),
                Some((_, None)) => ("", 1),
                None => (&rest[1..=name_end(&rest[1..])], name_end(&rest[1..]) + 1),
            };
            match (self.0)(name).filter(|_| !name.is_empty()) {
                Some(value) => expanded.push_str(&value.to_string_lossy()),
                None => expanded.push_str(&rest[..length]),
            }
            rest = &rest[length..];
        }
        expanded + rest
    }

    /// The home folder; `HOME` is looked up like every other variable before the operating system is asked.
    fn home(&self) -> Option<PathBuf> {
        self.value("HOME").map(PathBuf::from).or_else(env::home_dir)
    }

    /// Whether a switch is on; `instead` counts where the first is not set at all.
    fn is_on(&self, name: &str, instead: Option<&str>) -> bool {
        let value = self.text(name).or_else(|| self.text(instead?));
        value.is_some_and(|value| ["1", "on", "yes", "true"].contains(&value.to_ascii_lowercase().as_str()))
    }
}
