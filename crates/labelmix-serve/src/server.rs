//! The server as a whole: checked, bound, run.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread;

use labelmix_store::{Store, StoreWatcher};
use labelmix_study::Study;

use crate::access::Access;
use crate::answer::RequestHandler;
use crate::connections::answer_all;
use crate::error::ServeError;
use crate::poller::{look, look_on, take_note};
use crate::results::{Analyst, TaskFiles};
use crate::route::Route;
use crate::state::ServerState;
use crate::token::Token;

/// What to serve, where, to whom.
pub struct Settings {
    /// The store, which need not be there yet.
    pub store: Store,
    /// Studies whose files were named.
    pub studies: Vec<Study>,
    /// Where the data of tasks is.
    pub task_files: TaskFiles,
    /// Where to listen.
    pub address: IpAddr,
    /// The port; any that is free if it is 0.
    pub port: u16,
    /// Whether other machines may reach it.
    pub exposed: bool,
    /// Names by which it is reached, beside its address; with a port if that is another one.
    pub names: Vec<String>,
    /// The token to ask for. Where others can reach the server and there is none, a random one is made.
    pub token: Option<Token>,
}

/// A server that listens, and answers once it is [`run`](Self::run).
pub struct Server {
    listener: TcpListener,
    handler: RequestHandler,
    analyst: Analyst,
    watcher: StoreWatcher,
    named: Vec<String>,
    port: u16,
    address: IpAddr,
    /// A token that nobody but this server knows yet.
    made: Option<Token>,
}

impl Server {
    /// Listens.
    ///
    /// # Errors
    /// [`ServeError`] for an address that others can reach and that nobody allowed, a name that is none, and a place where
    /// nothing can listen.
    pub fn bind(settings: Settings) -> Result<Self, ServeError> {
        let Settings { store, studies, task_files, address, port, exposed, names, mut token } = settings;
        if !address.to_canonical().is_loopback() && !exposed {
            return Err(ServeError::NotExposed { address });
        }
        let mut made = None;
        // A name of another machine's is as good as an address: whoever uses it comes from elsewhere.
        let reachable = exposed || !names.iter().all(|name| Access::is_local_name(name));
        if reachable && token.is_none() {
            token = Some(Token::random()?);
            made.clone_from(&token);
        }
        let place = SocketAddr::new(address, port);
        let listen = |source| ServeError::Listen { address: place, source };
        let listener = TcpListener::bind(place).map_err(listen)?;
        listener.set_nonblocking(true).map_err(listen)?;
        let port = listener.local_addr().map_err(listen)?.port();
        let server_state = Arc::new(ServerState::default());
        let handler = RequestHandler {
            access: Access::new(port, &names, token)?,
            server_state: Arc::clone(&server_state),
            store: store.root().to_owned(),
        };
        let system = |error: rayon::ThreadPoolBuildError| ServeError::System { reason: error.to_string() };
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let threads = rayon::ThreadPoolBuilder::new().num_threads((cores / 4).max(1)).build().map_err(system)?;
        let file = |study: &Study| Some((study.name.clone(), study.file()?.to_owned()));
        let analyst = Analyst {
            store: store.clone(),
            studies: studies.iter().filter_map(file).collect::<HashMap<_, _>>(),
            task_files,
            threads,
            server_state,
        };
        let named = studies.into_iter().map(|study| study.name).collect();
        Ok(Self { listener, handler, analyst, watcher: StoreWatcher::new(store), named, port, address, made })
    }

    /// Where a browser finds it: the page of the study if one was named, or the list; with the token if it was made here.
    pub fn url(&self) -> String {
        let host = match self.address {
            // Everything that is this machine is also this.
            address if address.is_unspecified() => "127.0.0.1".to_owned(),
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => format!("[{address}]"),
        };
        let page = match &self.named[..] {
            [study] => Route::page_of(study),
            _ => "/".to_owned(),
        };
        let token = self.made.as_ref().map_or(String::new(), |token| format!("?token={}", token.reveal()));
        format!("http://{host}:{}{page}{token}", self.port)
    }

    /// Answers until `is_over` says true, which it is asked ten times a second.
    ///
    /// # Errors
    /// If the system gives no threads, or lets nothing wait for connections.
    pub fn run(self, is_over: &dyn Fn() -> bool) -> Result<(), ServeError> {
        let Self { listener, handler, analyst, mut watcher, named, .. } = self;
        let system = |error: io::Error| ServeError::System { reason: error.to_string() };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(system)?;
        let server_state = Arc::clone(&handler.server_state);
        // Who asks before the first look is over waits for it.
        take_note(&server_state, BTreeMap::new(), &named);
        let rest = look(&server_state, &mut watcher, &named);
        let polled = Arc::clone(&server_state);
        let spawn = |name: &str, work: Box<dyn FnOnce() + Send>| {
            thread::Builder::new().name(name.to_owned()).spawn(work).map(drop).map_err(system)
        };
        // They end with the process, if not before: nothing that they do has to be finished.
        spawn("poller", Box::new(move || look_on(&polled, watcher, &named, rest)))?;
        spawn("results", Box::new(move || analyst.work()))?;
        let answered = runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            answer_all(listener, Arc::new(handler), is_over).await;
            Ok(())
        });
        server_state.end();
        answered.map_err(system)
    }
}
