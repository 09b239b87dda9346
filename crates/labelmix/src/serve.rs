//! `labelmix serve`: the page of a report, live while a sweep runs.

use std::path::PathBuf;

use labelmix_data::SplitFiles;
use labelmix_serve::{Server, Settings, Token};
use labelmix_store::Store;
use labelmix_study::Study;

use crate::arguments::ServeArguments;
use crate::diagnosis::{Failure, SignalError, Status, print_data};
use crate::signals::Signals;
use crate::task::{TaskSplits, files_at_hand};

/// The environment's variable for a token.
const TOKEN_VARIABLE: &str = "LABELMIX_SERVE_TOKEN";

pub(crate) fn run(arguments: &ServeArguments) -> Result<Status, Failure> {
    let (store, studies) = what(arguments)?;
    let token = match (&arguments.token_file, std::env::var(TOKEN_VARIABLE)) {
        (Some(file), _) => Some(Token::read(file)?),
        (None, Ok(token)) if !token.is_empty() => Some(Token::given(&token, TOKEN_VARIABLE)?),
        _ => None,
    };
    let task_files = |study: &Study| {
        let Some(task) = study.named_task().map_err(|error| error.to_string())? else { return Ok(SplitFiles::new()) };
        let files = files_at_hand(&task, TaskSplits::All).map_err(|error| error.to_string())?;
        files.ok_or_else(|| format!("the data of task {} is not on this machine", task.name()))
    };
    let settings = Settings {
        store,
        studies,
        task_files: Box::new(task_files),
        address: arguments.address,
        port: arguments.port,
        exposed: arguments.expose,
        names: arguments.host.clone(),
        token,
    };
    let server = Server::bind(settings)?;
    let signals = Signals::handle().map_err(SignalError)?;
    signals.catch();
    if arguments.expose {
        say!(
            "warning: whoever can read this network's traffic can read the pages and the token; `ssh -L` keeps them private"
        );
    }
    print_data(&format!("{}\n", server.url()))?;
    say!("serving until Ctrl-C");
    server.run(&|| signals.interrupt().is_requested())?;
    Ok(Status::Done)
}

/// The store to serve, and the studies whose files are named: a folder is a store, a file a study.
fn what(arguments: &ServeArguments) -> Result<(Store, Vec<Study>), Failure> {
    let ServeArguments { store_or_study, studies, store, .. } = arguments;
    let is_study = store_or_study.is_file();
    let files: Vec<&PathBuf> = Some(store_or_study).filter(|_| is_study).into_iter().chain(studies).collect();
    let studies = files.into_iter().map(|file| Study::read(file)).collect::<Result<Vec<_>, _>>()?;
    let store = match (store, studies.first()) {
        (Some(folder), _) => Store::to_look_at(folder),
        // A study may be served before it is swept.
        (None, Some(study)) if is_study => Store::to_look_at(&study.default_store()),
        (None, _) => Store::open_to_read(store_or_study)?,
    };
    Ok((store, studies))
}
