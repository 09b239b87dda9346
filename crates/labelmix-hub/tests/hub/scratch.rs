//! A Hub on this machine, an empty cache, and how to look at both.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::time::Duration;

use labelmix_http::{Retries, Secret};
use labelmix_hub::{Access, Hub, HubError, Progress, Repository, Settings, Silent, Snapshot};
use labelmix_loopback::{LoopbackHub, ServedRepository};
use miette::Diagnostic;
use tempfile::TempDir;

pub(crate) struct Scratch {
    pub(crate) served: LoopbackHub,
    folder: TempDir,
}

impl Scratch {
    pub(crate) fn new() -> Self {
        Self { served: LoopbackHub::start(), folder: TempDir::new().unwrap() }
    }

    /// With [`tiny_model`] at `main`; its commit.
    pub(crate) fn with_model() -> (Self, String) {
        let scratch = Self::new();
        let commit = scratch.served.add(tiny_model());
        (scratch, commit)
    }

    pub(crate) fn cache(&self) -> PathBuf {
        self.folder.path().join("hub")
    }

    /// Retries without delay.
    pub(crate) fn settings(&self) -> Settings {
        let retries = Retries { attempts: 3, first_delay: Duration::ZERO, ..Retries::default() };
        Settings { endpoint: self.served.endpoint(), retries, ..Settings::new(self.cache()) }
    }

    pub(crate) fn hub(&self) -> Hub {
        Hub::new(self.settings()).unwrap()
    }

    pub(crate) fn hub_with_token(&self, token: &str) -> Hub {
        Hub::new(Settings { token: Secret::new(token), ..self.settings() }).unwrap()
    }

    pub(crate) fn offline_hub(&self) -> Hub {
        Hub::new(Settings { access: Access::Offline, ..self.settings() }).unwrap()
    }

    /// A Hub whose endpoint answers nobody.
    pub(crate) fn unreachable_hub(&self) -> Hub {
        // Nobody listens there: a port of a Hub that stopped could be another test's by now.
        let nobody = "http://127.0.0.1:1".to_owned();
        Hub::new(Settings { endpoint: nobody, ..self.settings() }).unwrap()
    }

    /// What was asked since the last look, such as `GET /api/models/org/tiny/revision/main?blobs=true`.
    pub(crate) fn asked(&self) -> Vec<String> {
        let requests = self.served.requests();
        self.served.forget_requests();
        requests.iter().map(|request| format!("{} {}", request.method, request.path)).collect()
    }

    /// An error as the command line shows it, without what differs from run to run.
    pub(crate) fn report(&self, error: &HubError) -> String {
        let help = error.help().expect("every error says what to do");
        let cache = self.cache().display().to_string();
        format!("{error}\nhint: {help}").replace(&self.served.endpoint(), "http://HUB").replace(&cache, "CACHE")
    }

    /// A path of the cache below the tiny model's folder.
    pub(crate) fn cached(&self, path: &str) -> PathBuf {
        self.cache().join("models--org--tiny").join(path)
    }
}

/// Two small files, one of them in a folder, and large ones.
pub(crate) fn tiny_model() -> ServedRepository {
    ServedRepository::model("org/tiny")
        .file("config.json", CONFIG)
        .file("1_Pooling/config.json", "{}")
        .large_file("model.safetensors", weights())
        .large_file("pytorch_model.bin", "not wanted")
}

pub(crate) const CONFIG: &str = "{\"hidden_size\": 8}";

/// A megabyte that repeats nowhere, so that a wrong splice shows.
pub(crate) fn weights() -> Vec<u8> {
    (0..250_000_u32).flat_map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes()).collect()
}

pub(crate) fn model() -> Repository {
    Repository::model("org/tiny").unwrap()
}

/// What a loader of models wants.
pub(crate) fn wanted(file: &str) -> bool {
    Path::new(file).extension().is_some_and(|extension| extension == "json" || extension == "safetensors")
}

pub(crate) fn fetch(hub: &Hub) -> Result<Snapshot, HubError> {
    hub.snapshot(&model(), &wanted, &Silent)
}

pub(crate) fn assert_whole(snapshot: &Snapshot) {
    assert_eq!(snapshot.files, ["1_Pooling/config.json", "config.json", "model.safetensors"]);
    assert_eq!(std::fs::read_to_string(snapshot.folder.join("config.json")).unwrap(), CONFIG);
    assert_eq!(std::fs::read_to_string(snapshot.folder.join("1_Pooling/config.json")).unwrap(), "{}");
    assert!(std::fs::read(snapshot.folder.join("model.safetensors")).unwrap() == weights());
}

/// Remembers what it is told.
#[derive(Default)]
pub(crate) struct Listener {
    pub(crate) bytes: RefCell<Vec<(String, u64, u64)>>,
    pub(crate) waits: RefCell<Vec<(String, Duration)>>,
}

impl Progress for Listener {
    fn bytes(&self, file: &str, done: u64, total: u64) {
        self.bytes.borrow_mut().push((file.to_owned(), done, total));
    }

    fn waiting(&self, reason: &str, delay: Duration) {
        self.waits.borrow_mut().push((reason.to_owned(), delay));
    }
}
