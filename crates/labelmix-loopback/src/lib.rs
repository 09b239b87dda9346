//! Servers on 127.0.0.1, for tests: a little Hugging Face Hub, and a service of a language model. They answer as the real ones
//! do, break where they are told to, and keep a log of what they were asked.
//!
//! The Hub has two listeners, because the Hub has two hosts: files kept in git are served by the Hub itself behind a
//! relative redirect, large files by a storage host behind an absolute one, and a client must not show its token to
//! the latter. Both listen on a port that the operating system chooses and stop when [`LoopbackHub`] is dropped.
//!
//! ```
//! use labelmix_loopback::{LoopbackHub, ServedRepository};
//!
//! let hub = LoopbackHub::start();
//! hub.add(ServedRepository::model("org/tiny").file("config.json", "{}").large_file("model.safetensors", [0; 64]));
//! assert!(hub.endpoint().starts_with("http://127.0.0.1:"));
//! assert!(hub.requests().is_empty());
//! ```

mod answer;
mod fault;
mod listener;
mod model;
mod repository;
mod request;
mod routes;

use std::sync::{Arc, Mutex, PoisonError};

pub use answer::Answer;
pub use fault::{Fault, Script};
pub use model::{LoopbackModel, chat};
pub use repository::ServedRepository;
pub use request::{LoggedRequest, Server};

use listener::Listener;
use repository::Repositories;

/// A running Hub. Dropping it stops it and ends its connections.
#[derive(Debug)]
pub struct LoopbackHub {
    hub: Listener,
    // Held for its drop: the storage host stops with the Hub.
    _storage: Listener,
    state: Arc<Mutex<State>>,
}

/// What both listeners share.
#[derive(Debug, Default)]
struct State {
    repositories: Repositories,
    scripts: Vec<Script>,
    log: Vec<LoggedRequest>,
    storage_origin: String,
}

impl LoopbackHub {
    /// Starts a Hub without repositories.
    ///
    /// # Panics
    ///
    /// If 127.0.0.1 has no free port: there is nothing that a test could do about it.
    pub fn start() -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        let respond = |state: &Arc<Mutex<State>>| {
            let state = Arc::clone(state);
            move |request: &LoggedRequest| {
                let mut state = locked(&state);
                state.log.push(request.clone());
                let fault = fault::take(&mut state.scripts, request);
                (routes::answer(&state, request), fault)
            }
        };
        let storage = Listener::start(Server::Storage, respond(&state));
        locked(&state).storage_origin = storage.origin();
        let hub = Listener::start(Server::Hub, respond(&state));
        Self { hub, _storage: storage, state }
    }

    /// The address for `HF_ENDPOINT`: `http://127.0.0.1:PORT`.
    pub fn endpoint(&self) -> String {
        self.hub.origin()
    }

    /// Serves a repository, and returns the commit that its revision now points to. Added again with other files, the
    /// repository gets a new commit and keeps the old one.
    #[expect(clippy::must_use_candidate, reason = "most tests need no commit")]
    pub fn add(&self, repository: ServedRepository) -> String {
        locked(&self.state).repositories.add(repository)
    }

    /// Takes a repository away, as its owner might.
    pub fn remove(&self, name: &str) {
        locked(&self.state).repositories.remove(name);
    }

    /// Makes the Hub misbehave. Of several scripts that fit a request, the oldest acts.
    pub fn script(&self, script: Script) {
        locked(&self.state).scripts.push(script);
    }

    /// Ends all misbehaviour.
    pub fn behave(&self) {
        locked(&self.state).scripts.clear();
    }

    /// Every request since the start or the last [`Self::forget_requests`], of both servers, in the order of arrival.
    pub fn requests(&self) -> Vec<LoggedRequest> {
        locked(&self.state).log.clone()
    }

    /// Empties the log of requests.
    pub fn forget_requests(&self) {
        locked(&self.state).log.clear();
    }
}

/// A panic in one connection's thread is that test's failure, not a reason to fail in every other thread too.
fn locked<T>(state: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
