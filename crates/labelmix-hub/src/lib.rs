//! Checkpoints and datasets from the Hugging Face Hub, in the cache that Python's `huggingface_hub` uses.
//!
//! [`Settings::from_environment`] finds the cache, the token and the Hub's address where Python finds them, [`Hub`]
//! lists and fetches, and what it fetched Python finds, as it finds what Python fetched. A broken download goes on
//! where it broke off, in the same call and in the next process. Nothing is printed: [`Progress`] is told how far it
//! is, and answers carry the [`Warning`]s that the user should see.
//!
//! ```no_run
//! use labelmix_hub::{Hub, Repository, Settings, Silent};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let hub = Hub::new(Settings::from_environment()?)?;
//! let model = Repository::model("Qwen/Qwen2.5-0.5B@main")?;
//! let snapshot = hub.snapshot(&model, &|file| file.ends_with(".safetensors") || file.ends_with(".json"), &Silent)?;
//! println!("{}", snapshot.folder.display());
//! # Ok(())
//! # }
//! ```
//!
//! # Why not the `hf-hub` crate
//!
//! Version 1.0 works on tokio, reqwest and the Hub's chunk store, some 280 crates in all where this one has 50; what it
//! knows of the cache's layout is private to it, and it starts a broken download again. Version 0.5 has a synchronous
//! interface and resumes, but it knows only `HF_HOME` and `HF_ENDPOINT` of Python's variables, puts its locks where
//! Python does not look for them, has no offline mode, checks no content and explains no refusal. What could be taken
//! from it is the names of three folders. So the requests are made here with ureq: synchronous, with rustls and the
//! webpki roots, and no OpenSSL.

mod cache;
mod client;
mod download;
mod error;
mod explain;
mod hub;
mod listing;
mod partial;
mod progress;
mod redirect;
mod repository;
mod settings;

pub use error::HubError;
pub use hub::{CachedFile, Hub, Listing, Snapshot, Warning};
pub use listing::ListedFile;
pub use progress::{Progress, Silent};
pub use repository::{Repository, RepositoryKind, RepositoryNameError};
pub use settings::{Access, Links, Settings, SettingsError};
